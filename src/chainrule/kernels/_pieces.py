"""Source of a function of one float32 as polynomials on a few intervals.

On either side of 0, with ``t = |z|``, the function is a polynomial on each of a few intervals, and
farther out a line, or a polynomial in 1/t times a power of t. Where it vanishes faster than that,
it is the product of an exponential of t, of its zeros' distances, and of polynomials in
``y = t / (t + scale)``, one of which often suffices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import frexp

from chainrule.kernels._source import number

# Times in a vector of float64, roughly; an addition takes one.
_WORK = {
    "exp": 20, "expm1": 25, "log": 45, "log1p": 60, "tanh": 55, "sinh": 60, "cosh": 50, "erf": 70,
    "erfc": 90, "sin": 60, "cos": 60, "atan": 60, "asinh": 95, "sqrt": 65,
}  # fmt: skip
_DIVISION, _IN_FLOATS = 35, 16
_FASTER = 1.1  # operations in pieces in the time of one in float64
_DECAY, _FACTOR = 45, 12


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
        Of y.
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
    def work(self) -> int:
        """How many operations its value takes, roughly."""
        work = sum(6 + p.power + len(p.coefficients) + (p.low != 0) for p in self.pieces)
        if self.decay is not None:
            work += _DECAY + _FACTOR * (sum(self.decay.powers) + len(self.decay.phase) - 1)
        return work + _IN_FLOATS * any(piece.is_far for piece in self.pieces)


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
        return sum(side.work for side in (self.left, self.right) if side is not None)


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
    for line in lines:
        if not line.startswith("def "):
            for name in found:
                line = line.replace(f" {name}(", f" {name_in_pieces(name)}(")
        result.append(line)
    added = [text for name, own in found.items() for text in function_source(name, own, decorator)]
    start = next(k for k, line in enumerate(result) if _calls(line, found))
    start = max(k for k in range(start) if result[k].startswith("@"))
    return [*result[:start], *added, *result[start:]]


def _calls(line: str, found: Mapping[str, InPieces]) -> bool:
    return any(f" {name_in_pieces(name)}(" in line for name in found)


def name_in_pieces(function: str) -> str:
    """Return the name of the function that is called in place of another one."""
    return f"{function}_in_pieces"


def function_source(name: str, own: InPieces, decorator: str) -> Iterator[str]:
    """Yield the lines of a function in pieces."""
    yield decorator
    yield f"def {name_in_pieces(name)}(z):"
    yield f'    """{name}(z), from polynomials that were fitted to its true values."""'
    yield "    t = abs(z)"
    results = {}
    for word, side in (("left", own.left), ("right", own.right)):
        if side is not None:
            lines, results[word] = _side_source(side, word)
            yield from (f"    {line}" for line in lines)
    if own.relation:
        *line, sign = own.relation
        known, other = ("left", "right") if own.left is not None else ("right", "left")
        yield f"    {known} = {results[known]}"
        results[known] = known
        results[other] = f"{_line_source(*line)} {'+' if sign > 0 else '-'} {known}".strip(" +")
    yield f"    return ({results['left']}) if z < 0.0 else ({results['right']})"
    yield ""
    yield ""


def _side_source(side: Side, word: str) -> tuple[list[str], str]:
    """Return statements, and the expression of the result after them."""
    decay = side.decay
    lines = [] if decay is None else _variable_source(decay, word)
    x = "t" if decay is None else f"y_{word}"
    if any(piece.is_far for piece in side.pieces):
        lines.append("v = 1.0 / t")
    value, low = "", ""
    for k, piece in reversed(list(enumerate(side.pieces))):
        tag = f"{word}{k}"
        u = "v" if piece.is_far else f"u_{tag}" if piece.centre else x
        if piece.centre:
            rest = f" + factor_{word}[1]" if decay is not None and decay.powers[1] else ""
            lines.append(f"{u} = ({x} - {number(piece.centre)}){rest}")
        first, *others = map(number, piece.coefficients)
        text = others[-1]
        for coefficient in others[-2::-1]:
            text = f"{coefficient} + {u} * ({text})"
        start = f"{number(piece.low)} + " if piece.low else ""
        lines.append(f"q_{tag} = {start}{u} * ({text})")
        exact = decay is None and piece.power > 1
        factor = " * t" * piece.power if piece.power > 0 else " * v" * -piece.power
        lines.append(f"p_{tag} = ({first} + q_{tag}){'' if exact else factor}")
        if decay is not None or exact:
            lines.append(f"r_{tag} = ({first} - p_{tag}) + q_{tag}")
        if exact:  # several roundings would add up
            lines.append(f"p_{tag} = pairs.rounded({_scaled(f'(p_{tag}, r_{tag})', piece.power)})")
        condition = f" if {x} < {number(piece.end)} else "
        value = f"p_{tag}{condition}({value})" if value else f"p_{tag}"
        low = f"r_{tag}{condition}({low})" if low else f"r_{tag}"
    if decay is not None:
        lines += [f"p_{word} = {value}", f"r_{word} = {low}"]
        value = _product(decay, word)
    if side.line is not None:
        condition = f"t > {number(side.pieces[-1].end)}"
        value = f"({_line_source(*side.line)}) if {condition} else ({value})"
    return lines, value


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
    if decay.powers[1]:
        below = f"pairs.add(pairs.lifted({t}), pairs.lifted(np.float32({scale})))"
        lines.append(f"factor_{word} = pairs.divide(pairs.lifted({t}), {below})")
        lines.append(f"y_{word} = factor_{word}[0]")
    else:
        lines.append(f"y_{word} = {t} / ({t} + {scale})")
    return lines


def _product(decay: Decay, word: str) -> str:
    """Return source of the product of all factors."""
    t = f"t_{word}"
    product = f"(p_{word}, r_{word})"
    for _ in range(decay.powers[0]):
        product = f"pairs.scaled({product}, {t})"
    for _ in range(decay.powers[1]):
        product = f"pairs.multiply({product}, factor_{word})"
    for high, low in decay.zeros:
        distance = f"({t} - np.float32({number(high)})) - np.float32({number(low)})"
        product = f"pairs.scaled({product}, {distance})"
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
