from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
import scipy.stats
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

from chainrule import FeedforwardClassifier
from chainrule.command._application import application
from chainrule.command._options import activation_sources
from chainrule.command.compare._statistics import holm, paired_difference
from chainrule.networks.files._locks import alone

QUICK = ("--folds", "3", "--repeats", "1", "--hidden", "4", "--max-iter", "15")


def run(*arguments, code=0):
    result = CliRunner().invoke(application, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    X = generator.normal(size=(60, 3))
    kinds = np.array(["a", "b", "c"])[np.digitize(X[:, 0] + 0.5 * X[:, 1], [-0.5, 0.5])]
    table = pl.DataFrame({"x": X[:, 0], "y": X[:, 1], "noise": X[:, 2], "kind": kinds})
    table.write_csv(tmp_path / "data.csv")
    table.with_columns(size=X[:, 0] + X[:, 1]).drop("kind").write_csv(tmp_path / "sizes.csv")
    sides = np.array(["left", "right"])[(X[:, 0] > 0).astype(int)]
    table.with_columns(size=X[:, 0] + X[:, 1], side=sides).write_csv(tmp_path / "sides.csv")
    return tmp_path


def compare(*arguments, data="data.csv", target="kind", code=0):
    return run("compare", data, "--target", target, *QUICK, *arguments, code=code)


def results(folder="comparison"):
    with open(f"{folder}/comparison.json", encoding="utf-8") as file:
        return json.load(file)


# The statistics


def test_without_correction_it_is_the_paired_t_test():
    generator = np.random.default_rng(1)
    ours, theirs = generator.normal(size=(2, 10))
    found = paired_difference(ours, theirs, 0.0)
    expected = scipy.stats.ttest_rel(ours, theirs)
    assert found.probability == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_the_correction_by_hand():
    """D = 1, 2, 3, 4: mean 2.5, s² = 5/3; t = 2.5/√((1/4 + 1/4)·5/3) with 3 degrees of freedom."""
    found = paired_difference([1.0, 2.0, 3.0, 4.0], [0.0] * 4, 0.25)
    t = 2.5 / np.sqrt(0.5 * 5.0 / 3.0)
    assert found.mean == 2.5
    assert found.probability == pytest.approx(2.0 * scipy.stats.t.sf(t, 3))
    half = scipy.stats.t.ppf(0.975, 3) * np.sqrt(0.5 * 5.0 / 3.0)
    assert (found.low, found.high) == pytest.approx((2.5 - half, 2.5 + half))


def test_the_correction_keeps_its_level_where_folds_overlap():
    """Differences that correlate by 1/k are found about as often as promised."""
    generator = np.random.default_rng(2)
    folds, trials = 5, 2000
    shared = np.sqrt(1.0 / folds) * generator.normal(size=(trials, 1))
    rest = np.sqrt(1.0 - 1.0 / folds) * generator.normal(size=(trials, folds))

    def share(ratio):
        zeros = [0.0] * folds
        found = [paired_difference(list(d), zeros, ratio).probability for d in shared + rest]
        return np.mean(np.array(found) < 0.05)

    assert share(1.0 / (folds - 1)) < 0.065
    assert share(0.0) > 0.09


def test_differences_that_do_not_vary_are_not_tested():
    assert paired_difference([0.5, 0.6], [0.4, 0.5], 0.5) is None
    assert paired_difference([0.5, 0.6], [0.5, 0.6], 0.5) is None


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_commas_inside_of_brackets_stay():
    given = ["relu, max(alpha*z, z)", "where(z > 0, z, max(-1, z)),gelu"]
    expected = ["relu", "max(alpha*z, z)", "where(z > 0, z, max(-1, z))", "gelu"]
    assert activation_sources(given) == expected


# The command


def test_scores_are_those_of_the_estimator_on_the_folds(folder):
    compare("--activations", "tanh,relu", "--seed", "3")
    table = pl.read_csv("data.csv")
    X, y = table.drop("kind").to_numpy(), table["kind"].to_numpy()
    expected = []
    splits = StratifiedKFold(3, shuffle=True, random_state=3).split(X, y)
    for fold, (rows, held) in enumerate(splits):
        scaler = StandardScaler().fit(X[rows])
        model = FeedforwardClassifier((4,), "relu", max_iter=15, random_state=3 + fold)
        with pytest.warns(UserWarning, match="max_iter"):
            model.fit(scaler.transform(X[rows]), y[rows])
        expected.append(model.score(scaler.transform(X[held]), y[held]))
    found = results()["activations"][1]
    assert found["activation"] == "relu"
    assert found["scores"] == pytest.approx(expected)
    assert found["mean"] == pytest.approx(np.mean(expected))
    assert found["deviation"] == pytest.approx(np.std(expected, ddof=1))


def test_all_activations_have_one_recipe(folder, monkeypatch):
    """Also those that scikit-learn's recipe is for, where trials would choose it."""
    seen = []
    fit = FeedforwardClassifier.fit

    def watched(self, *arguments, **options):
        seen.append(self.recipe)
        return fit(self, *arguments, **options)

    monkeypatch.setattr(FeedforwardClassifier, "fit", watched)
    compare("--activations", "tanh,mish")
    assert set(seen) == {"own"}


def test_the_report(folder):
    """Eighty columns are enough; the page stands alone; the picture is one."""
    printed = compare(
        "--activations", "relu, where(z > 0, z, alpha*(exp(z) - 1)) + 0*sin(z)*cos(z)*tanh(z)",
        "--activation", "gelu", "--parameter", "alpha=1.5",
    ).stdout  # fmt: skip
    assert max(map(len, printed.splitlines())) <= 80
    assert "Against relu" in printed
    assert "95 % interval" in printed
    assert "corrected for 2 comparisons" in printed
    assert "(commonest class)" in printed
    page = (folder / "comparison/comparison.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "Nadeau and Bengio" in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert (folder / "comparison/comparison.png").read_bytes().startswith(b"\x89PNG")


def test_regression_and_the_best_as_reference(folder):
    options = ("--activations", "0*z,sin(z)", "--against", "best", "--learning-rate", "0.05")
    printed = compare(*options, data="sizes.csv", target="size").stdout
    assert "R²" in printed
    assert "Against sin(z)" in printed
    assert "which flatters it" in printed
    assert results()["baseline"] is None


def test_goes_on_where_it_was_cut_off(folder):
    """Half a line is forgotten, a kept fit is not done again, a lost one is."""
    compare("--activations", "relu,tanh(z)")
    whole = results()
    state = folder / "comparison/fits.jsonl"
    lines = state.read_text(encoding="utf-8").splitlines()
    kept = [json.loads(line) for line in lines[1:4]]
    assert [fit["activation"] for fit in kept] == ["max(0, z)", "tanh(z)", "max(0, z)"]
    kept[0]["score"] = 0.125
    half = "\n".join([lines[0], *map(json.dumps, kept), lines[4][:30]])
    state.write_text(half, encoding="utf-8")
    printed = compare("--activations", "relu,tanh(z)").stdout
    assert "3 of them are kept" in printed
    again = results()
    assert again["activations"][0]["scores"] == [0.125, *whole["activations"][0]["scores"][1:]]
    assert again["activations"][1]["scores"] == whole["activations"][1]["scores"]
    assert "6 of them are kept" in compare("--activations", "relu,tanh(z)").stdout


def test_further_activations_use_what_is_kept(folder):
    compare("--activations", "relu")
    printed = compare("--activations", "relu,max(alpha*z, z)", "--parameter", "alpha=0.1").stdout
    assert "3 of them are kept" in printed
    printed = compare("--activations", "relu,max(alpha*z, z)", "--parameter", "alpha=0.2").stdout
    assert "3 of them are kept" in printed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--seed", "1"), "seed was 0, now 1"),
        (("--hidden", "5,5"), "hidden was 4, now 5,5"),
        (("--alpha", "0.1"), "alpha was 0.0001, now 0.1"),
        (("--drop", "noise"), "drop was nothing, now noise"),
    ],
)
def test_another_setting_is_refused(folder, change, message):
    compare("--activations", "relu")
    refused = compare("--activations", "relu", *change, code=2).stderr
    assert message in refused
    assert "Give another --output" in refused


def test_two_comparisons_cannot_share_a_folder(folder):
    """Both would do, and keep, the same fits; a killed one leaves the folder free."""
    (folder / "comparison").mkdir()
    with alone(folder / "comparison/fits.jsonl") as is_alone:
        assert is_alone
        message = compare("--activations", "relu", code=2).stderr
    assert "another comparison is writing to comparison" in message
    compare("--activations", "relu")
    assert ".fits.jsonl.lock" not in os.listdir("comparison")


def test_several_targets_are_compared_by_rows_that_are_all_right(folder):
    """Beside always the commonest class of each; numbers by their mean R²."""
    compare("--activations", "relu", "--learning-rate", "0.1", target="kind,side", data="sides.csv")
    found = results()
    assert (found["target"], found["measure"]) == ("kind, side", "all right")
    (scores,) = (each["scores"] for each in found["activations"])
    assert 0.0 < found["baseline"] < np.mean(scores) <= 1.0
    compare("--activations", "relu", "--output", "n", target="x,size", data="sides.csv")
    assert results("n")["measure"] == "mean R²"


def test_another_table_is_refused(folder):
    compare("--activations", "relu")
    text = (folder / "data.csv").read_text()
    (folder / "data.csv").write_text(text + text.splitlines()[-1] + "\n")
    assert "table was" in compare("--activations", "relu", code=2).stderr


@pytest.mark.parametrize(
    "content",
    ["", "{}\n", "words\n", '{"format": "x", "settings": {}}\n', "[[[", "header\n{}\n"],
)
def test_a_damaged_state_is_refused(folder, content):
    compare("--activations", "relu")
    state = folder / "comparison/fits.jsonl"
    header = state.read_text().splitlines()[0]
    state.write_text(content.replace("header", header))
    refused = compare("--activations", "relu", code=2).stderr
    assert "is damaged" in refused
    assert state.read_text() == content.replace("header", header)


def test_divergence_is_a_result(folder):
    printed = compare("--activations", "relu,exp(z**2)", "--learning-rate", "100").stdout
    assert "exp(z**2) has no score in " in printed
    assert "of 3 fits: training diverged in epoch" in printed
    assert "exp(z**2): not compared" in printed
    assert results()["activations"][1]["mean"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no activation is given"),
        (("--activations", "relu,,gelu"), "nothing before or after one of its commas"),
        (("--activations", "relu,max(0, z)"), "max(0, z) is given twice: as relu"),
        (("--activations", "relu,nonsense"), "not in the catalogue"),
        (("--activations", "log(z)"), "where(condition"),
        (("--activations", "relu", "--folds", "50"), "at most --folds"),
        (("--activations", "relu", "--folds", "500"), "too few for 500 folds"),
        (("--activations", "relu", "--target", "none"), "there is no column"),
        (("--activations", "relu", "--parameter", "alpha=1"), "does not occur"),
        (("--activations", "relu", "--output", "data.csv"), "is no folder"),
    ],
)
def test_refuses(folder, arguments, message):
    refused = compare(*arguments, code=2).stderr
    assert refused.startswith("Error: ")
    assert message in refused


def test_an_interrupt_keeps_what_is_finished(folder):
    command = [sys.executable, "-c", "from chainrule.command import main; main()", "compare",
               "data.csv", "--target", "kind", "--activations", "relu,tanh", "--folds", "10",
               "--repeats", "20", "--max-iter", "300"]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    state, end = folder / "comparison/fits.jsonl", time.monotonic() + 60
    while time.monotonic() < end and not (state.exists() and state.read_text().count("\n") > 2):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in said
    assert "Traceback" not in said
    lines = state.read_text().splitlines()
    assert 3 <= len(lines) < 401
    assert all(json.loads(line) for line in lines)
