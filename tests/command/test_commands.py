from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import chainrule
from chainrule.command._application import application
from chainrule.networks import load_network, save_network

COMMAND = Path(sys.executable).with_name("chainrule")
HEAVY = ("numpy", "polars", "sklearn", "numba", "sympy", "matplotlib", "scipy")


def run(*arguments, code=0):
    """Run a command in this process; an exception that leaves it fails the test."""
    result = CliRunner().invoke(application, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result


def refused(*arguments):
    """Return the message with which a command refuses its input."""
    result = run(*arguments, code=2)
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output
    return result.stderr


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def flowers(rows=90):
    """Return a table in which colour, size and height tell the species."""
    generator = np.random.default_rng(3)
    species, colours = np.arange(rows) % 3, np.array(["blue", "red", "white"])
    return pl.DataFrame({
        "size": species + generator.normal(0, 0.1, rows),
        "count": generator.integers(0, 9, rows),
        "colour": colours[(species + (generator.random(rows) < 0.1)) % 3],
        "wild": species == 1,
        "species": np.array(["aster", "rose", "lily"])[species],
    })  # fmt: skip


QUICK = ("--hidden", "8", "--max-iter", "60", "--learning-rate", "0.02")


# derive, certify, list


def test_derive_prints_the_derivation():
    printed = run("derive", "max(alpha*z, z)", "--parameter", "alpha=0.25").stdout
    derivation = chainrule.activation("max(alpha*z, z)", alpha=0.25).derivation()
    assert printed == f"{derivation}\n"


def test_derive_adds_the_portrait_on_request():
    assert "The function's portrait" not in run("derive", "max(0, z)").stdout
    printed = run("derive", "max(0, z)", "--portrait").stdout
    assert "The function's portrait" in printed
    assert "0, attained on a whole stretch" in printed


def test_derive_with_cost():
    """∂J/∂Z of the cross-entropy behind the sigmoid is (A - Y)/m."""
    printed = run("derive", "sigmoid", "--cost", "binary_cross_entropy").stdout
    assert "∂J/∂Z = (A - Y)/m" in printed
    printed = run("derive", "-z", "--cost", "sum(c*(a - y)**2)", "--cost-parameter", "c=3").stdout
    assert "∂J/∂Z" in printed


def test_derive_latex_and_page(folder):
    printed = run("derive", "-tanh(z)", "--format", "latex", "--html", "page.html")
    assert (
        printed.stdout.strip() == chainrule.activation("-tanh(z)").derivation().to_latex().strip()
    )
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert page == chainrule.activation("-tanh(z)").derivation().to_html()


@pytest.mark.parametrize("formula", ["-z", "-log(1 + exp(-z))", "- z"])
def test_a_formula_may_begin_with_a_minus_sign(formula):
    assert f"a = {formula.replace('- z', '-z')}\n" in run("derive", formula).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("z +",), "not an expression"),
        (("",), "the formula is empty"),
        (("__import__('os')",), "Error: "),
        (("(" * 100_000,), "at most"),
        (("alpha*z",), "no value for alpha"),
        (("z", "--parameter", "alpha"), "such as --parameter alpha=0.2"),
        (("z", "--parameter", "alpha=x"), "such as --parameter alpha=0.2"),
        (("b*z", "--parameter", "b=1", "--parameter", "b=2"), "gives b twice"),
        (("b*z", "--parameter", "b=nan"), "finite"),
        (("nonsense",), "not in the catalogue"),
        (("z", "--cost", "a - y"), "Write sum"),
        (("z", "--cost-parameter", "c=1"), "needs a --cost"),
        (("z", "--html", "no/such/folder.html"), "there is no folder"),
        (("z", "--html", "."), "is a folder"),
    ],
)
def test_derive_refuses(folder, arguments, message):
    assert message in refused("derive", *arguments)


def test_certify(folder):
    """The certificate is printed; where it is not passed the exit code says so."""
    assert run("certify", "z/(1 + abs(z))").stdout.rstrip().endswith("passed")
    data = json.loads(run("certify", "relu", "--json", "--dtype", "float64").stdout)
    assert data["passed"] is True
    assert data["dtype"] == "float64"


def test_certify_not_passed(monkeypatch):
    """A formula that loses its digits is not certified, and the exit code is 1."""
    from chainrule.certificates import Certificate

    monkeypatch.setattr(Certificate, "passed", property(lambda self: False))
    assert "NOT passed" in run("certify", "z", code=1).stdout


def test_list():
    everything = run("list").stdout
    assert "z*tanh(log(1 + exp(z)))" in everything
    (line,) = (x for x in everything.splitlines() if x.startswith("categorical_cross_entropy "))
    assert line.split()[-1] == "cross_entropy"
    assert "mish" not in run("list", "costs").stdout
    assert "cross_entropy" not in run("list", "activations").stdout


def test_list_tells_all_about_one_function():
    """Where other frameworks have it, with the arguments and the defaults that differ."""
    leaky = run("list", "LeakyReLU").stdout
    assert "where(z > 0, z, alpha*z)" in leaky
    assert "Maas, Hannun and Ng" in leaky
    assert "activations.leaky_relu (alpha 0.2)" in leaky
    assert "nn.gelu(approximate=False)" in run("list", "gelu").stdout
    assert "sum(y) == 1" in run("list", "categorical_cross_entropy").stdout
    assert "Did you mean softplus?" in refused("list", "softplos")


# train and predict


def test_classify_a_table(folder):
    """A table of numbers, booleans and text is learned, written, and predicted from the file."""
    flowers().write_csv("flowers.csv")
    printed = run("train", "flowers.csv", "--target", "species", "--activation", "z*exp(-z**2)",
                  *QUICK).stdout  # fmt: skip
    assert "4 columns (2 numeric, 1 boolean, 1 categorical) become 6 inputs" in printed
    assert "classification into 3 classes (aster, lily, rose), since it holds text" in printed
    assert float(re.search(r"accuracy +([0-9.]+)", printed)[1]) > 0.9
    assert re.search(r"majority class +0.3", printed)
    # Order and further columns do not matter, nor does the file's type.
    shuffled = flowers().select("wild", "colour", pl.lit(1).alias("more"), "size", "count")
    shuffled.write_parquet("new.parquet")
    run("predict", "model.safetensors", "new.parquet", "--output", "out.csv", "--probabilities")
    table = pl.read_csv("out.csv")
    assert table.columns == ["prediction"] + [
        f"probability_{name}" for name in ("aster", "lily", "rose")
    ]
    assert (table["prediction"] == flowers()["species"]).mean() > 0.9
    np.testing.assert_allclose(table.drop("prediction").sum_horizontal(), 1.0)
    # On the terminal stands the same as in the file.
    printed = run("predict", "model.safetensors", "flowers.csv").stdout
    assert printed.splitlines() == ["prediction", *table["prediction"]]


def test_model_opens_in_python(folder):
    """The library's own `load` reads the file as well."""
    flowers().write_csv("flowers.csv")
    run("train", "flowers.csv", "--target", "species", *QUICK)
    estimator = chainrule.load("model.safetensors")
    assert estimator.classes_.tolist() == ["aster", "lily", "rose"]
    assert estimator.n_features_in_ == 6


def test_regression(folder):
    """R² and predictions are in the units of the target."""
    x = np.linspace(-2, 2, 200)
    pl.DataFrame({"x": x, "y": 1e6 + 1e4 * x**2}).write_parquet("curve.parquet")
    printed = run("train", "curve.parquet", "--target", "y", "--hidden", "16,16", "--activation",
                  "tanh", "--activation", "sin(z)", "--learning-rate", "0.01",
                  "--no-early-stopping").stdout  # fmt: skip
    assert "regression, since it holds numbers with fractions" in printed
    assert float(re.search(r"R² +([0-9.]+)", printed)[1]) > 0.95
    predicted = run("predict", "model.safetensors", "curve.parquet").stdout.splitlines()[1:]
    np.testing.assert_allclose([float(line) for line in predicted], 1e6 + 1e4 * x**2, rtol=5e-3)
    assert "no probabilities" in refused(
        "predict", "model.safetensors", "curve.parquet", "--probabilities"
    )


@pytest.mark.parametrize(
    ("values", "option", "task"),
    [
        ([0, 1] * 30, "auto", "classification into 2 classes (0, 1)"),
        (list(range(60)), "auto", "regression, since it holds whole numbers with many"),
        ([True, False] * 30, "auto", "classification into 2 classes (False, True)"),
        ([0, 1, 2] * 20, "regression", "regression, as asked"),
        ([0.0, 1.0] * 30, "classification", "classification into 2 classes (0, 1), as asked"),
    ],
)
def test_task(folder, values, option, task):
    """The task follows from the target, is told, and can be chosen."""
    pl.DataFrame({"x": range(60), "y": values}).write_csv("t.csv")
    printed = run("train", "t.csv", "--target", "y", "--task", option, "--max-iter", "2",
                  "--hidden", "4")  # fmt: skip
    assert task in printed.stdout
    assert "max_iter=2" in printed.stderr


def test_same_seed_same_network(folder):
    flowers().write_csv("flowers.csv")
    networks = []
    for seed in (1, 1, 2):
        run("train", "flowers.csv", "--target", "species", "--seed", seed, *QUICK)
        networks.append(load_network("model.safetensors")[0].parameters.tobytes())
    assert networks[0] == networks[1] != networks[2]


def test_nothing_is_learned_from_held_out_rows(folder):
    """Scales are those of the rows to train on, not of the table."""
    flowers().write_csv("flowers.csv")
    run("train", "flowers.csv", "--target", "species", "--test-size", "0.5", *QUICK)
    _, extra = load_network("model.safetensors")
    learned = extra["table"]["columns"][0]
    assert learned["name"] == "size"
    assert abs(learned["mean"] - flowers()["size"].mean()) > 1e-6


def test_missing_values(folder):
    """Missing values are refused with the remedy; the remedy works, and works for predicting."""
    gaps = flowers().with_row_index("row").with_columns(
        pl.when(pl.col("row") % 10 == 1).then(None).otherwise(pl.col("size")).alias("size"),
        pl.when(pl.col("row") % 30 == 2).then(pl.lit("?")).otherwise("colour").alias("colour"),
    ).drop("row")  # fmt: skip
    gaps.write_csv("gaps.csv")
    arguments = ("train", "gaps.csv", "--target", "species", "--missing", "?", *QUICK)
    message = refused(*arguments)
    assert "'size' (9), 'colour' (3) of 90 rows" in message
    assert "--impute" in message
    assert not Path("model.safetensors").exists()
    run(*arguments, "--impute", "median")
    predicted = run("predict", "model.safetensors", "gaps.csv")
    assert len(predicted.stdout.splitlines()) == 91
    assert predicted.stderr == ""


@pytest.mark.parametrize("mark", ["NA", "NaN", "?", "null", "n/a", ""])
def test_marks_among_numbers_are_missing_values(folder, mark):
    """One in a column of numbers makes no categories of it: it is refused, or filled, by name."""
    rows = flowers().cast({"count": pl.String})
    marked = rows.with_columns(
        pl.when(pl.col("count") == "8").then(pl.lit(mark)).otherwise("count").alias("count")
    )
    marked.write_csv("t.csv")
    given = len(marked.filter(count=mark))
    message = refused("train", "t.csv", "--target", "species", *QUICK)
    assert f"missing values in 'count' ({given}) of 90 rows" in message
    assert not mark or f"{mark!r} among numbers" in message
    run("train", "t.csv", "--target", "species", "--impute", "median", *QUICK)
    columns = load_network("model.safetensors")[1]["table"]["columns"]
    assert {column["name"]: column["kind"] for column in columns}["count"] == "numeric"
    marked.filter(count=mark).write_csv("new.csv")
    predicted = run("predict", "model.safetensors", "new.csv")
    assert len(predicted.stdout.splitlines()) == given + 1


def test_missing_values_in_prediction(folder):
    flowers().write_csv("flowers.csv")
    run("train", "flowers.csv", "--target", "species", *QUICK)
    flowers().with_columns(size=None).write_csv("gaps.csv")
    assert "'size' (90) of 90 rows" in refused("predict", "model.safetensors", "gaps.csv")


def test_unknown_categories(folder):
    flowers().write_csv("flowers.csv")
    run("train", "flowers.csv", "--target", "species", *QUICK)
    flowers(4).with_columns(colour=pl.Series(["red", "green", "pink", "red"])).write_csv("n.csv")
    predicted = run("predict", "model.safetensors", "n.csv")
    assert "'colour' (2)" in predicted.stderr
    assert len(predicted.stdout.splitlines()) == 5


def test_numbers_spoilt_by_a_text(folder):
    """A column of numbers in which a text stands is pointed at."""
    flowers().with_columns(
        pl.when(pl.col("count") == 8).then(pl.lit("few")).otherwise(pl.col("count")).alias("count")
    ).write_csv("t.csv")
    result = run("train", "t.csv", "--target", "species", *QUICK)
    assert "give --missing 'few'" in " ".join(result.stderr.split())


@pytest.mark.parametrize("written", ["2024-03-{:02}", "{}/12/2024", "2024-03-{:02} 12:30:00"])
def test_dates_are_pointed_at(folder, written):
    """They are categories, of which those of other days are none."""
    dates = pl.Series([written.format(1 + row % 9) for row in range(90)])
    flowers().with_columns(day=dates, colour=pl.lit("1-2-3 red")).write_csv("t.csv")
    result = run("train", "t.csv", "--target", "species", *QUICK)
    noted = " ".join(result.stderr.split())
    assert "'day' holds dates, taken as 9 categories" in noted
    assert "--drop 'day'" in noted
    assert "'colour' holds dates" not in noted


@pytest.mark.parametrize("written", ["{}.5%", "${},000", "1.{:03},5"])
def test_numbers_with_signs_are_pointed_at(folder, written):
    """As categories in a note; as names of rows, or as a target, they are refused."""
    flowers().with_columns(
        some=pl.Series([written.format(row % 9) for row in range(90)]),
        each=pl.Series([written.format(row) for row in range(90)]),
    ).write_csv("t.csv")
    result = run("train", "t.csv", "--target", "species", "--drop", "each", *QUICK)
    noted = " ".join(result.stderr.split())
    assert "'some' is taken as 9 categories" in noted
    assert "which looks like a number. Write digits" in noted
    for options in (("species", "--drop", "some"), ("each",)):
        assert "looks like a number" in refused("train", "t.csv", "--target", *options)
    run("train", "t.csv", "--target", "some", "--drop", "each", *QUICK)


def test_a_table_without_a_header_is_pointed_at(folder):
    """The first row is taken for it, which only numbers in it can tell."""
    rows = "".join(f"{k / 7:.3f};{k % 2}\n" for k in range(40))
    Path("t.csv").write_text("0.5;3\n" + rows)
    result = run("train", "t.csv", "--target", "3", *QUICK)
    assert "the header holds numbers alone: '0.5', '3'" in " ".join(result.stderr.split())


def table(text):
    return text.encode()


ROWS = "".join(f"{k},{k % 2}\n" for k in range(20))
BAD_TABLES = {
    "empty": (b"", "is empty"),
    "only a header": (b"x,y\n", "no rows"),
    "target missing": (table("x,z\n" + ROWS), "there is no column 'y'"),
    "one class": (table("x,y\n" + "1,a\n2,a\n" * 9), "'a' in every row"),
    "one number": (table("x,y\n" + "1,7\n2,7\n" * 9), "'7.0' in every row"),
    "NaN": (table("x,y\nNaN,1\n" + ROWS), "missing values in 'x' (1) of 21 rows"),
    "infinity": (table("x,y\ninf,1\n" + ROWS), "is not a finite number"),
    "infinite target": (table("x,y\n1,inf\n2,3.5\n" + ROWS), "is not a finite number"),
    "target with gaps": (table("x,y\n3,\n" + ROWS), "cannot be imputed"),
    "ragged": (table("x,y\n1,2,3\n" + ROWS), "line 2: 3 values for 2 columns"),
    "binary": (bytes(range(256)), "neither CSV nor Parquet"),
    "names repeat": (table("x,x,y\n1,2,3\n"), "more than one column is named 'x'"),
    "no columns left": (table("y\n0\n1\n"), "no column is left"),
    "a name without a name": (table(",y\n" + ROWS), "a column has no name"),
    "one row": (table("x,y\n1,2\n"), "in every row"),
    "two rows": (table("x,y\n1,a\n2,b\n"), "too few"),
    "texts that name rows": (table("x,y\n" + "".join(f"i{k},{k % 2}\n" for k in range(20))),
                             "--drop 'x'"),
    "a column without values": (table("x,w,y\n" + "1,,0\n2,,1\n" * 9), "column 'w' has no values"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_tables(folder, name):
    content, message = BAD_TABLES[name]
    Path("t.csv").write_bytes(content)
    assert message in refused("train", "t.csv", "--target", "y", *QUICK)
    assert not Path("model.safetensors").exists()


@pytest.mark.parametrize("zeros", [40, 305])
def test_huge_integers_are_numbers(folder, zeros):
    """Whole numbers beyond 64 bits, and squares beyond the largest number, are no obstacle."""
    rows = "".join(f"{k}{'0' * zeros},{k % 2}\n" for k in range(40))
    Path("t.csv").write_text(f"x,y\n{rows}")
    assert "1 numeric" in run("train", "t.csv", "--target", "y", *QUICK).stdout


@pytest.mark.parametrize(
    ("values", "kind"),
    [([[1.0], [2.0]] * 20, "List"), ([{"a": 1}, {"a": 2}] * 20, "Struct"),
     ([b"x", b"y"] * 20, "Binary")],
)  # fmt: skip
def test_types_without_meaning(folder, values, kind):
    """Nested and binary columns are refused with their names, and can be dropped."""
    pl.DataFrame({"x": range(40), "n": values, "y": [0, 1] * 20}).write_parquet("t.parquet")
    message = refused("train", "t.parquet", "--target", "y", *QUICK)
    assert f"column 'n' holds values of type {kind}" in message
    run("train", "t.parquet", "--target", "y", "--drop", "n", *QUICK)
    assert kind in refused("train", "t.parquet", "--target", "n", *QUICK)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--hidden", "8,x"), "--hidden"),
        (("--hidden", "0"), "--hidden"),
        (("--test-size", "1.5"), "is not a share"),
        (("--test-size", "nan"), "is not a share"),
        (("--drop", "nonsense"), "there is no column 'nonsense'"),
        (("--drop", "species"), "is the target"),
        (("--target", "nonsense"), "there is no column 'nonsense'"),
        (("--target", "size", "--task", "classification"), "no labels"),
        (("--task", "regression"), "holds text"),
        (("--learning-rate", "-1"), "learning_rate_init"),
        (("--alpha", "-1"), "alpha"),
        (("--activation", "z", "--activation", "z", "--activation", "z"), "3 activations"),
        (("--activation", "beta*z"), "no value for beta"),
        (("--activation", "z", "--parameter", "beta=1"), "beta"),
        (("--output", "flowers.csv"), "would replace what is read"),
        (("--output", "no/such/model"), "there is no folder"),
    ],
)
def test_train_refuses(folder, options, message):
    flowers().write_csv("flowers.csv")
    assert message in refused("train", "flowers.csv", "--target", "species", *options)


@pytest.mark.parametrize("command", ["train", "compare", "predict"])
def test_a_file_that_is_not_there_is_found_out_at_once(folder, command):
    """Before the libraries are loaded that would read it."""
    options = {
        "train": ["no.csv", "--target", "y"],
        "compare": ["no.csv", "--target", "y", "--activations", "relu"],
        "predict": ["no.safetensors", "no.csv"],
    }[command]
    code = (
        "import sys; from chainrule.command import main\n"
        f"sys.argv = ['chainrule', *{[command, *options]}]\n"
        "try: main()\n"
        f"except SystemExit: print([n for n in {HEAVY} if n in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "there is no file no." in found.stderr
    assert found.stdout.strip() == "[]"


def test_files_that_are_not_there(folder):
    assert "there is no file no.csv" in refused("train", "no.csv", "--target", "y")
    Path("folder").mkdir()
    assert "folder" in refused("train", "folder", "--target", "y")
    Path("t.csv").write_text("x\n1\n")
    assert "there is no file no.model" in refused("predict", "no.model", "t.csv")
    assert "not a model file" in refused("predict", "t.csv", "t.csv")


def test_parameters_go_to_the_layers_that_name_them(folder):
    flowers().write_csv("flowers.csv")
    printed = run("train", "flowers.csv", "--target", "species", "--hidden", "4,4", "--activation",
                  "leaky_relu", "--activation", "sin(omega*z)", "--parameter", "alpha=0.3",
                  "--parameter", "omega=2", "--max-iter", "5").stdout  # fmt: skip
    assert "with alpha=0.3 | sin(omega*z)  with omega=2" in printed


def test_models_of_others(folder):
    """A model without a table, or with one that was tampered with, is refused."""
    flowers().write_csv("flowers.csv")
    run("train", "flowers.csv", "--target", "species", *QUICK)
    network, extra = load_network("model.safetensors")
    described = extra.pop("table")
    save_network(network, "bare", extra)
    assert "chainrule.load()" in refused("predict", "bare", "flowers.csv")
    for key, value in (("columns", described["columns"][:-1]), ("version", 7)):
        save_network(network, "bad", extra | {"table": described | {key: value}})
        assert "is damaged" in refused("predict", "bad", "flowers.csv")
    run("predict", "model.safetensors", "flowers.csv")


def test_names_cannot_steer_the_terminal(folder):
    """Escape sequences in a file's names are shown, not sent."""
    Path("t.csv").write_text("\x1b[2Jx,y\n" + ROWS)
    message = refused("train", "t.csv", "--target", "z")
    assert "\x1b" not in message
    assert "\\x1b[2Jx" in message
    Path("t.csv").write_text("x,y\n" + "1,\x1b[2Ja\n2,b\n" * 9)
    printed = run("train", "t.csv", "--target", "y", *QUICK).output
    assert "\x1b" not in printed
    assert "(\\x1b[2Ja, b)" in printed


# demo


def test_demo(folder):
    """The demonstration reaches what it promises, and its page needs nothing else."""
    printed = run("demo", "--page", "page.html").stdout
    assert "∂J/∂Z = ∂J/∂A ⊙" in printed
    assert "; passed" in printed
    ours, theirs = re.findall(r"^(?:chainrule|scikit-learn) +([0-9.]+) +[0-9.]+ s", printed, re.M)
    assert float(ours) >= 0.97
    assert float(theirs) > 0.9
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3  # the plot, the graph and the learning curve
    assert "currentColor" in page
    assert "training loss" in page
    assert "Certificate</h2>" in page
    assert not re.search(r"<script|https?://|@import|url\((?!#)|<link|src=", page)


# several targets


def test_several_targets_of_classes(folder):
    """One network for all: text, truth values and numbers, each with its probabilities."""
    table = flowers(150).with_columns(grade=pl.col("count") % 2, rare=pl.col("count") > 4)
    table.write_csv("flowers.csv")
    printed = run("train", "flowers.csv", "--target", "species, wild", *QUICK).stdout
    assert "target 'species': classification into 3 classes" in printed
    assert "target 'wild': classification into 2 classes (False, True)" in printed
    accuracies = [float(found) for found in re.findall(r"accuracy +([\d.]+)", printed)]
    assert min(accuracies) > 0.8
    both = float(re.search(r"all of a row right ([\d.]+)", printed)[1])
    assert both <= min(accuracies)
    lines = run("predict", "model.safetensors", "flowers.csv", "--probabilities").stdout
    found = pl.read_csv(lines.encode())
    assert found.columns == [
        "prediction_species", "probability_species_aster", "probability_species_lily",
        "probability_species_rose", "prediction_wild", "probability_wild_False",
        "probability_wild_True",
    ]  # fmt: skip
    assert (found["prediction_species"] == table["species"]).mean() > 0.8
    assert found["prediction_wild"].dtype == pl.Boolean
    run("train", "flowers.csv", "--target", "wild,rare,grade", *QUICK, "--output", "binary")
    found = pl.read_csv(run("predict", "binary", "flowers.csv").stdout.encode())
    assert [found[name].dtype for name in found.columns] == [pl.Boolean, pl.Boolean, pl.Int64]


def test_several_targets_of_numbers(folder):
    """Each is standardised by itself, and predicted in its own units."""
    table = flowers(150).with_columns(
        weight=1000.0 * pl.col("size") + 5.5, **{"length, total": pl.col("size") / 100}
    )
    table.write_csv("flowers.csv")
    arguments = ("--drop", "size", "--task", "regression", *QUICK)
    printed = run("train", "flowers.csv", "--target", "weight,count", *arguments).stdout
    assert len(re.findall(r"^R² ", printed, re.MULTILINE)) == 2
    found = pl.read_csv(run("predict", "model.safetensors", "flowers.csv").stdout.encode())
    apart = found["prediction_weight"] - table["weight"]
    assert apart.abs().mean() < 0.5 * table["weight"].std()
    printed = run("train", "flowers.csv", "--target", "length, total", *arguments).stdout
    assert "target 'length, total': regression" in printed


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("species,size", "cannot classify some targets and regress others.*'size': regression"),
        ("size,size", "names a column twice"),
        ("size,", "there is no column ''"),
        ("species,length", "there is no column 'length'"),
    ],
)
def test_targets_that_do_not_go_together_are_refused(folder, target, message):
    flowers().write_csv("flowers.csv")
    assert re.search(message, refused("train", "flowers.csv", "--target", target), re.DOTALL)


# the real command


def command(*arguments, **options):
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, timeout=120, check=False, **options
    )


def test_help_is_light():
    """Help and the catalogue load nothing that takes long."""
    for arguments in (["--help"], ["list"], ["list", "mish"], ["train", "--help"]):
        code = (
            "import sys; from chainrule.command import main\n"
            f"sys.argv = ['chainrule', *{arguments}]\n"
            "try: main()\n"
            f"except SystemExit: print([n for n in {HEAVY} if n in sys.modules], file=sys.stderr)"
        )
        result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True,
                                text=True, timeout=60, check=True)  # fmt: skip
        assert result.stderr.strip() == "[]", arguments


@pytest.mark.parametrize(
    "name", ["derive", "propagation", "certify", "list", "train", "predict", "demo"]
)
def test_every_command_has_help_with_an_example(name):
    printed = run(name, "--help").stdout
    assert f"  chainrule {name}" in printed[printed.index("Example") :]


def test_errors_in_a_real_process(folder):
    result = command("derive", "z +")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[0].startswith("Error: this is not an expression")
    assert "\x1b" not in result.stderr
    usage = command("derive")
    assert usage.returncode == 2
    assert "Missing argument" in usage.stderr


def test_damaged_parquet_in_a_real_process(folder):
    """Whatever the reader does with a damaged file, one message is printed."""
    pl.DataFrame({"x": range(300), "y": [0, 1, None] * 100}).write_parquet("t.parquet")
    content = bytearray(Path("t.parquet").read_bytes())
    content[4:200] = bytes(196)
    Path("t.parquet").write_bytes(content)
    result = command("train", "t.parquet", "--target", "y")
    assert result.returncode == 2
    assert result.stderr.startswith("Error: t.parquet is not a Parquet file, or is damaged")
    assert len(result.stderr.splitlines()) == 2


def test_output_without_unicode(folder):
    """Where ∂ cannot be encoded the derivation is still printed."""
    result = command("derive", "z", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0
    assert "?J/?Z" in result.stdout


def test_reader_that_leaves(folder):
    """``chainrule list | head -1`` ends without a complaint."""
    with subprocess.Popen(
        [COMMAND, "derive", "tanh"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        message = process.stderr.read()
        process.wait(60)
    assert message == b""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_interrupted_training_goes_on(folder):
    """With --resume it writes the model that undisturbed training writes, bit for bit."""
    flowers(1500).write_csv("flowers.csv")
    train = ("train", "flowers.csv", "--target", "species", "--hidden", "16", "--max-iter", "150",
             "--batch-size", "4", "--learning-rate", "1e-6")  # fmt: skip
    keeping = (*train, "--checkpoint", "run", "--output", "kept")

    def interrupt():
        while not Path("run").exists():
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    message = run(*keeping, code=130).stderr
    thread.join()
    assert message.endswith(
        "Note: run keeps what was learned; the same command with --resume goes on\nInterrupted.\n"
    )
    assert not Path("kept").exists()
    assert "there is a file run already" in refused(*keeping)
    assert "with other arguments" in refused(*keeping, "--alpha", "1", "--resume")
    printed = run(*keeping, "--resume").stdout
    assert "150 epochs" in printed
    run(*train, "--output", "alone")
    (kept, described), (alone, expected) = load_network("kept"), load_network("alone")
    np.testing.assert_array_equal(kept.parameters, alone.parameters)
    assert described == expected
    assert "needs a --checkpoint" in refused(*train, "--resume")
    assert "the model and the checkpoint" in refused(*train, "--checkpoint", "./model.safetensors")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_interrupt(folder):
    """Ctrl-C in the middle of training ends with a word and exit code 130, and writes nothing."""
    flowers(60_000).write_parquet("flowers.parquet")
    arguments = [COMMAND, "train", "flowers.parquet", "--target", "species",
                 "--hidden", "64", "--max-iter", "1000", "--activation", "z",
                 "--batch-size", "1", "--learning-rate", "1e-9", "--no-early-stopping"]  # fmt: skip
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        for line in process.stdout:
            if line.startswith("Training on"):
                break
        time.sleep(2.0)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
    assert message == "Interrupted.\n"
    assert process.returncode == 130
    assert not Path("model.safetensors").exists()
