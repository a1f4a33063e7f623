"""Values of expressions in high precision."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import mpmath

from chainrule.formulas import REDUCTIONS, Apply, Constant, Expression, Parameter, Pi, Variable

_ASYMPTOTIC = mpmath.mpf(10) ** 100  # mpmath's erfc overflows beyond 1e150
# Beyond this, exp() of a number is infinite or zero for every purpose.
_LARGEST_EXPONENT = mpmath.mpf(2) ** 20
# A whole power of less needs no look at how large it is, which takes a logarithm.
_SHORT_EXPONENT = 64
# The sine of a larger number needs as many digits of pi as the number has.
_LARGEST_ANGLE = mpmath.mpf(2) ** 2000


def _exp(x: Any) -> Any:
    if x > _LARGEST_EXPONENT:
        return mpmath.inf
    return mpmath.mpf(0) if x < -_LARGEST_EXPONENT else mpmath.exp(x)


def _power(x: Any, y: Any) -> Any:
    if (x == 0 and y < 0) or (x < 0 and not mpmath.isint(y)):
        return mpmath.nan
    is_short = abs(y) < (_SHORT_EXPONENT if mpmath.isint(y) else 1)
    if is_short or not (mpmath.isfinite(x) and mpmath.isfinite(y)):
        return x**y
    # mpmath writes a whole exponent down in binary, which a large one has no room for.
    sign = -1 if x < 0 and not mpmath.isint(y / 2) else 1
    if x == 0 or abs(x) == 1:
        return sign * abs(x)
    exponent = y * mpmath.log(abs(x))
    return x**y if abs(exponent) < _LARGEST_EXPONENT else sign * _exp(exponent)


def _extreme(choose: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """Choose one of two values; an undefined one makes the choice undefined."""

    def chosen(x: Any, y: Any) -> Any:
        return x + y if mpmath.isnan(x) or mpmath.isnan(y) else choose(x, y)

    return chosen


# What an indicator is where its condition fails, told from any other zero by its identity: it makes
# zero of whatever it multiplies, also of what is undefined in the branch that is not taken.
_OFF = mpmath.mpf(0)


def _add(x: Any, y: Any) -> Any:
    return y if x is _OFF else x if y is _OFF else x + y


def _subtract(x: Any, y: Any) -> Any:
    return x if y is _OFF else x - y


def _multiply(x: Any, y: Any) -> Any:
    return _OFF if x is _OFF or y is _OFF else x * y


def _divide(x: Any, y: Any) -> Any:
    return _OFF if x is _OFF else x / y if y else mpmath.nan


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "negate": lambda x: x if x is _OFF else -x,
    "exp": _exp,
    "expm1": lambda x: mpmath.expm1(x) if abs(x) < _LARGEST_EXPONENT else _exp(x) - 1,
    "log": lambda x: mpmath.log(x) if x > 0 else mpmath.nan,
    "log1p": lambda x: mpmath.log1p(x) if x > -1 else mpmath.nan,
    "sqrt": lambda x: mpmath.sqrt(x) if x >= 0 else mpmath.nan,
    "abs": abs,
    "sign": mpmath.sign,
    "tanh": mpmath.tanh,
    "sinh": lambda x: (_exp(x) - _exp(-x)) / 2 if abs(x) > 1 else mpmath.sinh(x),
    "cosh": lambda x: (_exp(x) + _exp(-x)) / 2,
    "sin": lambda x: mpmath.sin(x) if abs(x) < _LARGEST_ANGLE else mpmath.nan,
    "cos": lambda x: mpmath.cos(x) if abs(x) < _LARGEST_ANGLE else mpmath.nan,
    "atan": mpmath.atan,
    "asinh": mpmath.asinh,
    "erf": mpmath.erf,
    "maximum": _extreme(max),
    "minimum": _extreme(min),
    "greater": operator.gt,
    "less": operator.lt,
    "greater_equal": operator.ge,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "indicator": lambda condition: mpmath.mpf(1) if condition else _OFF,
    "where": lambda condition, x, y: x if condition else y,
}


# What may stand for a number whose logarithm can be had nevertheless.
_BEYOND = {"log": (0, mpmath.inf), "log1p": (mpmath.inf,)}


Values = Mapping[Any, Any]  # by a variable's or parameter's name, or by the variable itself


def evaluate(expression: Expression, values: Values) -> Any:
    """Return the value of an element-wise expression in mpmath's current precision.

    Parameters
    ----------
    expression : Expression
    values : mapping of str or Expression to mpf
        Values of the variables and parameters, by name; of a variable that bears the name of a
        parameter, by itself.

    Returns
    -------
    mpf
        NaN where the expression is undefined over the real numbers. An indicator that is 0 makes
        0 of whatever it multiplies.
    """
    return _evaluate(expression, values, {})


def _given(e: Variable | Parameter, values: Values) -> Any:
    return values[e] if e in values else values[e.name]


@lru_cache(maxsize=1024)
def _quotient(numerator: int, denominator: int, precision: int) -> Any:
    """Return a rational number in mpmath's precision, which is the given one."""
    return mpmath.mpf(numerator) / denominator


def _evaluate(e: Expression, values: Values, known: dict[int, Any]) -> Any:
    """Evaluate every part once: derivatives share theirs."""
    if isinstance(e, Constant):
        return _quotient(e.value.numerator, e.value.denominator, mpmath.mp.prec)
    if isinstance(e, Pi):
        return +mpmath.pi
    if isinstance(e, Variable | Parameter):
        return mpmath.mpf(_given(e, values))
    assert isinstance(e, Apply)
    if id(e) not in known:
        tail = _tail(e) if e.operation in ("add", "subtract") else None
        operation, parts = tail or (_OPERATIONS[e.operation], e.arguments)
        found = [_evaluate(part, values, known) for part in parts]
        is_beyond = e.operation in _BEYOND and (
            found[0] in _BEYOND[e.operation] or mpmath.isnan(found[0])
        )
        logarithm = _logarithm(parts[0], values, known) if is_beyond else None
        known[id(e)] = operation(*found) if logarithm is None else logarithm
    return known[id(e)]


def _logarithm(e: Expression, values: Values, known: dict[int, Any]) -> Any:
    """Return the logarithm of what may be too large, or small, to be had; None if unseen."""
    value = _evaluate(e, values, known)
    if mpmath.isfinite(value) and value:
        return mpmath.log(value) if value > 0 else None
    if not isinstance(e, Apply):
        return None
    if e.operation == "exp":
        return _evaluate(e.arguments[0], values, known)
    if e.operation in ("sqrt", "power"):
        base, *exponent = e.arguments
        below = _logarithm(base, values, known)
        times = _evaluate(exponent[0], values, known) if exponent else mpmath.mpf(1) / 2
        return None if below is None else times * below
    if e.operation not in ("add", "subtract", "multiply", "divide"):
        return None
    left, right = (_logarithm(part, values, known) for part in e.arguments)
    if e.operation in ("multiply", "divide"):
        if left is None or right is None:
            return None
        return left + right if e.operation == "multiply" else left - right
    if e.operation == "add" and left is not None and right is not None:
        return max(left, right) + mpmath.log1p(_exp(-abs(left - right)))
    # What is added or taken away is nothing beside what is too large.
    rest = _evaluate(e.arguments[1], values, known)
    return left if value == mpmath.inf and mpmath.isfinite(rest) else None


def _tail(e: Apply) -> tuple[Callable[[Any], Any], tuple[Expression]] | None:
    """Return what computes ``1 ± erf(x)`` or ``1 ± tanh(x)``: far out no digits show the sum."""
    match e:
        case Apply("add", (Constant(1), Apply("erf" | "tanh" as name, (x,)))) | Apply(
            "add", (Apply("erf" | "tanh" as name, (x,)), Constant(1))
        ):
            return (lambda u: _COMPLEMENTS[name](-u)), (x,)
        case Apply("subtract", (Constant(1), Apply("erf" | "tanh" as name, (x,)))):
            return _COMPLEMENTS[name], (x,)
    return None


def _erfc(x: Any) -> Any:
    if x < _ASYMPTOTIC:
        return mpmath.erfc(x)
    return mpmath.exp(-x * x) / (x * mpmath.sqrt(mpmath.pi))


_COMPLEMENTS: dict[str, Callable[[Any], Any]] = {
    "erf": _erfc,
    "tanh": lambda x: 2 / (1 + mpmath.exp(2 * x)),
}


def evaluate_layer(expression: Expression, values: Values) -> list[Any]:
    """Return the values of an expression for every unit of a layer.

    Parameters
    ----------
    expression : Expression
    values : mapping of str or Expression to mpf or list of mpf
        Lists hold a value for each unit, all of one length; numbers are shared.
    """
    return LayerProgram(expression)(values)


class LayerProgram:
    """An expression as a list of operations on layers, in which equal parts are one.

    Parameters
    ----------
    expression : Expression
    """

    def __init__(self, expression: Expression) -> None:
        self._steps: list[tuple[Expression, tuple[int, ...]]] = []
        seen: dict[int, int] = {}
        known: dict[Any, int] = {}

        def position(e: Expression) -> int:
            if id(e) in seen:
                return seen[id(e)]
            parts = tuple(map(position, e.arguments)) if isinstance(e, Apply) else ()
            key = (e.operation, *parts) if isinstance(e, Apply) else e
            if key not in known:
                known[key] = len(self._steps)
                self._steps.append((e, parts))
            seen[id(e)] = known[key]
            return known[key]

        position(expression)
        self._is_alike: list[bool] = []  # of every step, whether it is the same for all units
        for e, parts in self._steps:
            of_alike = all(self._is_alike[k] for k in parts)
            self._is_alike.append(_reduces(e) or (of_alike and not isinstance(e, Variable)))

    def __call__(self, values: Values) -> list[Any]:
        """Return the values for every unit, as `evaluate_layer` does."""
        return self._run(values, {})[-1]

    def for_each(self, name: str, layers: Iterable[list[Any]], values: Values) -> list[list[Any]]:
        """Return the values for every layer that a name may stand for.

        What does not hold it is computed once.
        """
        apart: list[bool] = []
        for e, parts in self._steps:
            apart.append(e != Variable(name) and all(apart[k] for k in parts))
        shared: dict[int, list[Any]] = {}
        found = []
        for layer in layers:
            results = self._run({**values, name: layer}, shared)
            shared = shared or {k: results[k] for k, is_apart in enumerate(apart) if is_apart}
            found.append(results[-1])
        return found

    def _run(self, values: Values, known: Mapping[int, list[Any]]) -> list[list[Any]]:
        count = next(len(value) for value in values.values() if isinstance(value, list))
        results: list[list[Any]] = []
        for k, (e, parts) in enumerate(self._steps):
            given = [results[part] for part in parts]
            if k not in known and self._is_alike[k] and not _reduces(e):
                (value,) = _units(e, [units[:1] for units in given], values, 1)
                results.append([value] * count)
            else:
                results.append(known[k] if k in known else _units(e, given, values, count))
        return results


def _reduces(e: Expression) -> bool:
    """Tell whether an operation looks at the units of a layer."""
    return isinstance(e, Apply) and e.operation in (*REDUCTIONS, "count")


def _units(e: Expression, parts: list[list[Any]], values: Values, count: int) -> list[Any]:
    if isinstance(e, Variable) and isinstance(_given(e, values), list):
        return [mpmath.mpf(value) for value in _given(e, values)]
    if not isinstance(e, Apply):
        return [evaluate(e, values)] * count
    if e.operation == "count":
        return [mpmath.mpf(count)] * count
    if e.operation in REDUCTIONS:
        return [_REDUCE[e.operation](parts[0])] * count
    return [_OPERATIONS[e.operation](*unit) for unit in zip(*parts, strict=True)]


_REDUCE: dict[str, Callable[[list[Any]], Any]] = {
    "sum": mpmath.fsum,
    "mean": lambda x: mpmath.fsum(x) / len(x),
    "max": max,
    "min": min,
}
