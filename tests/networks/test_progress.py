"""Progress: a bar where somebody looks, lines in logs where they were asked for."""

import re

import numpy as np
import pytest

from chainrule.networks import network, train
from chainrule.networks.training._callbacks import Epoch
from chainrule.networks.training._progress import progress


@pytest.fixture
def problem():
    X = np.random.default_rng(0).standard_normal((23, 4))
    return network((4, 2), ("identity",), "half_squared_error", rng=1), X, X[:, :2]


def _epoch(number):
    return Epoch(number, 0.5, {"far": 0.25}, 0.75, 1e-3, 0.0, None)


@pytest.mark.parametrize("show", [False, True, 1])
def test_logs_stay_quiet_unless_asked(problem, capsys, show):
    """A bar is no use where output is kept."""
    train(*problem, epochs=2, rng=0, show_progress=show)
    assert capsys.readouterr() == ("", "")


def test_terminals_have_a_bar(problem, capsys, monkeypatch):
    """It shows loss, score and rate."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    train(
        *problem, epochs=2, rng=0, show_progress=True, score=lambda _: 0.25,
        validation=problem[1:],
    )  # fmt: skip
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().out)
    assert re.search(
        r"epoch 2/2 ━+ loss \d\.\d+  validation loss \d\.\d+  validation score 0\.2500  "
        r"rate 0\.001", shown
    )  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        (94, "loss 0.50000  far loss 0.25000  validation score 0.7500  rate 0.001"),
        (86, "loss 0.50000  far loss 0.25000  validation score 0.7500"),
        (70, "loss 0.50000  far loss 0.25000"),
        (44, "loss 0.50000"),
    ],
)
def test_narrow_terminals_show_whole_numbers(capsys, monkeypatch, columns, wanted):
    """Nothing is cut off: what has no room is left out, the rate first."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    with progress(100, 1) as report:
        report(_epoch(99))
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().out)
    assert re.search(rf" 99/100 {wanted} +[-\d]:", shown)


def test_logs_have_the_first_line_and_the_last(problem, capsys):
    """In between there is a line only now and then."""
    train(*problem, epochs=40, rng=0, show_progress=2, tolerance=0.0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("epoch 1/40  loss ")
    assert re.fullmatch(r"epoch 40/40  loss \d\.\d{5}  rate 0\.001", lines[-1])
    assert len(lines) == 2


def test_lines_are_as_far_apart_as_they_should_be(capsys):
    """Without a distance every epoch has its line, once; each tells how long it may take still."""
    with progress(9, 2, done=3, seconds=0.0) as report:
        for number in (4, 5, 6):
            report(_epoch(number))
    lines = capsys.readouterr().out.splitlines()
    assert [line[:9] for line in lines] == ["epoch 4/9", "epoch 5/9", "epoch 6/9"]
    for line in lines:
        assert re.fullmatch(
            r"epoch \d/9  loss 0\.50000  far loss 0\.25000  validation score 0\.7500  rate 0\.001"
            r"  at most \d+ s left", line
        )  # fmt: skip


def test_long_times_are_told_in_long_units(capsys):
    """Nobody counts a million seconds."""
    with progress(10**12, 2, seconds=0.0) as report:
        report(_epoch(1))
    assert re.search(r"at most \d+\.\d h left$", capsys.readouterr().out)
