"""The formula language a second time, for tests: values in mpmath, text, and random formulas.

Nothing here uses the package but its two plain data classes and constants: what the tests compare
with is computed from the definitions of mathematics.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import mpmath
from hypothesis import strategies as st

from chainrule.formulas import Apply, Constant, Expression, Parameter, Pi, Variable, subexpressions

Z = Variable("z")
LARGEST_EXPONENT = 100_000  # beyond this mpmath spends minutes on an exponential
LARGEST_WHOLE = 2**40
LARGEST_ANGLE = 10**400  # a sine needs as many digits of pi as its argument has
PARAMETERS = {"alpha": 0.25, "beta_1": 1.5}


class UndefinedError(Exception):
    """A formula has no value at a place: log of a negative number, 0/0, or too large to write."""


class TooLargeError(UndefinedError):
    """A value is there, but too large or too small to be written down."""


def _defined(condition: bool) -> None:
    if not condition:
        raise UndefinedError


def _exp(x: Any) -> Any:
    if abs(x) >= LARGEST_EXPONENT:
        raise TooLargeError
    return mpmath.exp(x)


def _log(x: Any) -> Any:
    _defined(x > 0)
    return mpmath.log(x)


def _sqrt(x: Any) -> Any:
    _defined(x >= 0)
    return mpmath.sqrt(x)


def _divide(x: Any, y: Any) -> Any:
    _defined(y != 0)
    return x / y


def _power(x: Any, y: Any) -> Any:
    _defined(x > 0 or (mpmath.isint(y) and (x != 0 or y > 0)))
    if abs(y) > LARGEST_ANGLE:
        raise TooLargeError
    if x != 0 and abs(y) > LARGEST_WHOLE and mpmath.isint(y):
        with mpmath.extraprec(2 * mpmath.mag(y)):  # squaring takes as many steps, and longer
            return (-1 if x < 0 and int(y) % 2 else 1) * mpmath.exp(y * mpmath.log(abs(x)))
    return mpmath.power(x, int(y) if mpmath.isint(y) else y)


def _bounded(function: Any, largest: int = LARGEST_EXPONENT) -> Any:
    def apply(x: Any) -> Any:
        if abs(x) >= largest:
            raise TooLargeError
        return function(x)

    return apply


POINTWISE = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": _divide,
    "reciprocal": lambda x: _divide(1, x),
    "power": _power,
    "negate": operator.neg,
    "exp": _exp,
    "expm1": lambda x: _exp(x) - 1,
    "log": _log,
    "log1p": lambda x: _log(1 + x),
    "sqrt": _sqrt,
    "abs": abs,
    "sign": mpmath.sign,
    "tanh": _bounded(mpmath.tanh),
    "sinh": _bounded(mpmath.sinh),
    "cosh": _bounded(mpmath.cosh),
    "sin": _bounded(mpmath.sin, LARGEST_ANGLE),
    "cos": _bounded(mpmath.cos, LARGEST_ANGLE),
    "atan": mpmath.atan,
    "asinh": mpmath.asinh,
    "erf": _bounded(mpmath.erf),
    "maximum": max,
    "minimum": min,
    "greater": operator.gt,
    "less": operator.lt,
    "greater_equal": operator.ge,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "indicator": lambda condition: mpmath.mpf(1 if condition else 0),
    "held": lambda x: x,
}
OVER_UNITS = {
    "sum": mpmath.fsum,
    "mean": lambda x: mpmath.fsum(x) / len(x),
    "max": max,
    "min": min,
}


def conditions_of(e: Expression) -> list[Expression]:
    """Return the conditions of a product's indicators: where one fails the product is 0.

    Whatever the other factors are there, also undefined, as in Iverson's notation.
    """
    if not isinstance(e, Apply):
        return []
    if e.operation == "multiply":
        parts = [
            part.arguments[0] if part.operation == "indicator" else None
            for part in e.arguments
            if isinstance(part, Apply)
        ]
        inner = [c for part in e.arguments for c in conditions_of(part)]
        return [*filter(None, parts), *inner]
    if e.operation in ("divide", "negate"):
        above = e.arguments[0]
        if isinstance(above, Apply) and above.operation == "indicator":
            return [above.arguments[0]]
        return conditions_of(above)
    return []


def without(e: Expression, condition: Expression) -> Expression:
    """Return a product in which a condition's indicator is 1."""
    if e == Apply("indicator", (condition,)):
        return Constant(Fraction(1))
    match e:
        case Apply("multiply" | "negate" as operation, parts):
            return Apply(operation, tuple(without(part, condition) for part in parts))
        case Apply("divide", (above, below)):
            return Apply("divide", (without(above, condition), below))
    return e


def layer_values(
    expression: Expression,
    units: Mapping[str, Sequence[Any]],
    parameters: Mapping[str, float] | None = None,
) -> list[Any]:
    """Return an expression's value for every unit of a layer, in mpmath's current precision.

    `units` holds, for every variable, its value in each unit. Values that all units share are
    repeated. Every unit's branch of ``where`` is computed only where it is chosen.
    """
    count = len(next(iter(units.values())))

    def walk(e: Expression) -> list[Any]:
        if isinstance(e, Constant):
            return [mpmath.mpf(e.value.numerator) / e.value.denominator] * count
        if isinstance(e, Pi):
            return [+mpmath.pi] * count
        if isinstance(e, Variable):
            return list(units[e.name])
        if isinstance(e, Parameter):
            return [mpmath.mpf((parameters or {})[e.name])] * count
        if e.operation == "count":
            return [mpmath.mpf(count)] * count
        if e.operation == "where" and count == 1:
            return walk(e.arguments[1] if walk(e.arguments[0])[0] else e.arguments[2])
        if e.operation == "where":
            condition, yes, no = e.arguments
            holds = walk(condition)
            branches = (walk_where(yes, holds), walk_where(no, [not x for x in holds]))
            return [x if h else y for h, x, y in zip(holds, *branches, strict=True)]
        for condition in conditions_of(e):
            holds = walk(condition)
            if not all(holds):
                chosen = walk_where(without(e, condition), holds)
                return [x if h else mpmath.mpf(0) for h, x in zip(holds, chosen, strict=True)]
        inner = [walk(argument) for argument in e.arguments]
        if e.operation in OVER_UNITS:
            return [OVER_UNITS[e.operation](inner[0])] * count
        return [POINTWISE[e.operation](*values) for values in zip(*inner, strict=True)]

    def walk_where(branch: Expression, chosen: list[bool]) -> list[Any]:
        """Compute a branch; where it has no reduction, only for the units that choose it."""
        over_units = {*OVER_UNITS, "count"}
        if any(isinstance(e, Apply) and e.operation in over_units for e in subexpressions(branch)):
            return walk(branch)
        alone = ({name: [values[k]] for name, values in units.items()} for k in range(count))
        return [
            layer_values(branch, unit, parameters)[0] if taken else None
            for unit, taken in zip(alone, chosen, strict=True)
        ]

    return walk(expression)


def value_at(
    expression: Expression, place: Any, parameters: Mapping[str, float] | None = None, **more: Any
) -> Any:
    """Return an element-wise expression's value at one `z` (and other variables by name)."""
    units = {name: [mpmath.mpf(value)] for name, value in {"z": place, **more}.items()}
    return layer_values(expression, units, parameters)[0]


def central_difference(function: Any, place: Any, digits: int = 90) -> Any:
    """Return a function's derivative to about a third of the digits it is computed with."""
    with mpmath.workdps(digits):
        step = mpmath.mpf(10) ** (-(digits // 3))
        place = mpmath.mpf(place)
        return (function(place + step) - function(place - step)) / (2 * step)


def layer_gradient(
    expression: Expression,
    z: Sequence[Any],
    g: Sequence[Any],
    parameters: Mapping[str, float] | None = None,
    digits: int = 90,
) -> list[Any]:
    """Return ∂(sum of g a)/∂z_j for every unit, by central differences."""

    def weighted(moved: Sequence[Any]) -> Any:
        a = layer_values(expression, {"z": moved}, parameters)
        return mpmath.fsum(x * y for x, y in zip(g, a, strict=True))

    def by(j: int) -> Any:
        return central_difference(
            lambda t: weighted([t if k == j else z[k] for k in range(len(z))]), z[j], digits
        )

    return [by(j) for j in range(len(z))]


# -- text --------------------------------------------------------------------------------------

INFIX = {
    "add": " + ",
    "subtract": " - ",
    "multiply": "*",
    "divide": "/",
    "power": "**",
    "greater": " > ",
    "less": " < ",
    "greater_equal": " >= ",
    "less_equal": " <= ",
    "equal": " == ",
    "not_equal": " != ",
}
CALLED = {"maximum": "max", "minimum": "min"}


def bracketed(e: Expression) -> str:
    """Return text of the language with brackets around every operation."""
    if isinstance(e, Constant):
        assert e.value >= 0
        scaled = e.value * 10**6
        assert scaled.denominator == 1
        whole, places = divmod(scaled.numerator, 10**6)
        return f"{whole}.{places:06d}" if places else str(whole)
    if isinstance(e, Pi):
        return "pi"
    if isinstance(e, Variable | Parameter):
        return e.name
    parts = [bracketed(argument) for argument in e.arguments]
    if e.operation == "negate":
        return f"(-{parts[0]})"
    if e.operation in INFIX:
        return f"({parts[0]}{INFIX[e.operation]}{parts[1]})"
    return f"{CALLED.get(e.operation, e.operation)}({', '.join(parts)})"


# -- random formulas ----------------------------------------------------------------------------

SMOOTH = ("exp", "log1p", "sqrt", "tanh", "sin", "cos", "atan", "asinh", "erf")
EVERY_FUNCTION = (*SMOOTH, "expm1", "log", "sinh", "cosh", "abs", "sign")
numbers = st.sampled_from(
    [Constant(Fraction(x)) for x in ("1", "2", "3", "0.5", "0.25", "0.1", "1.702", "0")]
)
exponents = st.sampled_from([Constant(Fraction(x)) for x in ("2", "3", "4", "0.5", "1.5")])
names = st.sampled_from([Parameter(name) for name in PARAMETERS])


def _applied(operations: Sequence[str], *arguments: Any) -> Any:
    return st.builds(
        lambda operation, *x: Apply(operation, x), st.sampled_from(operations), *arguments
    )


def _grown(functions: Sequence[str], *, kinks: bool, reductions: bool, leaves: int) -> Any:
    """Return random expressions in which every operation holds the variable."""

    def extend(inner: Any) -> Any:
        other = st.one_of(numbers, names, inner)
        ways = [
            _applied(functions, inner),
            _applied(["negate"], inner),
            _applied(["add", "subtract", "multiply", "divide"], inner, other),
            _applied(["add", "subtract", "multiply", "divide"], other, inner),
            _applied(["power"], inner, exponents),
        ]
        if kinks:
            ways += [
                _applied(["maximum", "minimum"], inner, other),
                _applied(["maximum", "minimum"], numbers, inner),
                _applied(
                    ["where"],
                    _applied(["greater", "less", "greater_equal", "less_equal"], inner, other),
                    inner,
                    other,
                ),
            ]
        if reductions:
            ways.append(_applied(list(OVER_UNITS), inner))
        return st.one_of(ways)

    return st.recursive(st.just(Z), extend, max_leaves=leaves)


def elementwise(*, leaves: int = 5, kinks: bool = True) -> Any:
    """Return a strategy of element-wise expressions of the language, with kinks if wanted."""
    functions = EVERY_FUNCTION if kinks else tuple({*SMOOTH, "expm1", "log", "sinh", "cosh"})
    return _grown(sorted(functions), kinks=kinks, reductions=False, leaves=leaves)


def layer_coupled(*, leaves: int = 4) -> Any:
    """Return a strategy of expressions in which units reach over their layer."""
    return _grown(SMOOTH, kinks=False, reductions=True, leaves=leaves).filter(
        lambda e: any(name in bracketed(e) for name in ("sum(", "mean(", "max(", "min("))
    )
