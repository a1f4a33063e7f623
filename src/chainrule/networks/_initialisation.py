"""Parameters to start from, scaled by what the activations do to a standard normal input."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.formulas import Formula
from chainrule.networks._errors import InitialisationError
from chainrule.networks._program import evaluate

_REACH = 12.0  # the normal density is 2e-32 of its peak there
_COMMON = 4.0  # one pre-activation in 16,000 lies further out
_NODES = 16
_SAMPLE = 1 << 18
_SHARE_OF_BIASES = 0.5
_SHARE_OF_OUTPUT = 0.1


@lru_cache(maxsize=1024)
def gain(formula: Formula, dtype: str = "float64", width: int = 1) -> float:
    r"""Return the factor that undoes what an activation does to the size of its inputs.

    .. math:: g = \frac{1}{\sqrt{\operatorname{E}[f(x)^2]}}, \qquad x \sim N(0, 1)

    For :math:`f(x) = \max(0, x)` half of the second moment is lost, so :math:`g = \sqrt 2`, which
    is He's initialisation [1]_; this is the same argument for any activation.

    Element-wise activations are integrated by composite Gauss-Legendre quadrature over narrow
    panels with a boundary at 0, so that kinks and jumps cost no accuracy that matters.
    Layer-coupled ones are averaged over a fixed sample of layers of the given width.

    Parameters
    ----------
    formula : Formula
        The activation.
    dtype : str
        The dtype of the kernel that is evaluated: ``"float32"`` or ``"float64"``.
    width : int
        The number of units of the layer; matters for layer-coupled activations only.

    Returns
    -------
    float
        The gain. It is 1 where the second moment is zero or infinite (``0*z``, ``exp(z**2)``,
        ``1/z``, layer normalisation of a single unit): no scale of the weights mends those, and
        a person who asks for such a function may still train with it.

    Raises
    ------
    InitialisationError
        The activation is not a finite number on a part of the inputs that commonly occur.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015, section 2.2.

    Examples
    --------
    >>> from chainrule.catalogue import activation_formula
    >>> round(gain(activation_formula("relu")) ** 2, 6)
    2.0
    >>> round(gain(activation_formula("identity")), 6)
    1.0
    """
    if formula.is_layer_coupled:
        moment = _sampled_moment(formula, np.dtype(dtype), width)
    else:
        moment = _integrated_moment(formula, np.dtype(dtype))
    return 1.0 / math.sqrt(moment) if 0.0 < moment < math.inf else 1.0


def initial_parameters(
    sizes: tuple[int, ...],
    activations: tuple[Formula, ...],
    dtype: np.dtype[Any],
    rng: np.random.Generator,
) -> NDArray[np.floating[Any]]:
    r"""Return a flat vector of normal weights, layer after layer, and the biases.

    .. math::

        \operatorname{Var} w^{[l]} = \frac{(1 - s) g_{l-1}^2}{n^{[l-1]}}, \qquad
        \operatorname{Var} b^{[l]} = s = \tfrac12

    with the gain :math:`g_{l-1}` of the activation that *produced* the layer's inputs, since it is
    their second moment that the weights meet: then every pre-activation of the hidden layers has
    unit variance, the assumption under which the gains were computed. The first layer meets the
    data, which are taken to be standardised, so :math:`g_0 = 1` (He et al. 2015, section 2.2, "for
    the first layer we should have :math:`n_1 \operatorname{Var}[w_1] = 1`").

    Without biases every unit bends where its weighted inputs are zero, all of them through the
    middle of the data. Half of the variance comes from the biases, so that units bend all over it.

    The output layer has a tenth of those weights and no biases: the first outputs are nearly the
    same for all examples, and training forms the hidden layers rather than undo a guess.

    The numbers are drawn in float64, so that both dtypes start from the same values.
    """
    gains = [1.0] + [
        gain(formula, dtype.name, width if formula.is_layer_coupled else 1)
        for formula, width in zip(activations[:-1], sizes[1:-1], strict=True)
    ]
    shares = [math.sqrt(1.0 - _SHARE_OF_BIASES)] * (len(sizes) - 2) + [_SHARE_OF_OUTPUT]
    weights = [
        rng.standard_normal(count * width) * (share * factor / math.sqrt(count))
        for factor, share, count, width in zip(gains, shares, sizes[:-1], sizes[1:], strict=True)
    ]
    biases = rng.standard_normal(sum(sizes[1:-1])) * math.sqrt(_SHARE_OF_BIASES)
    return np.concatenate([*weights, biases, np.zeros(sizes[-1])]).astype(dtype)


def _integrated_moment(formula: Formula, dtype: np.dtype[Any]) -> float:
    """Return E[f(x)²], or infinity where two resolutions or the tails show no convergence."""
    coarse, _ = _quadrature(formula, dtype, 768)
    fine, tail = _quadrature(formula, dtype, 1536)
    settled = abs(fine - coarse) <= 0.01 * fine and tail <= 0.001 * fine
    return fine if settled else math.inf


def _quadrature(formula: Formula, dtype: np.dtype[Any], panels: int) -> tuple[float, float]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = _REACH / panels
    centres = np.linspace(-_REACH + half, _REACH - half, panels)
    x = (centres[:, None] + half * nodes).astype(dtype).reshape(1, -1)
    values = evaluate(formula, x).astype(np.float64)
    x = x.astype(np.float64)
    _refuse_common(formula, x, values)
    density = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    with np.errstate(over="ignore", invalid="ignore"):
        parts = (values * values * density).reshape(panels, -1) @ (half * weights)
    outer = np.abs(centres) > _REACH - 1.0
    total, tail = float(parts.sum()), float(parts[outer].sum())
    return (total, tail) if math.isfinite(total) else (math.inf, math.inf)


def _sampled_moment(formula: Formula, dtype: np.dtype[Any], width: int) -> float:
    rows = max(_SAMPLE // width, 64)
    x = np.random.default_rng(0).standard_normal((rows, width)).astype(dtype)
    values = evaluate(formula, x).astype(np.float64)
    _refuse_common(formula, x, values)
    with np.errstate(over="ignore", invalid="ignore"):
        moment = float(np.mean(values * values))
    return moment if math.isfinite(moment) else math.inf


def _refuse_common(
    formula: Formula, x: NDArray[np.floating[Any]], values: NDArray[np.float64]
) -> None:
    """Refuse an activation that would turn the first batch into NaN or infinity."""
    bad = ~np.isfinite(values) & (np.abs(x) <= _COMMON)
    if not bad.any():
        return
    place = float(x[bad][np.argmin(np.abs(x[bad]))])
    raise InitialisationError(
        f"the activation {formula} is {values[bad][0]} at pre-activations such as z = {place:.3g}, "
        "which commonly occur in a layer\n"
        "Give it a finite value there: where(condition, ..., 0), or abs(z) in place of z."
    )
