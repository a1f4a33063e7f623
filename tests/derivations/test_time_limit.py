"""Time limits: what is over time is stopped, and nothing of a limit is left behind."""

import subprocess
import sys
import threading
import time
from contextlib import suppress

import mpmath
import pytest

from chainrule.derivations import TimeLimitError, time_budget, time_limit


@pytest.fixture(autouse=True)
def _nothing_is_left_behind():
    hook = sys.unraisablehook
    yield
    assert sys.unraisablehook is hook
    run_for(0.02)  # an interruption that was left behind would come here


def run_on():
    while True:
        pass


def run_on_twice():
    try:
        run_on()
    except TimeLimitError:
        run_on()


def run_for(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def run_on_after_an_inner_limit():
    with time_limit(5):
        pass
    run_on()


def test_what_runs_on_is_stopped():
    with pytest.raises(TimeLimitError), time_limit(0.05):
        run_on()


def test_off_the_main_thread_too():
    outcomes = []

    def work():
        try:
            with time_limit(0.05):
                run_on()
        except TimeLimitError as error:
            outcomes.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(timeout=30)
    assert len(outcomes) == 1


def test_the_time_of_other_threads_and_of_waiting_does_not_count():
    with time_limit(0.2):
        time.sleep(0.3)
        other = threading.Thread(target=run_for, args=(0.3,))
        other.start()
        other.join()


def test_a_spent_budget_lets_nothing_begin():
    with time_budget(0.0), pytest.raises(TimeLimitError), time_limit(10):
        pytest.fail("the block was entered")


def test_a_budget_stops_what_its_own_limit_would_allow():
    with time_budget(0.05), pytest.raises(TimeLimitError), time_limit(10):
        run_on()


def test_the_outer_limit_still_stops_after_an_inner_one():
    with pytest.raises(TimeLimitError), time_limit(0.1):
        run_on_after_an_inner_limit()


def test_a_limit_that_is_swallowed_is_raised_again():
    with pytest.raises(TimeLimitError), time_limit(0.05):
        run_on_twice()


def test_many_limits_that_end_just_in_time_let_nothing_through():
    """An interruption must not arrive after its block, whenever the block ends."""
    for k in range(100):
        try:
            with time_limit(0.004):
                run_for(0.0038 + 0.000004 * k)
        except TimeLimitError:
            pass
        run_for(0.001)


def test_a_limit_leaves_the_precision_as_it_was():
    """An interruption may come just where mpmath's precision is put back."""
    before = mpmath.mp.prec, mpmath.iv.prec
    for _ in range(30):
        with suppress(TimeLimitError), time_limit(0.005):
            while True:
                with mpmath.workdps(40):
                    mpmath.iv.dps = 30
                mpmath.iv.prec = before[1]
        assert (mpmath.mp.prec, mpmath.iv.prec) == before


def test_nothing_is_left_behind_that_a_profiler_would_stumble_over():
    """After a limit has struck and after one has not, profiled code goes on."""
    code = (
        "import cProfile\n"
        "from chainrule.derivations import TimeLimitError, time_limit\n"
        "profile = cProfile.Profile()\n"
        "profile.enable()\n"
        "for seconds in (5.0, 0.05):\n"
        "    try:\n"
        "        with time_limit(seconds):\n"
        "            sum(range(10))\n"
        "            while seconds < 1:\n"
        "                pass\n"
        "    except TimeLimitError:\n"
        "        print('struck')\n"
        "    print(sum(k for k in range(1000)))\n"
    )
    run = [sys.executable, "-c", code]
    result = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.split() == ["499500", "struck", "499500"]


def begin_limits():
    while True:
        with time_limit(1.0):
            pass


def test_an_interruption_does_not_end_a_watch_that_is_being_started(monkeypatch):
    heard = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: heard.append(unraisable.err_msg))
    for _ in range(100):
        with pytest.raises(TimeLimitError), time_limit(0.003):
            begin_limits()
    time.sleep(0.1)
    assert heard == []
