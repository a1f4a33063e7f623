"""The cheapest arithmetic that keeps the promised accuracy, found by measuring.

Candidates are compared with the same functions in double precision, whose own accuracy the
certificate measures against a reference of many digits, over inputs from the whole range.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.kernels._arrays import apply_kernel
from chainrule.kernels._emulation import NotEmulatedError, emulated
from chainrule.kernels._kept_choices import FUNCTIONS, Choice, Pairs, Zeros
from chainrule.kernels._pieces import name_in_pieces
from chainrule.kernels._tiers import COUPLED_TIERS, TIERS, has_fits, is_dear

if TYPE_CHECKING:
    from chainrule.kernels._kernels import ActivationKernels

Array = NDArray[Any]

# In units in the last place; some below the bounds of 2 and 4, since not all inputs are tried.
BOUNDS = {"activation": 1.85, "derivative": 3.6}
# The same in units of a row's largest result: in their own, smaller ones are off by more.
_OF_LARGEST = 2.5
_INNERMOST, _OUTERMOST = 16, 8
_WORST, _BESIDE = 32, 1024  # places around which all inputs are tried, and how many on either side
_MOST_ZEROS, _NEIGHBOURS = _INNERMOST + _OUTERMOST, 1024
_DIP = 1e-4
_MENDABLE = 400.0  # ulp that keeping rounding errors may mend
_LITTLE = 36  # operations in pieces, which take less time than keeping rounding errors does
_CHEAPER = ("single", "fitted")
_AT_ONCE = 1 << 14  # elements: what is computed of them stays in the nearest caches
_SURELY, _EVERY = 1.25, 97  # few places show what compiled code does, but for fused operations
_STEP = 1013  # every so many bit patterns: a prime, so that all digits of them vary


def choose(
    exact: ActivationKernels,
    candidate: Callable[[dict[str, str], Zeros], ActivationKernels],
    *,
    coupled: bool,
    in_floats: bool = False,
    work_in_pieces: Callable[[str], float] = lambda name: np.inf,
) -> tuple[ActivationKernels, Choice]:
    """Try tiers in order of cost until both functions are within their bounds.

    Parameters
    ----------
    exact : ActivationKernels
        The same functions in float64.
    candidate : callable
        Compiles both functions for float32 in given tiers, and tells it their zeros.
    coupled : bool
        Whether the units of a layer are coupled. Sums over them need more than float32.
    in_floats : bool
        Whether what each of coupled units has may be in float32 nonetheless, forward.
    work_in_pieces : callable
        Tells how many operations a function takes as polynomials on a few intervals; infinity if
        it may not be that.

    Returns
    -------
    kernels : ActivationKernels
        The candidate taken.
    choice : Choice
    """
    zeros: Zeros = {}
    if coupled:
        z, da = rows()
    else:
        zeros, double = zeros_of(exact)
        z = np.concatenate([inputs(), *neighbours(zeros, double)])
        da = np.ones_like(z)
    places = z.astype(np.float64), da.astype(np.float64)
    wanted = {name: _run(exact, name, *places) for name in FUNCTIONS}
    order: Sequence[str] = TIERS
    if coupled:
        order = COUPLED_TIERS if in_floats else COUPLED_TIERS[1:]
    tiers = dict.fromkeys(wanted, order[0])
    bounds = BOUNDS
    if in_floats:
        # What cancels in a vector-Jacobian product needs float64.
        tiers["derivative"] = order[1]
        bounds = {**BOUNDS, "activation": _OF_LARGEST}
    worst: dict[str, float] = {}
    failed = list(tiers)
    while True:
        kernels = candidate(tiers, zeros)
        for name in failed:
            worst[name] = _reason_against(kernels, name, z, wanted[name]) if not coupled else 0.0
            if worst[name] <= _SURELY * bounds[name] or tiers[name] == order[-1]:
                got = _run(kernels, name, z, da)
                if coupled:
                    worst[name] = of_rows(got, wanted[name])
                else:
                    around = _around_worst(z, got, wanted[name])
                    worst[name] = max(
                        of_elements(got, wanted[name]), _deviation(kernels, exact, name, around)
                    )
        failed = [
            name
            for name, tier in tiers.items()
            if tier != order[-1] and not worst[name] <= bounds[name]
        ]
        if not failed:
            needed = {n: zeros[n] for n, tier in tiers.items() if n in zeros and has_fits(tier)}
            says = ", ".join(
                f"{n} in {t} ({worst[n]:.2f} ulp from double)" for n, t in tiers.items()
            )
            return kernels, Choice(tiers, needed, says)
        tiers |= {
            name: _next(
                order,
                tiers[name],
                worst[name],
                zeros.get(name, ()),
                partial(work_in_pieces, name),
            )
            for name in failed
        }


def _around_worst(z: Array, got: Array, wanted: Array) -> Array:
    """Return all inputs next to those at which errors are largest."""
    errors = _in_ulp(got, wanted)
    errors[~np.isfinite(errors)] = 0.0
    positions = [_position(z[k]) for k in np.argsort(errors)[-_WORST:]]
    found: Array = np.concatenate([_floats(p + np.arange(-_BESIDE, _BESIDE)) for p in positions])
    return found[np.isfinite(found)]


def _deviation(kernels: ActivationKernels, exact: ActivationKernels, name: str, z: Array) -> float:
    ones = np.ones_like(z)
    wanted = _run(exact, name, z.astype(np.float64), ones.astype(np.float64))
    return of_elements(_run(kernels, name, z, ones), wanted)


def _reason_against(kernels: ActivationKernels, name: str, z: Array, wanted: Array) -> float:
    """Return an error that a candidate has without compiling it, in ulp; 0 if there is none."""
    tier, source = kernels.choice.tiers[name], kernels.source
    if tier == "compensated" and is_dear(source, name):
        return np.inf
    function = name_in_pieces(name) if f"def {name_in_pieces(name)}(" in source else name
    kind = np.float32 if f"{function}(np.float32(z[i])" in source else np.float64
    places = np.arange(z.size)
    some = places[(places % _EVERY == 0) | (places >= inputs().size)]
    values = [value for _, value in kernels.formula.parameters]
    try:
        got = emulated(source, function, z[some].astype(kind), values)
    except NotEmulatedError:
        return 0.0
    with np.errstate(all="ignore"):
        return of_elements(got.astype(np.float32), wanted[some])


def _next(
    order: Sequence[str], tier: str, ulp: float, zeros: Pairs, in_pieces: Callable[[], float]
) -> str:
    """Return the next tier to try, past those that cannot help."""
    has_fits = any(low * high > 0 for low, high in zeros)
    if "pieces" in order and tier in _CHEAPER and in_pieces() < _LITTLE:
        return "pieces"
    for following in order[order.index(tier) + 1 :]:
        # What is lost by far is not mended by keeping rounding errors.
        match following:
            case "fitted" | "narrow_fitted" if not has_fits:
                continue
            case "divided" | "compensated" if not ulp <= _MENDABLE:
                continue
            case "pieces" if in_pieces() == np.inf:
                continue
        return following
    raise AssertionError(tier)


def _run(kernels: ActivationKernels, name: str, z: Array, da: Array) -> Array:
    result = np.empty_like(z)
    if name == "activation":
        apply_kernel(kernels.forward, z, z, result)
    else:
        apply_kernel(kernels.backward, da, z, result)
    return result


def rows() -> tuple[Array, Array]:
    """Return layers of ordinary, large, equal and lopsided units, and ∂J/∂A for them."""
    generator = np.random.default_rng(5)
    scales = np.repeat([0.01, 1.0, 10.0, 50.0], 64)[:, np.newaxis]
    layers = (generator.normal(size=(256, 33)) * scales).astype(np.float32)
    layers[:4] = 1.5
    layers[4:8, 0] = 90.0
    return layers, generator.normal(size=layers.shape).astype(np.float32)


@cache
def inputs() -> Array:
    """Return float32 numbers from the whole range, dense where functions change, and ±0, ±inf."""
    patterns = np.arange(0, 2**32, _STEP, dtype=np.uint32).view(np.float32)
    near = np.linspace(-120.0, 120.0, 200_003, dtype=np.float32)
    sizes = np.ldexp(np.linspace(1.0, 1.9, 7)[:, np.newaxis], np.arange(-149, 128)).ravel()
    special = np.array([*sizes, *-sizes, 0.0, -0.0, np.inf, -np.inf]).astype(np.float32)
    return np.concatenate([patterns[np.isfinite(patterns)], near, special])


@cache
def _finite_inputs() -> Array:
    return np.unique(inputs()[np.isfinite(inputs())])


def neighbours(zeros: Zeros, double: list[Any]) -> list[Array]:
    """Return the float32 numbers next to zeros of value and slope, where digits cancel most."""
    simple = [_position(low) for pairs in zeros.values() for low, _ in pairs]
    return [_around(place) for place in [*simple, *double]]


def zeros_of(exact: ActivationKernels) -> tuple[Zeros, list[Any]]:
    """Return where value and slope are zero.

    Returns
    -------
    simple : dict of str to tuple
        Pairs of neighbouring float32 between which they change sign.
    double : list of int
        Positions at which they come near 0 and turn.
    """
    z = _finite_inputs()
    places, ones = z.astype(np.float64), np.ones(z.size)
    simple: Zeros = {}
    double = []
    for name in FUNCTIONS:
        values = _run(exact, name, places, ones)
        signs, sizes = np.sign(values), np.abs(values)
        changes = _some(z, signs[:-1] * signs[1:] < 0)
        ends = [_floats(_zero(exact, name, z[k], z[k + 1]) + np.arange(2)) for k in changes]
        simple[name] = tuple((float(low), float(high)) for low, high in ends)
        dips = (sizes[1:-1] <= sizes[:-2]) & (sizes[1:-1] <= sizes[2:]) & (sizes[1:-1] < _DIP)
        dips &= (sizes[1:-1] > 0) & (signs[:-2] == signs[2:])
        double += [_lowest(exact, name, z[k], z[k + 2]) for k in _some(z, dips)]
    return simple, double


def _some(z: Array, marked: Array) -> Array:
    """Return the places that are marked; of many those next to 0, and those farthest from it."""
    places = np.flatnonzero(marked)
    places = places[np.argsort(np.abs(z[places]), kind="stable")]
    return (
        places if places.size <= _MOST_ZEROS else np.delete(places, np.s_[_INNERMOST:-_OUTERMOST])
    )


def _lowest(exact: ActivationKernels, name: str, low: Any, high: Any) -> Any:
    """Return the float between two others at which a result is nearest to zero: a double zero."""
    first, last = _position(low), _position(high)
    while last - first > 3:
        third = (last - first) // 3
        ends = np.array([first + third, last - third])
        a, b = np.abs(_run(exact, name, _floats(ends).astype(np.float64), np.ones(2)))
        first, last = (ends[0], last) if a > b else (first, ends[1])
    return first


def _zero(exact: ActivationKernels, name: str, low: Any, high: Any) -> Any:
    """Halve the floats between two places of different signs until they are neighbours."""
    first, last = _position(low), _position(high)
    while last - first > 1:
        ends = np.array([first, (first + last) // 2])
        a, b = _run(exact, name, _floats(ends).astype(np.float64), np.ones(2))
        first, last = (ends[1], last) if a * b > 0 else (first, ends[1])
    return first


def _around(position: Any) -> Array:
    found = _floats(position + np.arange(-_NEIGHBOURS, _NEIGHBOURS))
    return found[np.isfinite(found)]


def _position(z: Any) -> Any:
    """Return a float32's place among all of them, as an integer."""
    bits = np.int64(np.float32(z).view(np.int32))
    return bits if bits >= 0 else -(bits + 2**31)


def _floats(positions: Array) -> Array:
    bits = np.where(positions >= 0, positions, -positions + 2**31)
    return bits.astype(np.uint32).view(np.float32)


def of_elements(got: Array, wanted: Array) -> float:
    """Return the largest distance of float32 results from float64 ones, in ulp of the former."""
    return float(_in_ulp(got, wanted).max())


def _in_ulp(got: Array, wanted: Array) -> Array:
    parts = (slice(k, k + _AT_ONCE) for k in range(0, got.size, _AT_ONCE))
    errors: Array = np.concatenate([_of_some_elements(got[part], wanted[part]) for part in parts])
    return errors


def _of_some_elements(got: Array, wanted: Array) -> Array:
    with np.errstate(all="ignore"):
        rounded = wanted.astype(np.float32)
        unit = np.spacing(np.abs(rounded)).astype(np.float64)
        apart = np.abs(got.astype(np.float64) - wanted) / unit
    ends = ~np.isfinite(rounded)
    agree = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    apart[ends] = np.where(agree[ends], 0.0, np.inf)
    apart[np.isnan(apart)] = np.inf
    errors: Array = apart
    return errors


def of_rows(got: Array, wanted: Array) -> float:
    """Return the same in ulp of the largest result of each row."""
    with np.errstate(all="ignore"):
        largest = np.nanmax(np.abs(wanted), axis=-1, keepdims=True).astype(np.float32)
        apart = np.abs(got.astype(np.float64) - wanted) / np.spacing(largest)
    apart[np.isnan(wanted) & np.isnan(got)] = 0.0
    apart[np.isnan(apart)] = np.inf
    return float(apart.max())
