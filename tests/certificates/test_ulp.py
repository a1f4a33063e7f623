"""Distances in units in the last place."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import libmp

from chainrule.certificates import CertificateError
from chainrule.certificates._ulp import distance_in_ulp, format_of

FLOAT32, FLOAT64 = format_of(np.float32), format_of(np.float64)
SINGLES = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(SINGLES)
def test_a_number_is_at_distance_zero_from_itself(number: float) -> None:
    assert distance_in_ulp(number, libmp.from_float(number), FLOAT32) == 0


@given(SINGLES)
def test_neighbours_are_one_apart(number: float) -> None:
    """From a true value to the next number upwards in magnitude is one unit."""
    away = np.float32(math.copysign(math.inf, number))
    with np.errstate(over="ignore"):
        neighbour = float(np.nextafter(np.float32(number), away))
    assert distance_in_ulp(neighbour, libmp.from_float(number), FLOAT32) in (0, 1)
    if math.isfinite(neighbour):
        assert distance_in_ulp(neighbour, libmp.from_float(number), FLOAT32) == 1


@given(st.floats(-(2.0**127), 2.0**127))
def test_rounding_costs_half_a_unit(number: float) -> None:
    rounded = float(np.float32(number))
    assert distance_in_ulp(rounded, libmp.from_float(number), FLOAT32) <= 0.5


@given(SINGLES, st.integers(1, 1000))
def test_distance_grows_with_the_error(number: float, steps: int) -> None:
    true = libmp.from_float(number)
    unit = 2.0 ** FLOAT32.spacing_exponent(math.frexp(number)[1] if number else -200)
    computed = number + steps * unit if number < 0 else number - steps * unit
    assert distance_in_ulp(computed, true, FLOAT32) == pytest.approx(steps)


def test_where_the_truth_overflows_infinity_is_right() -> None:
    beyond = libmp.mpf_shift(libmp.fone, 200)
    largest = float(np.finfo(np.float32).max)
    assert distance_in_ulp(math.inf, beyond, FLOAT32) == 0
    assert distance_in_ulp(largest, beyond, FLOAT32) == 1
    assert distance_in_ulp(-math.inf, beyond, FLOAT32) > 1e6
    assert distance_in_ulp(math.inf, libmp.from_float(largest), FLOAT32) == 1
    assert distance_in_ulp(math.inf, libmp.fone, FLOAT32) > 1e30
    assert FLOAT32.overflows(libmp.from_float(largest + 2.0**103))
    assert not FLOAT32.overflows(libmp.from_float(largest + 2.0**102))


def test_no_number_is_infinitely_far() -> None:
    assert distance_in_ulp(math.nan, libmp.fone, FLOAT32) == math.inf
    assert distance_in_ulp(math.nan, libmp.fnan, FLOAT32) == 0


def test_subnormals_are_measured_in_the_smallest() -> None:
    assert distance_in_ulp(0.0, libmp.from_float(2.0**-148), FLOAT32) == 2
    assert distance_in_ulp(0.0, libmp.from_float(5e-324), FLOAT64) == 1


@pytest.mark.parametrize("dtype", [np.float16, "complex64", int, "no such type"])
def test_other_types_are_refused_with_the_remedy(dtype: object) -> None:
    with pytest.raises(CertificateError, match=r"dtype=numpy\.float32"):
        format_of(dtype)
