"""The command that shows a whole network's equations: what it prints and what it refuses."""

import os
import string
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from chainrule.command._application import application
from chainrule.command._messages import CommandError
from chainrule.command._propagation import sizes_of
from chainrule.estimators import FeedforwardRegressor
from chainrule.networks import network, save_network


def run(*arguments, code=0):
    """Run the command in this process; an exception that leaves it fails the test."""
    given_texts = ["propagation", *map(str, arguments)]
    result = CliRunner().invoke(application, given_texts)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def model(folder):
    """Return the file of a network 3-4-2 with a tanh layer."""
    net = network((3, 4, 2), ("tanh", "identity"), "half_squared_error", rng=0)
    save_network(net, "net.safetensors")
    return "net.safetensors"


def test_equations_of_sizes_by_hand():
    """A classifier of 64-32-10 units: the textbook's equations, with the shapes of 200 rows."""
    printed = run("64-32-10", "--activation", "mish", "--batch", "200").stdout
    for line in (
        "Network 64-32-10: categorical_cross_entropy behind softmax",
        "Z[1] = A[0] W[1] + broadcast(b[1])    200×32 = (200×64)(64×32) + 1×32",
        "∂J/∂Z[2] = (A[2] - Y)/m    200×10",
        "∂J/∂W[2] = A[1]ᵀ ∂J/∂Z[2]    32×10",
        "∂J/∂W[1] = A[0]ᵀ ∂J/∂Z[1]    64×32",
    ):
        assert line in printed
    assert "lambda" not in printed


def test_one_output_is_a_sigmoid_unless_said_otherwise():
    assert "binary_cross_entropy behind sigmoid" in run("4-1").stdout
    printed = run("4-3-1", "--output", "identity", "--cost", "half_squared_error").stdout
    assert "Network 4-3-1: half_squared_error behind identity" in printed


def test_every_layer_may_have_its_own_activation():
    printed = run(
        "5-4-3-2", "--activation", "-tanh(z)", "--activation", "max(alpha*z, z)",
        "--parameter", "alpha=0.25", "--output", "identity", "--cost", "sum(c*(a - y)**2)",
        "--cost-parameter", "c=3",
    ).stdout  # fmt: skip
    assert "A[2] = max(alpha·Z[2], Z[2])    m×3, alpha = 0.25" in printed
    assert "c = 3" in printed


def test_latex_and_page(folder):
    """LaTeX goes to the terminal; the page is one file, of which a note tells."""
    result = run("6-4-3", "--format", "latex", "--html", "page.html")
    assert r"\begin{align*}" in result.stdout
    assert "wrote page.html" in result.stderr
    assert "<h1>Network 6-4-3: " in (folder / "page.html").read_text(encoding="utf-8")


def test_a_model_file_says_what_its_network_is(model):
    printed = run(model, "--batch", "7").stdout
    assert "Network 3-4-2: half_squared_error behind identity" in printed
    assert "∂J/∂W[1] = A[0]ᵀ ∂J/∂Z[1]    3×4" in printed
    os.rename(model, "another name")
    assert run("another name", "--batch", "7").stdout == printed


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_model_of_an_estimator_shows_its_penalty(folder):
    """The penalty alpha/(2m)·Σ W² adds alpha·W/m to the slope of the weights, not of biases."""
    X = np.arange(12.0).reshape(6, 2)
    regressor = FeedforwardRegressor(hidden_layer_sizes=(3,), alpha=0.5, max_iter=1)
    regressor.fit(X, X[:, 0]).save("r.safetensors")
    printed = run("r.safetensors").stdout
    assert "J = (Σ_i J_i)/m + lambda·S/(2·m)    lambda = 0.5" in printed
    assert "∂J/∂W[2] = A[1]ᵀ ∂J/∂Z[2] + lambda·W[2]/m    3×1" in printed
    assert "∂J/∂b[2] = Σ_{axis=0} ∂J/∂Z[2]    1×1" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("64",), "neither the sizes of a network nor a model file"),
        (("64-0-10",), "each from 1 to 999999"),
        (("64-x-10",), "such as 64-32-10"),
        (("64--10",), "such as 64-32-10"),
        (("-3-2",), "such as 64-32-10"),
        (("3-1000000",), "each from 1 to 999999"),
        (("٣-٤",), "such as 64-32-10"),
        (("",), "such as 64-32-10"),
        (("no.safetensors",), "there is no file no.safetensors"),
        (("text.txt",), "is not a model file"),
        (("3-4-2", "--activation", "nonsense"), "not in the catalogue"),
        (("3-4-2", "--activation", "z +"), "not an expression"),
        (("3-4-2", "--activation", "tanh", "--activation", "relu"), "2 activations are given"),
        (("3-2", "--activation", "tanh"), "--activation is that of hidden layers"),
        (("3-4-2", "--parameter", "beta=1"), "--parameter beta does not occur"),
        (("3-4-2", "--output", "identity"), "--output is given without --cost"),
        (("3-4-2", "--cost", "huber"), "--cost is given without --output"),
        (("3-4-2", "--output", "identity", "--cost", "nonsense"), "not in the catalogue"),
        (("3-4-2", "--output", "", "--cost", "huber"), "the formula is empty"),
        (("3-4-2", "--cost-parameter", "c=1"), "needs a --cost"),
        (("3-4-2", "--html", "no/such/folder.html"), "there is no folder"),
        (("3-4-2", "--html", "."), "is a folder"),
        (("net.safetensors", "--activation", "relu"), "--activation cannot change the network"),
        (("net.safetensors", "--html", "net.safetensors"), "would replace what is read"),
    ],
)
def test_refuses(folder, model, arguments, message):
    """Bad input ends with exit code 2 and a message; nothing is printed as a result."""
    (folder / "text.txt").write_text("64-32-10")
    result = run(*arguments, code=2)
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("batch", ["0", "-1", "2.5", "many"])
def test_refuses_a_batch_that_is_no_count(batch):
    assert "--batch" in run("3-2", "--batch", batch, code=2).stderr


@given(st.text(max_size=80) | st.text(alphabet=string.digits + "-", max_size=80))
@example("1-\n")
@example("1-1-")
@example("9" * 5_000 + "-1")
def test_any_text_is_sizes_or_refused(text):
    """Sizes are what was written, in order; any other text is refused with a remedy."""
    parts = text.split("-")
    written = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 7]
    if len(written) == len(parts) > 1 and 0 not in written:
        assert sizes_of(text) == tuple(written)
        return
    with pytest.raises(CommandError, match="such as 64-32-10") as refused:
        sizes_of(text)
    assert len(str(refused.value)) < 500


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30).filter(lambda text: not text.lstrip().startswith("--")))
@example("\0.safetensors")
@example("\ud800")
@example("\x1b[2J")
@example("a" * 4_000 + ".safetensors")
def test_any_source_ends_as_a_result_or_a_message(text):
    """Whatever stands for the source, no exception leaves the command, and no escape sequence."""
    result = CliRunner().invoke(application, ["propagation", "--", text])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code in (0, 2)
    assert "\x1b" not in result.output


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 999_999), min_size=2, max_size=12))
def test_any_sizes_are_shown_with_their_parameters(sizes):
    """The table counts (inputs + 1)·units parameters a layer; nothing of that size is allocated."""
    printed = run("-".join(map(str, sizes))).stdout
    total = sum((below + 1) * width for below, width in pairwise(sizes))
    assert f"{total:,}" in printed
