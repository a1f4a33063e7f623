"""Whether a gradient through the output survives where the output rounds to its limit."""

from __future__ import annotations

import mpmath

from chainrule.derivations._evaluate import evaluate_layer
from chainrule.derivations._graph import computation_graph
from chainrule.derivations.layers._vector_jacobian import backward_graph
from chainrule.formulas import Expression, Formula

_DIGITS = 200
_DOUBLE = 53  # bits
_FAR = (-100, -40, -20, 20, 40, 100)
_OTHER_UNITS = ("0.3", "-0.2")
_TARGETS = ("0.37", "0.41", "0.22")  # of no special value, and they sum to one
_LOST = "1e-3"  # relative error
_SMALLEST = "1e-280"


def survives_rounding(activation: Formula, by_output: Expression, short: Expression) -> bool:
    """Tell whether a short form is right where it is computed in double precision.

    ``y (a - 1)`` is not: behind the sigmoid it becomes 0 from z = 37 on, while the derivative is
    a normal number. ``a - y`` is.

    Parameters
    ----------
    activation : Formula
        With the values of the cost's parameters besides its own.
    by_output : Expression
        ∂J/∂a.
    short : Expression
        ∂J/∂z in `a`, `y` and `z`.
    """
    parameters = dict(activation.parameters)
    graph = computation_graph(activation.expression)
    chained = backward_graph(graph, seed=by_output)[0].expression()
    with mpmath.workdps(_DIGITS):
        y = [mpmath.mpf(x) for x in _TARGETS]
        for far in _FAR:
            z = [mpmath.mpf(far), *map(mpmath.mpf, _OTHER_UNITS)]
            a = evaluate_layer(activation.expression, {**parameters, "z": z})
            rounded = [mpmath.mpf(float(x)) if mpmath.isfinite(x) else x for x in a]
            true = evaluate_layer(chained, {**parameters, "z": z, "a": a, "y": y})[0]
            with mpmath.workprec(_DOUBLE):
                got = evaluate_layer(short, {**parameters, "z": z, "a": rounded, "y": y})[0]
            if not mpmath.isfinite(true) or abs(true) < mpmath.mpf(_SMALLEST):
                continue
            if not abs(got - true) <= mpmath.mpf(_LOST) * abs(true):
                return False
    return True
