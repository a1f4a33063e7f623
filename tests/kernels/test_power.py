"""Powers against mpmath and the C library, as loops compiled the way kernels are."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Callable
from functools import cache

import mpmath
import numpy as np
import pytest
from numba import carray, cfunc, types
from tests.cases import some_of

from chainrule.formulas import parse
from chainrule.kernels import activation_kernels
from chainrule.kernels._arrays import apply_kernel
from chainrule.kernels.elementary import double, narrow, single, wide

SETS = {"double": double, "wide": wide, "narrow": narrow, "single": single}
INFINITY, NOT_A_NUMBER = math.inf, math.nan
BASES = [0.0, 5e-324, 0.5, 1.0, 2.0, 3.0, INFINITY, NOT_A_NUMBER]
EXPONENTS = [0.0, 1 / 3, 0.5, 1.0, 2.0, 2.5, 3.0, 4.0, 1e300, INFINITY, NOT_A_NUMBER]
FAR = 1e300  # from here on results of ``wide`` and ``narrow`` may end, being no float32

Apply = Callable[[np.ndarray, np.ndarray], np.ndarray]


@cache
def compiled(kind: str) -> tuple[Apply, str]:
    """Return the power of arrays, and the LLVM text of its loop."""
    function = SETS[kind].power
    dtype = np.dtype(np.float32 if kind == "single" else np.float64)
    pointer = types.CPointer(types.float32 if kind == "single" else types.float64)

    @cfunc(types.void(pointer, pointer, pointer, types.intp), error_model="numpy")
    def loop(bases, exponents, target, count):
        x, y, results = carray(bases, count), carray(exponents, count), carray(target, count)
        for i in range(count):
            results[i] = function(x[i], y[i])

    native = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, ctypes.c_ssize_t)(loop.address)

    def apply(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x, y = (np.ascontiguousarray(part, dtype) for part in (x, y))
        result = np.empty_like(x)
        native(x.ctypes.data, y.ctypes.data, result.ctypes.data, x.size)
        return result

    apply.keep = loop  # the code lives as long as the object that compiled it
    return apply, loop.inspect_llvm()


def ended(results: np.ndarray) -> np.ndarray:
    """Return results, infinite and zero where they are no float32 by far."""
    results = np.where(abs(results) > FAR, np.copysign(INFINITY, results), results)
    return np.where(abs(results) < 1 / FAR, 0.0 * results, results)


def sample(largest: float, count: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Return bases of all sizes and close to 1, and exponents that keep powers within bounds."""
    random = np.random.default_rng(20261127)
    logarithms = np.concatenate(
        [random.uniform(-w, w, count) for w in (min(largest, 709.0), 30.0, 1.0, 1e-2, 1e-6)]
    )
    results = random.uniform(-largest, largest, logarithms.size)
    return np.exp(logarithms), results / np.where(logarithms == 0.0, 1.0, logarithms)


@pytest.mark.parametrize(
    ("kind", "largest", "ulp"),
    [("double", 744.0, 1.0), ("single", 87.0, 0.502)],
)
def test_powers_are_exact_to_the_last_place(kind: str, largest: float, ulp: float) -> None:
    dtype = np.float32 if kind == "single" else np.float64
    x, y = (part.astype(dtype) for part in sample(largest))
    x, y = x[np.isfinite(y)], y[np.isfinite(y)]
    results = compiled(kind)[0](x, y)
    top = float(np.finfo(dtype).max)
    with mpmath.workdps(50):
        for base, exponent, result in zip(x.tolist(), y.tolist(), results.tolist(), strict=True):
            true = mpmath.mpf(base) ** mpmath.mpf(exponent)
            if true > top:
                assert result in (INFINITY, top)
                continue
            unit = float(np.spacing(dtype(float(true))))
            assert abs(mpmath.mpf(result) - true) <= ulp * unit


@pytest.mark.parametrize(("kind", "digits"), [("wide", 37), ("narrow", 31)])
def test_powers_that_are_rounded_to_float32_have_some_digits_more(kind: str, digits: int) -> None:
    x, y = sample(87.0)
    results = compiled(kind)[0](x, y)
    with mpmath.workdps(50):
        for base, exponent, result in zip(x.tolist(), y.tolist(), results.tolist(), strict=True):
            true = mpmath.mpf(base) ** mpmath.mpf(exponent)
            assert abs(mpmath.mpf(result) / true - 1) < 2.0**-digits


@pytest.mark.parametrize("kind", SETS)
def test_what_is_special_is_as_in_the_c_library(kind: str) -> None:
    """Zeros, infinities, NaN, negative bases: as C's ``pow``."""
    bases, exponents = np.array([*BASES, *(-b for b in BASES)]), np.array(EXPONENTS)
    x, y = (part.ravel() for part in np.meshgrid(bases, np.concatenate([exponents, -exponents])))
    with np.errstate(all="ignore"):
        if kind == "single":
            x, y = x.astype(np.float32), y.astype(np.float32)
        true = np.power(x, y)
        results = compiled(kind)[0](x, y)
        if kind in ("wide", "narrow"):
            true, results = ended(true), ended(results)
    tolerance = {"double": 1e-15, "wide": 2.0**-37, "narrow": 2.0**-31, "single": 2.0**-22}[kind]
    np.testing.assert_allclose(results, true, rtol=tolerance)
    known = ~np.isnan(true)
    np.testing.assert_array_equal(np.signbit(results[known]), np.signbit(true[known]))


@pytest.mark.parametrize("kind", SETS)
def test_loops_vectorise(kind: str) -> None:
    text = compiled(kind)[1]
    assert re.search(r"@llvm\.fma\.v\d+f64\(", text)
    assert not re.search(r"call [^\n]*?@\"?(pow|powf|exp|log)\"?\(", text)


@pytest.mark.parametrize(
    ("text", "values", "true"),
    some_of(
        [
            ("max(z, 0)**k", {"k": 2.7}, lambda z: max(z, mpmath.mpf(0)) ** mpmath.mpf(2.7)),
            ("2**z", {}, lambda z: mpmath.mpf(2) ** z),
            ("sign(z)*abs(z)**k", {"k": 0.6}, lambda z: mpmath.sign(z) * abs(z) ** mpmath.mpf(0.6)),
            ("(1 + exp(-z))**(-3/2)", {}, lambda z: (1 + mpmath.exp(-z)) ** mpmath.mpf(-1.5)),
            ("max(z, 0)**(5/2)", {}, lambda z: max(z, mpmath.mpf(0)) ** mpmath.mpf(2.5)),
        ],
        3,
    ),
)
def test_formulas_with_powers(text: str, values: dict[str, float], true: Callable) -> None:
    """Of fixed and of named exponents, within two units in the last place of float32."""
    z = np.concatenate([np.linspace(-9.0, 9.0, 401), np.geomspace(1e-6, 20.0, 200)])
    z = z.astype(np.float32)
    kernels = activation_kernels(parse(text, parameters=values), np.float32)
    results = np.empty_like(z)
    apply_kernel(kernels.forward, z, z, results)
    with mpmath.workdps(40):
        for place, result in zip(z.tolist(), results.tolist(), strict=True):
            wanted = true(mpmath.mpf(place))
            unit = float(np.spacing(np.float32(abs(float(wanted)))))
            assert abs(mpmath.mpf(result) - wanted) <= 2.0 * unit, place


def test_slopes_of_powers_are_computed_as_they_are_shown() -> None:
    """(1 + |z|**k)**(-1 - 1/k), where the chain rule's terms cancel far out."""
    k = 2.5
    formula = parse("z/(1 + abs(z)**k)**(1/k)", parameters={"k": k})
    z = np.concatenate([np.geomspace(1e-12, 1e10, 300), -np.geomspace(1e-12, 1e10, 300)])
    z = z.astype(np.float32)
    results = np.empty_like(z)
    apply_kernel(activation_kernels(formula, np.float32).backward, np.ones_like(z), z, results)
    with mpmath.workdps(40):
        for place, result in zip(z.tolist(), results.tolist(), strict=True):
            wanted = (1 + abs(mpmath.mpf(place)) ** k) ** (-1 - 1 / mpmath.mpf(k))
            unit = float(np.spacing(np.float32(float(wanted))))
            assert abs(mpmath.mpf(result) - wanted) <= 4.0 * unit, place
