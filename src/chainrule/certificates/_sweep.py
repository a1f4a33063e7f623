"""Sweeps: an element-wise function at every float32 there is.

The float32 kernels are compared with the float64 kernels of the same formula. That those are right
to far more digits than float32 has is not taken for granted: at the worst inputs that a sweep
finds, and over a certificate's sample, they are compared with the reference of many digits.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.certificates._ulp import CertificateError, format_of, from_sides
from chainrule.formulas import Formula

Array = np.ndarray[Any, np.dtype[Any]]

ALL = 2**32
PART = 2**22  # inputs between two looks at the clock and the file
# Of either sign: numbers about 1e-45, 1e-12, 0.01 to 8, 50 and 1e30.
SAMPLE = (0, 170, 240, 252, 255, 256, 260, 266, 450, 512, 682, 752, 764, 767, 768, 772, 778, 962)
VALUE_BOUND, DERIVATIVE_BOUND = 2.0, 4.0


@dataclass(frozen=True)
class Tally:
    """What a sweep found of the value, or of the derivative.

    Parameters
    ----------
    inputs : int
        How many were tried; NaN is not one of them.
    ulp : float
        The largest error, in units in the last place of the true result; below the smallest normal
        number the unit is the smallest subnormal.
    at : float
        Where.
    not_a_number, wrong_sign, reversals : int
        NaN where the truth is a number; zeros of the wrong sign; neighbours whose results
        are in the other order than the true ones.
    checked : int
        At how many inputs the float64 kernel was itself compared with the reference of many
        digits: where each part of the sweep found its largest error and its smallest result.
    truth_ulp : float
        How far it was from the reference at most there, in the same units as `ulp`.
    """

    inputs: int
    ulp: float
    at: float
    not_a_number: int
    wrong_sign: int
    reversals: int
    checked: int
    truth_ulp: float


@dataclass(frozen=True)
class Sweep:
    """A sweep's result.

    Parameters
    ----------
    formula : str
    source : str
        A digest of the kernels' source: another kernel needs another sweep.
    value, derivative : Tally
    """

    formula: str
    source: str
    value: Tally
    derivative: Tally

    @property
    def passed(self) -> bool:
        """Whether errors are within 2 and 4 ulp, and nothing is NaN that should be a number."""
        return (
            self.value.ulp + self.value.truth_ulp <= VALUE_BOUND
            and self.derivative.ulp + self.derivative.truth_ulp <= DERIVATIVE_BOUND
            and not self.value.not_a_number
            and not self.derivative.not_a_number
        )

    def __str__(self) -> str:
        lines = [f"Sweep of {self.formula} over {self.value.inputs:,} float32 inputs"]
        for name, tally in (("value", self.value), ("derivative", self.derivative)):
            lines.append(
                f"{name:<10}  {tally.ulp:.3f} ulp at worst, at z = {np.float32(tally.at)!s}; "
                f"NaN {tally.not_a_number}, zeros of the wrong sign {tally.wrong_sign}, "
                f"neighbours out of order {tally.reversals}; float64 at most "
                f"{tally.truth_ulp:.1e} ulp from the reference at {tally.checked} places"
            )
        lines.append("passed" if self.passed else "NOT passed")
        return "\n".join(lines)


def sweep(
    formula: Formula,
    *,
    parts: Sequence[int] | None = None,
    state: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    threads: int | None = None,
) -> Sweep:
    """Compare a function's float32 kernels with the truth at every input.

    Parameters
    ----------
    formula : Formula
        An element-wise activation.
    parts : sequence of int, optional
        Which of the 1024 parts of the inputs; all of them by default.
    state : Path, optional
        A file that keeps what was found so far; a sweep that was cut off goes on from there.
    progress : callable, optional
        Called with the number of parts done and of all.
    threads : int, optional
        As many as the machine has processors by default.

    Raises
    ------
    CertificateError
        The function couples the units of a layer, so that its inputs cannot be counted through.
    """
    from chainrule.kernels import activation_kernels

    if formula.is_layer_coupled:
        raise CertificateError(
            "a sweep goes through all inputs of one unit; this function depends on all units of "
            "its layer. certify() tries rows of many kinds."
        )
    single, double = (activation_kernels(formula, t) for t in (np.float32, np.float64))
    digest = source_digest(formula)
    todo = list(range(ALL // PART) if parts is None else parts)
    found = _Found(digest, state)
    left = [part for part in todo if part not in found.done]
    kernels = [
        (_native(single.forward), _native(double.forward), False),
        (_native(single.backward), _native(double.backward), True),
    ]

    def run(part: int) -> None:
        from chainrule.certificates._tally import COUNTS, tally

        counts = np.zeros((2, COUNTS))
        for row, (one, two, backward) in zip(counts, kernels, strict=True):
            tally(part * PART, PART, one, two, backward, row)
        found.add(part, counts)
        if progress is not None:
            progress(len(found.done), len(todo))

    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as executor:
        for _ in executor.map(run, left):
            pass
    found.save()
    checks = _checked(formula, *(found.inputs(row) for row in (0, 1)))
    return Sweep(str(formula), digest, *map(_tally, found.counts, checks))


def _checked(
    formula: Formula, of_value: Array, of_slope: Array
) -> tuple[tuple[int, float], tuple[int, float]]:
    """Compare the float64 kernels with the reference: at how many inputs, and the worst in ulp."""
    from mpmath import libmp

    from chainrule.kernels import backward, forward
    from chainrule.references import Reference

    form = format_of(np.float32)
    reference = Reference(formula, format_of(np.float64))
    results = []
    for places, slope in ((of_value, False), (of_slope, True)):
        z = places[np.isfinite(places)].astype(np.float64)
        got = backward(formula, np.ones_like(z), z) if slope else forward(formula, z)
        count, worst = 0, 0.0
        for place, computed in zip(z.tolist(), got.tolist(), strict=True):
            truth = reference.at(libmp.from_float(place))
            left, right = (truth.left, truth.right) if slope else (truth.value, truth.value)
            if left is not None and right is not None and libmp.fnan not in (left, right):
                count += 1
                worst = max(worst, from_sides(computed, left, right, form)[0])
        results.append((count, worst))
    return results[0], results[1]


def source_digest(formula: Formula) -> str:
    """Return a digest of a function's float32 kernels and of the elementary functions they use."""
    from chainrule.kernels import activation_kernels, code_digest

    return code_digest(activation_kernels(formula, np.float32).source)


def kept_sweeps() -> dict[str, Any]:
    """Return the sweeps of the catalogue's functions that come with the package, by name."""
    text = resources.files("chainrule.certificates").joinpath("sweeps.json")
    return dict(json.loads(text.read_text(encoding="utf-8"))) if text.is_file() else {}


def _native(kernel: Any) -> np.ndarray:
    return np.array([kernel.address, kernel.parameters.ctypes.data], np.int64)


class _Found:
    """What a sweep has found so far, kept in a file between its parts."""

    def __init__(self, digest: str, path: Path | None) -> None:
        from chainrule.certificates._tally import COUNTS

        self.digest, self.path = digest, path
        self.lock = threading.Lock()
        self.done: set[int] = set()
        self.counts = np.zeros((2, COUNTS))
        # Of each part, for value and slope: where the error is largest, and the truth smallest.
        self.places: dict[int, list[list[float]]] = {}
        if path is not None and path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["source"] == digest and "places" in kept:
                self.done = set(kept["done"])
                self.counts = np.array(kept["counts"])
                self.places = {int(part): places for part, places in kept["places"].items()}

    def add(self, part: int, counts: np.ndarray) -> None:
        from chainrule.certificates import _tally as t

        with self.lock:
            for own, new in zip(self.counts, counts, strict=True):
                for count in (t.INPUTS, t.NOT_A_NUMBER, t.WRONG_SIGN, t.REVERSALS):
                    own[count] += new[count]
                for count in (t.NOT_A_NUMBER, t.WRONG_SIGN, t.REVERSALS):
                    if new[count]:
                        own[count + 1] = new[count + 1]
                if new[t.WORST] > own[t.WORST]:
                    own[[t.WORST, t.WORST_AT]] = new[[t.WORST, t.WORST_AT]]
            self.done.add(part)
            self.places[part] = counts[:, [t.WORST_AT, t.LEAST_AT]].tolist()
            if len(self.done) % 16 == 0:
                self.save()

    def inputs(self, row: int) -> Array:
        """Return the inputs at which the value's truth, or the slope's, is to be checked."""
        bits = sorted({int(place) for places in self.places.values() for place in places[row]})
        return np.array(bits, np.uint32).view(np.float32)

    def save(self) -> None:
        if self.path is None:
            return
        text = json.dumps(
            {
                "source": self.digest,
                "done": sorted(self.done),
                "counts": self.counts.tolist(),
                "places": self.places,
            }
        )
        temporary = self.path.with_suffix(".new")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, self.path)


def _tally(row: np.ndarray, check: tuple[int, float]) -> Tally:
    from chainrule.certificates import _tally as t

    at = np.array([row[t.WORST_AT]]).astype(np.uint32).view(np.float32)[0]
    missing, signs, reversals = (int(row[k]) for k in (t.NOT_A_NUMBER, t.WRONG_SIGN, t.REVERSALS))
    worst = float(row[t.WORST])
    return Tally(int(row[t.INPUTS]), worst, float(at), missing, signs, reversals, *check)
