"""The local derivatives of the elementary operations: the table on which every derivation rests.

Each rule is given the operation's arguments and its own value and returns the partial derivative
by each argument. At the kinks of ``abs``, ``max`` and ``min`` a rule returns what the language
takes there: ``sign(0) = 0``; where two arguments of ``max`` or ``min`` are equal, the slope of a
constant one, else of the first. Roots that vanish are looked at where they stand
(`_vanishing_roots`).
"""

from __future__ import annotations

from collections.abc import Callable

from chainrule.derivations.algebra._arithmetic import (
    ONE,
    ZERO,
    add,
    divide,
    function,
    multiply,
    negate,
    power,
    subtract,
)
from chainrule.formulas import Apply, Expression, Pi, constant, variables_of

Rule = Callable[[tuple[Expression, ...], Expression], tuple[Expression, ...]]


def indicator(comparison: Expression) -> Expression:
    """Return I(comparison): 1 where it holds, else 0."""
    return Apply("indicator", (comparison,))


def complement(comparison: Expression) -> Expression:
    """Return the comparison that holds where this one does not."""
    assert isinstance(comparison, Apply)
    opposite = {
        "greater": "less_equal",
        "less": "greater_equal",
        "greater_equal": "less",
        "less_equal": "greater",
        "equal": "not_equal",
        "not_equal": "equal",
    }
    return Apply(opposite[comparison.operation], comparison.arguments)


def _extremum(arguments: tuple[Expression, ...], beats: str, ties: str) -> tuple[Expression, ...]:
    x, y = arguments
    constant_second = not variables_of(y)
    x_wins, y_wins = (beats, ties) if constant_second else (ties, beats)
    return (
        indicator(Apply(x_wins, (x, y))),
        indicator(Apply(y_wins, (y, x))),
    )


def _power(arguments: tuple[Expression, ...], own: Expression) -> tuple[Expression, ...]:
    base, exponent = arguments
    by_base = multiply(exponent, power(base, subtract(exponent, ONE)))
    # A fixed exponent needs no logarithm, which a negative base does not have.
    by_exponent = multiply(function("log", base), own) if variables_of(exponent) else ZERO
    return by_base, by_exponent


def _square(x: Expression) -> Expression:
    return power(x, constant(2))


LOCAL_DERIVATIVES: dict[str, Rule] = {
    "add": lambda x, own: (ONE, ONE),
    "subtract": lambda x, own: (ONE, constant(-1)),
    "multiply": lambda x, own: (x[1], x[0]),
    "divide": lambda x, own: (divide(ONE, x[1]), negate(divide(x[0], _square(x[1])))),
    "reciprocal": lambda x, own: (negate(divide(ONE, _square(x[0]))),),
    "negate": lambda x, own: (constant(-1),),
    "power": _power,
    "exp": lambda x, own: (own,),
    "expm1": lambda x, own: (function("exp", x[0]),),
    "log": lambda x, own: (divide(ONE, x[0]),),
    "log1p": lambda x, own: (divide(ONE, add(ONE, x[0])),),
    "sqrt": lambda x, own: (divide(ONE, multiply(constant(2), own)),),
    "abs": lambda x, own: (function("sign", x[0]),),
    "sign": lambda x, own: (ZERO,),
    "indicator": lambda x, own: (ZERO,),
    "tanh": lambda x, own: (subtract(ONE, _square(own)),),
    "sinh": lambda x, own: (function("cosh", x[0]),),
    "cosh": lambda x, own: (function("sinh", x[0]),),
    "sin": lambda x, own: (function("cos", x[0]),),
    "cos": lambda x, own: (negate(function("sin", x[0])),),
    "atan": lambda x, own: (divide(ONE, add(ONE, _square(x[0]))),),
    "asinh": lambda x, own: (divide(ONE, function("sqrt", add(ONE, _square(x[0])))),),
    "erf": lambda x, own: (
        multiply(
            divide(constant(2), function("sqrt", Pi())), function("exp", negate(_square(x[0])))
        ),
    ),
    "maximum": lambda x, own: _extremum(x, "greater", "greater_equal"),
    "minimum": lambda x, own: _extremum(x, "less", "less_equal"),
    "held": lambda x, own: (ZERO,),
    # What the other units of the layer contribute does not change with z_j.
    "others": lambda x, own: (ZERO,),
    "others_max": lambda x, own: (ZERO,),
    "others_min": lambda x, own: (ZERO,),
    "where": lambda x, own: (ZERO, indicator(x[0]), indicator(complement(x[0]))),
}
