"""The elementary functions against mpmath, as loops compiled the way kernels are."""

from __future__ import annotations

import ctypes
import math
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import mpmath
import numpy as np
import pytest
from numba import carray, cfunc, njit, types

from chainrule.kernels import elementary

ROOT = Path(__file__).resolve().parents[2]
INFINITY, NOT_A_NUMBER = math.inf, math.nan
TINY = 5e-324

# For each function: intervals in which it does something interesting.
RANGES = {
    "exp": [(-745.2, -708.0), (-708.0, 709.8), (-1.0, 1.0)],
    "expm1": [(-40.0, 1.0), (-1.1, 1.1), (1.0, 709.8), (0.34, 0.4)],
    "log": [(0.0, 4.0), (0.99, 1.01), (0.0, 1e-307)],
    "log1p": [(-1.0, 4.0), (-0.4, 0.5), (0.0, 1e9)],
    "tanh": [(-3.0, 3.0), (0.0, 22.0), (0.1, 0.6)],
    "sinh": [(-3.0, 3.0), (0.0, 710.6), (0.3, 0.7)],
    "cosh": [(-3.0, 3.0), (0.0, 710.6), (0.3, 0.7)],
    "erf": [(-6.1, 6.1), (-1.0, 1.0), (0.1, 0.5)],
    "erfc": [(-6.1, 1.0), (0.0, 10.0), (10.0, 26.5), (26.5, 27.3)],
    "atan": [(-1.0, 1.0), (-8.0, 8.0), (0.9, 1.1)],
    "asinh": [(-2.0, 2.0), (-50.0, 50.0), (0.3, 1.5)],
    "sin": [(-7.0, 7.0), (-1e5, 1e5)],
    "cos": [(-7.0, 7.0), (-1e5, 1e5)],
}
LIBRARY_CALLS = {"sin", "cos"}
VECTORISED = sorted(set(RANGES) - LIBRARY_CALLS)
ODD = ["expm1", "log1p", "tanh", "sinh", "erf", "atan", "asinh", "sin"]
# Beyond this argument these have overflowed, vanished or saturated for good: the reference is
# computed at this argument instead, because mpmath spends minutes on exp(1e308).
SATURATED = dict.fromkeys(("exp", "expm1", "tanh", "sinh", "cosh", "erf", "erfc"), 1000.0)

Apply = Callable[[np.ndarray], np.ndarray]


@cache
def compiled(name: str) -> tuple[Apply, str]:
    """Return a function of arrays, and the LLVM text of its loop."""
    function = getattr(elementary, name)
    pointer = types.CPointer(types.float64)

    @cfunc(types.void(pointer, pointer, types.intp), error_model="numpy")
    def loop(source, target, count):
        values = carray(source, count)
        results = carray(target, count)
        for i in range(count):
            results[i] = function(values[i])

    native = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t)(
        loop.address
    )

    def apply(x: np.ndarray) -> np.ndarray:
        assert x.dtype == np.float64
        assert x.flags.c_contiguous
        result = np.empty_like(x)
        native(x.ctypes.data, result.ctypes.data, x.size)
        return result

    apply.keep = loop  # the code lives as long as the object that compiled it
    return apply, loop.inspect_llvm()


def sample(name: str, count: int = 500) -> np.ndarray:
    """Return one number of each binade and sign, and random ones in the interesting ranges."""
    random = np.random.default_rng(20240229)
    mantissas = random.integers(0, 1 << 52, 2047, dtype=np.int64)
    binades = (np.arange(2047, dtype=np.int64) << 52 | mantissas).view(np.float64)
    subnormal = np.ldexp(1.0, np.arange(-1074, -1022)) * random.uniform(1.0, 2.0, 52)
    parts = [binades, -binades, subnormal, -subnormal]
    parts += [random.uniform(*interval, count) for interval in RANGES[name]]
    x = np.concatenate(parts)
    if name == "log":
        return np.abs(x)
    return x[x > -1.0] if name == "log1p" else x


def worst_ulp(name: str, x: np.ndarray) -> tuple[float, float]:
    """Return the largest error in units in the last place of the true value, and where."""
    results = compiled(name)[0](x)
    reference = getattr(mpmath, name)
    limit = SATURATED.get(name, INFINITY)
    largest = mpmath.mpf(sys.float_info.max)
    worst, where = 0.0, 0.0
    with mpmath.workdps(60):
        for argument, result in zip(x.tolist(), results.tolist(), strict=True):
            true = reference(mpmath.mpf(max(-limit, min(limit, argument))))
            if abs(true) > largest:  # overflow counts as the next float64 after the largest
                true = mpmath.sign(true) * mpmath.mpf(2) ** 1024
            value = (
                mpmath.mpf(result)
                if math.isfinite(result)
                else mpmath.sign(result) * mpmath.mpf(2) ** 1024
            )
            unit = math.ulp(min(abs(float(true)), sys.float_info.max))
            error = float(abs(value - true) / unit) if not math.isnan(result) else INFINITY
            if error > worst:
                worst, where = error, argument
    return worst, where


@pytest.mark.parametrize("name", RANGES)
def test_every_result_is_within_two_ulp(name: str) -> None:
    worst, where = worst_ulp(name, sample(name))
    assert worst <= 2.0, f"{name}({where!r}) is off by {worst:.2f} ulp"


SPECIAL = {
    "exp": {0.0: 1.0, INFINITY: INFINITY, -INFINITY: 0.0, 709.9: INFINITY,
            -745.0: TINY, -746.0: 0.0, TINY: 1.0},
    "expm1": {INFINITY: INFINITY, -INFINITY: -1.0, -60.0: -1.0, 709.9: INFINITY,
              1e-300: 1e-300, -1e-300: -1e-300, 1e-17: 1e-17},
    "log": {0.0: -INFINITY, 1.0: 0.0, INFINITY: INFINITY, -1.0: NOT_A_NUMBER,
            -INFINITY: NOT_A_NUMBER, -TINY: NOT_A_NUMBER, TINY: -744.4400719213812},
    "log1p": {-1.0: -INFINITY, -1.5: NOT_A_NUMBER, -INFINITY: NOT_A_NUMBER, INFINITY: INFINITY,
              1e-300: 1e-300, -1e-300: -1e-300, 1e308: 709.1962086421661},
    "tanh": {INFINITY: 1.0, -INFINITY: -1.0, 20.0: 1.0, -20.0: -1.0, 1e-300: 1e-300},
    "sinh": {INFINITY: INFINITY, -INFINITY: -INFINITY, 711.0: INFINITY, 1e-300: 1e-300},
    "cosh": {0.0: 1.0, INFINITY: INFINITY, -INFINITY: INFINITY, 711.0: INFINITY},
    "erf": {INFINITY: 1.0, -INFINITY: -1.0, 6.0: 1.0, -6.0: -1.0},
    "erfc": {0.0: 1.0, INFINITY: 0.0, -INFINITY: 2.0, 28.0: 0.0, -7.0: 2.0},
    "atan": {INFINITY: math.pi / 2, -INFINITY: -math.pi / 2, 1.0: math.pi / 4, 1e-300: 1e-300},
    "asinh": {INFINITY: INFINITY, -INFINITY: -INFINITY, 1e-300: 1e-300},
    "sin": {INFINITY: NOT_A_NUMBER, 1e-300: 1e-300},
    "cos": {INFINITY: NOT_A_NUMBER, 0.0: 1.0},
}  # fmt: skip


@pytest.mark.parametrize("name", RANGES)
def test_limits_overflow_and_domain(name: str) -> None:
    expected = SPECIAL[name] | {NOT_A_NUMBER: NOT_A_NUMBER}
    expected |= {0.0: 0.0, TINY: TINY} if name in ODD else {}
    results = compiled(name)[0](np.array(list(expected)))
    np.testing.assert_array_equal(results, np.array(list(expected.values())))


@pytest.mark.parametrize("name", ODD)
def test_zero_keeps_its_sign(name: str) -> None:
    results = compiled(name)[0](np.array([0.0, -0.0]))
    assert np.signbit(results).tolist() == [False, True]


@pytest.mark.parametrize(
    ("name", "expected"), [("exp", 1.0), ("cosh", 1.0), ("erfc", 1.0), ("log", -INFINITY)]
)
def test_negative_zero_is_zero_to_the_others(name: str, expected: float) -> None:
    assert compiled(name)[0](np.array([-0.0])).tolist() == [expected]


@pytest.mark.parametrize("name", sorted(set(ODD) - {"expm1", "log1p"}))
def test_odd_functions_are_odd_to_the_last_bit(name: str) -> None:
    x = sample(name)
    apply = compiled(name)[0]
    np.testing.assert_array_equal(apply(-x), -apply(x))


@pytest.mark.parametrize("name", RANGES)
def test_the_remainder_of_a_loop_agrees_with_its_vectors(name: str) -> None:
    x = sample(name)[::7].copy()
    apply = compiled(name)[0]
    one_by_one = np.concatenate([apply(x[i : i + 1]) for i in range(x.size)])
    np.testing.assert_array_equal(apply(x), one_by_one)


@pytest.mark.parametrize("name", VECTORISED)
def test_loops_vectorise(name: str) -> None:
    text = compiled(name)[1]
    assert re.search(r"\bf(mul|add|sub)\b[^\n]*<[248] x double>", text)
    assert re.search(r"@llvm\.fma\.v[248]f64\(", text)
    functions = set(re.findall(r"call [^\n]*?@\"?([\w.$]+)\"?\(", text))
    assert not {f for f in functions if f.strip("_").rstrip("fl") in set(RANGES) | {"pow", "fma"}}


def test_fma_rounds_once() -> None:
    @njit
    def product_error(a, b):
        return elementary.fma(a, b, -(a * b))

    a = 1.0 + 2.0**-30
    assert product_error(a, a) == 2.0**-60


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, -math.pi, TINY, INFINITY])
def test_bits_go_both_ways(value: float) -> None:
    @njit
    def bits(x):
        return elementary.float_to_bits(x)

    @njit
    def back(n):
        return elementary.bits_to_float(n)

    assert bits(value) == int(np.float64(value).view(np.int64))
    assert math.copysign(1.0, back(bits(value))) == math.copysign(1.0, value)
    assert back(bits(value)) == value


def test_constants_are_the_derived_ones() -> None:
    script = ROOT / "tools" / "derive_constants.py"
    finished = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
