"""The elementary functions against mpmath, as loops compiled the way kernels are.

The set for float64 is measured against mpmath; the two others against that set, in float64.
"""

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
from chainrule.kernels.elementary import double, single, wide
from chainrule.kernels.elementary._quarter_turns import LAST_NEAR

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
    "erfcx": [(-26.6, 0.0), (-1.0, 1.0), (0.0, 10.0), (10.0, 30.0), (1e8, 1e10)],
    "atan": [(-1.0, 1.0), (-8.0, 8.0), (0.9, 1.1)],
    "asinh": [(-2.0, 2.0), (-50.0, 50.0), (0.3, 1.5)],
    "sin": [(-7.0, 7.0), (-1e5, 1e5)],
    "cos": [(-7.0, 7.0), (-1e5, 1e5)],
}
SETS = {"double": double, "wide": wide, "single": single}
TYPES = {"double": np.float64, "wide": np.float64, "single": np.float32}
ODD = ["expm1", "log1p", "tanh", "sinh", "erf", "atan", "asinh", "sin"]
# Beyond this argument these have overflowed, vanished or saturated for good: the reference is
# computed at this argument instead, because mpmath spends minutes on exp(1e308).
SATURATED = dict.fromkeys(("exp", "expm1", "tanh", "sinh", "cosh", "erf", "erfc"), 1000.0)


def scaled_erfc(x: mpmath.mpf) -> mpmath.mpf:
    """Return exp(x**2) erfc(x) by its definition; far out by three terms of its series."""
    if x < 1e6:
        bounded = max(x, mpmath.mpf(-1000))
        return mpmath.exp(bounded**2) * mpmath.erfc(bounded)
    half = 1 / (2 * x * x)
    return (1 - half + 3 * half**2) / (x * mpmath.sqrt(mpmath.pi))


def reference_of(name: str) -> Callable[[mpmath.mpf], mpmath.mpf]:
    return scaled_erfc if name == "erfcx" else getattr(mpmath, name)


Apply = Callable[[np.ndarray], np.ndarray]


@cache
def compiled(name: str, kind: str = "double") -> tuple[Apply, str]:
    """Return a function of arrays, and the LLVM text of its loop."""
    function = getattr(SETS[kind], name)
    dtype = np.dtype(TYPES[kind])
    pointer = types.CPointer(types.float32 if kind == "single" else types.float64)

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
        assert x.dtype == dtype
        assert x.flags.c_contiguous
        result = np.empty_like(x)
        native(x.ctypes.data, result.ctypes.data, x.size)
        return result

    apply.keep = loop  # the code lives as long as the object that compiled it
    return apply, loop.inspect_llvm()


def sample(name: str, count: int = 500, step: int = 1) -> np.ndarray:
    """Return one number of each binade and sign, and random ones in the interesting ranges."""
    random = np.random.default_rng(20240229)
    mantissas = random.integers(0, 1 << 52, 2047, dtype=np.int64)
    binades = (np.arange(2047, dtype=np.int64) << 52 | mantissas).view(np.float64)[::step]
    subnormal = np.ldexp(1.0, np.arange(-1074, -1022)) * random.uniform(1.0, 2.0, 52)
    parts = [binades, -binades, subnormal, -subnormal]
    parts += [random.uniform(*interval, count) for interval in RANGES[name]]
    x = np.concatenate(parts)
    if name == "log":
        return np.abs(x)
    return x[x > -1.0] if name == "log1p" else x


def single_sample(name: str, count: int = 20_000) -> np.ndarray:
    """Return float32 of every binade and sign, and random ones in the interesting ranges."""
    random = np.random.default_rng(20240301)
    mantissas = random.integers(0, 1 << 23, (64, 255), dtype=np.int32)
    binades = (np.arange(255, dtype=np.int32) << 23 | mantissas).view(np.float32).ravel()
    ranges = [random.uniform(*interval, count).astype(np.float32) for interval in RANGES[name]]
    return np.concatenate([binades, -binades, *ranges])


def worst_ulp(name: str, x: np.ndarray) -> tuple[float, float]:
    """Return the largest error in units in the last place of the true value, and where."""
    results = compiled(name)[0](x)
    reference = reference_of(name)
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
def test_double_is_within_one_and_a_half_ulp(name: str) -> None:
    worst, where = worst_ulp(name, sample(name, step=3))
    assert worst <= 1.5, f"{name}({where!r}) is off by {worst:.2f} ulp"


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_double_reduces_arguments_next_to_zeros(name: str) -> None:
    """Among the float64 nearest to multiples of pi/2 are those that cancel the most bits."""
    with mpmath.workdps(400):
        near = [
            float(mpmath.pi / 2 * count)
            for exponent in range(0, 1020, 6)
            for count in (1 << exponent, 3 << exponent, 5 << exponent, 7 << exponent)
        ]
    hardest = math.ldexp(6381956970095103.0, 797)  # within 2**-60 of a multiple of pi/2
    x = np.array([*near, hardest])
    reference = getattr(mpmath, name)
    results = compiled(name)[0](x).tolist()
    wide_results = compiled(name, "wide")[0](x).tolist()
    with mpmath.workdps(400):
        for argument, result, wider in zip(x.tolist(), results, wide_results, strict=True):
            true = reference(mpmath.mpf(argument))
            assert abs(result - true) <= 1.5 * math.ulp(float(true)), argument
            assert abs(wider - true) <= abs(true) * 2.0**-38, argument


@pytest.mark.parametrize("name", RANGES)
def test_wide_is_within_2_to_the_minus_38(name: str) -> None:
    x = sample(name, 20_000)
    true, results = compiled(name)[0](x), compiled(name, "wide")[0](x)
    # Rounding may carry a result over the largest float64, or take one below 1e-300 to zero.
    compared = np.isfinite(true) & (np.abs(true) > 1e-300) & (np.abs(true) < 1.797693134e308)
    x, expected, found = x[compared], true[compared], results[compared]
    errors = np.abs(found - expected) / np.abs(expected)
    assert errors.max() <= 2.0**-38, f"{name}({x[errors.argmax()]!r})"
    np.testing.assert_array_equal(np.isnan(results), np.isnan(true))
    np.testing.assert_array_equal(results[np.isinf(true)], true[np.isinf(true)])
    assert (np.abs(results)[np.abs(true) <= 1e-300] <= 1.0001e-300).all()
    np.testing.assert_array_equal(np.signbit(results), np.signbit(true))


@pytest.mark.parametrize("name", RANGES)
def test_single_is_within_one_ulp(name: str) -> None:
    x = single_sample(name)
    true = compiled(name)[0](x.astype(np.float64))
    results = compiled(name, "single")[0](x)
    np.testing.assert_array_equal(np.isnan(results), np.isnan(true))
    np.testing.assert_array_equal(np.signbit(results)[true == true], np.signbit(true)[true == true])
    bounded, values = (
        np.clip(np.nan_to_num(v.astype(np.float64)), -(2.0**128), 2.0**128) for v in (true, results)
    )
    values[np.isinf(results)] = np.copysign(2.0**128, values[np.isinf(results)])
    exponents = np.clip(np.frexp(bounded)[1], -125, 128)
    errors = np.abs(values - bounded) * np.exp2(24.0 - exponents)
    assert errors.max() <= 1.0, f"{name}({x[errors.argmax()]!r}) is off by {errors.max():.2f} ulp"


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_single_rounds_large_arguments_right(name: str) -> None:
    """An argument of 1e38 has no error of its own: the reference takes it as it stands."""
    x = (np.geomspace(1e5, 3e38, 200) * 1.000123).astype(np.float32)
    with mpmath.workdps(80):
        true = np.array([float(getattr(mpmath, name)(mpmath.mpf(float(v)))) for v in x])
    np.testing.assert_array_equal(compiled(name, "single")[0](x), true.astype(np.float32))


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
    "erfcx": {0.0: 1.0, INFINITY: 0.0, -INFINITY: INFINITY, -27.0: INFINITY, TINY: 1.0},
    "atan": {INFINITY: math.pi / 2, -INFINITY: -math.pi / 2, 1.0: math.pi / 4, 1e-300: 1e-300},
    "asinh": {INFINITY: INFINITY, -INFINITY: -INFINITY, 1e-300: 1e-300},
    "sin": {INFINITY: NOT_A_NUMBER, 1e-300: 1e-300},
    "cos": {INFINITY: NOT_A_NUMBER, 0.0: 1.0},
}  # fmt: skip


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("name", RANGES)
def test_limits_overflow_and_domain(name: str, kind: str) -> None:
    """The other sets reach the limits of float64 within their accuracy; see the sweeps."""
    expected = SPECIAL[name] | {NOT_A_NUMBER: NOT_A_NUMBER}
    expected |= {0.0: 0.0, TINY: TINY} if name in ODD else {}
    x, true = np.array(list(expected)), np.array(list(expected.values()))
    if kind == "single":
        with np.errstate(over="ignore"):
            x = x.astype(np.float32)
            true = compiled(name)[0](x.astype(np.float64)).astype(np.float32)
    results = compiled(name, kind)[0](x.astype(TYPES[kind]))
    tolerance = {"double": 0.0, "wide": 2.0**-38, "single": 2.0**-23}[kind]
    np.testing.assert_allclose(results, true, rtol=tolerance, atol=1e-300 * (kind == "wide"))


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("name", ODD)
def test_zero_keeps_its_sign(name: str, kind: str) -> None:
    results = compiled(name, kind)[0](np.array([0.0, -0.0], TYPES[kind]))
    assert np.signbit(results).tolist() == [False, True]
    assert results.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize(
    ("name", "expected"),
    [("exp", 1.0), ("cosh", 1.0), ("erfc", 1.0), ("erfcx", 1.0), ("log", -INFINITY)],
)
def test_negative_zero_is_zero_to_the_others(name: str, expected: float, kind: str) -> None:
    results = compiled(name, kind)[0](np.array([-0.0], TYPES[kind]))
    np.testing.assert_allclose(results, [expected], rtol=2.0**-38 if kind == "wide" else 0.0)


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("name", sorted(set(ODD) - {"expm1", "log1p"}))
def test_odd_functions_are_odd_to_the_last_bit(name: str, kind: str) -> None:
    x = sample(name).astype(TYPES[kind]) if kind != "single" else single_sample(name)
    apply = compiled(name, kind)[0]
    np.testing.assert_array_equal(apply(-x), -apply(x))


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("name", RANGES)
def test_the_remainder_of_a_loop_agrees_with_its_vectors(name: str, kind: str) -> None:
    x = (single_sample(name)[::50] if kind == "single" else sample(name)[::7]).copy()
    apply = compiled(name, kind)[0]
    one_by_one = np.concatenate([apply(x[i : i + 1]) for i in range(x.size)])
    np.testing.assert_array_equal(apply(x), one_by_one)


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("name", RANGES)
def test_loops_vectorise(name: str, kind: str) -> None:
    """No call but to LLVM's own operations; in ``single`` no float64 but for three."""
    text = compiled(name, kind)[1]
    number = "double" if kind != "single" or name in ("sin", "cos", "erfcx") else "float"
    assert re.search(rf"\bf(mul|add|sub)\b[^\n]*<\d+ x {number}>", text)
    assert re.search(rf"@llvm\.fma\.v\d+f{64 if number == 'double' else 32}\(", text)
    assert number == "double" or not re.search(r"\bf(mul|add|sub)\b[^\n]*\bdouble\b", text)
    functions = set(re.findall(r"call [^\n]*?@\"?([\w.$]+)\"?\(", text))
    assert not {f for f in functions if f.strip("_").rstrip("fl") in set(RANGES) | {"pow", "fma"}}


def test_fma_rounds_once() -> None:
    @njit
    def product_error(a, b):
        return elementary.fma(a, b, -(a * b))

    a = 1.0 + 2.0**-30
    assert product_error(a, a) == 2.0**-60


def test_single_fma_rounds_once() -> None:
    @njit
    def product_error(a, b):
        return elementary.fma(a, b, -(a * b))

    a = np.float32(1.0 + 2.0**-13)
    assert product_error(a, a) == 2.0**-26


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


@pytest.mark.long
def test_constants_are_the_derived_ones() -> None:
    script = ROOT / "tools" / "derive_constants.py"
    finished = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.parametrize(
    ("name", "wanted"), [("exp_below_one", np.exp), ("expm1_below_zero", np.expm1)]
)
def test_functions_of_negative_numbers(name, wanted):
    """Within 1 ulp of the true value down to where it vanishes, and NaN whatever its digits."""
    x = -np.concatenate([np.linspace(0, 110, 200_001), np.geomspace(1e-40, 1.0, 20_001)])
    x = x.astype(np.float32)
    true = wanted(x.astype(np.float64))
    errors = np.abs(compiled(name, "single")[0](x) - true) / np.spacing(
        np.abs(true).astype(np.float32)
    )
    assert errors.max() < 1
    not_numbers = np.array([0x7FC00000, 0x7F800001, 0xFF800001, 0xFFFFFFFF], np.uint32)
    assert np.isnan(compiled(name, "single")[0](not_numbers.view(np.float32))).all()
    ends = compiled(name, "single")[0](np.array([-np.inf, -0.0], np.float32)).tolist()
    assert ends == wanted(np.array([-np.inf, -0.0])).tolist()


@pytest.mark.parametrize(("kind", "ulp"), [("double", 1.0), ("wide", 2.0**13), ("single", 0.79)])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_waves_of_what_is_near_need_no_table(name, kind, ulp):
    """Against 40 digits: next to their zeros above all, where a quarter turn nearly cancels."""
    random = np.random.default_rng(20261126)
    zeros = np.arange(1, 489) * (np.pi / 2)
    parts = [random.uniform(-LAST_NEAR, LAST_NEAR, 500), random.uniform(-7, 7, 300), zeros, -zeros]
    parts += [np.ldexp(1.3, np.arange(-1074 if kind != "single" else -149, 3)), [0.0]]
    x = np.concatenate(parts).astype(TYPES[kind])
    results = compiled(f"near_{name}", kind)[0](x)
    with mpmath.workdps(40):
        for argument, result in zip(x.tolist(), results.tolist(), strict=True):
            true = getattr(mpmath, name)(mpmath.mpf(argument))
            unit = float(np.spacing(TYPES[kind](abs(true))))
            assert abs(mpmath.mpf(result) - true) <= ulp * unit, argument
    assert np.signbit(compiled(f"near_{name}", kind)[0](-np.zeros(9, x.dtype))).all() == (
        name == "sin"
    )
