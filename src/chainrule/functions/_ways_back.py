"""The ways back through an activation: what each keeps in memory, and where it keeps the slope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.formulas import Formula

if TYPE_CHECKING:
    from chainrule.documents import Section

_NEAR, _PLACES = 100.0, 100_001
_LOST = 1e-3  # of a slope: three digits are left
_ALL = (-np.inf, np.inf)
_LAYERS, _UNITS, _SCALES = 64, 16, (0.1, 1.0, 3.0)
_HEADER = ("method", "keeps", "slopes")


@dataclass(frozen=True)
class WayBack:
    """One way back through an activation.

    Parameters
    ----------
    method : str
        Of `Activation`.
    keeps : str
        What it keeps of the forward pass besides the output, which the next layer needs anyway.
    numbers : int
        How many that are for each unit of each example.
    inputs : tuple of float or None
        Between which pre-activations its slopes have at least three digits; None where all units
        of a layer decide together.
    lost : float
        For units that are coupled: the largest error of a slope, as a share of the largest slope
        of its layer, at normally distributed layers of several sizes.
    refusal : str
        Why there is no such way; empty if there is one.
    """

    method: str
    keeps: str
    numbers: int
    inputs: tuple[float, float] | None = _ALL
    lost: float = 0.0
    refusal: str = ""

    def __str__(self) -> str:
        if self.refusal:
            return f"{self.method}: none, since {self.refusal}"
        return f"{self.method}: keeps {self.keeps}; {self.reach}"

    @property
    def reach(self) -> str:
        """Where slopes keep their digits, in words."""
        if self.inputs is None and not self.lost <= _LOST:
            return "slopes lose their digits at some layers, since outputs round"
        if self.inputs is None:
            return "slopes are as exact as the outputs"
        if self.inputs == _ALL:
            return "every slope keeps its digits"
        low, high = self.inputs
        ends = [f"above {low:.3g}"] if low > -np.inf else []
        ends += [f"below {high:.3g}"] if high < np.inf else []
        return f"slopes keep three digits for z {' and '.join(ends)}"


def ways_back(formula: Formula, dtype: Any = np.float32) -> tuple[WayBack, ...]:
    """Return the ways back through an activation, measured where outputs round.

    Parameters
    ----------
    formula : Formula
    dtype : dtype
        float32 or float64.
    """
    from chainrule.derivations import NoOutputFormError
    from chainrule.kernels import output_kernel

    if formula.is_layer_coupled:
        refusal = "coupled units have a matrix of slopes for each example"
        slopes = WayBack("backward_from_slope", "the slopes", 0, refusal=refusal)
    else:
        slopes = WayBack("backward_from_slope", "the slopes, in place of z", 1)
    try:
        output_kernel(formula, dtype)
    except NoOutputFormError as error:
        reason = str(error).splitlines()[0].partition(": ")[2].removesuffix(".")
        output = WayBack("backward_from_output", "nothing", 0, refusal=reason)
    else:
        if formula.is_layer_coupled:
            lost = _lost_by_layers(formula, dtype)
            output = WayBack("backward_from_output", "nothing", 0, None, lost)
        else:
            inputs = _inputs_told_by_output(formula, dtype)
            output = WayBack("backward_from_output", "nothing", 0, inputs)
    return WayBack("backward", "z", 1), slopes, output


def ways_back_section(formula: Formula) -> Section:
    """Return what a page says of the ways back, in float32."""
    from chainrule.documents import Section, Table

    rows = []
    for way in ways_back(formula):
        kept = f"{way.keeps}, {4 * way.numbers} bytes" if way.numbers else way.keeps
        rows.append((way.method, "-" if way.refusal else kept, way.refusal or way.reach))
    says = (
        "What each backward pass keeps from the forward pass besides the output, which the next "
        "layer needs anyway; bytes for each unit of each example in float32."
    )
    return Section("Ways back", (says,), blocks=(Table(_HEADER, tuple(rows)),))


def _inputs_told_by_output(formula: Formula, dtype: Any) -> tuple[float, float]:
    """Return the stretch about 0 on which the rounded output tells the slope to three digits."""
    from chainrule.kernels import backward, backward_from_output, forward

    outward = np.concatenate([np.linspace(0.0, _NEAR, _PLACES)[1:], np.geomspace(_NEAR, 1e30, 999)])
    ends = []
    for sign in (-1, 1):
        z = (sign * outward).astype(dtype)
        ones = np.ones_like(z)
        a, true = forward(formula, z), backward(formula, ones, z)
        with np.errstate(all="ignore"):
            lost = np.abs(backward_from_output(formula, ones, a) - true)
            is_lost = ~np.isnan(a) & np.isfinite(true) & ~(lost <= _LOST * np.abs(true))
        ends.append(float(z[is_lost.argmax()]) if is_lost.any() else sign * np.inf)
    return ends[0], ends[1]


def _lost_by_layers(formula: Formula, dtype: Any) -> float:
    """Return the largest error of a slope beside the largest slope of its layer."""
    from chainrule.kernels import backward, backward_from_output, forward

    drawn = np.random.default_rng(0).normal(size=(2, _LAYERS, _UNITS))
    lost = [0.0]
    for scale in _SCALES:
        z, g = (scale * drawn[0]).astype(dtype), drawn[1].astype(dtype)
        true = backward(formula, g, z)
        with np.errstate(all="ignore"):
            error = np.abs(backward_from_output(formula, g, forward(formula, z)) - true)
            share = error.max(axis=1) / np.abs(true).max(axis=1)
        lost.append(float(share[np.isfinite(true).all(axis=1)].max(initial=0.0)))
    return max(lost)
