"""The derivative through the output: the known forms, and witnesses where there is none."""

from __future__ import annotations

import mpmath
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cases import bounded, some_of
from tests.formulas.language import (
    PARAMETERS,
    UndefinedError,
    bracketed,
    central_difference,
    elementwise,
    value_at,
)

from chainrule.catalogue import activation_formula
from chainrule.derivations import (
    NoOutputForm,
    NoOutputFormError,
    OutputForm,
    Witness,
    derive,
    output_form,
    smooth_pieces,
    through_output,
)
from chainrule.formulas import parse, to_text, variables_of

# formula, parameters, and D(a) on each piece from left to right, by hand
FORMS = {
    "sigmoid": ("1/(1 + exp(-z))", {}, [lambda a: a * (1 - a)]),
    "tanh": ("(exp(z) - exp(-z))/(exp(z) + exp(-z))", {}, [lambda a: 1 - a**2]),
    "tanh as a function": ("tanh(z)", {}, [lambda a: 1 - a**2]),
    "relu": ("max(0, z)", {}, [lambda a: 0, lambda a: 1]),
    "leaky relu": ("where(z > 0, z, s*z)", {"s": 0.25}, [lambda a: 0.25, lambda a: 1]),
    "softplus": ("log(1 + exp(z))", {}, [lambda a: 1 - mpmath.exp(-a)]),
    "sharp softplus": ("log(1 + exp(b*z))/b", {"b": 2.0}, [lambda a: 1 - mpmath.exp(-2 * a)]),
    "log sigmoid": ("-log(1 + exp(-z))", {}, [lambda a: 1 - mpmath.exp(a)]),
    "softsign": ("z/(1 + abs(z))", {}, [lambda a: (1 + a) ** 2, lambda a: (1 - a) ** 2]),
    "elu": (
        "where(z > 0, z, s*(exp(z) - 1))", {"s": 1.5}, [lambda a: a + 1.5, lambda a: 1],
    ),
    "celu": (
        "max(0, z) + min(0, s*(exp(z/s) - 1))", {"s": 2.0}, [lambda a: (a + 2) / 2, lambda a: 1],
    ),
    "squareplus": ("(z + sqrt(z**2 + b))/2", {"b": 4.0}, [lambda a: 4 * a**2 / (4 * a**2 + 4)]),
    "isru": (
        "z/sqrt(1 + s*z**2)", {"s": 3.0},
        [lambda a: (1 - 3 * a**2) * mpmath.sqrt(1 - 3 * a**2)],
    ),
    "exponential": ("exp(2*z)", {}, [lambda a: 2 * a]),
    "logit scaled": ("3/(1 + exp(-z/2))", {}, [lambda a: a * (3 - a) / 6]),
    "two rates": (
        "(exp(p*z) - exp(q*z))/(exp(p*z) + exp(q*z))", {"p": 0.75, "q": -0.375},
        [lambda a: 9 * (1 - a**2) / 16],
    ),
    "two rates without a small common divisor": (
        "(exp(z) - exp(q*z))/(exp(z) + exp(q*z))", {"q": -1 / 3},
        [lambda a: (1 + mpmath.mpf(1 / 3)) * (1 - a**2) / 2],
    ),
    "identity": ("z", {}, [lambda a: 1]),
    "cubed": ("where(z > 0, z**2, 0)", {}, [lambda a: 0, lambda a: 2 * mpmath.sqrt(a)]),
    "rational": ("1/(1 + z)", {}, [lambda a: -(a**2)]),
    "arcsinh of its output": ("sqrt(1 + z**2) + z", {}, [lambda a: 2 * a**2 / (1 + a**2)]),
}  # fmt: skip
COMPOSED = [
    "atan(z)", "z**3", "z**5", "asinh(z)", "sinh(z)", "z**3 + z", "sqrt(1 + exp(z)) + exp(z)",
    "2*atan(tanh(z/2))", "atan(sinh(z))", "atan(exp(z))", "1 - exp(-exp(z))", "exp(-exp(-z))",
    "tanh(tanh(z))", "sin(atan(z))", "sin(tanh(z))", "log(1 + exp(z))**2", "tanh(exp(z))",
    "log(log(1 + exp(z)) + 1)", "exp(z)**2 + exp(z)", "sinh(z) + sinh(z)**3", "asinh(z)**3",
    "tanh(z**3)", "2**z", "(sqrt(z**2 + 1) - 1)/2 + z", "sin(z)/cos(z)", "1/(1 + exp(-z**3))",
    "exp(tanh(z))", "log(2 + tanh(z))", "atan(z)**3 + atan(z)", "sqrt(1 + exp(2*z))",
    "z/sqrt(1 + z**2)", "asinh(exp(z))", "tanh(asinh(z))", "(1 + tanh(z))/(3 + tanh(z))",
    "atan(pi*z/2)*2/pi", "log1p(exp(3*z))", "expm1(z)**3", "tanh(log(1 + exp(z)))",
    "exp(-exp(-2*z))*3", "1.7159*tanh(2*z/3)",
]  # fmt: skip
ON_THE_RIGHT = [
    "log(cosh(z))", "exp(-z**2)", "z**4 + z**2", "cosh(z)", "z**0.3", "sqrt(z)", "1/(1 + z**2)",
    "z**2 + z", "exp(z**2)", "tanh(z**2)", "log(1 + z**2)",
]  # fmt: skip
REFUSED = [
    "z*exp(-z**2/1e9)", "z/(10**6 + z**2)",
    "sin(z)", "z*exp(z)", "exp(-z**2)", "log(cosh(z))", "z**2", "z**3 - 3*z", "cos(atan(z)/2)",
    "z/(1 + exp(-1.702*z))", "z*erf(log(1 + exp(z)))", "atan(z)*exp(-z**2)",
    "1/(1 + (z - 1000)**2)",
    "sin(50*z)", "asinh(z) - z*erf(z)", "z*(z - 1e-3)", "exp(z)/(1 + exp(z) + exp(2*z))",
]  # fmt: skip
ONE_TO_ONE = [
    "z - tanh(z)", "z + exp(z)", "z + sin(z)**2", "erf(z)", "z + erf(z)",
    "z*(1/2 + atan(z)/pi)", "z*(1.25 + 0.75*erf(1.875*z))/2",
]  # fmt: skip
WITHOUT = ["silu", "gelu", "mish", "gelu_tanh", "gaussian"]
LEFT_PLACES, RIGHT_PLACES = ("-4.7", "-2.2", "-0.6", "-0.13"), ("0.11", "0.7", "1.9", "5.3")


def assert_true(witness: Witness | None, expression, parameters) -> None:
    """Look for the second place anew and compare outputs and slopes."""
    assert witness is not None

    def function(z):
        return value_at(expression, z, parameters)

    with mpmath.workdps(90):
        first, low, high = (
            mpmath.mpf(x.numerator) / x.denominator for x in (witness.first, *witness.second)
        )
        assert high - low < 1e-20 * (1 + abs(low))
        differences = [function(z) - function(first) for z in (low, high)]
        assert differences[0] * differences[1] <= 0
        slopes = [central_difference(function, z) for z in (first, (low + high) / 2)]
        assert abs(slopes[0] - slopes[1]) > 1e-9 * max(map(abs, slopes))
        for got, wanted in zip(witness.slopes, slopes, strict=True):
            assert abs(got - wanted) < 1e-9 * (1 + abs(wanted))
        assert abs(witness.output - function(first)) < 1e-12 * (1 + abs(witness.output))


def assert_holds(form: OutputForm, expression, parameters, places) -> int:
    compared = 0
    for place in places:
        z = mpmath.mpf(place)
        with mpmath.workdps(200):
            try:
                a = value_at(expression, z, parameters)
                slope = mpmath.diff(lambda t: value_at(expression, t, parameters), z, h="1e-80")
                got = value_at(form.derivative, z, parameters, a=a)
            except (UndefinedError, ArithmeticError):
                continue
            assert abs(got - slope) < mpmath.mpf(10) ** -30 * (1 + abs(slope)), place
        compared += 1
    return compared


PLACES = ("-7.3", "-4.7", "-2.2", "-0.6", "-0.13", "0.11", "0.7", "1.9", "5.3", "6.1")


@pytest.mark.parametrize("text", some_of(COMPOSED, 2))
def test_forms_of_composed_functions_are_found(text):
    """By inverting the outer function, or eliminating several generators."""
    formula = parse(text)
    (form,) = derive(formula).output_forms
    assert isinstance(form, OutputForm), form
    assert variables_of(form.derivative) == {"a"}
    assert assert_holds(form, formula.expression, {}, PLACES) >= 6


@pytest.mark.parametrize("text", ON_THE_RIGHT)
def test_forms_with_a_sign_that_the_piece_decides_are_found(text):
    """The square root's branch is the one that holds to the right of 0."""
    formula = parse(f"where(z > 0, {text}, -1)")
    form = derive(formula).output_forms[1]
    assert isinstance(form, OutputForm), form
    assert assert_holds(form, formula.expression, {}, PLACES[5:]) == 5


@pytest.mark.parametrize("text", REFUSED)
def test_refusals_have_a_true_witness(text):
    """Equal outputs, different slopes, checked in 90 digits without the package."""
    formula = parse(text)
    (found,) = derive(formula).output_forms
    assert isinstance(found, NoOutputForm)
    assert_true(found.witness, formula.expression, {})


def test_a_fold_beside_a_kink_is_found_however_shallow():
    """Between 1/2 and 0.517 asinh(z - 1)*max(z, 1/2) falls by 0.0003; it rises elsewhere."""
    formula = parse("asinh(z - 1)*max(z, 1/2)")
    with pytest.raises(NoOutputFormError, match=r"f\(0\.5.*\) = f\(0\.53.*\)"):
        through_output(derive(formula))


@pytest.mark.parametrize("text", ONE_TO_ONE)
def test_functions_that_rise_without_a_closed_relation_are_said_to(text):
    """Nothing excludes a form, and none is claimed."""
    (found,) = derive(parse(text)).output_forms
    assert isinstance(found, NoOutputForm)
    assert found.witness is None
    assert found.direction == 1
    assert "proved to be strictly rising" in found.reason


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("z - tanh(z)", "(z - a)**2"),
        ("exp(-z**2)", "-(2*a*z)"),
        ("z/(1 + exp(-z))", "a*(1 + z - a)/z"),
    ],
)
def test_the_form_through_output_and_preactivation_is_given_where_it_is_simpler(text, wanted):
    """As worked by hand."""
    (found,) = derive(parse(text)).output_forms
    assert isinstance(found, NoOutputForm)
    assert found.through_preactivation is not None
    assert to_text(found.through_preactivation.derivative) == wanted


@pytest.mark.parametrize(
    "text", ["abs(z)", "max(z, -z/2)", "where(z > 0, z, exp(-z) - 1)", "where(z > 0, 1, z**2)"]
)
def test_a_witness_across_pieces_is_named_in_the_refusal(text):
    """The message shows both places."""
    with pytest.raises(NoOutputFormError, match=r"f\(.*\) = f\(.*\) = .*slopes"):
        through_output(derive(parse(text)))


def test_a_slope_at_the_end_of_a_level_piece_excludes_a_form():
    """At 0 the slope taken is 2, left of it 0, and the output is 0 at both."""
    with pytest.raises(NoOutputFormError, match=r"f\(0\) = f\(-.*slopes 2 and 0"):
        through_output(derive(parse("where(z >= 0, z + tanh(z), 0)")))


def test_falling_functions_of_several_pieces_have_a_form_too():
    """-max(0, z): the slope is -1 where the output is negative."""
    form = through_output(derive(parse("-max(0, z)")))
    assert [value_at(form, 0, a=a) for a in (-2, 0)] == [-1, 0]


def test_the_section_says_how_a_form_is_known():
    """Proved, or checked; refusals show the witness."""
    assert "proved symbolically" in str(derive(parse("tanh(z)")))
    assert "checked to 50 digits" in str(derive(parse("z**3")))
    assert "f(-1) = f(1)" in str(derive(parse("log(cosh(z))")))


@settings(deadline=None, derandomize=True, max_examples=40, suppress_health_check=list(HealthCheck))
@given(elementwise(leaves=5), st.lists(st.integers(-600, 600), min_size=4, max_size=4))
def test_whatever_is_claimed_of_any_formula_is_true(expression, places):
    """Random formulas: forms hold to 1e-30 in their piece, witnesses are true, within seconds."""
    text = bracketed(expression)
    parameters = {name: v for name, v in PARAMETERS.items() if name in text}
    formula = parse(text, parameters)
    with bounded(5):
        derivation = derive(formula)
    if derivation.pieces is None:
        return
    edges = [-1e9, *(b.place for b in derivation.pieces.breakpoints), 1e9]
    for k, found in enumerate(derivation.output_forms):
        piece = derivation.pieces.pieces[k]
        if isinstance(found, OutputForm):
            inside = [p / 100 + 1e-4 for p in places if edges[k] < p / 100 + 1e-4 < edges[k + 1]]
            assert_holds(found, piece.expression, parameters, inside)
        elif found.witness is not None:
            assert_true(found.witness, piece.expression, parameters)


@pytest.mark.parametrize("name", FORMS)
def test_the_known_forms_through_the_output_are_found(name):
    """D(a), evaluated at a = f(z), is the derivative of f at z and the form worked by hand."""
    text, parameters, wanted = FORMS[name]
    formula = parse(text, parameters)
    found = smooth_pieces(formula)
    edges = [float("-inf"), *(b.place for b in found.breakpoints), float("inf")]
    assert len(found.pieces) == len(wanted)
    with mpmath.workdps(90):
        for k, by_hand in enumerate(wanted):
            form = output_form(found.pieces[k], parameters, edges[k], edges[k + 1])
            assert isinstance(form, OutputForm)
            assert variables_of(form.derivative) <= {"a"}
            compared = 0
            for place in (*LEFT_PLACES, *RIGHT_PLACES):
                z = mpmath.mpf(place)
                if not edges[k] < z < edges[k + 1] or (name == "rational" and z < -1):
                    continue
                a = value_at(formula.expression, z, parameters)
                got = value_at(form.derivative, z, parameters, a=a)
                assert abs(got - by_hand(a)) < mpmath.mpf(10) ** -30 * (1 + abs(got))
                slope = central_difference(lambda t: value_at(formula.expression, t, parameters), z)
                assert abs(got - slope) < mpmath.mpf(10) ** -25 * (1 + abs(got))
                compared += 1
            assert compared >= 3


@pytest.mark.parametrize("name", WITHOUT)
def test_none_is_claimed_where_equal_outputs_have_different_slopes(name):
    """These functions fall and rise: two places share an output and not its slope."""
    formula = activation_formula(name)
    (piece,) = smooth_pieces(formula).pieces
    found = output_form(piece, dict(formula.parameters), -mpmath.inf, mpmath.inf)
    assert isinstance(found, NoOutputForm)
    assert_true(found.witness, formula.expression, dict(formula.parameters))


def test_a_form_is_proved_on_its_own_piece():
    """z² has slope +2√a to the right of 0 and -2√a to the left; on the whole line it has none."""
    (whole,) = smooth_pieces(parse("z**2")).pieces
    assert isinstance(output_form(whole, {}, -mpmath.inf, mpmath.inf), NoOutputForm)
    right = output_form(whole, {}, 0.0, mpmath.inf)
    left = output_form(whole, {}, -mpmath.inf, 0.0)
    assert isinstance(right, OutputForm)
    assert isinstance(left, OutputForm)
    with mpmath.workdps(40):
        assert abs(value_at(right.derivative, 0, a=9) - 6) < 1e-35
        assert abs(value_at(left.derivative, 0, a=9) + 6) < 1e-35


@pytest.mark.parametrize(
    ("name", "text"), [("sigmoid", "a*(1 - a)"), ("tanh", "1 - a**2"), ("exponential", "a")]
)
def test_the_documented_forms_read_as_on_paper(name, text):
    """The shortest way to write them is the usual one."""
    (form,) = derive(activation_formula(name)).output_forms
    assert isinstance(form, OutputForm)
    assert to_text(form.derivative) == text


def test_the_eliminated_value_is_named_with_its_inverse():
    """For the sigmoid exp(z) or exp(-z) is a rational function of a."""
    (piece,) = smooth_pieces(activation_formula("sigmoid")).pieces
    form = output_form(piece, {}, -mpmath.inf, mpmath.inf)
    assert isinstance(form, OutputForm)
    assert form.generator is not None
    assert form.inverse is not None
    with mpmath.workdps(40):
        a = 1 / (1 + mpmath.exp(mpmath.mpf("-0.7")))
        generator = value_at(form.generator, "0.7")
        assert abs(value_at(form.inverse, 0, a=a) - generator) < 1e-35


@pytest.mark.parametrize("text", ["exp(1e200*z)/(1 + exp(1e200*z))", "1/(1 + exp(-1e200*z))"])
def test_what_overflows_nearly_everywhere_has_a_form_too(text):
    """It has values near 0, and is defined at every z."""
    (form,) = derive(parse(text)).output_forms
    assert isinstance(form, OutputForm)
    with mpmath.workdps(40):
        assert value_at(form.derivative, 0, a=mpmath.mpf("0.25")) == mpmath.mpf("1e200") * 3 / 16


def test_what_is_undefined_everywhere_has_none():
    (form,) = derive(parse("z + (-2)**z")).output_forms
    assert isinstance(form, NoOutputForm)
    assert form.reason == "the formula has no value there"


def test_a_power_within_a_power_is_put_back():
    """exp(-z)**p keeps its parameter: (1 + b**p)**(1/p) holds one power by letters in another."""
    (form,) = derive(parse("1/(1 + exp(-z)**p)**(1/p)", {"p": 3.0})).output_forms
    assert isinstance(form, OutputForm)
    assert to_text(form.derivative) == "a*(1 - a**p)"


def test_the_inverse_of_a_hyperbolic_sine_is_seen():
    (form,) = derive(parse("asinh(sinh(exp(z)))")).output_forms
    assert isinstance(form, OutputForm)
    assert to_text(form.derivative) == "a"


@pytest.mark.parametrize(
    ("text", "far"),
    [
        ("tanh(z**3)", "-7.5"),
        ("1 - exp(-exp(z))", "8"),
        ("exp(-exp(-z))", "-8"),
        ("2 - 3*tanh(z**5)", "4"),
    ],
)
def test_a_form_has_a_value_where_the_output_has_rounded_to_its_limit(text, far):
    """There the slope is nearly 0; elsewhere the form is as right as before."""
    formula = parse(text)
    form = through_output(derive(formula))
    for digits, z in ((15, mpmath.mpf(far)), (60, mpmath.mpf("0.7")), (60, mpmath.mpf("-0.4"))):
        with mpmath.workdps(digits):
            a = value_at(formula.expression, z, {})
            got = value_at(form, 0, a=a)
        wanted = central_difference(lambda x: value_at(formula.expression, x), z, 900)
        assert abs(got - wanted) < mpmath.mpf(10) ** -14


def test_the_slope_that_is_taken_at_a_kink_is_exact_in_the_output_too():
    """At 1/3, with slopes of exp(z) and 3 exp(z) beside it, 2 exp(1/3) is taken: sign(0) is 0."""
    derivation = derive(parse("abs(exp(z) - exp(1/3)) + 2*exp(z)"))
    form = through_output(derivation)
    with mpmath.workdps(50):
        slope = 2 * mpmath.exp(mpmath.mpf(1) / 3)
        assert abs(value_at(form, 0, a=slope) - slope) < mpmath.mpf(10) ** -30


@pytest.mark.parametrize("rate", ["1e3", "1e6"])
def test_fast_exponentials_are_no_powers_of_a_thousand_factors(rate):
    """A softplus of any rate tells its slope, as by hand: 1 - exp(-rate·a)."""
    (form,) = derive(parse(f"log(1 + exp({rate}*z))/{rate}")).output_forms
    assert to_text(form.derivative) == f"1 - exp(-({int(float(rate))}*a))"
