"""Float32 with rounding errors kept: exact where it says so, and within its bounds as a whole."""

from __future__ import annotations

import ast
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from numba import njit

from chainrule.catalogue import activation_formula
from chainrule.formulas import parse, to_text
from chainrule.kernels import activation_kernels
from chainrule.kernels._arrays import apply_kernel
from chainrule.kernels._kept_choices import FUNCTIONS, Choice
from chainrule.kernels._kernels import kernels_in
from chainrule.kernels.elementary import pairs
from chainrule.kernels.source._compensated import FloatFunction
from chainrule.kernels.source._reading import read_functions
from chainrule.kernels.source._tiers import in_tiers, without_exceptions

SMALLEST_NORMAL, SMALLEST = 2.0**-126, 2.0**-149
SILU = ["t = exp(x * -1.0)", "denominator = 1.0 + t", "return -x * t / denominator"]


def apply(kernel, first, z):
    output = np.empty_like(z)
    apply_kernel(kernel, first, z, output)
    return output


def numbers(seed, size=2000):
    generator = np.random.default_rng(seed)
    mantissas = generator.uniform(1, 2, (2, size)) * generator.choice([-1, 1], (2, size))
    return np.ldexp(mantissas, generator.integers(-20, 20, (2, size))).astype(np.float32)


@njit
def applied(operation, a, b):
    high, low = np.empty_like(a), np.empty_like(a)
    for i in range(a.size):
        high[i], low[i] = operation(a[i], b[i])
    return high, low


@njit
def total(a, b):
    return pairs.add(pairs.lifted(a), pairs.lifted(b))


@njit
def product(a, b):
    return pairs.product(a, b)


@njit
def share(a, b):
    return pairs.divide(pairs.lifted(a), pairs.lifted(b))


@njit
def root(a, b):
    return pairs.square_root(pairs.product(a, a) if b > 0 else pairs.lifted(abs(a)))


def test_a_root_as_a_pair():
    """Squared, it differs from its argument by less than 2**-44; 0 and inf have theirs."""
    a, b = numbers(4)
    for x, y, high, low in zip(a, b, *applied(root, a, b), strict=True):
        true = Fraction(float(x)) ** 2 if y > 0 else abs(Fraction(float(x)))
        got = Fraction(float(high)) + Fraction(float(low))
        assert abs(got * got - true) <= Fraction(1, 2**44) * true
    ends = np.array([0.0, np.inf], np.float32)
    high, low = applied(root, ends, -np.ones_like(ends))
    np.testing.assert_array_equal(high, ends)
    np.testing.assert_array_equal(low, [0, 0])


@pytest.mark.parametrize(
    ("operation", "exact", "lost"),
    [
        (total, lambda a, b: a + b, 0),
        (product, lambda a, b: a * b, 0),
        (share, lambda a, b: a / b, Fraction(1, 2**44)),
    ],
)
def test_a_pair_is_what_its_operation_says(operation, exact, lost):
    """Sums and products lose nothing, quotients less than 2**-44, by rational arithmetic."""
    a, b = numbers(3)
    for x, y, high, low in zip(a, b, *applied(operation, a, b), strict=True):
        true = exact(Fraction(float(x)), Fraction(float(y)))
        got = Fraction(float(high)) + Fraction(float(low))
        assert abs(got - true) <= lost * abs(true)


@njit
def times_exponential(a, a_low, b, b_low):
    return pairs.times_exp((a, a_low), (b, b_low))


def test_a_product_with_an_exponential_is_rounded_about_once():
    """Within 0.9 ulp for all exponents whose exponentials are float32, against 50 digits."""
    generator = np.random.default_rng(4)
    with mpmath.workdps(50):
        for b in [*-generator.uniform(0, 110, 2000), *-generator.uniform(0, 2, 500), 0.0]:
            a = generator.uniform(0.5, 2) * generator.choice([-1, 1])
            parts = [np.float32(x) for x in (a, a - np.float32(a), b, b - np.float32(b))]
            got = times_exponential(*parts)
            high, a_low, exponent, b_low = (mpmath.mpf(float(x)) for x in parts)
            true = (high + a_low) * mpmath.exp(exponent + b_low)
            unit = np.spacing(np.float32(max(float(abs(true)), SMALLEST_NORMAL)))
            assert abs(float(got) - true) <= 0.9 * float(unit), (a, b)


@njit
def times_power(a, a_low, x, y, rate):
    return pairs.times_power((a, a_low), x, y, rate)


@pytest.mark.parametrize("rate", [0.5, 1.0, 1.7])
def test_the_exponential_of_a_product_that_is_never_rounded(rate):
    """Within 1.5 ulp, against 50 digits."""
    generator = np.random.default_rng(4)
    rate = np.float32(rate)
    with mpmath.workdps(50):
        for x in generator.uniform(0, np.sqrt(100 / rate), 2000).astype(np.float32):
            a = generator.uniform(0.5, 2) * generator.choice([-1, 1])
            high, low = np.float32(a), np.float32(a - np.float32(a))
            got = times_power(high, low, x, x, rate)
            true = mpmath.mpf(float(high)) + float(low)
            true *= mpmath.exp(-mpmath.mpf(float(rate)) * mpmath.mpf(float(x)) ** 2)
            unit = np.spacing(np.float32(max(float(abs(true)), SMALLEST_NORMAL)))
            assert abs(float(got) - true) <= 1.5 * float(unit), (a, x)


def in_tier(text, tier):
    formula = parse(text)
    return kernels_in(formula, "float32", Choice(dict.fromkeys(FUNCTIONS, tier), {}, ""))


def silu(z):
    return z / (1 + mpmath.exp(-z))


def worst(got, z, function):
    """Return the largest error in ulp; below the normal numbers in smallest subnormals."""
    errors = []
    with mpmath.workdps(50):
        for x, value in zip(z.tolist(), got.tolist(), strict=True):
            true = function(mpmath.mpf(x))
            size = max(float(abs(true)), SMALLEST_NORMAL)
            errors.append(float(abs(value - true)) / float(np.spacing(np.float32(size))))
    return max(errors)


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("z/(1 + exp(-z))", silu),
        (
            "(3 + exp(-abs(z)))/(2 + exp(-abs(z)))/(1.7 + exp(-abs(z)))",
            lambda z: (
                (3 + mpmath.exp(-abs(z)))
                / (2 + mpmath.exp(-abs(z)))
                / (mpmath.mpf("1.7") + mpmath.exp(-abs(z)))
            ),
        ),
    ],
)
def test_only_the_last_rounding_and_the_exponentials_remain(text, function):
    """Against 50 digits."""
    z = np.random.default_rng(4).normal(scale=6, size=4000).astype(np.float32)
    kernels = in_tier(text, "compensated")
    assert "pairs." in kernels.forward.source
    assert worst(apply(kernels.forward, z, z), z, function) < 1.5


@pytest.mark.parametrize("tier", ["single", "divided", "compensated"])
def test_products_keep_digits_where_their_exponential_has_none(tier):
    """At -100 exp(z) has two bits left; z times it has more."""
    z = np.linspace(-110, -80, 2000, dtype=np.float32)
    kernels = in_tier("z/(1 + exp(-z))", tier)
    assert worst(apply(kernels.forward, z, z), z, silu) <= 4
    ends = np.array([-np.inf, np.inf, np.nan, -1e38, 1e38, -0.0, -200], np.float32)
    got = apply(kernels.forward, ends, ends)
    np.testing.assert_array_equal(got, np.float32([0, np.inf, np.nan, 0, 1e38, 0, 0]))
    slope = apply(kernels.backward, np.ones_like(ends), ends)
    assert np.signbit([got[3], got[-1], slope[3], slope[-1]]).all()


@pytest.mark.parametrize("keeps", ["nothing", "quotients", "everything"])
def test_what_is_written_reads_as_what_it_was_written_from(keeps):
    """Rounding errors and powers of two leave no trace in the mathematics."""

    def read(lines):
        body = "\n".join(["def activation(x):", *(f"    {line}" for line in lines)])
        return {
            s.name: to_text(s.value) for s in read_functions(body, ["activation"])["activation"]
        }

    function = FloatFunction(keeps=keeps)
    written = [line for text in SILU for line in function.lines(text)]
    assert any("_raised" in line for line in written)
    assert read(written) == read(SILU)


def test_lines_of_kernels_stay_as_they_are():
    """Only scalar functions compute with pairs: a kernel's loop is none."""
    lines = ["@njit", "def activation(z):", *(f"    {x}" for x in SILU), "", "@native",
             "def forward(z):", "    output[i] = np.float64(da[i]) * activation(z[i])"]  # fmt: skip
    found = in_tiers(lines, {"activation": "compensated", "forward": "single"}, "double")
    ast.parse("\n".join(found))
    assert found[-1] == "    output[i] = np.float32(da[i]) * activation(z[i])"
    assert any("pairs.product" in line for line in found)


def test_quotients_of_one_exponential_run_in_float32():
    """The sigmoid and its slope, within 2 and 4 ulp."""
    kernels = activation_kernels(activation_formula("sigmoid"), np.float32)
    tiers = set(map(without_exceptions, kernels.choice.tiers.values()))
    assert tiers <= {"single", "fitted", "divided", "compensated"}
    assert "float64" not in kernels.forward.source.split("def activation")[1].split("@native")[0]


@pytest.mark.parametrize("keeps", ["quotients", "everything"])
def test_an_exponential_gets_all_digits_of_its_argument(keeps):
    """What rounding takes from ``1.3 x`` counts 80 times in ``exp(-1.3 x)`` where that is 80."""
    function = FloatFunction(keeps=keeps)
    assert function.lines("t = exp(x * -1.3)") == [
        "t = pairs.exp(pairs.scaled(pairs.parts(-1.3), x))"
    ]
    assert function.lines("u = exp(x * -0.5)") == ["u = single.exp((x * -np.float32(0.5)))"]


def test_a_factor_that_vanishes_is_raised_with_its_sign():
    function = FloatFunction(keeps="quotients")
    function.lines("t = exp(x * -1.0)")
    raised, product = function.lines("return -t * (x - 1.0)")
    assert raised.startswith("t_raised = single.raised_exp(")
    assert "-t_raised" in product
    assert product.endswith("pairs.LOWERED)")


def test_an_exponential_over_a_number_is_raised():
    """It is lowered last: what is subnormal takes a processor a hundred times as long."""
    function = FloatFunction(keeps="quotients")
    function.lines("t = exp(-z * z)")
    raised, result = function.lines("return (t * 2.0) / 1.7724538509055159")
    assert raised.startswith("t_raised = pairs.raised_exp")
    assert result.startswith("return pairs.lowered(")


def test_a_quotient_of_bounded_numbers_needs_no_watch_over_infinities():
    """Those of tanh are; an infinite denominator would make a NaN of nothing times infinity."""
    function = FloatFunction(keeps="everything")
    for line in ("t = expm1(abs(z) * -2.0)", "numerator = -t", "denominator = (2.0 + t)"):
        function.lines(line)
    (result,) = function.lines("return numerator / denominator * copysign(1.0, z)")
    wanted = "pairs.bounded_quotient(numerator, denominator) * copysign(np.float32(1.0), z)"
    assert result == f"return {wanted}"
    (result,) = function.lines("return numerator / (abs(z) + 1.0)")
    assert "bounded" not in result
