"""Source of a function in pieces, and of kernels that call it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import frexp, isinf, log2

import numpy as np

from chainrule.kernels.fitting._pieces import Decay, InPieces, Piece, Side
from chainrule.kernels.source._lines import number


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
    elif own.relation == (1.0, 0.0, 1.0):  # -0.0 adds nothing to the side that is known
        chosen = "(-0.0 if z < -0.0 else z) + left"
        if known == "right":
            chosen = "(-0.0 if z > 0.0 else -z) + right"
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
        if word == "first" or any(values):  # it is read, be it 0
            yield f"{name}_{word} = tables.table(({', '.join(map(_in_single, values))},))"
    yield ""
    yield ""


def _in_single(value: float) -> str:
    """Return a number in as few digits as give its float32."""
    return str(np.float32(value))


def _whole(index: int) -> str:
    return f"np.int32({index})"


def _place_source(side: Side, word: str, first: int) -> list[str]:
    """Return statements for a side's variable, and the number of the interval it lies in."""
    lines = [] if side.decay is None else _variable_source(side.decay, word)
    x = f"y_{word}" if side.decay is not None else "t"
    near, index, last = side.near, _whole(0), len(side.near) - 1
    if side.grows:
        index = f"tables.half_octaves({x}, {int(log2(near[0].end))})"
        if side.ends_at_edge:
            lines.append(f"steps_{word} = {index}")
            index = f"(steps_{word} if steps_{word} < {_whole(last)} else {_whole(last)})"
    elif len(near) > 1:
        per_unit = f"np.float32({number(len(near) / near[-1].end)})"
        index = f"tables.even_steps({x}, {per_unit}, np.float32({number(last)}))"
    if first:
        index = f"np.int32({index} + {_whole(first)})"
    if len(near) < len(side.pieces):
        is_far = f"t >= {number(near[-1].end)}"
        index = f"{_whole(first + len(near))} if {is_far} else {index}"
        x = f"v if {is_far} else {x}"
    return [*lines, f"x_{word} = {x}", f"index_{word} = {index}"]


def _polynomial_source(name: str, rows: Sequence[Piece], sides: Mapping[str, Side]) -> list[str]:
    """Return statements for the polynomial: p, what p lacks, r, and the sum of both."""
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
    if all(side.decay is None for side in sides.values()) and all(p.power <= 1 for p in rows):
        # Nothing is multiplied that would ask for an r below the last digit of p.
        rest = f"{low} + u * tail" if has_low else "u * tail"
        return [*lines, "p = first", f"r = {rest}", "whole = p + r"]
    lines += ["p, r = pairs.product_added(first, u, tail)", "whole = p"]
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
        own = f"whole{factor}"
        if piece.power == 1 and not piece.is_far:
            own = "p * t + r * t"  # the product is not rounded, and infinite t not meant
        elif piece.power > 1:  # several roundings would add up
            own = f"pairs.rounded({_scaled('(p, r)', piece.power)})"
        is_here = f"index_{word} < {_whole(first + k + 1)}"
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
