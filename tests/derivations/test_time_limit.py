"""Time limits: what is over time is stopped, and nothing of a limit is left behind."""

import signal
import time

import pytest

from chainrule.derivations import TimeLimitError, time_budget, time_limit


@pytest.fixture(autouse=True)
def _nothing_is_left_behind():
    handler = signal.getsignal(signal.SIGALRM)
    yield
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is handler


def run_on():
    while True:
        pass


def run_on_after_an_inner_limit():
    with time_limit(5):
        pass
    run_on()


def test_what_runs_on_is_stopped():
    with pytest.raises(TimeLimitError), time_limit(0.05):
        run_on()


def test_a_spent_budget_lets_nothing_begin():
    with time_budget(0.0), pytest.raises(TimeLimitError), time_limit(10):
        pytest.fail("the block was entered")


def test_an_inner_limit_does_not_prolong_the_outer_one():
    with time_limit(10):
        with time_limit(5):
            time.sleep(0.1)
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 9.9


def test_the_outer_limit_still_stops_after_an_inner_one():
    with pytest.raises(TimeLimitError), time_limit(0.1):
        run_on_after_an_inner_limit()


def test_a_signal_that_comes_as_the_block_ends_is_let_pass():
    """The handler may be called once more while the timer is being taken down."""
    with time_limit(10):
        late = signal.getsignal(signal.SIGALRM)
    assert callable(late)
    late(signal.SIGALRM, None)
