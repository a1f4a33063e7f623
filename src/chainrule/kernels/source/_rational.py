"""Quotients of polynomials in z alone, such that neither part overflows before the whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import sympy

from chainrule.derivations import Field
from chainrule.kernels.source._lines import number

FINITE = "x_finite"
HOLDS_FINITE = f"{FINITE} = x if not x > 1e60 else 1e60"
_DOWN, _LEAST_POWER = 2.0**-64, 2.0**-40


@dataclass(frozen=True)
class Lines:
    """Statements, and the expression that is the result after them."""

    statements: tuple[str, ...]
    numerator: str
    denominator: str

    @property
    def value(self) -> str:
        """The result as one expression."""
        return (
            self.numerator
            if self.denominator == "1.0"
            else (f"({self.numerator}) / ({self.denominator})")
        )

    def renamed(self, suffix: str) -> Lines:
        """Return the same with names of its own for what the statements compute."""
        if not suffix:
            return self
        names = {
            name: f"{name}_{suffix}" for name in (line.split(" = ")[0] for line in self.statements)
        }
        statements = tuple(replaced(line, names) for line in self.statements)
        return Lines(statements, replaced(self.numerator, names), replaced(self.denominator, names))


def chosen(condition: str, first: Lines, second: Lines) -> Lines:
    """Return one quotient where a condition holds, and another one elsewhere."""
    below = f"(({first.denominator}) if {condition} else ({second.denominator}))"
    return Lines(
        tuple(dict.fromkeys((*second.statements, *first.statements))),
        f"(({first.numerator}) if {condition} else ({second.numerator}))",
        "1.0" if first.denominator == second.denominator == "1.0" else below,
    )


def replaced(text: str, names: Mapping[str, str]) -> str:
    """Return source with other names."""
    for old, new in names.items():
        text = re.sub(rf"\b{re.escape(old)}\b", new, text)
    return text


class Writer(Protocol):
    """What writes expressions of a field as source."""

    field: Field
    names: dict[Any, str]
    order: list[Any]

    def write(self, e: Any) -> str:
        """Return source of a polynomial."""

    def product(self, e: Any) -> str:
        """Return source of a polynomial by its factors."""


def over_one_sum(writer: Writer, above: Any, below: Any) -> Lines | None:
    """Write ``c x / (a + x)`` over an x that is finite, and ``c / (a + x)**n`` scaled down.

    So scaled, what stands below does not overflow before the quotient has vanished.
    """
    x, (content, factors) = writer.field.x, sympy.factor_list(below)
    if writer.field.side is None or [sympy.degree(base, x) for base, _ in factors] != [1]:
        return None
    ((base, exponent),), power = factors, sympy.degree(above, x)
    factor, start = sympy.cancel(above / (content * x**power)), base.subs(x, 0)
    if not factor.is_Rational or base.free_symbols != {x} or not start * base.coeff(x, 1) > 0:
        return None
    if power == exponent == 1:
        finite = sympy.Dummy(FINITE, positive=True)
        writer.names[finite] = finite.name
        writer.order.append(finite)
        top = ("-" if factor < 0 else "") + writer.write(abs(factor) * finite)
        return Lines((HOLDS_FINITE,), top, writer.write(base.subs(x, finite)))
    if power or exponent == 1 or not abs(start) ** exponent > _LEAST_POWER:
        return None
    parts = [f"({writer.write(base)})"] * exponent
    return Lines((), number(float(factor) * _DOWN), " * ".join([number(_DOWN), *parts]))


def over_reciprocal(writer: Writer, above: Any, below: Any, excess: int) -> Lines:
    """Write a rational function of z over 1/z where |z| is large: no infinity over infinity."""
    x = writer.field.x
    reciprocal = sympy.Dummy("w", real=True)
    writer.names[reciprocal] = "w"
    writer.order.append(reciprocal)
    far = [
        writer.write(sympy.expand(sympy.expand(e.subs(x, 1 / reciprocal)) * reciprocal**degree))
        for e, degree in ((above, sympy.degree(above, x)), (below, sympy.degree(below, x)))
    ]
    size = writer.names[x]
    growth = " * ".join([size if excess > 0 else "w"] * abs(excess))
    top = f"({far[0]}) * {growth}" if growth else far[0]
    near = (writer.product(above), writer.product(below))
    return Lines(
        (f"w = 1.0 / {size}", "is_far = abs(z) > 1e8"),
        f"({top}) if is_far else ({near[0]})",
        f"({far[1]}) if is_far else ({near[1]})",
    )
