"""The threads of a run come and go together."""

import threading

import numpy as np
import pytest

from chainrule.networks._crew import Crew


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
