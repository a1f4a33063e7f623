"""Functions in float32 next to their zeros."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from chainrule.formulas import parse
from chainrule.kernels import activation_kernels
from chainrule.kernels._arrays import apply_kernel
from chainrule.kernels._kept_choices import FUNCTIONS
from chainrule.kernels._trials import inputs, result_of, zeros_of
from chainrule.kernels.fitting._zeros import fits_at_zeros, with_fits


def values_of(exact):
    return {name: result_of(exact, name, inputs()) for name in FUNCTIONS}


def apply(kernel, first, z):
    output = np.empty_like(z)
    apply_kernel(kernel, first, z, output)
    return output


def slope_of_silu(z):
    e = mpmath.exp(-z)
    return (1 + e + z * e) / (1 + e) ** 2


def test_digits_are_kept_where_terms_cancel():
    """At the float32 numbers next to the zero of silu's slope, against 60 digits."""
    formula = parse("z/(1 + exp(-z))")
    kernels = activation_kernels(formula, np.float32)
    assert kernels.choice.tiers["derivative"] in ("fitted", "divided", "compensated")
    zero = np.float32(-1.2784645427610738)
    z = (zero.view(np.uint32) + np.arange(-600, 600)).astype(np.uint32).view(np.float32)
    z = np.concatenate([z, np.linspace(-2.5, -0.4, 2000, dtype=np.float32)])
    got = apply(kernels.backward, np.ones_like(z), z)
    with mpmath.workdps(60):
        for place, value in zip(z.tolist(), got.tolist(), strict=True):
            true = slope_of_silu(mpmath.mpf(place))
            unit = np.spacing(np.float32(abs(true)))
            assert abs(value - true) <= 4 * float(unit), place


def test_the_zero_is_found_to_more_digits_than_float32_has():
    """In two parts, against Newton's method in 40 digits."""
    formula = parse("z/(1 + exp(-z))")
    exact = activation_kernels(formula, np.float64)
    zeros, _ = zeros_of(exact, values_of(exact))
    assert zeros["activation"] == () or all(low * high <= 0 for low, high in zeros["activation"])
    (fit,) = fits_at_zeros(formula, zeros["derivative"], slope=True)
    with mpmath.workdps(40):
        true = mpmath.findroot(lambda z: 1 + mpmath.exp(z) + z, mpmath.mpf("-1.278"))
        assert abs(fit.high + mpmath.mpf(fit.low) - true) < 1e-14
    assert np.float32(fit.high) == fit.high


@pytest.mark.parametrize("text", ["z**3", "sin(z)", "exp(z)"])
def test_zeros_at_0_and_many_zeros_get_no_fits(text):
    """At 0 nothing cancels; of waves there is no end."""
    formula = parse(text)
    exact = activation_kernels(formula, np.float64)
    zeros, _ = zeros_of(exact, values_of(exact))
    assert fits_at_zeros(formula, zeros["activation"], slope=False) == ()


def test_a_fit_stands_before_the_function_that_calls_it():
    """Comments stay at the end of the line."""
    formula = parse("z/(1 + exp(-z))")
    fits = fits_at_zeros(formula, ((-1.2784645557403564, -1.278464436531067),), slope=True)
    lines = ["@njit", "def derivative(z):", "    return exp(z)  # u1"]
    found = with_fits(lines, {"derivative": fits}, "@njit")
    assert found[1] == "def derivative_near_zero0(z):"
    assert found[-1].startswith("    return derivative_near_zero0(z) if z > -1.9")
    assert found[-1].endswith(" else (exp(z))  # u1")
