"""Source of a function of one float32 as polynomials on a few intervals.

On either side of 0, with ``t = |z|``, the function is a polynomial on each of a few intervals of
one length, and farther out a line, or a polynomial in 1/t times a power of t. Where it vanishes
faster than that, it is the product of an exponential of a power of t, of its zeros' distances, and
of polynomials in t; or of exponentials of several powers, and of polynomials in
``y = t / (t + scale)``. The intervals of both sides share one polynomial, whose coefficients the
interval's number chooses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import frexp, isinf, log2

import numpy as np

from chainrule.kernels._source import number

# Times in a vector of float64, roughly; an addition takes one.
_WORK = {
    "exp": 20, "expm1": 25, "log": 45, "log1p": 60, "tanh": 55, "sinh": 60, "cosh": 50, "erf": 70,
    "erfc": 90, "sin": 60, "cos": 60, "atan": 60, "asinh": 95, "sqrt": 65, "power": 75,
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


def with_pieces(lines: Sequence[str], found: Mapping[str, InPieces], decorator: str) -> list[str]:
    """Return generated source whose kernels call functions in pieces in place of others.

    Parameters
    ----------
    lines : sequence of str
        Function after function, each from its decorator on.
    found : mapping of str to InPieces
        By the functions' names.
    decorator : str
        Of the functions that are added.
    """
    result = []
    arguments = {}
    for line in lines:
        head = re.match(r"def (\w+)\((.*)\):", line)
        if head is not None:
            arguments[head.group(1)] = head.group(2)
        else:
            for name in found:
                line = line.replace(f" {name}(", f" {name_in_pieces(name)}(")
        result.append(line)
    added = [
        text
        for name, own in found.items()
        for text in function_source(name, own, decorator, arguments[name])
    ]
    start = next(k for k, line in enumerate(result) if _calls(line, found))
    start = max(k for k in range(start) if result[k].startswith("@"))
    return [*result[:start], *added, *result[start:]]


def _calls(line: str, found: Mapping[str, InPieces]) -> bool:
    return any(f" {name_in_pieces(name)}(" in line for name in found)


def name_in_pieces(function: str) -> str:
    """Return the name of the function that is called in place of another one."""
    return f"{function}_in_pieces"


def function_source(
    name: str, own: InPieces, decorator: str, arguments: str = "z"
) -> Iterator[str]:
    """Yield the lines of a function in pieces, after the tables of what its pieces choose."""
    sides = {
        word: side for word, side in (("left", own.left), ("right", own.right)) if side is not None
    }
    rows = [piece for side in sides.values() for piece in side.pieces]
    yield from _tables(name, rows)
    yield decorator
    yield f"def {name_in_pieces(name)}({arguments}):"
    yield f'    """{name}(z), from polynomials that were fitted to its true values."""'
    body = ["t = abs(z)"]
    if any(piece.is_far for piece in rows):
        body.append("v = 1.0 / t")
    first = 0
    results = {}
    for word, side in sides.items():
        body += _place_source(side, word, first)
        results[word] = _result_source(side, word, first)
        first += len(side.pieces)
    body += _polynomial_source(name, rows, sides)
    if own.relation:
        *line, sign = own.relation
        known, other = ("left", "right") if own.left is not None else ("right", "left")
        body.append(f"{known} = {results[known]}")
        results[known] = known
        results[other] = f"{_line_source(*line)} {'+' if sign > 0 else '-'} {known}".strip(" +")
    left, right = results["left"], results["right"]
    chosen = left if left == right else f"({left}) if is_left else ({right})"
    if own.relation == (0.0, 0.0, -1.0):
        chosen = f"{right} * copysign(1.0, z)"
    if any(re.search(r"\bis_left\b", line) for line in (*body, chosen)):
        body.insert(0, "is_left = copysign(1.0, z) < 0.0")  # zeros have a sign too
    yield from (f"    {line}" for line in [*body, f"return {chosen}"])
    yield ""
    yield ""


def _tables(name: str, rows: Sequence[Piece]) -> Iterator[str]:
    """Yield the definitions of what an interval's number chooses."""
    length = max(len(piece.coefficients) for piece in rows)
    tails = [[*p.coefficients[1:], *[0.0] * (length - len(p.coefficients))] for p in rows]
    yield f"{name}_tail = tables.piecewise(("
    for tail in tails:
        yield f"    ({', '.join(map(_in_single, tail))},),"
    yield "))"
    for word in ("first", "low", "centre"):
        values = [p.coefficients[0] if word == "first" else getattr(p, word) for p in rows]
        if any(values):
            yield f"{name}_{word} = tables.table(({', '.join(map(_in_single, values))},))"
    yield ""
    yield ""


def _in_single(value: float) -> str:
    """Return a number in as few digits as give its float32."""
    return str(np.float32(value))


def _place_source(side: Side, word: str, first: int) -> list[str]:
    """Return statements for a side's variable, and the number of the interval it lies in."""
    lines = [] if side.decay is None else _variable_source(side.decay, word)
    x = f"y_{word}" if side.decay is not None else "t"
    near, index, last = side.near, number(first), number(len(side.near) - 1)
    if len(near) > 1:
        steps = f"{x} * {number(len(near) / near[-1].end)}"
        if side.grows:
            steps = f"tables.half_octaves({x}, {int(log2(near[0].end))})"
        lines.append(f"steps_{word} = {steps}")
        # What is no number lies in the last one.
        index = f"(steps_{word} if steps_{word} < {last} else {last})"
        index += f" + {number(first)}" if first else ""
    if len(near) < len(side.pieces):
        is_far = f"t >= {number(near[-1].end)}"
        index = f"{number(first + len(near))} if {is_far} else ({index})"
        x = f"v if {is_far} else {x}"
    return [*lines, f"x_{word} = {x}", f"index_{word} = {index}"]


def _polynomial_source(name: str, rows: Sequence[Piece], sides: Mapping[str, Side]) -> list[str]:
    """Return statements for the polynomial, p, and what p lacks, r."""
    factors = {
        word: f"factor_{word}[1]" if side.decay is not None and side.decay.powers[1] else "-0.0"
        for word, side in sides.items()
    }
    x, index = (_by_sign({word: f"{part}_{word}" for word in sides}) for part in ("x", "index"))
    rest = _by_sign(factors)
    has_centre, has_low = any(p.centre for p in rows), any(p.low for p in rows)
    centred = f"(x - {name}_centre(index))" if has_centre else "x"
    rest = "" if set(factors.values()) == {"-0.0"} or not has_centre else f" + ({rest})"
    lines = [f"x = {x}", f"index = {index}", f"u = {centred}{rest}"]
    lines += [f"first = {name}_first(index)", f"tail = {name}_tail(u, index)"]
    low = f"{name}_low(index)"
    if not any(side.decay for side in sides.values()) and all(p.power <= 1 for p in rows):
        return [*lines, f"p = first + {f'({low} + u * tail)' if has_low else 'u * tail'}"]
    lines.append("p, r = pairs.product_added(first, u, tail)")
    return [*lines, f"r = r + {low}"] if has_low else lines


def _by_sign(sources: Mapping[str, str]) -> str:
    """Return source of what depends on the sign of z, where both sides are there."""
    if len(set(sources.values())) == 1:
        return next(iter(sources.values()))
    return f"{sources['left']} if is_left else {sources['right']}"


def _result_source(side: Side, word: str, first: int) -> str:
    """Return source of a side's value, of p and r; its first interval has the number `first`."""
    if side.decay is not None:
        return _product(side.decay, word)
    value = ""
    for k, piece in reversed(list(enumerate(side.pieces))):
        following = side.pieces[min(k + 1, len(side.pieces) - 1)]
        if value and (piece.power, piece.is_far) == (following.power, following.is_far):
            continue
        factor = " * t" * piece.power if piece.power > 0 else " * v" * -piece.power
        own = f"p{factor}"
        if piece.power == 1 and not piece.is_far:
            own = "p * t"
        elif piece.power > 1:  # several roundings would add up
            own = f"pairs.rounded({_scaled('(p, r)', piece.power)})"
        is_here = f"index_{word} < {number(first + k + 1)}"
        value = f"{own} if {is_here} else ({value})" if value else own
    if side.line is not None:
        condition = f"t > {number(side.pieces[-1].end)}"
        value = f"({_line_source(*side.line)}) if {condition} else ({value})"
    return value


def _scaled(pair: str, power: int) -> str:
    for _ in range(power):
        pair = f"pairs.scaled({pair}, t)"
    return pair


def _line_source(slope: float, constant: float) -> str:
    terms = [f"{number(slope)} * t"] * (slope != 0) + [number(constant)] * (constant != 0)
    return " + ".join(terms)


def _variable_source(decay: Decay, word: str) -> list[str]:
    t, end, scale = f"t_{word}", number(decay.end), number(decay.scale)
    lines = [f"{t} = {end} if t > {end} else t"]
    if isinf(decay.scale):
        lines.append(f"y_{word} = {t}")
    elif decay.powers[1]:
        below = f"pairs.add(pairs.lifted({t}), pairs.lifted(np.float32({scale})))"
        lines.append(f"factor_{word} = pairs.divide(pairs.lifted({t}), {below})")
        lines.append(f"y_{word} = factor_{word}[0]")
    else:
        lines.append(f"y_{word} = {t} / ({t} + {scale})")
    return lines


def _product(decay: Decay, word: str) -> str:
    """Return source of the product of all factors."""
    t = f"t_{word}"
    product = "(p, r)"
    for _ in range(decay.powers[0]):
        product = f"pairs.scaled({product}, {t})"
    for _ in range(decay.powers[1]):
        product = f"pairs.multiply({product}, factor_{word})"
    for high, low in decay.zeros:
        distance = f"({t} - np.float32({number(high)})) - np.float32({number(low)})"
        product = f"pairs.scaled({product}, {distance})"
    if isinf(decay.scale):
        ((power, rate),) = decay.phase
        other = t if power == 2 else "np.float32(1.0)"
        return f"pairs.times_power({product}, {t}, {other}, {number(rate)})"
    return f"pairs.times_exp({product}, {_phase_source(decay, t)})"


def _phase_source(decay: Decay, t: str) -> str:
    coefficients = {k: f"np.float32({number(-c)})" for k, c in decay.phase}
    highest, first = decay.phase[-1]
    if len(coefficients) == 1 and highest == 2 and frexp(first)[0] == 0.5:
        return f"pairs.product({coefficients[2]} * {t}, {t})"  # no rounding before the square
    phase = f"pairs.product({t}, {coefficients[highest]})"
    for k in range(highest - 1, 0, -1):
        if k in coefficients:
            phase = f"pairs.add(pairs.lifted({coefficients[k]}), {phase})"
        phase = f"pairs.scaled({phase}, {t})"
    return phase
