"""Cases of parametrised tests, of which some are run always."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def some_of(members: Iterable[Any], every: int) -> list[Any]:
    """Return cases of a test of which every so many-th one is run always, the others as long ones.

    They are alike: what one of them finds its neighbours mostly find, too.
    """
    cases = (x if isinstance(x, tuple) else (x,) for x in members)
    marks = ((), pytest.mark.long)
    return [pytest.param(*x, marks=marks[k % every > 0]) for k, x in enumerate(cases)]
