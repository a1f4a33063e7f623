"""A function of one float32 as polynomials on a few intervals.

On either side of 0, with ``t = |z|``, the function is a polynomial on each of a few intervals of
one length, and farther out a line, or a polynomial in 1/t times a power of t. Where it vanishes
faster than that, it is the product of an exponential of a power of t, of its zeros' distances, and
of polynomials in t; or of exponentials of several powers, and of polynomials in
``y = t / (t + scale)``. The intervals of both sides share one polynomial, whose coefficients the
interval's number chooses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import frexp, isinf

import numpy as np

# Times in a vector of float64, roughly; an addition takes one.
_WORK = {
    "exp": 20, "expm1": 25, "log": 45, "log1p": 60, "tanh": 55, "sinh": 60, "cosh": 50, "erf": 70,
    "erfc": 90, "erfcx": 60, "sin": 60, "cos": 60, "atan": 60, "asinh": 95, "sqrt": 65, "power": 75,
    "sin_at": 70, "cos_at": 70,
}  # fmt: skip
_DIVISION, _IN_FLOATS = 35, 16
_FASTER = 1.1  # operations in pieces in the time of one in float64
_DECAY, _DECAY_OF_T, _FACTOR, _CHOICE = 45, 20, 12, 5
LEAST_WORK = 6  # of a side, besides its polynomials


@dataclass(frozen=True)
class Piece:
    """A polynomial on an interval of t, or of y on a side that vanishes.

    Parameters
    ----------
    end : float
        Where it ends; it begins where the one before does.
    centre : float
        Of its powers; they are those of 1/t where `is_far`.
    power : int
        k of the factor ``t**k``.
    coefficients : tuple of float
        Lowest power first.
    is_far : bool
        Whether it is a polynomial in 1/t.
    low : float
        What float32 cannot hold of the first coefficient.
    """

    end: float
    centre: float
    power: int
    coefficients: tuple[float, ...]
    is_far: bool = False
    low: float = 0.0


@dataclass(frozen=True)
class Decay:
    """What else is a factor on a side where a function vanishes.

    Parameters
    ----------
    phase : tuple of (int, float)
        Power of t and coefficient of each term of p: the exponential is ``exp(-p(t))``.
    end : float
        The t from which on the function has vanished.
    scale : float
        Of y; infinity where t itself stands for y.
    powers : tuple of int
        j and k of the factor ``t**j * y**k``.
    zeros : tuple of (float, float)
        Where the function is zero, in two parts.
    """

    phase: tuple[tuple[int, float], ...]
    end: float
    scale: float
    powers: tuple[int, int]
    zeros: tuple[tuple[float, float], ...]

    @property
    def last(self) -> float:
        """The largest y."""
        if isinf(self.scale):
            return self.end
        return float(np.float32(self.end / (self.end + self.scale)))

    @property
    def work(self) -> int:
        """How many operations it takes, roughly."""
        if isinf(self.scale):
            return _DECAY_OF_T
        return _DECAY + _FACTOR * (sum(self.powers) + len(self.phase) - 1)


def polynomial_work(length: int, count: int) -> int:
    """Return how many operations a polynomial takes that is one of several of as many terms."""
    return length if count == 1 else 2 * length + _CHOICE


@dataclass(frozen=True)
class Side:
    """A function of ``t = |z|`` on one side of 0.

    Parameters
    ----------
    pieces : tuple of Piece
    decay : Decay or None
        Where the function vanishes faster than any power of t.
    line : tuple of float or None
        Slope and constant of the line that takes over after the last piece, if one does.
    """

    pieces: tuple[Piece, ...]
    decay: Decay | None = None
    line: tuple[float, float] | None = None

    @property
    def near(self) -> tuple[Piece, ...]:
        """Those of powers of t or y."""
        return tuple(piece for piece in self.pieces if not piece.is_far)

    @property
    def grows(self) -> bool:
        """Whether its intervals grow, two for each octave, and are not of one length."""
        ends = [piece.end for piece in self.near]
        return len(ends) > 2 and ends[1] == 1.5 * ends[0]

    @property
    def ends_at_edge(self) -> bool:
        """Whether, of intervals that grow, another one would begin where the last one ends."""
        return self.grows and frexp(self.near[-1].end)[0] in (0.5, 0.75)

    @property
    def polynomial_work(self) -> int:
        """How many operations the polynomial takes: each coefficient is chosen, if of several."""
        length = max(len(piece.coefficients) for piece in self.pieces)
        return polynomial_work(length, len(self.pieces))

    @property
    def other_work(self) -> int:
        """How many operations the rest takes, roughly."""
        work = LEAST_WORK + max(p.power + (p.low != 0) for p in self.pieces)
        if self.decay is not None:
            work += self.decay.work
        return work + _IN_FLOATS * any(piece.is_far for piece in self.pieces)

    @property
    def work(self) -> int:
        """How many operations its value takes, roughly."""
        return self.polynomial_work + self.other_work


@dataclass(frozen=True)
class InPieces:
    """Both sides of a function.

    Parameters
    ----------
    left, right : Side or None
        None where a side follows from the other one by `relation`.
    relation : tuple of float
        α, β and ±1 of ``f(one side) = α t + β ± f(other side)``; empty if there is none.
    """

    left: Side | None
    right: Side | None
    relation: tuple[float, ...] = ()

    @property
    def work(self) -> int:
        """How many operations its value takes, roughly."""
        several = len(self.sides) == 2 and all(len(side.pieces) == 1 for side in self.sides)
        work = max(side.polynomial_work for side in self.sides) * (2 if several else 1)
        return work + sum(side.other_work for side in self.sides)

    @property
    def work_by_comparing(self) -> int:
        """The same where a processor finds each coefficient by comparing numbers of intervals."""
        pieces = [piece for side in self.sides for piece in side.pieces]
        length = max(len(piece.coefficients) for piece in pieces)
        return len(pieces) * length + sum(side.other_work for side in self.sides)

    @property
    def sides(self) -> tuple[Side, ...]:
        """Those that do not follow from another one."""
        return tuple(side for side in (self.left, self.right) if side is not None)


def operations_for(lines: Sequence[str], name: str) -> float:
    """Return how many operations in pieces take the time of a function's source in float64.

    Parameters
    ----------
    lines : sequence of str
        Function after function, each from its decorator on.
    name : str
        Of the function.
    """
    start = next(k for k, line in enumerate(lines) if line.startswith(f"def {name}("))
    body = list(lines[start + 2 :])
    end = next((k for k, line in enumerate(body) if line and line[0] != " "), len(body))
    values = (line.partition("  #")[0].partition(" = ") for line in body[:end])
    text = "\n".join({value or name for name, _, value in values})  # each is computed once
    work = sum(_WORK.get(called, 0) for called in re.findall(r"(\w+)\(", text))
    work += len(re.findall(r" [-+*] ", text)) + _DIVISION * text.count(" / ")
    return _FASTER * work
