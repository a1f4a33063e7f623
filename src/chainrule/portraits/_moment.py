"""The second moment of an activation of a standard normal, with proven bounds."""

from __future__ import annotations

import math

import numpy as np

from chainrule.derivations import Pieces
from chainrule.derivations._arithmetic import divide, multiply, negate, power
from chainrule.derivations._pieces import differentiate
from chainrule.formulas import Apply, Formula, Variable, constant
from chainrule.portraits._interval import Program

_REACH = 12.0
_PANELS = 1 << 13


def second_moment(
    formula: Formula, pieces: Pieces, at_zero: float, steepest: float
) -> tuple[float, float] | None:
    """Return bounds of ``E f(z)**2`` for standard normal z, or None.

    The midpoint rule with its remainder ``h**3/24 * g''`` bounded panel by panel; beyond 12 the
    function stays below ``at_zero + steepest*|z|``.
    """
    z, two = Variable("z"), constant(2)
    density = Apply("exp", (negate(divide(power(z, two), two)),))
    low = high = 0.0
    edges = [-_REACH, *(b.place for b in pieces.breakpoints), _REACH]
    edges = [min(max(edge, -_REACH), _REACH) for edge in edges]
    for k, piece in enumerate(pieces.pieces):
        left, right = edges[k], edges[k + 1]
        if left >= right:
            continue
        integrand = multiply(power(piece.expression, two), density)
        value = Program(integrand, dict(formula.parameters))
        bend = Program(differentiate(differentiate(integrand)), dict(formula.parameters))
        count = max(64, int(_PANELS * (right - left) / _REACH))
        ends = np.linspace(left, right, count + 1)
        width = np.diff(ends)
        middle = 0.5 * (ends[:-1] + ends[1:])
        values = value((middle, middle))
        bends = bend((ends[:-1], ends[1:]))
        cubed = width**3 / 24
        parts = (width * values[0] + cubed * bends[0], width * values[1] + cubed * bends[1])
        if not (np.isfinite(parts[0]).all() and np.isfinite(parts[1]).all()):
            return None
        # Rounded middles, widths and sums: within 1e-11 of the magnitudes that are added.
        slack = 1e-11 * float(np.sum(np.abs(parts[0]) + np.abs(parts[1])))
        low += float(parts[0].sum()) - slack
        high += float(parts[1].sum()) + slack
    scale = 1 / math.sqrt(2 * math.pi)
    outside = 4 * (at_zero**2 + steepest**2 * _REACH * 1.01) * math.exp(-(_REACH**2) / 2)
    return max(low, 0.0) * scale * (1 - 1e-15), (high + outside) * scale * (1 + 1e-15)
