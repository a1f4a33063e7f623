"""The designed sample: where functions go wrong in a format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import libmp

from chainrule.formulas import Formula
from chainrule.references._ball import exact
from chainrule.references._format import Format
from chainrule.references._program import Program

_SEED = 20_240_229
_PRECISION = 160
_NEIGHBOURS = 2

Array = np.ndarray[Any, np.dtype[Any]]


def sample(formula: Formula, form: Format) -> Array:
    """Return the finite inputs at which an element-wise formula is measured, in rising order.

    All binades of both signs (in float64 every eighth beyond ``2**40``) with a power of two, its
    upper neighbour and a random significand each; the ends of the normal and the subnormal
    numbers; dense points where activations bend and where their exponentials leave the format;
    every switch of the formula with its neighbours; and every place where it has a limit and no
    value, with numbers at every distance from it.
    """
    from chainrule.kernels.fitting._gaps import around, filled_places

    random = np.random.default_rng(_SEED)
    widest = np.log(2.0) * (form.largest_exponent + form.precision)
    parts = [
        _binades(form, random),
        _ends(form),
        np.linspace(-20, 20, 641) + random.uniform(0, 1 / 32, 641),
        np.linspace(-widest, widest, 401) + random.uniform(0, 0.5, 401),
        *(_neighbourhood(place, form) for place in switches(formula, form)),
        around(filled_places(formula, form), form),
    ]
    joined = np.concatenate([part.astype(form.dtype) for part in parts])
    return np.unique(joined[np.isfinite(joined)])


def _exponents(form: Format) -> list[int]:
    every = range(form.smallest_exponent, form.largest_exponent)
    if form.largest_exponent <= 128:
        return list(every)
    return [exponent for exponent in every if abs(exponent) <= 40 or exponent % 8 == 0]


def _binades(form: Format, random: np.random.Generator) -> Array:
    exponents = _exponents(form)
    powers = np.ldexp(np.ones(len(exponents)), exponents).astype(form.dtype)
    above = np.nextafter(powers, form.dtype.type(np.inf))
    with np.errstate(over="ignore", under="ignore"):
        within = (powers.astype(np.float64) * random.uniform(1, 2, len(powers))).astype(form.dtype)
    joined = np.concatenate([powers, above, within])
    return np.concatenate([joined, -joined])


def _ends(form: Format) -> Array:
    limits = np.finfo(form.dtype)
    tiny, largest = limits.smallest_normal, limits.max
    below = np.nextafter(tiny, form.dtype.type(0))
    ends = np.array([0, limits.smallest_subnormal, below, tiny, largest], dtype=form.dtype)
    return np.concatenate([ends, -ends])


def _neighbourhood(place: float, form: Format) -> Array:
    found = [form.dtype.type(place)]
    for direction in (-np.inf, np.inf):
        neighbour = found[0]
        for _ in range(_NEIGHBOURS):
            neighbour = np.nextafter(neighbour, form.dtype.type(direction))
            found.append(neighbour)
    return np.array(found, dtype=form.dtype)


def switches(formula: Formula, form: Format) -> list[float]:
    """Find the numbers of a format at which a choice of the formula turns over.

    The choices are those of ``where``, ``max``, ``min``, ``abs`` and ``sign``. The difference each
    of them turns on is scanned over all binades and a fine grid; between two points at which its
    sign differs, the place is found by bisection over the numbers of the format.
    """
    program = Program(formula)
    fine = np.linspace(-20, 20, 161)
    powers = np.ldexp(np.ones(1), np.array(_exponents(form)))
    grid = np.unique(np.concatenate([fine, powers, -powers]).astype(form.dtype))
    order = [_position(float(z), form) for z in grid]
    signs = [_signs(program, float(z)) for z in grid]
    found: set[float] = set()
    for which in range(len(signs[0])):
        for k in range(len(grid) - 1):
            low, high = signs[k][which], signs[k + 1][which]
            if low is not None and high is not None and low != high:
                place = _bisect(program, which, order[k], order[k + 1], low, form)
                found.add(_number(place, form))
    return sorted(found)


def _signs(program: Program, z: float) -> list[int | None]:
    return program.switch_signs(exact(libmp.from_float(z)), _PRECISION)


def _bisect(program: Program, which: int, low: int, high: int, sign: int, form: Format) -> int:
    """Return the first position above `low` at which the sign is another."""
    while high - low > 1:
        middle = (low + high) // 2
        if _signs(program, _number(middle, form))[which] == sign:
            low = middle
        else:
            high = middle
    return high


def _position(number: float, form: Format) -> int:
    """Return the place of a number among the format's numbers, zero's being 0."""
    width = "int32" if form.name == "float32" else "int64"
    bits = int(np.array(abs(number), dtype=form.dtype).view(width))
    return -bits if number < 0 else bits


def _number(position: int, form: Format) -> float:
    width = "int32" if form.name == "float32" else "int64"
    number = float(np.array(abs(position), dtype=width).view(form.dtype))
    return -number if position < 0 else number


@dataclass(frozen=True)
class Batch:
    """Rows of one length for a layer-coupled function, with derivatives of a cost."""

    z: Array
    weights: Array


_SHAPES = ("random", "equal", "dominant", "large", "tiny")


def batches(form: Format) -> Iterator[Batch]:
    """Yield the rows at which a layer-coupled formula is measured.

    Layers of 1 to 50 units: standard normal, all equal, one unit far above the others, spread over
    +-1e4, and all within 1e-3 of one another.
    """
    random = np.random.default_rng(_SEED)
    for units, repeats in ((1, 1), (2, 4), (3, 4), (10, 2), (50, 1)):
        shapes = _SHAPES if units < 50 else ("random", "large")
        rows = [_row(shape, units, random) for shape in shapes for _ in range(repeats)]
        z = np.array(rows).astype(form.dtype)
        yield Batch(z, random.standard_normal(z.shape).astype(form.dtype))


def _row(shape: str, units: int, random: np.random.Generator) -> Array:
    row: Array = random.standard_normal(units)
    if shape == "equal":
        row[:] = row[0]
    if shape == "dominant":
        row[random.integers(units)] += random.choice([10.0, 30.0, 100.0])
    if shape == "large":
        row = random.uniform(-1e4, 1e4, units)
    if shape == "tiny":
        row = row[0] + 1e-3 * row
    return row
