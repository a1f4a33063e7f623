"""What is computed of a layer-coupled formula: equal over the real numbers, and stable.

What a function of one variable gets from its stable forms (`_smooth`) a part of a layer-coupled
formula has from few rules: it is one of many nodes of a graph over the units.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Formula,
    constant,
    substitute,
    variables_of,
)
from chainrule.kernels.stable_forms._rewrite import (
    Rewriting,
    Rule,
    is_positive,
    log_of_exp,
    rewrite,
)
from chainrule.kernels.stable_forms._scales import is_of_unit
from chainrule.kernels.stable_forms._shares import with_shares_of_others
from chainrule.kernels.stable_forms._shift import shifted

_ZERO, _ONE = constant(0), constant(1)
_SHIFT = "every unit less the extreme one: no exponential overflows"
_MEANS = "the exponentials cancel where the units lie near one another"
_SHARES = "what a share of the sum leaves to the others, without the difference that cancels"


def prepared(formula: Formula) -> Formula:
    """Return a formula whose logarithms are taken apart, and whose parts neither cancel nor leap.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> prepared(parse("log(exp(z)/sum(exp(z)))")).text
    'z - log(sum(exp(z)))'
    """
    return replace(formula, expression=rewrite(formula.expression, rules=tuple(_REASONS)))


def layer_form(
    formula: Formula, *, sharp: bool, applied: list[Rewriting] | None = None
) -> Expression:
    """Return what is computed for the values, where it is sharp, or differentiated for the slopes.

    Parameters
    ----------
    formula : Formula
        Layer-coupled.
    sharp : bool
        See `shifted`.
    applied : list, optional
        Each step is noted down in it.
    """
    steps: list[Rewriting] = [] if applied is None else applied
    reasons = _REASONS if sharp else _REASONS | _OF_SLOPES
    e = rewrite(formula.expression, steps, tuple(reasons), reasons)
    for change, reason in (
        (lambda e: shifted(replace(formula, expression=e), sharp=sharp), _SHIFT),
        (with_shares_of_others, _SHARES),
        (_near_their_mean, _MEANS),
    ):
        changed = change(e)
        if changed != e:
            steps.append(Rewriting(e, changed, reason))
        e = changed
    return rewrite(e, steps)


def _near_their_mean(expression: Expression) -> Expression:
    """``exp(x) - mean(exp(x)) -> expm1(x) - mean(expm1(x))`` for x of which the largest is 0."""

    def of_less_one(e: Expression) -> Expression | None:
        match e:
            case Apply(
                "subtract",
                (Apply("exp", (Apply("subtract", (_, Apply("held"))) as x,)) as power, mean),
            ) if mean == Apply("mean", (power,)):
                less_one = Apply("expm1", (x,))
                return Apply("subtract", (less_one, Apply("mean", (less_one,))))
        return None

    return substitute(expression, of_less_one)


def _log(x: Expression) -> Expression:
    return Apply("log", (x,))


def _negative(x: Expression) -> Expression:
    match x:
        case Apply("negate", (inner,)):
            return inner
        case Apply("multiply", (Constant(value), y)):
            return Apply("multiply", (constant(-value), y))
        case Apply("divide", (y, Constant(value))):
            return Apply("divide", (y, constant(-value)))
    return Apply("negate", (x,))


def log_of_factors(e: Apply) -> Expression | None:
    """``log(x/y) -> log(x) - log(y)``, ``log(x**p) -> p*log(x)`` for positive x, y, of layers."""
    match e:
        case Apply("log", (Apply("multiply", (x, y)),)) if is_positive(x) and is_positive(y):
            return Apply("add", (_log(x), _log(y)))
        case Apply("log", (Apply("divide", (x, y)),)) if is_positive(x) and is_positive(y):
            return (
                Apply("negate", (_log(y),)) if x == _ONE else Apply("subtract", (_log(x), _log(y)))
            )
        case Apply("log", (Apply("power", (x, Constant() as p)),)) if is_positive(x):
            return Apply("multiply", (p, _log(x)))
    return None


def _exponent_beside_one(e: Expression) -> Expression | None:
    """Return x of ``1 + exp(x)``."""
    match e:
        case Apply("add", (one, Apply("exp", (x,)))) | Apply("add", (Apply("exp", (x,)), one)) if (
            one == _ONE and not (isinstance(x, Apply) and x.operation == "where")
        ):
            return x
    return None


def _by_sign(x: Expression, above: Expression, below: Expression) -> Expression:
    return Apply("where", (Apply("greater", (x, _ZERO)), above, below))


def log_of_one_and_exp(e: Apply) -> Expression | None:
    """``log(1 + exp(x)) -> max(x, 0) + log1p(exp(-|x|))``, with a slope at 0."""
    if e.operation != "log" or (x := _exponent_beside_one(e.arguments[0])) is None:
        return None
    decayed = Apply("exp", (_by_sign(x, _negative(x), x),))
    return Apply("add", (_by_sign(x, x, _ZERO), Apply("log1p", (decayed,))))


def share_beside_exp(e: Apply) -> Expression | None:
    """``y/(1 + exp(x)) -> y*exp(-x)/(1 + exp(-x))`` for positive x; for y = exp(x) likewise."""
    if e.operation != "divide" or (x := _exponent_beside_one(e.arguments[1])) is None:
        return None
    y, below = e.arguments[0], _by_sign(x, _negative(x), x)
    if y == Apply("exp", (x,)):
        above: Expression = Apply("exp", (_by_sign(x, _ZERO, x),))
    else:
        above = Apply("exp", (_by_sign(x, _negative(x), _ZERO),))
        above = above if y == _ONE else Apply("multiply", (y, above))
    return Apply("divide", (above, Apply("add", (_ONE, Apply("exp", (below,))))))


def _exponent(e: Expression) -> Expression | None:
    """Return x of ``exp(x)``, and ``max(x)`` of ``max(exp(x))``."""
    match e:
        case Apply("exp", (x,)):
            return x
        case Apply("max" | "min" as extreme, (Apply("exp", (x,)),)):
            return Apply(extreme, (x,))
    return None


def quotient_of_exps(e: Apply) -> Expression | None:
    """``exp(x)/exp(y) -> exp(x - y)``, also for ``max(exp(y))``."""
    if e.operation != "divide":
        return None
    x, y = map(_exponent, e.arguments)
    if x is None or y is None:
        return None
    return Apply("exp", (Apply("subtract", (x, y)),))


def root_of_exp(e: Apply) -> Expression | None:
    """``sqrt(exp(x)/y) -> exp(x/2)/sqrt(y)`` for positive y: the slope of a root of 0 is none."""
    match e:
        case Apply("sqrt", (inner,)):
            exponent = constant(Fraction(1, 2))
        case Apply("power", (inner, Constant() as exponent)) if exponent.value.denominator > 1:
            pass
        case _:
            return None
    match inner:
        case Apply("exp", (x,)):
            return Apply("exp", (Apply("multiply", (exponent, x)),))
        case Apply("divide", (Apply("exp", (x,)), y)) if is_positive(y):
            power = Apply("exp", (Apply("multiply", (exponent, x)),))
            return Apply("divide", (power, Apply(e.operation, (y, *e.arguments[1:]))))
    return None


def share_of_powers(e: Apply) -> Expression | None:
    """``y**p/sum(y**p) -> exp(p*x)/sum(exp(p*x))`` for y = exp(x)/s, of an s that units share."""
    match e:
        case Apply("divide", (Apply("power", (base, p)) as power, Apply("sum", (summed,)))) if (
            power == summed and not variables_of(p)
        ):
            match base:
                case Apply("exp", (x,)):
                    pass
                case Apply("divide", (Apply("exp", (x,)), s)) if is_positive(s) and not is_of_unit(
                    s
                ):
                    pass
                case _:
                    return None
            raised = Apply("exp", (Apply("multiply", (p, x)),))
            return Apply("divide", (raised, Apply("sum", (raised,))))
    return None


def tanh_by_exps(e: Apply) -> Expression | None:
    """``tanh(x) -> -expm1(-2*x)/(1 + exp(-2*x))`` for positive x, whose slope does not cancel."""
    if e.operation != "tanh":
        return None
    twice = Apply("multiply", (constant(2), e.arguments[0]))
    below = _by_sign(twice, _negative(twice), twice)
    signed = _by_sign(twice, constant(-1), _ONE)
    above = Apply("multiply", (signed, Apply("expm1", (below,))))
    return Apply("divide", (above, Apply("add", (_ONE, Apply("exp", (below,))))))


def extreme_less_log_of_sum(e: Apply) -> Expression | None:
    """``max(x) - log(sum(exp(x))) -> -log1p(sum of exp(x - max(x)) without its largest term)``."""
    match e:
        case Apply("subtract", (largest, Apply("log", (Apply("sum", (Apply("exp", (x,)),)),)))):
            sign = -1
        case Apply("subtract", (Apply("log", (Apply("sum", (Apply("exp", (x,)),)),)), largest)):
            sign = 1
        case _:
            return None
    if largest != Apply("max", (x,)):
        return None
    below = Apply("subtract", (x, largest))
    is_below = Apply("less", (below, _ZERO))
    rest = Apply("sum", (Apply("where", (is_below, Apply("exp", (below,)), _ZERO)),))
    ties = Apply("sum", (Apply("where", (is_below, _ZERO, _ONE)),))
    others = Apply("add", (rest, Apply("subtract", (ties, _ONE))))
    logarithm = Apply("log1p", (others,))
    return logarithm if sign > 0 else Apply("negate", (logarithm,))


def mean_of_square_less_squared_mean(e: Apply) -> Expression | None:
    """``mean(x**2) - mean(x)**2 -> mean((x - mean(x))**2)``."""
    match e:
        case Apply("subtract", (Apply("mean", (square,)), squared)):
            x = _base_of_square(square)
            if x is not None and _base_of_square(squared) == (mean := Apply("mean", (x,))):
                deviation = Apply("subtract", (x, mean))
                return Apply("mean", (Apply("power", (deviation, constant(2))),))
    return None


def _base_of_square(e: Expression) -> Expression | None:
    match e:
        case Apply("power", (x, exponent)) if exponent == constant(2):
            return x
        case Apply("multiply", (x, y)) if x == y:
            return x
    return None


_REASONS: dict[Rule, str] = {
    log_of_exp: "the exponential may overflow",
    log_of_factors: "the product may overflow or vanish",
    quotient_of_exps: "the exponentials may overflow",
    share_of_powers: "what all units share cancels",
    root_of_exp: "the exponential may overflow or vanish",
    log_of_one_and_exp: "the exponential may overflow",
    share_beside_exp: "the exponential may overflow",
    mean_of_square_less_squared_mean: "the means cancel where the units lie near one another",
}
_OF_SLOPES: dict[Rule, str] = {
    tanh_by_exps: "far out the slope 1 - tanh**2 cancels",
    extreme_less_log_of_sum: "of the largest unit the slope cancels",
}
