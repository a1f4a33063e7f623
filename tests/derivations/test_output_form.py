"""The derivative through the output: the known forms, and None where there is none."""

from __future__ import annotations

import mpmath
import pytest
from tests.formulas.language import central_difference, value_at

from chainrule.catalogue import activation_formula
from chainrule.derivations import derive, output_form, smooth_pieces
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
    "identity": ("z", {}, [lambda a: 1]),
    "cubed": ("where(z > 0, z**2, 0)", {}, [lambda a: 0, lambda a: 2 * mpmath.sqrt(a)]),
    "rational": ("1/(1 + z)", {}, [lambda a: -(a**2)]),
    "arcsinh of its output": ("sqrt(1 + z**2) + z", {}, [lambda a: 2 * a**2 / (1 + a**2)]),
}  # fmt: skip
WITHOUT = ["silu", "gelu", "mish", "gelu_tanh", "gaussian"]
LEFT_PLACES, RIGHT_PLACES = ("-4.7", "-2.2", "-0.6", "-0.13"), ("0.11", "0.7", "1.9", "5.3")


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
            assert form is not None
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
    assert output_form(piece, dict(formula.parameters), -mpmath.inf, mpmath.inf) is None


def test_a_form_is_proved_on_its_own_piece():
    """z² has slope +2√a to the right of 0 and -2√a to the left; on the whole line it has none."""
    (whole,) = smooth_pieces(parse("z**2")).pieces
    assert output_form(whole, {}, -mpmath.inf, mpmath.inf) is None
    right = output_form(whole, {}, 0.0, mpmath.inf)
    left = output_form(whole, {}, -mpmath.inf, 0.0)
    assert right is not None
    assert left is not None
    with mpmath.workdps(40):
        assert abs(value_at(right.derivative, 0, a=9) - 6) < 1e-35
        assert abs(value_at(left.derivative, 0, a=9) + 6) < 1e-35


@pytest.mark.parametrize(
    ("name", "text"), [("sigmoid", "a*(1 - a)"), ("tanh", "1 - a**2"), ("exponential", "a")]
)
def test_the_documented_forms_read_as_on_paper(name, text):
    """The shortest way to write them is the usual one."""
    (form,) = derive(activation_formula(name)).output_forms
    assert form is not None
    assert to_text(form.derivative) == text


def test_the_eliminated_value_is_named_with_its_inverse():
    """For the sigmoid exp(z) or exp(-z) is a rational function of a."""
    (piece,) = smooth_pieces(activation_formula("sigmoid")).pieces
    form = output_form(piece, {}, -mpmath.inf, mpmath.inf)
    assert form is not None
    assert form.generator is not None
    assert form.inverse is not None
    with mpmath.workdps(40):
        a = 1 / (1 + mpmath.exp(mpmath.mpf("-0.7")))
        generator = value_at(form.generator, "0.7")
        assert abs(value_at(form.inverse, 0, a=a) - generator) < 1e-35
