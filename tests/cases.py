"""What tests of all rooms share: cases of which some are run always, and bounds of work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chainrule.derivations.limits_in_time._clock import work_clock


def some_of(members: Iterable[Any], every: int) -> list[Any]:
    """Return cases of a test of which every so many-th one is run always, the others as long ones.

    They are alike: what one of them finds its neighbours mostly find, too.
    """
    cases = (x if isinstance(x, tuple) else (x,) for x in members)
    marks = ((), pytest.mark.long)
    return [pytest.param(*x, marks=marks[k % every > 0]) for k, x in enumerate(cases)]


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Fail where what is inside takes longer, by the clock of the limits that are set there.

    Processor time is longer on a slow machine, and by a second where garbage is looked for.
    """
    clock = work_clock()
    began = clock.now()
    yield
    assert clock.now() - began < seconds
