"""Pieces that are one-to-one: forms through layers, equations for the slope, proofs of rising."""

from __future__ import annotations

from itertools import pairwise

import mpmath
import pytest
from tests.cases import bounded, some_of
from tests.formulas.language import UndefinedError, central_difference, value_at

from chainrule.derivations import (
    NoOutputForm,
    NoOutputFormError,
    OutputForm,
    derive,
    evaluate,
    smooth_pieces,
    through_output,
)
from chainrule.derivations.output_forms._layers import layers_of
from chainrule.derivations.output_forms.signs._signs import proved_sign
from chainrule.formulas import parse, to_text, variables_of

PLACES = ("-7.3", "-2.2", "-0.6", "-0.13", "0.11", "0.7", "1.9", "5.3", "6.1")
LAYERED = [
    "exp(3*z) + exp(z)", "3**z + 9**z", "tanh(z) + tanh(z)**3", "exp(0.5*z) + exp(1.5*z)",
    "log(1 + exp(z) + exp(3*z))", "tanh(exp(z) + exp(2*z))", "exp(-exp(-z) - exp(-2*z))",
    "z*sqrt(1 + z**2)", "tanh(z)/sqrt(1 + tanh(z)**2)", "sin(atan(z)/2)",
    "atan(exp(z) + exp(3*z))", "log(1 + exp(z))**3",
]  # fmt: skip
CUBICS = [
    "exp(z) - exp(-z/2)", "exp(z) - exp(-2*z)", "exp(2*z) + exp(z) - exp(-z)",
    "exp(z) - exp(-z/2) + 1", "exp(-2*z) - 3*exp(z)",
]  # fmt: skip
TO_THE_RIGHT_OF_ONE = [
    "z**3 - 3*z", "z**1.5 + z", "z**(1/3) + z**(2/3)", "z**3 + z**2", "z**0.3/(1 + z**0.3)",
    "sqrt(z) + z", "log(z)**3 + log(z)", "exp(-z**2) + exp(-2*z**2)",
]  # fmt: skip
EQUATIONS = {
    "z**5 + z": "the only real root",
    "exp(4*z) + exp(z)": "the smallest real root",
    "tanh(z) + tanh(z)**5": "the only real root",
    "z/sqrt(1 + z**2) + z": "the largest real root",
}
RISING = [
    "exp(sin(z)) + 2*z", "3*z + exp(cos(z/2))*sin(z)",
    "z - tanh(z)", "z + sin(z)", "z + erf(z)", "z + log(1 + exp(z))", "z + atan(z)",
    "exp(z)*(1 + z**2)", "2**z + 3**z", "z**2*atan(z)", "erf(z) + erf(z)**3",
    "log(1 + erf(z))", "log(z + sqrt(1 + z**2)) + z", "z**3/(1 + z**2)**(4/3)",
    "z + exp(-z**2)/2", "z**3 + z + exp(-(z - 1)**2)/2", "z + z**2*exp(-z**2)/10",
    "z*(1 + erf(z)) + exp(-z**2)", "z*cosh(z) - sinh(z)", "z - log(log(1 + exp(z)))",
    "z*(1 + tanh(z)) - log(cosh(z))", "exp(z) - log(1 + exp(z))",
]  # fmt: skip
NOT_RISING = [
    "exp(sin(z)) + 1.45*z", "z + sin(z) + cos(sqrt(2)*z)/9",
    "z + 1.2*exp(-z**2)", "z - sqrt(1 + z**2)/0.99",
    "z**3 - 3*z", "z*exp(z)", "z + 1.01*sin(z)", "z**3 - z**2/1000", "cosh(z)",
    "exp(z) - z - 0.6*z**2", "z*exp(z) - exp(z) + z**2/3", "exp(z) - 1.01*z - z**2/2",
    "z*(1 + erf(z)) + exp(-z**2)/2", "0.99*z - log(log(1 + exp(z)))", "z*sinh(z) - cosh(z)",
    "exp(z) - 1.01*log(1 + exp(z))", "z*(0.4 + tanh(z)) - log(cosh(z))",
]  # fmt: skip


def compared(form, expression, places) -> int:
    """Compare a form with slopes by central differences at places where it is defined."""
    count = 0
    with mpmath.workdps(200):
        for place in places:
            z = mpmath.mpf(place)
            try:
                a = value_at(expression, z, {})
                slope = mpmath.diff(lambda t: value_at(expression, t, {}), z, h="1e-80")
                got = value_at(form, z, {}, a=a)
            except (UndefinedError, ArithmeticError):
                continue  # also where the output has reached its limit
            assert abs(got - slope) < 1e-30 * (1 + abs(slope)), place
            count += 1
    return count


@pytest.mark.parametrize("text", LAYERED)
def test_powers_of_one_exponential_and_nested_roots_are_seen_through(text):
    """The form in a alone has the slope at every place."""
    formula = parse(text)
    (form,) = derive(formula).output_forms
    assert isinstance(form, OutputForm), form
    assert variables_of(form.derivative) == {"a"}
    assert compared(form.derivative, formula.expression, PLACES) >= 6


@pytest.mark.parametrize("text", CUBICS)
def test_a_cubic_with_one_root_or_three_is_solved_by_cases(text):
    """Its coefficients change their signs; also far out, where the solution must not cancel."""
    formula = parse(text)
    form = through_output(derive(formula))
    assert variables_of(form) == {"a"}
    assert compared(form, formula.expression, (*PLACES, "-23", "31")) == 11


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("log(1 + exp(z)) + z", "2*sqrt(1 + 4*exp(a))/(1 + sqrt(1 + 4*exp(a)))"),
        ("atan(exp(z)) - atan(exp(-z))", "cos(a)"),
        ("atan(z) - pi/2", "1 - cos(a)**2"),
        ("atan(z) + atan(z/2)", "(8 + cos(a)**2 + 3*cos(a)*sqrt(8 + cos(a)**2))/12"),
        ("asinh(exp(z)) + z", "(1 + 2*exp(a))/(1 + exp(a))"),
    ],
)
def test_logarithms_and_arctangents_that_add_up_are_seen_through(text, wanted):
    """By the exponential and the tangent of the output; beyond a right angle too."""
    formula = parse(text)
    form = through_output(derive(formula))
    assert to_text(form) == wanted
    assert compared(form, formula.expression, PLACES) == 9


@pytest.mark.parametrize("text", TO_THE_RIGHT_OF_ONE)
def test_the_branch_of_a_root_is_the_one_of_the_piece(text):
    """Where two branches of a cubic meet on the piece, both are used."""
    formula = parse(f"where(z > 1, {text}, -9)")
    form = derive(formula).output_forms[1]
    assert isinstance(form, OutputForm), form
    assert variables_of(form.derivative) == {"a"}
    assert compared(form.derivative, formula.expression, ("1.01", "1.7", "2.3", "6.1")) == 4


@pytest.mark.parametrize("text", EQUATIONS)
def test_an_equation_stands_where_no_short_formula_solves_it(text):
    """P(a, d) is 0 at the true slope, and the root that is named is the slope."""
    formula = parse(text)
    (found,) = derive(formula).output_forms
    assert isinstance(found, NoOutputForm)
    assert found.equation is not None
    assert found.equation.branch == EQUATIONS[text]
    with mpmath.workdps(60):
        for place in ("-1.3", "-0.4", "0.2", "1.1"):
            z = mpmath.mpf(place)
            a = value_at(formula.expression, z, {})
            slope = central_difference(lambda t: value_at(formula.expression, t, {}), z)

            def polynomial(d, a=a):
                return value_at(found.equation.polynomial, 0, {}, a=a, d=d)

            assert abs(polynomial(slope)) < 1e-15 * abs(polynomial(slope + 1))
            taylor = mpmath.taylor(polynomial, 0, 6)
            while abs(taylor[-1]) < 1e-30:
                taylor.pop()
            roots = mpmath.polyroots(taylor[::-1], maxsteps=200, extraprec=200)
            real = sorted(mpmath.re(r) for r in roots if abs(mpmath.im(r)) < 1e-12)
            wanted = real[0] if "smallest" in found.equation.branch else real[-1]
            assert abs(slope - wanted) < 1e-12 * (1 + slope)


def test_an_equation_is_shown_and_is_no_backward_pass():
    """In the text with its root; computing through the output is refused with the reason."""
    derivation = derive(parse("z**5 + z"))
    shown = str(derivation)
    assert "d⁵ + 15·d⁴ + 80·d³ + 160·d² - (256 + 3125·a⁴) = 0" in shown
    assert "d = ∂a/∂z, the only real root" in shown
    with pytest.raises(NoOutputFormError, match="root of an equation"):
        through_output(derivation)


def test_powers_of_one_base_are_joined():
    """z·|z|^α is a power of exponent 1 + α, on either side."""
    formula = parse("z*abs(z)**alpha", {"alpha": 0.75})
    forms = derive(formula).output_forms
    assert all(isinstance(form, OutputForm) for form in forms)
    form = through_output(derive(formula))
    for z in (-2, 3):
        a = value_at(formula.expression, z, {"alpha": 0.75})
        assert abs(value_at(form, 0, {"alpha": 0.75}, a=a) - 1.75 * abs(z) ** 0.75) < 1e-13


@pytest.mark.parametrize("k", ["1.6", "3", "0.4"])
def test_a_power_of_letters_is_a_layer(k):
    """Of the exponent's name, z/(1 + |z|^k)^(1/k) has (1 - |a|^k)^(1 + 1/k)."""
    values = {"k": float(k)}
    formula = parse("z/(1 + abs(z)**k)**(1/k)", values)
    form = through_output(derive(formula))
    assert variables_of(form) == {"a"}
    for place in (-1.7, -0.2, 0.6, 2.5):
        a = value_at(formula.expression, place, values)
        wanted = (1 - abs(a) ** values["k"]) ** (1 + 1 / values["k"])
        assert abs(value_at(form, 0, values, a=a) - wanted) < 1e-13


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("(exp(z) - 1)/z", 1), ("log(1 + z)/z", -1), ("z/(exp(z) - 1)", -1), ("1/z", 0),
        ("log(z)/(z - 1)", -1),
    ],
)  # fmt: skip
def test_what_has_a_hole_rises_over_it_or_not(text, direction):
    """1/z falls on either side of 0, and comes back from below."""
    (found,) = derive(parse(text)).output_forms
    assert getattr(found, "direction", 0) == direction


@pytest.mark.parametrize("text", some_of(RISING, 2))
def test_rising_functions_are_proved_to_rise(text):
    """Also where the slope vanishes at single places."""
    (piece,) = smooth_pieces(parse(text)).pieces
    assert proved_sign(piece.derivative, {}, -mpmath.inf, mpmath.inf) == 1


@pytest.mark.parametrize("text", NOT_RISING)
def test_nothing_is_proved_of_slopes_that_change_sign(text):
    """However little they do."""
    (piece,) = smooth_pieces(parse(text)).pieces
    assert proved_sign(piece.derivative, {}, -mpmath.inf, mpmath.inf) == 0


@pytest.mark.parametrize("k", some_of([0.4, 0.7, 1.5, 3.0], 2))
def test_powers_of_a_letter_are_proved_to_rise_by_its_value(k):
    """Also where they are added to what rises, on either side of 0."""
    for text in ("z + z*abs(z)**k", "z*abs(z)**k + tanh(z)", "where(z > 0, z**k + z, z)"):
        found = derive(parse(text, {"k": k})).output_forms
        assert all(getattr(form, "direction", 1) == 1 for form in found)


@pytest.mark.parametrize(
    ("text", "low", "high", "wanted"),
    [
        ("tanh(z**2)", -1.0, 1.0, (1, 0)),
        ("tanh(z)", 0.0, mpmath.inf, (1, 1)),
        ("1 + erf(z) - 0.9*z*exp(-z**2)", -mpmath.inf, mpmath.inf, (1, 1)),
        ("1 + erf(z) - 4*z*exp(-z**2)", -mpmath.inf, mpmath.inf, (0, 0)),
        ("1 + erf(z) + z*exp(-z**2)/10", -mpmath.inf, mpmath.inf, (0, 0)),
        ("1 - tanh(z) - 2*exp(-2*z)", -mpmath.inf, mpmath.inf, (-1, -1)),
        ("z**2*tanh(z)", -mpmath.inf, mpmath.inf, (0, 0)),
        ("1/z", -mpmath.inf, mpmath.inf, (0, 0)),
    ],
)
def test_signs_of_what_is_bounded_are_those_of_its_distance_from_the_bound(text, low, high, wanted):
    """And of what is 0 at 0; whether it is nowhere 0 stands second."""
    expression = parse(text).expression
    got = tuple(proved_sign(expression, {}, low, high, strict=strict) for strict in (False, True))
    assert got == wanted


def test_a_sign_is_proved_between_two_places():
    """z³ - 3z falls between -1 and 1 and rises beyond; z² is not strictly positive about 0."""
    (piece,) = smooth_pieces(parse("z**3 - 3*z")).pieces
    ends = (-mpmath.inf, -1.0, 1.0, mpmath.inf)
    signs = [proved_sign(piece.derivative, {}, *pair) for pair in pairwise(ends)]
    assert signs == [1, -1, 1]
    square = parse("z**2").expression
    assert proved_sign(square, {}, -1.0, 1.0) == 1
    assert proved_sign(square, {}, -1.0, 1.0, strict=True) == 0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("z + log(1 + exp(pi*z))", "1 + pi - pi*exp(z - a)"),
        ("z*tanh(log(1 + exp(z)))", "a/z + z*exp(z)*(1 - a**2/z**2)/(1 + exp(z))"),
    ],
)
def test_the_form_in_a_and_z_goes_through_a_part_of_the_formula(text, wanted):
    """As worked by hand: the tanh of Mish is a/z."""
    (found,) = derive(parse(text)).output_forms
    assert isinstance(found, NoOutputForm)
    assert found.through_preactivation is not None
    assert to_text(found.through_preactivation.derivative) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("z/sqrt(1 + z**2)", "(1 - a**2)**(3/2)"),
        (
            "tanh(z) + tanh(z - 2)",
            "sqrt(16*exp(4) + (exp(4) - 1)**2*a**2)*(2 + 2*exp(4)"
            " - sqrt(16*exp(4) + (exp(4) - 1)**2*a**2))/(exp(4) - 1)**2",
        ),
        ("1/(1 + exp(-z))**2", "2*(a - a**(3/2))"),
        ("1.702/(1 + exp(-1.702*z))", "a*(1.702 - a)"),
        ("log(1 + log(1 + exp(z)))", "exp(-a) - exp(1 - a - exp(a))"),
        ("atan(z/sqrt(1 + z**2))", "cos(2*a)**(3/2)/cos(a)"),
        ("2*atan(tanh(z/2))", "cos(a)"),
        ("asinh(exp(z))", "tanh(a)"),
        ("log(z + sqrt(1 + z**2))", "1/cosh(a)"),
        ("tanh(z)**3", "3*abs(a)**(2/3)*(1 - abs(a)**(2/3))"),
        ("asinh(sinh(z)/3)", "sqrt(1 + 9*sinh(a)**2)/(3*cosh(a))"),
    ],
)
def test_forms_are_as_short_as_an_author_would_write_them(text, wanted):
    """Squares stand outside of roots, exponentials together."""
    (form,) = derive(parse(text)).output_forms
    assert isinstance(form, OutputForm)
    assert to_text(form.derivative) == wanted


@pytest.mark.parametrize(
    ("text", "values", "wanted"),
    [
        ("1 - (1 - 1/(1 + exp(-z)))**k", {"k": 2.0}, "k*(1 - a)*(1 - (1 - a)**(1/k))"),
        ("exp(-k*log(1 + exp(-z)))", {"k": 3.0}, "a*k*(1 - a**(1/k))"),
        (
            "where(z > 0, log(cosh(z)), k*z)",
            {"k": 2.0},
            "where(a <= 0, k, sqrt(1 - exp(-(2*a))))",
        ),
    ],
)
def test_exponents_and_exponentials_of_forms_are_reduced(text, values, wanted):
    """By hand: (1 - a)^(1/k)·(1 - a)^(1 - 1/k) = 1 - a, and tanh(z) = sqrt(1 - 1/cosh(z)²)."""
    form = through_output(derive(parse(text, values)))
    assert to_text(form) == wanted


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("log(1 - z**2)", "defined where -1 < z < 1"),
        ("1/z", "defined where z ≠ 0"),
        ("log(exp(z) - 1)", "defined where z > 0"),
        ("log(z**2 - 1)", "defined where z < -1 or z > 1"),
        ("max(log(z), 0)", "Where z ≤ 0 the formula has no value."),
    ],
)
def test_it_is_said_where_a_formula_is_defined(text, sentence):
    """Half-axes, stretches and holes."""
    assert sentence in str(derive(parse(text)))


def test_a_clipped_logarithm_has_a_form_where_it_has_values():
    """max(log(z), 0): the slope is 0 at the output 0, exp(-a) above."""
    form = through_output(derive(parse("max(log(z), 0)")))
    assert value_at(form, 0, {}, a=0) == 0
    assert abs(value_at(form, 0, {}, a=2) - mpmath.exp(-2)) < 1e-15


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("min(max(z, -1e-300), 1e-300)", [-1e-300, 1e-300]),
        ("min(max(z, -1e300), 1e300)", [-1e300, 1e300]),
        ("max(tanh(z), 1e-100)", [1e-100]),
        ("max(sqrt(z), 1)", [0.0, 1.0]),
        ("max(exp(z), 2)", [float(mpmath.log(2))]),
        ("max(sqrt(1 - z**2), 1/2)", [-1.0, -(0.75**0.5), 0.75**0.5, 1.0]),
    ],
)
def test_breakpoints_of_every_size_and_ends_of_domains_are_found(text, places):
    """From the smallest doubles to the largest; where a branch ceases to be defined, too."""
    found = smooth_pieces(parse(text)).breakpoints
    assert [b.place for b in found] == pytest.approx(places, rel=1e-14, abs=0)


def test_signs_over_the_exponential_of_a_parameter_are_bounded_in_time():
    """Factors over exp(k c) took minutes where the text says on which places it is defined."""
    with bounded(5):
        derivation = derive(parse("1/(1 + exp(-k*(z - c)))", {"k": 3.0, "c": 0.7}))
        derivation.document.to_text()
    assert to_text(derivation.output_forms[0].derivative) == "a*k*(1 - a)"


def test_sides_that_touch_meet_in_one_place():
    """exp(z) - 1 lies above z but at 0; 1e-250 beside it they differ by 5e-501."""
    pieces = smooth_pieces(parse("max(z, exp(z) - 1)"))
    assert [b.place for b in pieces.breakpoints] in ([], [0.0])


def test_a_short_form_through_a_and_z_stands_beside_a_long_one_in_a():
    """By hand: a(1 + z²) = z³ gives a'(1 + z²) + 2 z a = 3 z²."""
    (form,) = derive(parse("z**3/(1 + z**2)")).output_forms
    assert isinstance(form, OutputForm)
    short = form.through_preactivation
    assert short is not None
    for z in (-2.5, -0.3, 0.7, 4.0):
        a = z**3 / (1 + z**2)
        got = evaluate(short.derivative, {"a": a, "z": z})
        assert float(got) == pytest.approx((3 * z**2 - 2 * z * a) / (1 + z**2), rel=1e-12)
    assert "There is a shorter form through a and z" in str(derive(parse("z**3/(1 + z**2)")))
    (short_already,) = derive(parse("tanh(z)")).output_forms
    assert short_already.through_preactivation is None


@pytest.mark.parametrize(
    ("text", "way"),
    [("atan(z)/z", -1), ("erf(z)/z", -1), ("z/atan(z)", 1), ("tanh(z)/z", -1), ("z/sinh(z)", -1)],
)
def test_quotients_that_are_0_over_0_at_an_end_rise_or_fall_beside_it(text: str, way: int) -> None:
    """Their slope has a numerator that begins with 0 there: it is told by its own slope."""
    formula = parse(text)
    (piece,) = smooth_pieces(formula).pieces[-1:]
    for places in ((0.0, mpmath.inf), (-mpmath.inf, 0.0)):
        side = 1 if places[0] == 0 else -1
        assert proved_sign(piece.derivative, {}, *places) == way * side
    with mpmath.workdps(40):
        values = [value_at(formula.expression, mpmath.mpf(k) / 7) for k in range(1, 60)]
    assert all((y - x) * way > 0 for x, y in pairwise(values))


def test_the_layers_of_a_sum_of_powers_of_letters_come_to_an_end():
    """z**k + z is z + z**(1/k) in z**k, and that is z**k + z again in its own power."""
    for text in ("z**k + z", "z**k*(1 + z)", "(-z)**k - z"):
        assert len(layers_of(parse(text, {"k": 0.4}).expression, {"k": 0.4})) == 1
    joined = parse("z/(1 + z**k)**(1/k)", {"k": 2.5})
    assert len(layers_of(joined.expression, dict(joined.parameters))) == 3
