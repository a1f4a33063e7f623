"""Lines above or below a cloud of points: found in floating point, with short coefficients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

from chainrule.derivations.algebra._arithmetic import add, multiply
from chainrule.formulas import Constant, Expression

_SIMPLE, _CLOSE, _NEGLIGIBLE = 64, 1e-7, 1e-9
_MOST_TANGENTS = 3


@dataclass(frozen=True)
class Line:
    """The line ``alpha + beta u``, above a cloud (side 1) or below it (side -1)."""

    alpha: Fraction
    beta: Fraction
    side: int

    def at(self, u: Any) -> Any:
        """Return its height in floating point."""
        return float(self.alpha) + float(self.beta) * u

    def over(self, u: Expression) -> Expression:
        """Return its height as an expression."""
        return add(Constant(self.alpha), multiply(Constant(self.beta), u))


def bounding_lines(
    u: Any, r: Any, side: int, wanted: Any, *, through_origin: bool
) -> Iterator[Line]:
    """Yield lines with all points on one side: a level one, one through the origin, and tangents.

    Parameters
    ----------
    u, r : array
        The points.
    side : int
        1 for lines above them, -1 for lines below.
    wanted : array
        Values of u where a line should be close to the points.
    through_origin : bool
        Whether only lines through the origin are of use.
    """
    heights = side * r
    for alpha, beta in _above(u, heights, wanted, through_origin):
        line = Line(side * alpha, side * beta, side)
        if (side * line.at(u) >= heights - _NEGLIGIBLE * (1 + abs(heights))).all():
            yield line
            # What is not so close is proved sooner.
            if not through_origin:
                farther = side * (abs(alpha) / 4 + Fraction(1, 16))
                yield Line(line.alpha + farther, line.beta, side)


def _above(
    u: Any, heights: Any, wanted: Any, through_origin: bool
) -> Iterator[tuple[Fraction, Fraction]]:
    nothing = Fraction(0)
    if (heights <= _NEGLIGIBLE).all():
        yield nothing, nothing
    right, left = u > _NEGLIGIBLE, u < -_NEGLIGIBLE
    if right.any():
        yield nothing, _slightly_above((heights[right] / u[right]).max())
    elif left.any():
        yield nothing, -_slightly_above(-(heights[left] / u[left]).min())
    if through_origin:
        return
    yield _slightly_above(heights.max()), nothing
    hull = _upper_hull(u, heights)
    for place in wanted[:_MOST_TANGENTS]:
        k = int(np.clip(np.searchsorted(hull[:, 0], place), 1, len(hull) - 1))
        (x, y), (x_next, y_next) = hull[k - 1], hull[k]
        beta = Fraction((y_next - y) / (x_next - x)).limit_denominator(_SIMPLE)
        yield _slightly_above((heights - float(beta) * u).max()), beta


def _slightly_above(x: float) -> Fraction:
    near = Fraction(x).limit_denominator(_SIMPLE)
    if abs(float(near) - x) <= _CLOSE * (1 + abs(x)):
        return near
    return Fraction(ceil(x * 4 * _SIMPLE + 1), 4 * _SIMPLE)


def _upper_hull(u: Any, heights: Any) -> Any:
    """Return the corners of the least concave function above the points, from the left."""
    order = np.lexsort((-heights, u))
    corners: list[Any] = []
    for point in np.column_stack([u, heights])[order]:
        if corners and point[0] - corners[-1][0] < _NEGLIGIBLE:
            continue
        while len(corners) > 1 and _turns_left(corners[-2], corners[-1], point):
            corners.pop()
        corners.append(point)
    return np.array(corners) if len(corners) > 1 else np.array([[0.0, 0.0], [1.0, 0.0]])


def _turns_left(one: Any, two: Any, three: Any) -> bool:
    (x, y), (x2, y2), (x3, y3) = one, two, three
    return bool((x2 - x) * (y3 - y) >= (y2 - y) * (x3 - x))
