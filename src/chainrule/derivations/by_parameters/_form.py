"""Derivatives by the parameters, through the output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import mpmath
import sympy

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._graph import GraphBuilder
from chainrule.derivations.algebra._arithmetic import size
from chainrule.derivations.algebra._sympy import FAILURES, Translation, atoms_of
from chainrule.derivations.layers._check import same_values
from chainrule.derivations.layers._closed_form import ways, writings
from chainrule.derivations.layers._sum_algebra import SumAlgebra
from chainrule.derivations.limits_in_time._time_limit import time_limit
from chainrule.derivations.output_forms.shortening._shortening import shortest
from chainrule.formulas import Apply, Expression, Formula, Parameter, Variable, variables_of

_SECONDS = 0.5
_A, _Z = Variable("a"), Variable("z")
_INVERSES: dict[Any, Any] = {
    sympy.exp: sympy.log,
    sympy.log: sympy.exp,
    sympy.tanh: None,
    sympy.sin: None,
}
_DEPTH = 3  # functions of functions that are solved for
_FAR = ("-40.3", "-6.1", "-2.3", "-1.1", "-0.4", "0", "0.3", "0.9", "1.7", "4.2", "33.7")
_NEAR = ("0.001", "0.1", "0.7")  # shares of the way between two ends


def shortened(formula: Formula, derivative: Expression) -> Expression:
    """Return a derivative by a parameter in the output `a` too, where that is shorter.

    Every form is compared with the derivative in many digits; that of the softmax by its
    temperature becomes ``-a (z - Σ a z)/T²``.

    Parameters
    ----------
    formula : Formula
        Layer-coupled.
    derivative : Expression
        ∂a/∂parameter in `z`.

    Examples
    --------
    >>> from chainrule.derivations.by_parameters._derivative import by_parameter
    >>> from chainrule.formulas import parse, to_text
    >>> softmax = parse("exp(z/T)/sum(exp(z/T))", {"T": 2.0})
    >>> to_text(shortened(softmax, by_parameter(softmax.expression, "T", {"T": 2.0})))
    'a*(sum(a*z) - z)/T**2'
    """
    best = derivative
    try:
        with time_limit(_SECONDS):
            builder = GraphBuilder()
            last = builder.insert(formula.expression)
            algebra = SumAlgebra(
                builder.graph(builder.insert(derivative)), dict(formula.parameters)
            )
            algebra.name_reductions(last)
            output, plain = algebra.value(last), algebra.value(algebra.graph.output)
            a = algebra.translation.symbol(Variable("a"))
            for e, rules in ways(output, plain, algebra, last, a):
                for atom, known in rules:
                    e = e.subs(atom, known)
                e = sympy.factor(sympy.cancel(sympy.together(sympy.expand(e))))
                found = min(map(algebra.to_expression, writings(e, algebra)), key=size)
                if size(found) < size(best) and same_values(formula, found, derivative):
                    best = found
    except FAILURES:
        return best
    return best


def in_output(
    expression: Expression,
    derivative: Expression,
    values: Mapping[str, float],
    bounds: tuple[float, float],
) -> Expression | None:
    """Return a derivative by a parameter in the output `a`, or in `a` and `z`, if that is shorter.

    Parameters
    ----------
    expression, derivative : Expression
        A smooth piece and its derivative by the parameter, in `z`.
    values : mapping of str to float
        Of the parameters.
    bounds : tuple of float
        Between which places the piece holds.

    Examples
    --------
    >>> from chainrule.derivations.by_parameters._derivative import by_parameter
    >>> from chainrule.formulas import parse, to_text
    >>> swish = parse("z/(1 + exp(-beta*z))", {"beta": 1.5})
    >>> slope = by_parameter(swish.expression, "beta", dict(swish.parameters))
    >>> infinite = float("inf")
    >>> to_text(in_output(swish.expression, slope, dict(swish.parameters), (-infinite, infinite)))
    'a*(z - a)'
    """
    if "z" not in variables_of(derivative):
        return None
    match derivative:
        case Apply("where", (Apply("equal") as at_zero, taken, rest)):
            inner = in_output(expression, rest, values, bounds)
            return None if inner is None else Apply("where", (at_zero, taken, inner))
    best: Expression | None = None
    try:
        with time_limit(_SECONDS):
            translation = Translation()
            for name, value in values.items():
                translation.symbol(Parameter(name), positive=True if value > 0 else None)
            a = translation.symbol(_A)
            plain, output = (translation.to_sympy(e) for e in (derivative, expression))
            for e in _in_output(plain, output, a, translation.symbol(_Z)):
                found = shortest(sympy.together(e), translation)
                is_short = size(found) < size(derivative if best is None else best)
                if is_short and _same_on_piece(expression, found, derivative, values, bounds):
                    best = found
    except FAILURES:
        return best
    return best


def _in_output(plain: Any, output: Any, a: Any, z: Any) -> Iterator[Any]:
    """Yield a derivative with functions of `z` replaced by what the output says of them."""
    yield a * sympy.cancel(sympy.together(plain / output))
    left, right = output, a
    e = plain
    for _ in range(_DEPTH):
        functions = sorted(
            (f for f in atoms_of(left, sympy.Function, sympy.Pow) if f.has(z) and _is_function(f)),
            key=sympy.count_ops,
            reverse=True,
        )
        for function in functions:
            stand_in = sympy.Dummy("function", real=True)
            above, below = sympy.fraction(sympy.together(left.subs(function, stand_in)))
            equation = sympy.expand(right * below - above)
            if equation.is_polynomial(stand_in) and sympy.degree(equation, stand_in) == 1:
                slope = equation.coeff(stand_in, 1)
                solved = sympy.cancel(-equation.coeff(stand_in, 0) / slope)
                break
        else:
            return
        e = sympy.cancel(sympy.together(e.subs(function, solved)))
        yield e
        inverse = _INVERSES.get(function.func)
        if inverse is None:
            return
        left, right = function.args[0], inverse(solved)


def _is_function(f: Any) -> bool:
    """Tell whether a part is more than a whole power: what can stand for the output."""
    return not f.is_Pow or isinstance(f, sympy.exp) or not f.exp.is_Integer


def _same_on_piece(
    expression: Expression,
    form: Expression,
    derivative: Expression,
    values: Mapping[str, float],
    bounds: tuple[float, float],
) -> bool:
    """Compare two derivatives in many digits, wherever the piece and its derivative have one."""
    low, high = bounds
    places = [mpmath.mpf(x) for x in _FAR if low < float(x) < high]
    if mpmath.isfinite(low) and mpmath.isfinite(high):
        places += [low + (high - low) * mpmath.mpf(x) for x in _NEAR]
    checked = 0
    with mpmath.workdps(80):
        for z in places:
            a = evaluate(expression, {**values, "z": z})
            wanted = evaluate(derivative, {**values, "z": z})
            if not (mpmath.isfinite(a) and mpmath.isfinite(wanted)):
                continue
            got = evaluate(form, {**values, "z": z, "a": a})
            if not abs(got - wanted) < mpmath.mpf(10) ** -30 * (1 + abs(wanted)):
                return False
            checked += 1
    return checked > 2
