"""The reference: values and derivatives known by hand, kinks, limits, and that it never hangs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import libmp, mp, mpf

from chainrule.certificates._ulp import format_of, to_number
from chainrule.formulas import parse
from chainrule.references._ball import EXACT, UNKNOWN, Ball
from chainrule.references._elementary import OPERATIONS
from chainrule.references._reference import Reference
from chainrule.references._truth import Truth

FLOAT32, FLOAT64 = format_of("float32"), format_of("float64")
TANH = "(exp(z) - exp(-z))/(exp(z) + exp(-z))"


def truth(text: str, z: float, dtype: str = "float32", **parameters: float) -> Truth:
    reference = Reference(parse(text, parameters), format_of(dtype))
    return reference.at(libmp.from_float(z))


def slope(found: Truth) -> float:
    assert found.left is not None
    assert found.left == found.right
    return to_number(found.left)


def value(found: Truth) -> float:
    assert found.value is not None
    return to_number(found.value)


def test_derivative_of_the_sigmoid_survives_saturation() -> None:
    """Where a(1 - a) is 0 in floating point, the derivative is still e^-z."""
    found = truth("1/(1 + exp(-z))", 63.8)
    assert slope(found) == pytest.approx(math.exp(-63.8), rel=1e-15)
    assert value(found) == 1.0


@pytest.mark.parametrize(
    ("text", "z", "expected"),
    [
        ("exp(exp(z**2))", 100.0, math.inf),
        ("exp(exp(z**2))", -1e38, -math.inf),
        ("expm1(exp(1.702*z))", 1e20, math.inf),
        ("-2*sinh(exp(z)) - z", 1e6, -math.inf),
        ("cosh(exp(z**2) + z)", -200.0, -math.inf),
        ("z*exp(exp(z**2))", -300.0, math.inf),
        ("1 - exp(exp(z))*exp(exp(z) + z)", 1e10, -math.inf),
    ],
)
def test_slopes_too_large_to_be_computed_are_infinite(text: str, z: float, expected: float) -> None:
    """Of such values a lower bound is known alone, and yet which way they go."""
    assert slope(truth(text, z)) == expected


@pytest.mark.parametrize("text", ["exp(exp(z)) - exp(exp(z))", "exp(exp(z)) - exp(exp(z) - 1)"])
def test_differences_of_what_is_too_large_are_not_told(text: str) -> None:
    """Of two lower bounds nobody knows the difference."""
    assert truth(text, 1e10).left is None


def test_logarithms_and_differences_next_to_one_are_told_in_the_tails() -> None:
    """log(erf(z)) is -erfc(z) to the last digit, and an interval's mass that of its nearer end."""
    for z in (9.0, 40.0, 3000.0):
        assert value(truth("(1 - erf(z))/log(erf(z))", z)) == -1.0
        assert value(truth("(1 - tanh(z))/log(tanh(z))", z)) == pytest.approx(-1.0, abs=1e-7)
    with mp.workdps(40):
        for z in (-20.0, 20.0, 300.0):
            far = mpf(abs(z))
            near = far if z > 0 else far - 1
            total = mp.erfc(near) - mp.erfc(near + 1)
            assert value(truth("log(erf(z + 1) - erf(z))", z)) == pytest.approx(mp.log(total))
    assert slope(truth("log(tanh(z))", 0.5)) == pytest.approx(2 / math.sinh(1.0))
    assert value(truth("erf(z) - erf(-z)", 0.0)) == 0.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("text", "z", "expected", "derivative"),
    [
        ("exp(z)", 1.0, math.e, math.e),
        (TANH, 1e-40, 1e-40, 1.0),
        (TANH, 1e-300, 1e-300, 1.0),
        (TANH, -38.8, -1.0, 4 * math.exp(-77.6)),
        (TANH, 1e38, 1.0, 0.0),
        ("log(1 + exp(z))", 1e38, 1e38, 1.0),
        ("log(1 + exp(z))", -1e38, 0.0, 0.0),
        ("sqrt(z**2 + 1) - 1", 1e-30, 5e-61, 1e-30),
        ("(1 + z)**7 - 1", 1e-25, 7e-25, 7.0),
        ("1/(1 + exp(-z))", 1e38, 1.0, 0.0),
        ("exp(-exp(z))", 1e6, 0.0, 0.0),
        ("log(1 - tanh(z)**2)", 1e38, -2e38, -2.0),
        ("log(1 - tanh(z)*tanh(z))", -400.0, math.log(4) - 800, 2.0),
        ("log(1 - erf(z)**2)", 1e15, -1e30, -2e15),
        ("log(log(1 + exp(z)))", -1e38, -1e38, 1.0),
        ("log(1 + exp(z))**1.5", -1e38, 0.0, 0.0),
        ("log(log(1 + exp(-z**2)))", 3e15, -9e30, -6e15),
        ("(z - 1)**2", 1.0, 0.0, 0.0),
        ("exp(-z**2)", 0.0, 1.0, 0.0),
        ("sin(1000000*z)/1000000", 1.0, math.sin(1e6) / 1e6, math.cos(1e6)),
        ("exp(2**45*(z - 1))", 1.0, 1.0, 2.0**45),
        (
            "(z - 1)**2 + (z - 1)**3*10**12",
            1.0 + 2**-20,
            2**-40 + 1e12 * 2**-60,
            2**-19 + 3e12 * 2**-40,
        ),
        ("z**3", -2.0, -8.0, 12.0),
        ("z**(1/2)", 4.0, 2.0, 0.25),
        ("sin(pi*z)", 0.5, 1.0, 0.0),
        ("asinh(z) + atan(z)", 0.0, 0.0, 2.0),
        ("expm1(z) + log1p(z)", 0.0, 0.0, 2.0),
        ("sinh(z) - cosh(z)", 0.0, -1.0, 1.0),
        ("cos(z) + erf(z)", 0.0, 1.0, 2 / math.sqrt(math.pi)),
        ("z - z", 1e38, 0.0, 0.0),
    ],
)
def test_values_and_derivatives_known_by_hand(
    text: str, z: float, expected: float, derivative: float, dtype: str
) -> None:
    """Cancellation at either end of the format costs nothing."""
    found = truth(text, z, dtype)
    smallest = 2.0 ** format_of(dtype).smallest_exponent
    assert value(found) == pytest.approx(expected, rel=1e-14, abs=smallest / 1000)
    assert slope(found) == pytest.approx(derivative, rel=1e-14, abs=smallest / 1000)


@pytest.mark.parametrize(
    ("text", "z", "left", "right"),
    [
        ("max(0, z)", 0.0, 0.0, 1.0),
        ("abs(z)", 0.0, -1.0, 1.0),
        ("max(0, min(1, z/6 + 1/2))", 3.0, 1 / 6, 0.0),
        ("where(z > 0, z, alpha*(exp(z) - 1))", 0.0, 1.5, 1.0),
        ("where(z > 0, 1, 0)", 0.0, 0.0, math.inf),
    ],
)
def test_a_kink_has_two_derivatives(text: str, z: float, left: float, right: float) -> None:
    found = truth(text, z, alpha=1.5) if "alpha" in text else truth(text, z)
    assert found.is_kink
    assert found.left is not None
    assert found.right is not None
    assert to_number(found.left) == pytest.approx(left)
    assert to_number(found.right) == pytest.approx(right)


@pytest.mark.parametrize("text", ["max(0, z) + min(0, exp(z) - 1)", "max(z, 0) + min(z, 0)"])
def test_a_smooth_join_is_no_kink(text: str) -> None:
    """Two switches that cancel, as in the CELU, leave one derivative."""
    assert slope(truth(text, 0.0)) == pytest.approx(1.0)


def test_a_point_beside_a_kink_is_smooth() -> None:
    assert slope(truth("max(0, z)", 2.0**-149)) == 1.0
    assert slope(truth("max(0, z)", -(2.0**-149))) == 0.0


def test_outside_the_domain_is_undefined() -> None:
    for text, z in (("log(z)", -1.0), ("sqrt(z)", -1.0), ("z**(1/3)", -8.0), ("1/z", 0.0)):
        assert truth(text, z).value == libmp.fnan
    assert truth("log(z)", 0.0).value == libmp.fninf
    assert truth("sqrt(z)", 0.0).left == libmp.fnan
    assert truth("sqrt(abs(z))", 0.0).left is None


@pytest.mark.parametrize(
    "text",
    [
        "exp(-exp(z))", "exp(exp(z))", "sin(exp(exp(z)))", "exp(exp(exp(exp(z))))", "exp(-z**2)",
        "tanh(exp(exp(z)))", "sinh(exp(z**9))", "log(1 + exp(exp(z)))", "z**1000*erf(exp(z))",
        "cosh(exp(z))**-1000", "exp(z)/(1 + exp(z*z))",
    ],
)  # fmt: skip
@pytest.mark.parametrize("z", [1e6, -1e6, 4.1e31, 1e38, 3e300])
def test_no_tower_of_exponentials_is_worked_out(
    text: str, z: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers that cannot be written down are large or small, or said to be unknown."""
    digits = [0]

    def counted(own):
        def function(x, precision, *more):
            # Beyond the digits asked for it works with those before the argument's point.
            digits.append(precision + max(0, x[2] + x[3]))
            assert digits[-1] < 100_000
            return own(x, precision, *more)

        return function

    for name in ("mpf_exp", "mpf_tanh", "mpf_sinh", "mpf_cosh", "mpf_sin", "mpf_cos"):
        monkeypatch.setattr(libmp, name, counted(getattr(libmp, name)))
    truth(text, z, "float64")
    assert max(digits) < 100_000


def test_what_cannot_be_had_is_none() -> None:
    found = truth("sin(exp(exp(z)))", 1e6)
    assert found.value is None
    assert found.left is None
    overflown = truth("exp(exp(z))", 1e6)
    assert overflown.value == libmp.finf
    assert overflown.left == overflown.right == libmp.finf


@pytest.mark.parametrize(
    ("text", "above", "below"),
    [
        ("z", (math.inf, 1.0), (-math.inf, 1.0)),
        ("1/(1 + exp(-z))", (1.0, 0.0), (0.0, 0.0)),
        ("log(1 + exp(z))", (math.inf, 1.0), (0.0, 0.0)),
        ("z/(1 + abs(z))", (1.0, 0.0), (-1.0, 0.0)),
        ("atan(z)", (math.pi / 2, 0.0), (-math.pi / 2, 0.0)),
        ("log(1 + z**2)", (math.inf, 0.0), (math.inf, 0.0)),
        ("sin(pi*z)", (math.nan, math.nan), (math.nan, math.nan)),
        ("z*sin(z)", (math.nan, math.nan), (math.nan, math.nan)),
        ("max(0, sin(7*z/10))", (math.nan, math.nan), (math.nan, math.nan)),
        ("max(0, sin(z))", (math.nan, math.nan), (math.nan, math.nan)),
        ("max(0, sin(z))/z", (0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_limits(text: str, above: tuple[float, float], below: tuple[float, float]) -> None:
    """A limit is a number, an infinity, or not a number where the function oscillates."""
    reference = Reference(parse(text), FLOAT32)
    for direction, expected in ((1, above), (-1, below)):
        found = [
            None if limit is None else to_number(limit) for limit in reference.limits(direction)
        ]
        assert found == pytest.approx(list(expected), nan_ok=True)


@pytest.mark.parametrize(
    ("text", "slopes"),
    [
        ("sign(z)", (0.0, 0.0)),
        ("sign(z)*(z**2 + 3*abs(z) + 1)", (3.0, 3.0)),
        ("z + sign(z)*where(z > 0, 1 + z, 1 + 3*z)", (-2.0, 2.0)),
        ("sign(z)*(sqrt(abs(z)) - 1)", None),
        ("sign(z)*sqrt(abs(z))", None),
        ("z**3", (0.0, 0.0)),
        ("sin(z) + z", (2.0, 2.0)),
    ],
)
@pytest.mark.parametrize("form", [FLOAT32, FLOAT64])
def test_slopes_where_a_function_leaps_are_those_beside_it(text, slopes, form) -> None:
    """A jump through a value in its middle is no slope of 2**211; by hand, from either side."""
    truth = Reference(parse(text), form).at(libmp.fzero)
    ends = (truth.left, truth.right)
    if slopes is None:
        assert ends == (None, None)
    else:
        assert [to_number(end) for end in ends] == pytest.approx(list(slopes), abs=1e-15)


def raws(numbers: list[float]) -> list[tuple[int, int, int, int]]:
    return [libmp.from_float(number) for number in numbers]


@pytest.mark.parametrize("text", ["exp(z)/sum(exp(z))", "exp(z - max(z))/sum(exp(z - max(z)))"])
def test_softmax_jacobian(text: str) -> None:
    """The vector-Jacobian product with unit vectors gives a_p(1 - a_p) and -a_p a_j."""
    z = [0.5, -1.0, 2.0, 2.0]
    total = math.fsum(map(math.exp, z))
    a = [math.exp(unit) / total for unit in z]
    reference = Reference(parse(text), FLOAT64)
    for p in range(4):
        found = reference.layer(raws(z), raws([float(p == k) for k in range(4)]))
        assert found is not None
        assert [to_number(unit) for unit in found.values] == pytest.approx(a, rel=1e-14)
        expected = [a[p] * (1 - a[p]) if p == j else -a[p] * a[j] for j in range(4)]
        assert [to_number(unit) for unit in found.left] == pytest.approx(expected, rel=1e-14)
        assert found.left == found.right


def test_kinks_of_a_layer_have_two_sides() -> None:
    found = Reference(parse("max(z) - z"), FLOAT32).layer(raws([1.0, 1.0]), raws([1.0, 0.0]))
    assert found is not None
    assert [to_number(unit) for unit in found.left] == [-1.0, 0.0]
    assert [to_number(unit) for unit in found.right] == [0.0, 1.0]


def test_terms_count_what_a_unit_does_to_itself_apart() -> None:
    """In a saturated softmax a_j(1 - a_j) is tiny, but what is subtracted is not."""
    found = Reference(parse("exp(z)/sum(exp(z))"), FLOAT32).layer(
        raws([40.0, 0.0]), raws([1.0, 0.0])
    )
    assert found is not None
    assert to_number(found.left[0]) == pytest.approx(math.exp(-40), rel=1e-9)
    assert found.terms[0] >= 0


NUMBERS = st.floats(-50, 50).filter(lambda z: abs(z) > 1e-6)


@given(st.sampled_from(sorted(OPERATIONS)), NUMBERS, NUMBERS, st.integers(30, 200))
def test_balls_hold_the_truth(operation: str, x: float, y: float, precision: int) -> None:
    """Whatever the precision, the ball contains the result to 400 bits; inexact inputs too."""
    two = operation in (
        *("add", "subtract", "multiply", "divide", "power", "maximum", "minimum"),
        "difference_of_erf",
    )
    if operation == "power":
        y = float(round(y))

    def third(number: float, bits: int) -> Ball:
        raw = libmp.mpf_div(libmp.from_float(number), libmp.from_int(3), bits, "n")
        return raw, raw[2] + raw[3] - bits

    arguments = [third(number, precision) for number in (x, y)[: 1 + two]]
    sharp = [third(number, 900) for number in (x, y)[: 1 + two]]
    if operation == "power":
        arguments[1] = sharp[1] = (libmp.from_float(y), EXACT)
    coarse = OPERATIONS[operation](*arguments, precision)
    fine = OPERATIONS[operation](*sharp, 900)
    if coarse == UNKNOWN or libmp.fnan in (coarse[0], fine[0]):
        return
    with mp.workprec(1000):
        distance = abs(mp.make_mpf(coarse[0]) - mp.make_mpf(fine[0]))
        assert distance <= mpf(2) ** coarse[1] + mpf(2) ** fine[1]


@pytest.mark.parametrize("z", [0.3, 2.1, 30.25, 1e4, 1e20, 1e140])
@pytest.mark.parametrize("text", ["log(1 - erf(z))", "log(erf(-z) + 1)"])
def test_the_tail_of_the_error_function_is_known(text: str, z: float) -> None:
    """``1 - erf(1e4)`` has its first digit at the 43-millionth place."""
    found = truth(text, z, "float64")
    with mp.workdps(60):
        if z < 1e100:
            exact, inverse = mp.log(mp.erfc(z)), mp.exp(-(mpf(z) ** 2)) / mp.erfc(z)
        else:
            exact, inverse = -(mpf(z) ** 2), mpf(z) * mp.sqrt(mp.pi)
    assert value(found) == pytest.approx(float(exact), rel=1e-15)
    assert slope(found) == pytest.approx(float(-2 / mp.sqrt(mp.pi) * inverse), rel=1e-15)


@given(NUMBERS)
def test_agrees_with_mpmath_on_mish(z: float) -> None:
    found = truth("z*tanh(log(1 + exp(z)))", z, "float64")
    with mp.workprec(300):
        exact = mpf(z) * mp.tanh(mp.log(1 + mp.exp(z)))
        derivative = mp.diff(lambda t: t * mp.tanh(mp.log(1 + mp.exp(t))), mpf(z))
    assert value(found) == pytest.approx(float(exact), rel=1e-15)
    assert slope(found) == pytest.approx(float(derivative), rel=1e-12)


@pytest.mark.parametrize("z", [100.0, 1e4, 1e30, -1e4])
def test_functions_that_flatten_are_known_of_what_is_far(z):
    """atan(sinh(z)) is half a turn but for 2 exp(-|z|), asinh(sinh(z)) is z."""
    found = truth("atan(sinh(z))", z)
    assert to_number(found.value) == pytest.approx(math.copysign(math.pi / 2, z), rel=1e-15)
    assert slope(truth("asinh(sinh(z))", z)) == 1.0


@pytest.mark.parametrize("z", [3.5, 700.0, 1e6, 1e30, 3e38])
def test_tails_of_the_hyperbolic_tangent_are_known(z):
    """1 - tanh(z) is 2 / (1 + exp(2 z)): no precision shows the difference at 1e6."""
    found = truth("log(1 - tanh(z))", z)
    with mp.workdps(60):
        exact = mp.log(2) - 2 * mpf(z) - mp.log1p(mp.exp(-2 * mpf(z)))
    assert to_number(found.value) == pytest.approx(float(exact), rel=1e-15)
    assert slope(found) == pytest.approx(-1 - math.tanh(z), rel=1e-15)
    assert slope(truth("log(1 + tanh(z))", -z)) == pytest.approx(1 + math.tanh(z), rel=1e-15)


@pytest.mark.parametrize("z", [3.5, 700.0, 1e30])
def test_a_difference_of_an_exponential_and_1_is_known_of_what_is_small(z):
    """log(1 - exp(-exp(-z))) is -z but for exp(-z)/2, and exp(-z) more than digits show."""
    found = truth("log(1 - exp(-exp(-z)))", z)
    exact = math.log(-math.expm1(-math.exp(-z))) if z < 10 else -z
    assert to_number(found.value) == pytest.approx(exact, rel=1e-14)
    assert slope(truth("log(exp(exp(-z)) - 1)", z)) == pytest.approx(
        -math.exp(-z) / -math.expm1(-math.exp(-z)) if z < 10 else -1.0, rel=1e-14
    )
