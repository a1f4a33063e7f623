"""The threads of a run come and go together."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from chainrule.networks import Adam, network
from chainrule.networks.training._crew import Crew
from chainrule.networks.training._run import Run


@pytest.mark.parametrize("moment", [0, 1, 2])
def test_dismissed_while_it_gathers_nobody_waits_for_one_who_never_came(moment):
    """All threads begin or none does, wherever between their starts the dismissal falls."""
    crew = Crew(4, 8, np.dtype(np.float64), tiles=1, learned=1)
    submit, begun = crew.pool.submit, []
    together = threading.Barrier(4)

    def slow_submit(function, *arguments):
        begun.append(function)
        if len(begun) == 2 + moment:
            dismissal.start()
            dismissal.join(0.1)
        return submit(function, *arguments)

    def meet(space):
        together.wait(10)
        return space.thread

    dismissal = threading.Thread(target=crew.dismiss)
    crew.pool.submit = slow_submit
    assert crew.run(meet) == 0
    dismissal.join(10)
    assert not dismissal.is_alive()


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_entered_again(threads):
    """A run whose threads were ended goes on with new ones, and ends them too."""
    X = np.random.default_rng(0).standard_normal((60, 5))
    net = network((5, 8, 1), ("relu", "identity"), "half_squared_error", rng=0)
    runs = [Run(net, X, X[:, :1], None, Adam(), batch_size=20, threads=threads) for _ in range(2)]
    rates = np.full(3, 0.01)
    with runs[0].threads():
        expected = [runs[0].epoch(runs[0].rows, rates) for _ in range(2)]
    found = []
    for _ in range(2):
        with runs[1].threads():
            found.append(runs[1].epoch(runs[1].rows, rates))
    assert found == expected
    assert not [one for one in threading.enumerate() if one.name.startswith("chainrule training")]


_ON_ONE_PROCESSOR = """
import os, subprocess, sys, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np
from chainrule.networks import Adam, network
from chainrule.networks.training._run import Run
X = np.random.default_rng(0).standard_normal((1000, 50))
net = network((50, 100, 100, 1), ("relu", "relu", "identity"), "half_squared_error", rng=0)
def seconds(threads):
    run = Run(net, X, X[:, :1], None, Adam(), batch_size=50, threads=threads)
    with run.threads():
        run.epoch(run.rows, np.full(20, 0.001))
        begun = time.perf_counter()
        for _ in range(3):
            run.epoch(run.rows, np.full(20, 0.001))
        return time.perf_counter() - begun
others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
try:
    print(min(seconds(4) / seconds(1) for _ in range(3)))
finally:
    for other in others:
        other.kill()
        other.wait()
"""


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no way to choose a processor")
def test_threads_without_a_processor_of_their_own_sleep_until_the_others_come():
    """Where others compute, who only yields waits for all of them each time: 200 times as long."""
    found = subprocess.run(
        [sys.executable, "-c", _ON_ONE_PROCESSOR], check=True, capture_output=True, text=True
    )
    assert float(found.stdout) < 50.0
