"""Small rewritings that keep accuracy, each of them named and exact over the real numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from chainrule.formulas import Apply, Constant, Expression, Pi, constant, variables_of
from chainrule.kernels.stable_forms._factors import (
    one_plus_wave,
    polynomial_of,
    polynomial_with_zeros,
)

ONE = constant(1)
Rule = Callable[[Apply], Expression | None]


def _call(name: str, *arguments: Expression) -> Expression:
    return Apply(name, arguments)


def _is_call(e: Expression, name: str) -> bool:
    return isinstance(e, Apply) and e.operation == name


def exp_minus_one(e: Apply) -> Expression | None:
    """``exp(x) - 1 -> expm1(x)``, ``1 - exp(x) -> -expm1(x)``: near 0 the difference cancels."""
    if e.operation != "subtract":
        return None
    left, right = e.arguments
    if right == ONE and _is_call(left, "exp"):
        return _call("expm1", *_arguments(left))
    if left == ONE and _is_call(right, "exp"):
        return _call("negate", _call("expm1", *_arguments(right)))
    return None


def log_of_one_plus(e: Apply) -> Expression | None:
    """``log(1 + x) -> log1p(x)``, ``log(1 - x) -> log1p(-x)``: the sum rounds a small x away."""
    match e:
        case Apply("log", (Apply("add", (x, y)),)) if ONE in (x, y):
            return _call("log1p", y if x == ONE else x)
        case Apply("log", (Apply("subtract", (x, y)),)) if x == ONE:
            return _call("log1p", _call("negate", y))
    return None


def one_plus_erf(e: Apply) -> Expression | None:
    """``1 + erf(x) -> erfc(-x)``, ``1 - erf(x) -> erfc(x)``: in the tails the sum cancels."""
    if e.operation not in ("add", "subtract"):
        return None
    left, right = e.arguments
    if left == ONE and _is_call(right, "erf"):
        argument = _arguments(right)[0]
        return _call("erfc", argument if e.operation == "subtract" else _call("negate", argument))
    if e.operation == "add" and right == ONE and _is_call(left, "erf"):
        return _call("erfc", _call("negate", *_arguments(left)))
    return None


def one_minus_tanh_squared(e: Apply) -> Expression | None:
    """``1 - tanh(x)**2 -> 1/cosh(x)**2``: in the tails the difference cancels."""
    if e.operation == "subtract" and e.arguments[0] == ONE:
        square = e.arguments[1]
        if _is_call(square, "power") and _arguments(square)[1] == constant(2):
            base = _arguments(square)[0]
            if _is_call(base, "tanh"):
                cosh = _call("cosh", *_arguments(base))
                return _call("divide", ONE, _call("power", cosh, constant(2)))
    return None


def log_of_product(e: Apply) -> Expression | None:
    """``log(x*y) -> log(x) + log(y)``, ``log(x/y) -> log(x) - log(y)`` for positive x, y."""
    if e.operation != "log" or not isinstance(e.arguments[0], Apply):
        return None
    inner = e.arguments[0]
    if inner.operation in ("multiply", "divide") and all(map(is_positive, inner.arguments)):
        x, y = (_call("log", part) for part in inner.arguments)
        if inner.arguments[0] == ONE:
            return _call("negate", y)
        return _call("add" if inner.operation == "multiply" else "subtract", x, y)
    return None


def log_of_cosh(e: Apply) -> Expression | None:
    """``log(cosh(x)) -> |x| + log1p(expm1(-2|x|)/2)``, near 0 ``log1p(sinh(x)**2)/2``.

    cosh overflows where its logarithm is far from doing so.
    """
    if e.operation != "log" or not _is_call(e.arguments[0], "cosh"):
        return None
    (x,) = _arguments(e.arguments[0])
    two, distance = constant(2), _call("abs", x)
    decayed = _call("expm1", _call("negate", _call("multiply", two, distance)))
    far = _call("add", distance, _call("log1p", _call("divide", decayed, two)))
    near = _call("divide", _call("log1p", _call("power", _call("sinh", x), two)), two)
    return _call("where", _call("less", distance, ONE), near, far)


def root_of_square(e: Apply) -> Expression | None:
    """``sqrt(x**2) -> |x|``, ``sqrt(x*x) -> |x|``: multiplied out, it cancels next to a zero."""
    match e:
        case Apply("sqrt", (Apply("power", (x, Constant(Fraction(numerator=2, denominator=1)))),)):
            return _call("abs", x)
        case Apply("sqrt", (Apply("multiply", (x, y)),)) if x == y:
            return _call("abs", x)
    return None


def log_of_sum_with_root(e: Apply) -> Expression | None:
    """``log(x + sqrt(x**2 + c)) -> asinh(x/sqrt(c)) + log(c)/2`` for positive c.

    For negative x the sum cancels. ``log(sqrt(x**2 + c) - x)`` is the same for ``-x``.
    """
    if e.operation != "log":
        return None
    match e.arguments[0]:
        case Apply("add", (Apply("sqrt", (square,)), x)) | Apply(
            "add", (x, Apply("sqrt", (square,)))
        ):
            is_of_opposite = False
        case Apply("subtract", (Apply("sqrt", (square,)), x)):
            is_of_opposite = True
        case _:
            return None
    rest = _less_square(square, x)
    if rest is None or not is_positive(rest):
        return None
    root = x if rest == ONE else _call("divide", x, _call("sqrt", rest))
    angle = _call("asinh", _call("negate", root) if is_of_opposite else root)
    half = _call("divide", _call("log", rest), constant(2))
    return angle if rest == ONE else _call("add", angle, half)


def _less_square(e: Expression, x: Expression) -> Expression | None:
    """Return ``e - x**2``, where that is plain."""
    squares = _call("power", x, constant(2)), _call("multiply", x, x)
    if isinstance(e, Apply) and e.operation == "add":
        left, right = e.arguments
        if left in squares or right in squares:
            return right if left in squares else left
    return _constant_difference(e, squares[0])


def _constant_difference(x: Expression, y: Expression) -> Expression | None:
    """Return ``x - y`` where that is a number of two polynomials, and plain."""
    names = {*variables_of(x), *variables_of(y)}
    whole, part = polynomial_of(x), polynomial_of(y)
    if len(names) != 1 or whole is None or part is None:
        return None
    rest = whole - part
    number = rest.coeff(1)
    return (
        constant(Fraction(int(number.numerator), int(number.denominator)))
        if rest == number
        else None
    )


def difference_of_roots(e: Apply) -> Expression | None:
    """``sqrt(x) - sqrt(y) -> (x - y)/(sqrt(x) + sqrt(y))`` where x - y is a number.

    Far out the difference cancels.
    """
    match e:
        case Apply("subtract", (Apply("sqrt", (x,)) as left, Apply("sqrt", (y,)) as right)):
            rest = _constant_difference(x, y)
            return rest and _call("divide", rest, _call("add", left, right))
    return None


def log_of_exp(e: Apply) -> Expression | None:
    """``log(exp(x)) -> x``."""
    if e.operation == "log" and _is_call(e.arguments[0], "exp"):
        return _arguments(e.arguments[0])[0]
    return None


RULES: tuple[Rule, ...] = (
    log_of_exp,
    log_of_cosh,
    log_of_sum_with_root,
    difference_of_roots,
    log_of_product,
    exp_minus_one,
    log_of_one_plus,
    one_plus_erf,
    one_minus_tanh_squared,
    one_plus_wave,
    polynomial_with_zeros,
)
REASONS: dict[Rule, str] = {
    log_of_exp: "the exponential may overflow",
    log_of_cosh: "cosh overflows where its logarithm is far from doing so",
    log_of_sum_with_root: "for one sign the sum cancels",
    difference_of_roots: "far out the difference cancels",
    log_of_product: "the product may overflow or vanish",
    exp_minus_one: "near zero the difference cancels",
    log_of_one_plus: "a small term would be rounded away in the sum",
    one_plus_erf: "in the tails the sum cancels",
    one_minus_tanh_squared: "in the tails the difference cancels",
    one_plus_wave: "next to the double zeros the sum cancels",
    polynomial_with_zeros: "next to its zeros the sum cancels",
}


@dataclass(frozen=True)
class Rewriting:
    """One application of a rule: ``before -> after``, equal over the real numbers."""

    before: Expression
    after: Expression
    reason: str


def rewrite(
    expression: Expression,
    applied: list[Rewriting] | None = None,
    rules: Sequence[Rule] | None = None,
    reasons: Mapping[Rule, str] = REASONS,
) -> Expression:
    """Apply rules, all unless some are named, from the outside in until none applies.

    Each application is noted down with its rule's reason.
    """
    while isinstance(expression, Apply):
        for rule in RULES if rules is None else rules:
            replaced = rule(expression)
            if replaced is not None:
                if applied is not None:
                    applied.append(Rewriting(expression, replaced, reasons[rule]))
                expression = replaced
                break
        else:
            arguments = tuple(
                rewrite(part, applied, rules, reasons) for part in expression.arguments
            )
            return Apply(expression.operation, arguments)
    return expression


def is_positive(e: Expression) -> bool:
    """Tell whether an expression is positive for every input; False where that is not plain."""
    match e:
        case Constant(value):
            return value > 0
        case Pi():
            return True
        case Apply("exp" | "cosh", _):
            return True
        case Apply("add" | "multiply" | "divide", (x, y)):
            return is_positive(x) and is_positive(y)
        case Apply("sqrt" | "sum" | "mean" | "max" | "min", (x,)):
            return is_positive(x)
    return False


def _arguments(e: Expression) -> tuple[Expression, ...]:
    assert isinstance(e, Apply)
    return e.arguments
