"""The cheapest arithmetic that keeps the promised accuracy, found by measuring.

Candidates are compared with the same functions in double precision, whose own accuracy the
certificate measures against a reference of many digits, over inputs from the whole range.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.kernels._kept_choices import FUNCTIONS, Choice, Pairs, Zeros
from chainrule.kernels._thrift import with_fewer_kept
from chainrule.kernels._trials import (
    beside,
    inputs,
    neighbours,
    parts_of,
    result_of,
    rows,
    sample,
    zeros_of,
)
from chainrule.kernels._ulps import farthest, in_ulp, of_elements, of_rows
from chainrule.kernels.fitting._gaps import around, filled_places
from chainrule.kernels.fitting._piece_source import name_in_pieces
from chainrule.kernels.source._emulation import NotEmulatedError, emulated
from chainrule.kernels.source._tiers import (
    COUPLED_TIERS,
    TIERS,
    body_of,
    described,
    has_fits,
    is_dear,
    keeps_errors,
)
from chainrule.references import FORMATS

if TYPE_CHECKING:
    from chainrule.kernels._kernels import ActivationKernels

Array = NDArray[Any]
Candidate = Callable[[dict[str, str], Zeros], "ActivationKernels"]
Trials = Sequence[tuple[Array, Array]]  # places, and the results there in float64

# In units in the last place; some below the bounds of 2 and 4, since not all inputs are tried.
BOUNDS = {"activation": 1.85, "derivative": 3.6}
# The same where all inputs are tried afterwards.
_BEFORE_A_SWEEP = {"activation": 1.985, "derivative": 3.96}
# The same in units of a row's largest result: in their own, smaller ones are off by more.
_OF_LARGEST = 2.5
_WORST = 32  # places around which all inputs are tried
_MENDABLE = 400.0  # ulp that keeping rounding errors may mend
_LITTLE = 36  # operations in pieces, which take less time than keeping rounding errors does
_CHEAPER = ("single", "fitted")
_MENDED = (*_CHEAPER, "divided")  # by the next tiers
_TOLD = 1 << 15  # places to which a candidate is applied at once without compiling it
_SURELY = 1.25  # few places show what compiled code does, but for fused operations


def choose(
    exact: ActivationKernels,
    candidate: Candidate,
    *,
    coupled: bool,
    in_floats: Collection[str] = (),
    before_a_sweep: bool = False,
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
    in_floats : collection of str
        The functions of which what each of coupled units has may be in float32 nonetheless.
    before_a_sweep : bool
        Whether all inputs are swept afterwards: then the bounds themselves count, and which
        rounding errors are worth keeping may take longer to find.
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
        wanted = {name: result_of(exact, name, z, da) for name in FUNCTIONS}
    else:
        values = {name: result_of(exact, name, inputs()) for name in FUNCTIONS}
        zeros, double = zeros_of(exact, values)
        beside_gaps = around(filled_places(exact.formula, FORMATS["float32"]), FORMATS["float32"])
        close = np.concatenate([beside_gaps.astype(np.float32), *neighbours(zeros, double)])
        some = np.concatenate([sample(), close])
        trials = {
            name: [(inputs(), values[name]), (close, result_of(exact, name, close))]
            for name in FUNCTIONS
        }
    order: Sequence[str] = TIERS
    if coupled:
        order = COUPLED_TIERS
    tiers = {name: order[coupled and name not in in_floats] for name in FUNCTIONS}
    bounds = _BEFORE_A_SWEEP if before_a_sweep and not coupled else BOUNDS
    if in_floats:
        bounds = {**bounds, "activation": _OF_LARGEST}
    worst: dict[str, float] = {}
    failed = list(tiers)
    while True:
        kernels = candidate(tiers, zeros)
        for name in failed:
            if coupled:
                worst[name] = of_rows(result_of(kernels, name, z, da), wanted[name])
                continue
            allowed = _SURELY * bounds[name]
            if tiers[name] == order[-1]:
                # Nothing would be tried after it: it is compiled when it is called.
                worst[name] = _reason_against(kernels, exact, name, some, np.inf)
                continue
            worst[name] = _reason_against(kernels, exact, name, some, allowed)
            if worst[name] <= allowed and keeps_errors(tiers[name]):
                spare = _with_fewer_kept(
                    name,
                    tiers,
                    zeros,
                    candidate,
                    exact,
                    some,
                    bounds[name],
                    trials[name] if before_a_sweep else (),
                )
                thrifty = candidate({**tiers, name: spare}, zeros)
                worst[name] = _deviation(thrifty, exact, name, trials[name])
                if worst[name] <= bounds[name] or spare == tiers[name]:
                    kernels, tiers[name] = thrifty, spare
                    continue
                worst[name] = 0.0
            if worst[name] <= allowed:
                worst[name] = _deviation(kernels, exact, name, trials[name])
        failed = [
            name
            for name, tier in tiers.items()
            if tier != order[-1] and not worst[name] <= bounds[name]
        ]
        if not failed:
            needed = {n: zeros[n] for n, tier in tiers.items() if n in zeros and has_fits(tier)}
            says = ", ".join(
                f"{n} in {described(t)} ({worst[n]:.2f} ulp from double)" for n, t in tiers.items()
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


def _deviation(
    kernels: ActivationKernels, exact: ActivationKernels, name: str, trials: Trials
) -> float:
    """Return the largest error in ulp at given places, and at all beside the worst of them."""
    errors = (
        (z[part], in_ulp(result_of(kernels, name, z[part]), wanted[part]))
        for z, wanted in trials
        for part in parts_of(z)
    )
    largest, places = farthest(errors, _WORST)
    around = beside(places)
    return max(
        largest, of_elements(result_of(kernels, name, around), result_of(exact, name, around))
    )


def _reason_against(
    kernels: ActivationKernels, exact: ActivationKernels, name: str, z: Array, allowed: float
) -> float:
    """Return an error that a candidate has without compiling it, in ulp; 0 if there is none.

    It is the largest one, or one that is larger than needs be told.
    """
    tier, source = kernels.choice.tiers[name], kernels.source
    if tier == "compensated" and is_dear(body_of(source, name)):
        return np.inf
    function = name_in_pieces(name) if f"def {name_in_pieces(name)}(" in source else name
    kind = np.float32 if f"{function}(np.float32(z[i])" in source else np.float64
    values = [value for _, value in kernels.formula.parameters]
    enough = _MENDABLE if tier in _MENDED else allowed
    largest = 0.0
    # What lies next to zeros, where most is lost, stands last.
    for part in (z[max(end - _TOLD, 0) : end] for end in range(z.size, 0, -_TOLD)):
        try:
            got = emulated(source, function, part.astype(kind), values)
        except NotEmulatedError:
            return 0.0
        with np.errstate(all="ignore"):
            error = of_elements(got.astype(np.float32), result_of(exact, name, part))
        largest = max(largest, error)
        if largest > enough:
            break
    return largest


def _with_fewer_kept(
    name: str,
    tiers: dict[str, str],
    zeros: Zeros,
    candidate: Candidate,
    exact: ActivationKernels,
    some: Array,
    bound: float,
    trials: Trials,
) -> str:
    """Return a function's tier less the rounding errors that it need not keep.

    On few places, without compiling, fewer are found than with all trials.
    """
    allowed = bound / (1.0 if trials else _SURELY)

    def passes(tier: str) -> bool:
        kernels = candidate({**tiers, name: tier}, zeros)
        if not _reason_against(kernels, exact, name, some, allowed) <= allowed:
            return False
        return not trials or _deviation(kernels, exact, name, trials) <= bound

    return with_fewer_kept(
        tiers[name],
        lambda tier: body_of(candidate({**tiers, name: tier}, zeros).source, name),
        passes,
    )


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
