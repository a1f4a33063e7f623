"""Formulas as nobody should write them: kernels are mended wherever the formula loses digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from tests.cases import some_of

from chainrule.certificates import certify
from chainrule.derivations import derive, evaluate
from chainrule.formulas import parse
from chainrule.kernels import backward, forward
from chainrule.kernels._elementwise import scalar_function, scalar_functions
from chainrule.kernels.source._fit import fitted, fitted_by_size
from chainrule.kernels.source._interpreter import interpreted

NAIVE = (
    *("sqrt(z**2 + 1) - 1", "z - log(cosh(z))", "(1 + erf(z))/2", "z - sin(z)", "1 - cos(z)"),
    *("exp(z) - 1 - z", "z/sqrt(1 + z**2) - 1", "1 - exp(-exp(z))", "atan(z) - z", "asinh(z) - z"),
    *("z*(1 - z/sqrt(1 + z**2))", "z*tanh(exp(z))", "(exp(z) - 1)/z", "sin(z)/z", "tanh(z)/z"),
    *("z*erf(exp(z))", "log((1 + exp(z))/2)", "z - sqrt(z**2 + 3)"),
)
BY_SIZE = (
    "sqrt(z) - sqrt(z + 1) + log(1 + 1/z)",
    "exp(-log(z)**2/2)/(z*(1 - erf(log(z)/sqrt(2))))",
    "((1 - erf(z))/(1 + erf(z)))/log(erf(z))",
    "log(erf(z - 3) - erf(z - 4))",
    "sqrt(z + sqrt(z)) - sqrt(z)",
    "z - sqrt(z)*sqrt(z - 1)",
)
ROOTS = ("z/sqrt(1 + z**2)", "(z + sqrt(z**2 + 4))/2", "sqrt(2*z**2 + 5) + z/9", "1/sqrt(z**2 + 9)",
         "sqrt(z**2 + 1e20)", "sqrt(1e-20*z**2 + 1)", "z/(1 + abs(z))",
         "z/(1 + abs(z))**2", "2/(3 + abs(z))**3")  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("text", NAIVE)
def test_a_naive_formula_passes_its_certificate(text):
    """In float32, over the whole range: within 2 and 4 ulp, limits at the infinities."""
    certificate = certify(parse(text, {}))
    assert certificate.passed, str(certificate)
    assert certificate.meets(2.0, 4.0, conditioned=True)


@pytest.mark.long
@pytest.mark.parametrize("text", BY_SIZE)
def test_what_goes_like_a_power_or_a_logarithm_passes_its_certificate(text):
    """Tails that no polynomial in z or 1/z reaches are polynomials in the logarithm of z."""
    certificate = certify(parse(text, {}))
    assert certificate.passed, str(certificate)


def test_tails_of_fractional_powers_keep_their_digits():
    """The slope of √z - √(z + 1) + log(1 + 1/z) goes like z**-1.5/4 far out."""
    formula = parse(BY_SIZE[0], {})
    z = np.array([3e7, 2.4e8, 2e12, 1e23, 3e38], np.float32)
    slopes = backward(formula, np.ones_like(z), z)
    with mpmath.workdps(120):
        for x, got in zip(z, slopes, strict=True):
            t = mpmath.mpf(float(x))
            wanted = (1 / mpmath.sqrt(t) - 1 / mpmath.sqrt(t + 1)) / 2 - 1 / (t * (t + 1))
            unit = max(float(np.spacing(np.float32(abs(wanted)))), 1e-45)
            assert abs(mpmath.mpf(float(got)) - wanted) <= 4 * unit


def test_a_fit_by_size_is_one_polynomial_over_many_octaves():
    """Of z**-1.5 and of log(z), on either side of 0."""
    with mpmath.workdps(40):
        for side in (1, -1):
            low, high = sorted((side * 1e3, side * 2.0**128))

            def power(z, side=side):
                return (side * z) ** mpmath.mpf("-1.5")

            def logarithm(z, side=side):
                return mpmath.log(side * z)

            for truth in (power, logarithm):
                fit = fitted_by_size(truth, low, high, 34)
                assert fit is not None
                assert len(fit.coefficients) == 2
                value = interpreted(*fit.source("u"), {})
                for size in (1e4, 1e20, 1e38):
                    assert value(side * size) == pytest.approx(truth(side * size), rel=1e-12)
        assert fitted_by_size(power, -1.0, 1.0, 34) is None


def test_what_is_right_by_chance_is_no_end_of_a_fit():
    """sqrt(z + sqrt(z)) - sqrt(z) goes to 1/2, at every size."""
    z = np.ldexp(np.linspace(1.0, 1.99, 7)[:, np.newaxis], np.arange(80, 128)).astype(np.float32)
    a = forward(parse("sqrt(z + sqrt(z)) - sqrt(z)", {}), z.ravel())
    assert np.abs(a - 0.5).max() < 1e-7


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_fit_gives_values_where_the_function_has_none(dtype):
    """A power with a fraction has none below 0, however small those next to 0 above."""
    z = np.array([-np.inf, -3.0, -0.5, -1e-30], dtype)
    formula = parse("z**1.7*log(1 + 1/z)", {})
    assert np.isnan(forward(formula, z)).all()
    assert np.isnan(backward(formula, np.ones_like(z), z)).all()


def test_a_fit_that_harms_at_one_end_is_taken_at_the_other():
    """The mass of an interval by erf, in float64 too: as right in one tail as in the other."""
    formula = parse("erf(z + 1) - erf(z - 1)", {})
    z = np.array([3.5, 4.5, 5.4, 7.5, 9.0])
    a = forward(formula, np.concatenate([z, -z]))
    with mpmath.workdps(120):
        wanted = [float(mpmath.erf(x + 1) - mpmath.erf(x - 1)) for x in map(mpmath.mpf, z)]
    assert a == pytest.approx(2 * wanted, rel=1e-13, abs=0.0)


@pytest.mark.long
@pytest.mark.parametrize("text", ROOTS)
@pytest.mark.parametrize(("dtype", "largest"), [("float32", 38), ("float64", 308)])
def test_no_square_of_a_large_number_overflows(text, dtype, largest):
    """Values and slopes up to the ends of the format, beside those of many digits."""
    powers = [k * largest / 40 for k in range(40)]
    z = np.array([sign * 10.0**k for k in powers for sign in (1, -1)], dtype)
    formula = parse(text, {})
    a, slopes = forward(formula, z), backward(formula, np.ones_like(z), z)
    with mpmath.workdps(700):
        for x, value, slope in zip(z, a, slopes, strict=True):
            place = mpmath.mpf(float(x))
            true = evaluate(formula.expression, {"z": place})
            change = derive(formula).steps[-1].in_variables
            for got, wanted in ((value, true), (slope, evaluate(change, {"z": place}))):
                unit = float(np.spacing(np.abs(np.array(float(wanted)).astype(dtype))))
                assert abs(mpmath.mpf(float(got)) - wanted) <= 4 * unit


@pytest.mark.parametrize("dtype", some_of(["float32", "float64"], 2))
@pytest.mark.parametrize(
    ("text", "inner", "change"),
    [
        ("sqrt(expm1(z - 1)**2)", lambda u: mpmath.expm1(u), lambda u: mpmath.exp(u)),
        ("sqrt((z - 1)*(z - 1))", lambda u: u, lambda u: mpmath.mpf(1)),
    ],
)
def test_the_root_of_a_square_keeps_its_zero(text, inner, change, dtype):
    """It is |x|: 0 with the slope 0 at the zero, and of full digits next to it."""
    steps = np.array([0.0, 2.0**-23, -(2.0**-23), 2.0**-20, -0.25, 0.25], dtype)
    z, formula = 1 + steps, parse(text, {})
    a, slopes = forward(formula, z), backward(formula, np.ones_like(z), z)
    close = 2.0 ** (-22 if dtype == "float32" else -50)
    for u, value, slope in zip(steps, a, slopes, strict=True):
        exact = mpmath.mpf(float(u))
        x = inner(exact)
        assert value == pytest.approx(float(abs(x)), rel=close)
        assert slope == pytest.approx(float(mpmath.sign(x) * change(exact)), rel=close)


def test_what_loses_nothing_is_left_as_it_is():
    """No fit and no limit is added to a sigmoid or a softplus."""
    for text in ("1/(1 + exp(-z))", "log(1 + exp(z))", "z/(1 + exp(-z))"):
        source = "\n".join(scalar_functions(parse(text, {}), "float32"))
        assert "fit" not in source
        assert "inf" not in source


def test_a_removable_zero_gets_its_series():
    """(z - tanh z)/z³ is 1/3 at 0: one polynomial serves both signs."""
    z = np.array([1e-30, 1e-12, -1e-5, 1e-3], dtype=np.float64)
    a = forward(parse("z - tanh(z)", {}), z)
    np.testing.assert_allclose(a, z**3 / 3 * (1 - 2 * z**2 / 5), rtol=1e-9)


@pytest.mark.parametrize(
    ("function", "low", "high", "power", "sign"),
    [
        (lambda z: z**3 * (1 + z) / 7, -0.5, 0.5, 3, 0),
        (lambda z: (2 + 1 / z) / z, 4.0, np.inf, -1, 0),
        (lambda z: -(2 ** -(z * z)), 3.0, 20.0, 0, -1),
    ],
)
def test_fits_find_the_power_and_the_sign(function, low, high, power, sign):
    """A zero of third order, a tail like 2/z, a tail that decays like a Gaussian."""
    fit = fitted(function, low, high, 40)
    assert (fit.power, fit.sign) == (power, sign)
    lines, result = fit.source("u")
    for z in (low + 0.25, low + 0.4, min(high, 100.0) - 0.1):
        names = {"z": z, "exp": np.exp}
        exec("\n".join(lines), names)
        assert eval(result, names) == pytest.approx(float(function(z)), rel=1e-10)


def test_a_fit_keeps_a_zero_away_from_0():
    """Digits are kept as near to it as numbers are."""
    fit = fitted(lambda z: (z - 3) ** 2 * mpmath.exp(z), 2.0, 3.5, 40, 3.0)
    assert (fit.power, fit.centre) == (2, 3.0)
    value = interpreted(*fit.source("u"), {})
    for u in (2.0**-50, -(2.0**-30), 0.25, -0.75):
        assert value(3.0 + u) == pytest.approx(u**2 * np.exp(3.0 + u), rel=1e-10)


def test_what_lies_between_two_fits_of_float64_is_in_one_of_them():
    """Neither of two that meet at 0 had it."""
    formula = parse("1/(z + 0.5) - 1/sinh(z + 0.5)", {})
    wanted = 2 - 1 / mpmath.sinh(mpmath.mpf("0.5"))
    assert forward(formula, np.zeros(1))[0] == pytest.approx(float(wanted), rel=4e-16)


def test_a_function_with_a_kink_has_no_fit_across_it():
    """|z| and sqrt(z) are no power series at 0."""
    assert fitted(abs, -1.0, 1.0, 40) is None


def test_a_fit_whose_numbers_are_none_is_not_used():
    """Near 1e173 the series of this cubic leaves the format."""
    from chainrule.kernels import forward

    z = np.array([0.5, 1.2, 3.0])
    wanted = (z - 1) ** 2 * (z - 1.0005)
    np.testing.assert_allclose(forward(parse("(z - 1)**2*(z - 1.0005)"), z), wanted, rtol=1e-13)


@pytest.mark.parametrize(
    ("text", "ends"),
    [("-z*log(z)", [0.0]), ("z*log(z) + (1 - z)*log(1 - z)", [0.0, 1.0]),
     ("(2*z - 1)**2*log(2*z - 1)", [0.5]), ("z*log(atan(z))", [0.0])],
)  # fmt: skip
def test_a_factor_that_is_0_where_its_logarithm_is_infinite_makes_the_value_0(text, ends):
    z = np.array([*ends, -0.0]) if 0.0 in ends else np.array(ends)
    np.testing.assert_array_equal(forward(parse(text, {}), z), np.zeros_like(z))


def test_roots_of_two_large_numbers_do_not_cancel():
    """Beside 1/(sqrt(z + 1) + sqrt(z)), and its slope, in many digits."""
    formula, z = parse("sqrt(z + 1) - sqrt(z)", {}), np.geomspace(1e-3, 1e200, 60)
    with mpmath.workdps(40):
        roots = [(mpmath.sqrt(mpmath.mpf(x) + 1), mpmath.sqrt(mpmath.mpf(x))) for x in z.tolist()]
        values = [float(1 / (a + b)) for a, b in roots]
        slopes = [float(-1 / (2 * a * b * (a + b))) for a, b in roots]
    np.testing.assert_allclose(forward(formula, z), values, rtol=1e-15)
    np.testing.assert_allclose(backward(formula, np.ones_like(z), z), slopes, rtol=2e-15)


def test_the_logarithm_of_one_less_a_little_keeps_it():
    z = np.geomspace(1e-300, 0.9, 50)
    with mpmath.workdps(40):
        true = [float(mpmath.log(-mpmath.log1p(-mpmath.mpf(x)))) for x in z.tolist()]
    found = forward(parse("log(-log(1 - z))", {}), z)
    np.testing.assert_allclose(found, true, rtol=1e-15, atol=4e-16)


def test_the_logarithm_of_one_and_a_gaussian_keeps_its_tail():
    """It is right without being mended, and everywhere, not where polynomials reach."""
    formula = parse("atan(exp(2*z))/log(1 + exp(-z**2))", {})
    assert not any("fit" in line for line in scalar_function(formula, "float64", slope=False))
    z = np.linspace(-26.0, 26.0, 53)
    found = forward(formula, z)
    with mpmath.workdps(40):
        places = [mpmath.mpf(x) for x in z.tolist()]
        true = [float(mpmath.atan(mpmath.exp(2 * x)) / mpmath.log1p(mpmath.exp(-x * x)))
                for x in places]  # fmt: skip
    np.testing.assert_allclose(found, true, rtol=1e-13)


@pytest.mark.parametrize("dtype", some_of(["float64", "float32"], 2))
def test_zeros_between_exponentials_are_exact(dtype):
    """exp(-(z - 1)/2) is written as exp(1/2) exp(-z/2): what cancels it at 1 left 1e-17."""
    formula = parse("-(z - 1)/2 - exp(-(z - 1)/2) - log(2)", {})
    z = np.array([0.5, 1.0, 1.5], dtype)
    found = backward(formula, np.ones_like(z), z)
    np.testing.assert_allclose(found, np.expm1(-(z - 1) / 2) / 2, rtol=4e-7)
    assert found[1] == 0


def test_what_cancels_between_two_centres_is_zero_in_the_middle():
    """Two sigmoids have the same slope halfway between their centres: not 1e-18 more."""
    z = np.array([0.4375, 0.5, 0.5625, 1.5], np.float32)
    slopes = backward(parse("1/(1 + exp(-z)) - 1/(1 + exp(-z + 1))"), np.ones_like(z), z)
    assert slopes[1] == 0
    with mpmath.workdps(60):
        true = [1 / (4 * mpmath.cosh(x / 2) ** 2) - 1 / (4 * mpmath.cosh((x - 1) / 2) ** 2)
                for x in map(mpmath.mpf, z[[0, 2, 3]].tolist())]  # fmt: skip
    np.testing.assert_allclose(slopes[[0, 2, 3]], [float(t) for t in true], rtol=4e-7)


@pytest.mark.parametrize(
    ("text", "sign", "exact"),
    some_of([
        ("-exp(-z)*log(1 - exp(-exp(z)))", -1,
         lambda x: mpmath.exp(-x) * mpmath.log(-mpmath.expm1(-mpmath.exp(x)))
         - mpmath.exp(-mpmath.exp(x)) / -mpmath.expm1(-mpmath.exp(x))),
        ("(1 + exp(z))**(1/3) - 1", 1,
         lambda x: mpmath.exp(x) * (1 + mpmath.exp(x)) ** mpmath.mpf(-2 / 3) / 3),
    ], 2),
)  # fmt: skip
def test_slopes_overflow_and_are_no_nan(text, sign, exact):
    """Beyond what float64 holds a slope is infinite: infinities in its formula leave no number."""
    z = sign * np.array([1.0, 20.0, 80.0, 255.0, 1e3, 2e3, 3e4, 1e38], np.float32)
    found = backward(parse(text), np.ones_like(z), z)
    with mpmath.workdps(60):
        true = [exact(mpmath.mpf(x)) for x in z[:4].tolist()]
    largest = float(np.finfo(np.float32).max)
    wanted = [float(t) if abs(t) < largest else sign * np.inf for t in true]
    np.testing.assert_allclose(found[:4], wanted, rtol=4e-7)
    assert (found[4:] == sign * np.inf).all()


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ("where(z > 0, log(1 + z**2.5), -(-z)**0.5)", lambda x: mpmath.log1p(x ** mpmath.mpf(2.5))),
        ("where(z > 0, log(1 + atan(sqrt(z))**2), z)",
         lambda x: mpmath.log1p(mpmath.atan(mpmath.sqrt(x)) ** 2)),
    ],
)  # fmt: skip
def test_logarithms_of_one_and_roots_keep_what_is_small(text, small):
    """Roots vanish at 0 with what they are taken of: the sum rounds them away."""
    z = np.geomspace(1e-15, 1e3, 40)
    source = "\n".join(scalar_function(parse(text), "float32", slope=False))
    assert "log1p(" in source
    with mpmath.workdps(60):
        true = [float(small(mpmath.mpf(x))) for x in z.tolist()]
    np.testing.assert_allclose(forward(parse(text), z), true, rtol=2e-15)


def test_the_float_next_to_a_kink_is_on_its_own_side():
    """-10/3 rounds to a float32 above it, where the branch on the right is taken."""
    place = np.float32(-10 / 3)
    z = np.array([np.nextafter(place, np.float32(-4)), place], np.float32)
    assert float(z[0]) < -10 / 3 < float(z[1])
    slopes = backward(parse("max(z, -0.3*z**2)"), np.ones_like(z), z)
    np.testing.assert_allclose(slopes, [1.0, -0.6 * float(z[1])], rtol=4e-7)
