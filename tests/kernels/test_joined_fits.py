"""Fits that are computed as one polynomial, whose coefficients z chooses."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from llvmlite import binding
from numba import carray
from tests.kernels.native import SIGNATURE, compiled

from chainrule.derivations import derive, evaluate
from chainrule.formulas import parse
from chainrule.kernels import backward, forward
from chainrule.kernels._elementwise import scalar_function
from chainrule.kernels.elementary import fits
from chainrule.kernels.source._fit import Fit
from chainrule.kernels.source._joined_fits import joined, value_at

NEXT = 1 + mpmath.mpf(2) ** -52
PHISH = "z*tanh(z/2*(1 + erf(z/sqrt(2))))"


def made_rows(count, terms, random):
    """Return intervals, some with gaps between them, with polynomials of different lengths."""
    ends = np.sort(random.uniform(-9, 9, 2 * count))
    for k in range(1, 2 * count - 1, 4):
        ends[k] = ends[k + 1]
    lengths = random.integers(1, terms + 1, count)
    return tuple(
        (float(low), float(high), tuple(random.normal(size=length).tolist()))
        for low, high, length in zip(ends[::2], ends[1::2], lengths, strict=True)
    )


def polynomial_kernel(rows, lanes, monkeypatch):
    monkeypatch.setattr(fits, "_lanes", lambda: lanes)
    value = fits.on_intervals(rows)

    def kernel(first, second, output, rows, columns, parameters):
        size = rows * columns
        z, result = carray(first, (size,)), carray(output, (size,))
        for i in range(size):
            result[i] = value(z[i])

    return compiled(kernel, "float64")


def by_mpmath(rows, z):
    """Return the polynomial of the interval that a number lies in."""
    low, high, coefficients = next(row for row in rows if row[0] < z <= row[1])
    u = (mpmath.mpf(float(z)) - (low + high) / 2) * mpmath.mpf(2 / (high - low))
    return mpmath.polyval(list(coefficients[::-1]), u)


@pytest.mark.parametrize("lanes", [(), (4,), (8, 4)])
@pytest.mark.parametrize(("count", "terms"), [(1, 3), (3, 2), (4, 12), (7, 25), (8, 9), (16, 8)])
def test_the_polynomial_is_that_of_the_interval(lanes, count, terms, monkeypatch):
    """Whole vectors of either width and what is left of arrays; by comparing, elsewhere."""
    if lanes and not binding.get_host_cpu_features().get("avx512vl"):
        pytest.skip("the processor has no such instruction")
    random = np.random.default_rng(100 * count + terms)
    rows = made_rows(count, terms, random)
    kernel, written = polynomial_kernel(rows, lanes, monkeypatch), value_at(rows)
    for size in (1, 7, 64, 129):
        chosen = random.integers(0, count, size)
        z = np.array([random.uniform(rows[k][0], rows[k][1]) for k in chosen])
        z[0] = rows[chosen[0]][1]
        got = np.empty_like(z)
        SIGNATURE(kernel.address)(z.ctypes.data, None, got.ctypes.data, 1, size, None)
        wanted = np.array([float(by_mpmath(rows, place)) for place in z])
        np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose([written(place) for place in z], wanted, rtol=1e-13, atol=1e-13)


def test_only_plain_fits_between_two_ends_are_joined():
    """Those with powers, without ends, or across others keep their own source."""
    plain = [Fit(float(k), k + 1.0, "u", (1.0, 2.0), sign=k % 2) for k in range(4)]
    others = [
        Fit(-1.0, 1.0, "z", (1.0, 2.0), is_even=True),
        Fit(9.0, np.inf, "1/z", (1.0, 2.0)),
        Fit(7.0, 8.0, "u", (1.0, 2.0), power=1),
        Fit(2.5, 3.5, "u", (1.0, 2.0)),
    ]
    lines, result, condition, left = joined([*plain, *others])
    assert len(lines) == 2
    assert result.count("fitted_exp") == 2
    assert condition == "(z > 0.0 and z < 4.0)"
    assert left == others
    assert joined(plain[:2]) == ([], "", "", plain[:2])


def test_what_lies_between_intervals_is_not_meant():
    """Fits that do not meet leave a gap to the formula."""
    apart = [Fit(3.0 * k, 3.0 * k + 2, "u", (1.0,)) for k in range(3)]
    condition = "(z > 0.0 and z < 2.0) or (z > 3.0 and z < 5.0) or (z > 6.0 and z < 8.0)"
    assert joined(apart)[2] == condition


def test_a_function_with_joined_fits_keeps_its_digits():
    """Value and slope in float64: good to what eight roundings of z would change."""
    formula = parse(PHISH, {})
    for slope in (False, True):
        assert "fits_at(" in "\n".join(scalar_function(formula, "float64", slope=slope))
    random = np.random.default_rng(3)
    z = np.concatenate([random.uniform(-38, 20, 120), random.normal(size=40)])
    change = derive(formula).steps[-1].in_variables
    values = forward(formula, z), backward(formula, np.ones_like(z), z)
    with mpmath.workdps(750):  # of 1 + erf(-38) these are needed
        for e, got in zip((formula.expression, change), values, strict=True):
            for place, a in zip(z, got, strict=True):
                exact = mpmath.mpf(float(place))
                true, beside = (evaluate(e, {"z": z}) for z in (exact, exact * NEXT))
                unit = float(np.spacing(abs(float(true))))
                assert abs(mpmath.mpf(float(a)) - true) <= 8 * max(unit, float(abs(beside - true)))


def test_a_slope_that_keeps_its_digits_as_it_is_written_needs_no_fits():
    """The slope of ``z - tanh(z)`` is ``tanh(z)**2``; in exponentials it would lose some."""
    text = "\n".join(scalar_function(parse("z - tanh(z)", {}), "float64", slope=True))
    assert "tanh(z)" in text
    assert "fit" not in text
