"""Where candidates for a function's arithmetic are tried: everywhere, and next to its zeros."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.kernels._arrays import apply_kernel
from chainrule.kernels._kept_choices import FUNCTIONS, Zeros

if TYPE_CHECKING:
    from chainrule.kernels._kernels import ActivationKernels

Array = NDArray[Any]

_STEP = 1013  # every so many bit patterns: a prime, so that all digits of them vary
_EVERY, _INFINITE = 97, 0x7F800000
_ENDS = np.array([-0.0, np.inf, -np.inf], np.float32)
_INNERMOST, _OUTERMOST = 16, 8
_MOST_ZEROS = _INNERMOST + _OUTERMOST
_BESIDE = 1024  # float32 numbers on either side of a place
_DIP = 1e-4
_AT_ONCE = 1 << 14  # elements: what is computed of them stays in the nearest caches


def result_of(kernels: ActivationKernels, name: str, z: Array, da: Array | None = None) -> Array:
    """Return ``activation`` or ``derivative`` of float32 numbers, in the kernels' format.

    Without `da` the derivative is that of each element.
    """
    result = np.empty(z.shape, kernels.dtype)
    for part in parts_of(z):
        places, output = z[part].astype(kernels.dtype), result[part]
        if name == "activation":
            apply_kernel(kernels.forward, places, places, output)
        else:
            slopes = np.ones_like(places) if da is None else da[part].astype(kernels.dtype)
            apply_kernel(kernels.backward, slopes, places, output)
    return result


def parts_of(z: Array) -> list[slice]:
    """Return parts of an array so small that what is computed of one stays in the caches."""
    return [slice(k, k + _AT_ONCE) for k in range(0, len(z), _AT_ONCE)]


def rows() -> tuple[Array, Array]:
    """Return layers of ordinary, large, equal and lopsided units, and ∂J/∂A for them."""
    generator = np.random.default_rng(5)
    scales = np.repeat([0.01, 1.0, 10.0, 50.0], 64)[:, np.newaxis]
    layers = (generator.normal(size=(256, 33)) * scales).astype(np.float32)
    layers[:4] = 1.5
    layers[4:8, 0] = 90.0
    return layers, generator.normal(size=layers.shape).astype(np.float32)


def inputs() -> Array:
    """Return float32 numbers from the whole range, dense where functions change, and ±0, ±inf.

    They are in order but for the last three.
    """
    return _inputs()[0]


def sample() -> Array:
    """Return some of the inputs, from everywhere."""
    return _inputs()[1]


@cache
def _inputs() -> tuple[Array, Array]:
    positive = np.arange(0, _INFINITE, _STEP, dtype=np.uint32)
    negative = np.arange(_STEP - 2**31 % _STEP, _INFINITE, _STEP, dtype=np.uint32) + np.uint32(
        2**31
    )
    near = np.linspace(-120.0, 120.0, 200_003, dtype=np.float32)
    sizes = np.ldexp(np.linspace(1.0, 1.9, 7)[:, np.newaxis], np.arange(-149, 128)).ravel()
    special = np.array([*sizes, *-sizes, 0.0, *_ENDS]).astype(np.float32)
    patterns = np.concatenate([negative[::-1], positive]).view(np.float32)
    others = np.unique(np.concatenate([near, special[: -_ENDS.size]]))
    places = np.searchsorted(patterns, others)
    new = patterns[np.minimum(places, patterns.size - 1)] != others
    in_order = np.insert(patterns, places[new], others[new])
    some, start = [], 0
    for part in (positive.view(np.float32), negative.view(np.float32), near, special):
        some.append(part[start::_EVERY])
        start = (start - part.size) % _EVERY
    return np.concatenate([in_order, _ENDS]), np.concatenate(some)


def neighbours(zeros: Zeros, double: Array) -> list[Array]:
    """Return the float32 numbers next to zeros of value and slope, where digits cancel most."""
    simple = [low for pairs in zeros.values() for low, _ in pairs]
    places = np.concatenate([_positions(np.array(simple, np.float32)), double])
    return [_around(place) for place in places]


def beside(z: Array) -> Array:
    """Return all float32 numbers next to those of an array."""
    found: Array = np.concatenate([_around(place) for place in _positions(z)])
    return found


def _around(position: Any) -> Array:
    found = _floats(position + np.arange(-_BESIDE, _BESIDE))
    return found[np.isfinite(found)]


def zeros_of(exact: ActivationKernels, values: Mapping[str, Array]) -> tuple[Zeros, Array]:
    """Return where value and slope are zero.

    Parameters
    ----------
    exact : ActivationKernels
        In float64.
    values : mapping of str to ndarray
        What these are on all inputs.

    Returns
    -------
    simple : dict of str to tuple
        Pairs of neighbouring float32 between which they change sign.
    double : ndarray of int
        Positions at which they come near 0 and turn.
    """
    z = inputs()[: -_ENDS.size]
    simple: Zeros = {}
    double = []
    for name in FUNCTIONS:
        changes, dips = _changes_and_dips(values[name][: z.size])
        k = _some(z, changes)
        first = _zeros_between(exact, name, _positions(z[k]), _positions(z[k + 1]))
        ends = _floats(first), _floats(first + 1)
        simple[name] = tuple((float(low), float(high)) for low, high in zip(*ends, strict=True))
        k = _some(z, dips)
        double.append(_lowest_between(exact, name, _positions(z[k]), _positions(z[k + 2])))
    return simple, np.concatenate(double)


def _changes_and_dips(values: Array) -> tuple[Array, Array]:
    """Return after which values the sign changes, and before which the size is least, near 0."""
    changes, dips = [], []
    for start in range(0, values.size - 1, _AT_ONCE):
        part = values[start : start + _AT_ONCE + 2]
        signs, sizes = np.sign(part), np.abs(part)
        changes.append(start + np.flatnonzero((signs[:-1] * signs[1:] < 0)[:_AT_ONCE]))
        inner = sizes[1:-1]
        turns = (inner <= sizes[:-2]) & (inner <= sizes[2:]) & (inner < _DIP) & (inner > 0)
        dips.append(start + np.flatnonzero(turns & (signs[:-2] == signs[2:])))
    return np.concatenate(changes), np.concatenate(dips)


def _some(z: Array, places: Array) -> Array:
    """Return places; of many those next to 0, and those farthest from it."""
    places = places[np.argsort(np.abs(z[places]), kind="stable")]
    return (
        places if places.size <= _MOST_ZEROS else np.delete(places, np.s_[_INNERMOST:-_OUTERMOST])
    )


def _lowest_between(exact: ActivationKernels, name: str, first: Array, last: Array) -> Array:
    """Return between each two positions that at which a result is nearest to 0: a double zero."""
    while (apart := last - first > 3).any():
        third = (last - first) // 3
        a, b = np.abs(_results_at(exact, name, first + third, last - third))
        first, last = (
            np.where(apart & (a > b), first + third, first),
            np.where(apart & ~(a > b), last - third, last),
        )
    return first


def _zeros_between(exact: ActivationKernels, name: str, first: Array, last: Array) -> Array:
    """Halve what lies between positions of different signs until they are neighbours."""
    while (apart := last - first > 1).any():
        middle = (first + last) // 2
        a, b = _results_at(exact, name, first, middle)
        first, last = (
            np.where(apart & (a * b > 0), middle, first),
            np.where(apart & ~(a * b > 0), middle, last),
        )
    return first


def _results_at(exact: ActivationKernels, name: str, *positions: Array) -> Array:
    return result_of(exact, name, _floats(np.stack(positions)))


def _positions(z: Array) -> Array:
    """Return the places of float32 numbers among all of them, as integers."""
    bits = z.view(np.int32).astype(np.int64)
    found: Array = np.where(bits >= 0, bits, -(bits + 2**31))
    return found


def _floats(positions: Array) -> Array:
    bits = np.where(positions >= 0, positions, -positions + 2**31)
    return bits.astype(np.uint32).view(np.float32)
