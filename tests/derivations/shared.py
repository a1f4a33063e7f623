"""Derivations that many tests look at, each made once in a process: they are values."""

from __future__ import annotations

from functools import cache

from chainrule.catalogue import activation_formula
from chainrule.derivations import Derivation, derive
from chainrule.formulas import Formula


def derivation_of(source: str, **parameters: float) -> Derivation:
    """Return the derivation of a named function or of a formula."""
    formula = activation_formula(source, **parameters)
    return _derivation(formula, formula.name)


@cache
def _derivation(formula: Formula, name: str) -> Derivation:
    # Formulas are equal whatever their names, which derivations show.
    return derive(formula)
