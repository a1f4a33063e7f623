"""Where a piecewise formula is defined: stretches of the axis between exact places.

A smooth expression is undefined where a divisor is zero or an argument of ``log``, ``sqrt`` or a
fractional power is not positive. Interval arithmetic shows that this never happens on a stretch,
or else the zeros of the condition are found by algebra; between two of them its sign is that at
any one place.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import sympy

from chainrule.derivations import Pieces, evaluate, time_limit
from chainrule.derivations.algebra._sympy import FAILURES
from chainrule.derivations.output_forms.signs._domain import domain as stretches_of
from chainrule.formulas import Apply, Constant, Expression, constant, subexpressions, variables_of
from chainrule.portraits._statement import Bounds, bounds_of
from chainrule.portraits.enclosures._interval import Program
from chainrule.portraits.far_out import _tail

_LEVELS = 8
_START = 256
_REACH = 1e4
_SECONDS = 1.0
_MOST_DEGREE = 8
_NONE = 1e-40  # values at computed zeros
_SHORT = 1000  # the largest denominator of a fraction that is recognised among places
_SAME_ZEROS = ("sinh", "tanh", "atan", "asinh", "erf", "expm1", "sqrt", "log1p", "negate")
_NO_ZEROS = ("exp", "cosh", "reciprocal")


@dataclass(frozen=True)
class Edge:
    """An end of a stretch of the axis.

    Parameters
    ----------
    place : float
    exact : object
        The same as a SymPy number, or ±oo.
    breakpoint : int or None
        Which breakpoint of the pieces it is.
    is_rounded : bool
        Whether `exact` is but the double nearest to the place.
    """

    place: float
    exact: Any
    breakpoint: int | None = None
    is_rounded: bool = False

    @property
    def bounds(self) -> Bounds:
        """The place between doubles."""
        if self.is_rounded:
            return math.nextafter(self.place, -math.inf), math.nextafter(self.place, math.inf)
        return bounds_of(self.exact)

    @property
    def is_double(self) -> bool:
        """Whether the place is exactly a double."""
        return not self.is_rounded and bool(self.exact == sympy.Rational(self.place))


@dataclass(frozen=True)
class Span:
    """A stretch of the axis on which one piece is defined.

    Parameters
    ----------
    piece : int
    low, high : Edge
    """

    piece: int
    low: Edge
    high: Edge


def domain(pieces: Pieces, parameters: Mapping[str, float]) -> tuple[Span, ...] | None:
    """Return where a formula is defined, apart from single places, or None where not settled."""
    inner = breakpoint_edges(pieces, parameters)
    edges = [Edge(-math.inf, -sympy.oo), *inner, Edge(math.inf, sympy.oo)]
    spans: list[Span] = []
    for k, piece in enumerate(pieces.pieces):
        try:
            with time_limit(_SECONDS):
                at = (piece.expression, parameters, edges[k], edges[k + 1])
                found = _spans(k, *at)
                if found is None:
                    found = _spans_by_signs(k, *at)
        except FAILURES:
            return None
        if found is None:
            return None
        spans += found
    return tuple(spans)


def breakpoint_edges(pieces: Pieces, parameters: Mapping[str, float]) -> list[Edge]:
    """Return the places where pieces meet, with their exact values."""
    return [
        Edge(b.place, _tail.exact_sympy(b.location, parameters, 1), k, _is_rounded(b.location))
        for k, b in enumerate(pieces.breakpoints)
    ]


def _is_rounded(location: Expression) -> bool:
    """Tell whether a location may be the double nearest to a place that no formula gives."""
    if not isinstance(location, Constant):
        return False
    below = location.value.denominator
    return below > _SHORT and below & (below - 1) == 0


def _spans(
    k: int, e: Expression, parameters: Mapping[str, float], low: Edge, high: Edge
) -> list[Span] | None:
    cuts: set[Any] = set()
    needed = list(dict.fromkeys(conditions(e, parameters)))
    for condition, positive in needed:
        if _always(Program(condition, parameters), low.place, high.place, positive=positive):
            continue
        zeros = _zeros(condition, parameters)
        if zeros is None:
            return None
        cuts |= zeros
    inside = sorted(c for c in cuts if low.exact < c < high.exact)
    edges = [low, *(Edge(float(c), c) for c in inside), high]
    spans: list[Span] = []
    if not numbers_have_values(e, parameters):
        return spans
    for left, right in itertools.pairwise(edges):
        with mpmath.workdps(60):
            values = {**parameters, "z": _between(left.place, right.place)}
            signs = [(evaluate(c, values), positive) for c, positive in needed]
        if all(value > 0 if pos else value != 0 for value, pos in signs):
            spans.append(Span(k, left, right))
    return spans


def _spans_by_signs(
    k: int, e: Expression, parameters: Mapping[str, float], low: Edge, high: Edge
) -> list[Span] | None:
    """Return stretches on which signs are proved by algebra, where intervals do not tell them."""
    stretches = stretches_of(e, parameters, low.place, high.place)
    if stretches is None:
        return None

    def edge(end: Expression | None, usual: Edge) -> Edge:
        if end is None:
            return usual
        exact = _tail.exact_sympy(end, parameters, 1)
        return Edge(float(exact), exact, None, _is_rounded(end))

    return [Span(k, edge(s.ends[0], low), edge(s.ends[1], high)) for s in stretches]


def _between(low: float, high: float) -> Any:
    if math.isinf(low) and math.isinf(high):
        return mpmath.mpf("0.3")
    if math.isinf(low):
        return mpmath.mpf(high) - 1
    return mpmath.mpf(low) + (1 if math.isinf(high) else (mpmath.mpf(high) - low) / 2)


def _zeros(e: Expression, parameters: Mapping[str, float]) -> set[Any] | None:
    """Return all real zeros of an expression, and places where it begins to be undefined."""
    if not variables_of(e):
        return set() if evaluate(e, parameters) != 0 else None
    found = _polynomial_zeros(e, parameters)
    if found is None:
        found = _zeros_beside_root(e, parameters)
    if found is not None or not isinstance(e, Apply):
        return found
    x = e.arguments
    if e.operation in _NO_ZEROS:
        return set()
    if e.operation in _SAME_ZEROS or (e.operation == "divide"):
        return _zeros(x[0], parameters)
    if e.operation == "log":
        return _zeros(Apply("subtract", (x[0], constant(1))), parameters)
    if e.operation == "power" and not variables_of(x[1]):
        return _zeros(x[0], parameters)
    if e.operation == "multiply":
        sets = [_zeros(part, parameters) for part in x]
        return None if None in sets else set().union(*sets)  # type: ignore[arg-type]
    return None


def _zeros_beside_root(e: Expression, parameters: Mapping[str, float]) -> set[Any] | None:
    """Return the zeros of ``A + B*sqrt(C)``, at which ``A**2 - B**2*C`` vanishes too."""
    exact = sympy.expand(_tail.exact_sympy(e, parameters, 1, positive=False))
    roots = {part for part in exact.atoms(sympy.Pow) if part.exp == sympy.S.Half}
    if len(roots) != 1:
        return None
    (root,) = roots
    named = sympy.Dummy("root")
    written = exact.subs(root, named)
    if not written.is_polynomial(named) or sympy.degree(written, named) != 1:
        return None
    rest, factor = written.subs(named, 0), written.coeff(named, 1)
    found = _zeros_of_polynomial(sympy.expand(rest**2 - factor**2 * root.base))
    # The other zeros are those of A - B*sqrt(C).
    return (
        None
        if found is None
        else {x for x in found if abs(exact.subs(_tail.REAL, x).n(60)) < _NONE}
    )


def _polynomial_zeros(e: Expression, parameters: Mapping[str, float]) -> set[Any] | None:
    return _zeros_of_polynomial(sympy.expand(_tail.exact_sympy(e, parameters, 1, positive=False)))


def _zeros_of_polynomial(exact: Any) -> set[Any] | None:
    if not exact.is_polynomial(_tail.REAL):
        return None
    polynomial = sympy.Poly(exact, _tail.REAL)
    if polynomial.degree() > _MOST_DEGREE or not all(c.is_Rational for c in polynomial.coeffs()):
        return None
    return set(sympy.real_roots(polynomial)) if polynomial.degree() else set()


def _always(program: Program, low: float, high: float, *, positive: bool) -> bool:
    """Tell whether interval arithmetic shows that a value is never zero, or always positive."""
    near, far = max(low, -_REACH), min(high, _REACH)
    tails = [(low, near)] * (low < near) + [(far, high)] * (far < high)
    ends = np.linspace(near, far, _START + 1) if near < far else np.array([])
    left = np.array([*(t[0] for t in tails), *ends[:-1]])
    right = np.array([*(t[1] for t in tails), *ends[1:]])
    for _ in range(_LEVELS):
        lower, upper = program((left, right))
        open_ = ~((lower > 0) | ((upper < 0) & (not positive)))
        left, right = left[open_], right[open_]
        if not left.size:
            return True
        if left.size > _START or not (np.isfinite(left).all() and np.isfinite(right).all()):
            return False
        middle = (left + right) / 2
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    return False


def conditions(e: Expression, parameters: Mapping[str, float]) -> Iterator[tuple[Expression, bool]]:
    """Yield what must differ from zero, and whether it must be positive."""
    for part in subexpressions(e):
        if not isinstance(part, Apply) or not variables_of(part):
            continue
        x = part.arguments
        if part.operation in ("log", "sqrt"):
            yield x[0], True
        elif part.operation == "log1p":
            yield Apply("add", (constant(1), x[0])), True
        elif part.operation == "divide" and variables_of(x[1]):
            yield x[1], False
        elif part.operation == "reciprocal":
            yield x[0], False
        elif part.operation == "power":
            exponent = None if variables_of(x[1]) else evaluate(x[1], parameters)
            if exponent is None or not mpmath.isint(exponent):
                yield x[0], True
            elif exponent < 0:
                yield x[0], False


def numbers_have_values(e: Expression, parameters: Mapping[str, float]) -> bool:
    """Tell whether all parts without z, such as ``log(0)``, are defined."""
    return not any(
        mpmath.isnan(evaluate(part, parameters))
        for part in subexpressions(e)
        if isinstance(part, Apply) and not variables_of(part)
    )


def written(spans: tuple[Span, ...], included: Mapping[float, bool]) -> str:
    """Write a domain: every real z, or the intervals that it consists of.

    Parameters
    ----------
    spans : tuple of Span
    included : mapping of float to bool
        Whether the function is defined at each of their ends.
    """
    joined: list[list[Edge]] = []
    for span in spans:
        if joined and joined[-1][1].exact == span.low.exact and included[span.low.place]:
            joined[-1][1] = span.high
        else:
            joined.append([span.low, span.high])
    if joined and (joined[0][0].exact, joined[-1][1].exact) == (-sympy.oo, sympy.oo):
        if len(joined) == 1:
            return "defined for every real z"
        gaps = list(itertools.pairwise(joined))
        if all(a[1].exact == b[0].exact for a, b in gaps):
            return "defined for z ≠ " + ", ".join(_place(a[1]) for a, _ in gaps)
    parts = []
    for low, high in joined:
        left = "[" if included.get(low.place) else "("
        right = "]" if included.get(high.place) else ")"
        parts.append(f"{left}{_place(low)}, {_place(high)}{right}")
    return "defined on " + " and ".join(parts) if parts else "defined nowhere"


def _place(edge: Edge) -> str:
    if edge.exact.is_Rational:
        return f"{edge.place + 0.0:.10g}"
    return str(edge.exact).replace("oo", "∞") if edge.exact.is_infinite else f"{edge.place:.10g}"
