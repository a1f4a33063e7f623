"""Derivations that many tests look at, each made once in a process: they are values."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest

from chainrule.catalogue import activation_formula
from chainrule.derivations import Derivation, derive
from chainrule.formulas import Formula


def some_of(members: Iterable[Any], every: int) -> list[Any]:
    """Return cases of a test of which every so many-th one is run always, the others as long ones.

    They are alike: what one of them finds its neighbours mostly find, too.
    """
    cases = (x if isinstance(x, tuple) else (x,) for x in members)
    marks = ((), pytest.mark.long)
    return [pytest.param(*x, marks=marks[k % every > 0]) for k, x in enumerate(cases)]


def derivation_of(source: str, **parameters: float) -> Derivation:
    """Return the derivation of a named function or of a formula."""
    formula = activation_formula(source, **parameters)
    return _derivation(formula, formula.name)


@cache
def _derivation(formula: Formula, name: str) -> Derivation:
    # Formulas are equal whatever their names, which derivations show.
    return derive(formula)
