"""A formula: an expression together with the values of its parameters."""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from chainrule.formulas._constants import undefined_constant
from chainrule.formulas._errors import FormulaError, ParameterError
from chainrule.formulas._expression import (
    Expression,
    Parameter,
    is_layer_coupled,
    parameters_of,
    substitute,
    variables_of,
)
from chainrule.formulas._parser import parse_expression
from chainrule.formulas._text import to_text


@dataclass(frozen=True)
class Formula:
    """What a person wrote: an activation in `z`, or a cost in `a` and `y`.

    Parameters
    ----------
    expression : Expression
        The tree, in the form in which it was written.
    parameters : tuple of (str, float)
        Values of the named parameters, in order of first occurrence.
    name : str
        A name for display; empty for a formula without one.
    """

    expression: Expression
    parameters: tuple[tuple[str, float], ...] = ()
    name: str = field(default="", compare=False)

    @cached_property
    def _hash(self) -> int:
        return hash((self.expression, self.parameters))

    def __hash__(self) -> int:
        # Kernels are looked up by formula at every call; walking the tree each time costs more.
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        # The hash holds in one process only: texts hash differently in the next.
        return Formula, (self.expression, self.parameters, self.name)

    @property
    def text(self) -> str:
        """The formula in the formula language."""
        return to_text(self.expression)

    @property
    def is_layer_coupled(self) -> bool:
        """Whether a unit's activation depends on other units of its layer."""
        return is_layer_coupled(self.expression)

    @property
    def title(self) -> str:
        """The name, or the text where there is none."""
        return self.name or self.text

    def with_parameters(self, **values: float) -> Formula:
        """Return the same formula with some parameters changed."""
        merged = {**dict(self.parameters), **values}
        return bind(self.expression, merged, name=self.name)

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value:g}" for name, value in self.parameters)
        return f"{self.text}  with {values}" if values else self.text


def parse(
    source: Any,
    parameters: Mapping[str, float] | None = None,
    *,
    variables: tuple[str, ...] = ("z",),
    name: str = "",
) -> Formula:
    """Read a formula from text of the formula language or from a SymPy expression.

    Parameters
    ----------
    source : str or sympy.Expr
        The formula. Text is parsed with a whitelist and never executed.
    parameters : mapping of str to float, optional
        A finite real value for every name that is not a variable.
    variables : tuple of str
        The per-unit values: ``("z",)`` for activations, ``("a", "y")`` for costs.
    name : str
        A name for display.

    Returns
    -------
    Formula

    Raises
    ------
    FormulaError
        The source is not in the language; the message points at the column.
    ParameterError
        A parameter lacks a value, is unknown, or is not a finite real number.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> parse("where(z > 0, z, alpha*z)", {"alpha": 0.01}).parameters
    (('alpha', 0.01),)
    """
    if isinstance(source, Formula):
        return source.with_parameters(**parameters) if parameters else source
    given = dict(parameters or {})
    sympy = sys.modules.get("sympy")
    if sympy is not None and isinstance(source, sympy.Basic):
        from chainrule.formulas._sympy import from_sympy

        expression = from_sympy(source, variables, frozenset(given))
    else:
        expression = parse_expression(source, variables)
    if not variables_of(expression):
        raise FormulaError(
            f"{' and '.join(variables)} does not occur in the formula {to_text(expression)}",
            remedy=f"Write an expression in {' and '.join(variables)}.",
        )
    return bind(expression, given, name=name)


def bind(expression: Expression, values: Mapping[str, float], *, name: str = "") -> Formula:
    """Attach parameter values to an expression; every parameter needs one, and none is spare."""
    needed = parameters_of(expression)
    missing = [parameter for parameter in needed if parameter not in values]
    if missing:
        listed = ", ".join(missing)
        example = ", ".join(f"{parameter}=1.0" for parameter in missing)
        raise ParameterError(
            f"no value for {listed} in {to_text(expression)}\n"
            f"Every name but the variables is a parameter and needs a value: {example}"
            + "\nWrite exp(x) for a power of Euler's number."
            * ("e" in missing)
        )
    spare = [parameter for parameter in values if parameter not in needed]
    if spare:
        has = f"its parameters are {', '.join(needed)}" if needed else "it has no parameters"
        raise ParameterError(f"{', '.join(spare)} does not occur in {to_text(expression)}; {has}")
    checked = tuple((parameter, _finite(parameter, values[parameter])) for parameter in needed)
    undefined = undefined_constant(expression, dict(checked))
    if undefined is not None:
        raise FormulaError(
            f"{to_text(undefined)} cannot be computed with in {to_text(expression)}",
            remedy="It divides by zero, overflows, or is undefined for the parameters' values.",
        )
    return Formula(expression, checked, name)


def apart(formula: Formula, other: Formula) -> Formula:
    """Return a formula whose parameters bear no name that another formula's parameters bear."""
    taken = {name for name, _ in other.parameters}
    renamed = {name: f"{name}_own" for name, _ in formula.parameters if name in taken}

    def rename(e: Expression) -> Expression | None:
        return (
            Parameter(renamed[e.name]) if isinstance(e, Parameter) and e.name in renamed else None
        )

    if not renamed:
        return formula
    values = {renamed.get(name, name): value for name, value in formula.parameters}
    return bind(substitute(formula.expression, rename), values, name=formula.name)


def _finite(name: str, value: object) -> float:
    acceptable = isinstance(value, numbers.Real | Fraction) and not isinstance(value, bool)
    try:
        number = float(value) if acceptable else math.nan  # type: ignore[arg-type]
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ParameterError(f"{name} must be a finite real number, got {value!r}")
    return number
