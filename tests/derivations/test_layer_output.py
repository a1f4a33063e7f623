"""Layer-coupled functions through the output alone, where the closed form asks for `z`."""

from __future__ import annotations

import mpmath
import pytest
from tests.cases import some_of
from tests.derivations.oracle import slope_of
from tests.formulas.language import layer_values

from chainrule.derivations import (
    NoOutputFormError,
    backward_graph,
    computation_graph,
    derive,
    evaluate_layer,
    through_output,
)
from chainrule.derivations.output_forms.witnesses._layer_witness import find_layer_witness
from chainrule.formulas import parse, to_text, variables_of

_LAYERS = (("0.3", "-1.7", "2.9"), ("-0.2", "0.1"), ("1.5", "-4", "3", "-2.5", "0.7"))
_TOLD = [
    "z - sum(z*exp(z))/sum(exp(z))", "z - max(z)", "max(z) - z", "exp(z)/max(exp(z))",
    "exp(z) - sum(exp(z))", "z*sum(z**2)", "z + max(z)", "z/(1 + sum(abs(z)))",
    "z/(1 + sqrt(sum(z**2)))", "z/(1/4 + sqrt(mean(z**2)))", "max(z, 0)/(1 + sum(max(z, 0)))",
    "max(z - mean(z), 0)", "log(1 + exp(z - max(z)))", "z - log(sum(exp(z)))/2",
    "(z - mean(z))/sqrt(mean((z - mean(z))**2) + 1/10)",
    "(z - mean(z))/(1 + max(abs(z - mean(z))))", "exp(z) - 2*max(exp(z))", "2*z + min(z)",
    "exp(z)*sum(exp(2*z))", "exp(z) + min(exp(z))", "z/(1 + max(abs(z)))",
    "z*tanh(sqrt(sum(z**2)))/sqrt(sum(z**2))", "exp(z)*log(1 + sum(exp(z)))/sum(exp(z))",
    "(exp(z) - 1)/(exp(z) + sum(exp(z)))", "z/(1 + abs(z))/sum(1/(1 + abs(z)))",
    "tanh(z)/(1 + mean(tanh(z))**2)", "exp(z)**3/sum(exp(z))**2", "z**3/sum(z**2)",
    "exp(z/2)/(sum(exp(z/2)) + sum(exp(-z/2)))", "atan(z/sqrt(sum(z**2) + 1))",
    "z/(1 + max(z) - min(z))", "(z - mean(z))/(1 + max(z) - min(z))",
    "max(z - max(z)/3, 0)", "max(z + max(z), 0)", "min(z - min(z)/2, 0)", "max(z - 2*max(z), 0)",
    "max(z, 0)**2/(1 + sum(max(z, 0)**2))", "max(z, 0)*mean(max(z, 0))",
    "max(z, z/10)*sum(max(z, z/10)**2)", "max(z, z/10)/(1 + sum(abs(max(z, z/10))))",
    "tanh(z)/(1 + max(abs(tanh(z))))", "max(z, 0)/(1 + max(max(z, 0)))",
    "max(z, 0)/(1 - max(z))", "max(z, 0)/(2 - max(max(z, 0)))",
    "max(z, 0)/(1 + max(z))", "max(2*z - max(z)/3, 0)**2", "log(1 + max(z - max(z)/3, 0))",
    "z*(max(z) - min(z))", "z*abs(mean(z))", "z/sqrt(max(z) - min(z))",
    "max(z, z/10)*mean(max(z, 0))**2", "z*mean(z)**2",
    "z - sqrt(1 + mean(z**2))/2", "z - sqrt(1 + mean(z**2))",
    "min(max(z - mean(z), -1), 1)", "abs(z - max(z))", "max(min(z - mean(z), 1), -2)",
    "z + sqrt(mean(z**2))", "z - sqrt(mean(z**2))", "sign(z)*max(abs(z) - 3/10*max(abs(z)), 0)",
    "max(z - max(z) + 1, 0)/sum(max(z - max(z) + 1, 0))",
    "where(z > mean(z), z, mean(z))", "exp(where(z > mean(z), z, mean(z)))",
    "min(max(z, -1), 1)*mean(abs(z))", "max(min(z, 2), -1)*mean(abs(z))", "max(z, 0) + mean(z)",
    "min(z, 1) + mean(z)", "max(z, -1) + sum(z)", "(z - mean(z))*abs(z - mean(z))",
    "(z - mean(z))/(1 + abs(z - mean(z)))", "(z - max(z))/(1 + abs(z - max(z)))",
    "(z - min(z))/(max(z) - min(z) + 1/10)", "3 - 2*(z - min(z))/(max(z) - min(z) + 1)",
    "3 - 2*(z - mean(z))/(1 + sqrt(mean((z - mean(z))**2)))", "z/sqrt((max(z) - min(z))**2 + 1)",
    "(z - mean(z))/(1 + sqrt(mean((z - mean(z))**2))) + mean(z)",
    "min(z) + (z - min(z))/(1 + max(z) - min(z))",
]  # fmt: skip
_EXCLUDED = [
    "z*exp(-sum(abs(z)))", "sum(z)*exp(z)", "where(z > mean(z), z, 0)", "z/(1 + exp(-sum(z)))",
    "(z - min(z))/(max(z) - min(z))", "max(z, 0) - mean(max(z, 0))",
    "where(max(abs(z)) >= 3/4, mean(z), 0)", "where(max(z) > 50, sum(z), 0)",
    "where(2*z == sum(z), z*mean(z), -z)", "tanh(z)*where(mean(z) > 9, 1, 2)",
]  # fmt: skip


def assert_true_product(formula, form, places):
    with mpmath.workdps(60):
        z = [mpmath.mpf(x) for x in places]
        g = [mpmath.mpf(2 + 3 * k) / (5 - 2 * k) for k in range(len(z))]
        a = layer_values(formula.expression, {"z": z})
        got = evaluate_layer(form, {"a": a, "g": g})
        for j in range(len(z)):

            def cost(t, j=j):
                moved = [t if k == j else x for k, x in enumerate(z)]
                return mpmath.fdot(g, layer_values(formula.expression, {"z": moved}))

            assert abs(got[j] - slope_of(cost, z[j])) < mpmath.mpf(10) ** -15


@pytest.mark.parametrize("text", some_of(_TOLD, 3))
def test_the_form_in_the_output_alone_has_the_true_product(text):
    """Compared with difference quotients of the tests' own evaluation, at layers of many sizes."""
    formula = parse(text)
    form = through_output(derive(formula))
    assert variables_of(form) <= {"a", "g"}
    for places in _LAYERS:
        assert_true_product(formula, form, places)


@pytest.mark.parametrize(
    "text",
    [
        "z/(1 + max(z))", "z/(3 - 2*min(z))", "z*(1 + max(z) - min(z))",
        "z/(1 + (max(z) - min(z))**(1/2))", "exp(z)/(1 - max(exp(z)))", "z/(3/2 + max(z) + min(z))",
    ],
)  # fmt: skip
def test_the_largest_unit_may_have_the_smallest_output(text):
    """A common factor that is negative turns the order round: the output tells whether it did."""
    formula = parse(text)
    form = through_output(derive(formula))
    for places in (*_LAYERS, ("-3", "-2.5", "-4"), ("2", "3.5"), ("2", "0.5", "3")):
        assert_true_product(formula, form, places)


def test_no_other_end_is_looked_at_where_units_are_never_negative():
    """The largest of z - min(z) is not negative, nor is what all are divided by."""
    form = through_output(derive(parse("(z - min(z))/(1 + max(z) - min(z))")))
    assert "where" not in to_text(form)


def test_what_is_told_of_an_extreme_holds_whatever_the_sign_of_a_factor():
    """Of (2, 3) both outputs of z/(3 - 2*min(z)) are negative, and the largest one is that of 2."""
    ((left, right), *_) = derive(parse("z/(3 - 2*min(z))")).told_by_output
    assert to_text(left) == "min(z)"
    for z in ([2, 3], [1, 5], [-1, 4]):
        a = [mpmath.mpf(x) / (3 - 2 * min(z)) for x in z]
        assert abs(layer_values(right, {"a": a})[0] - min(z)) < 1e-12


@pytest.mark.parametrize(
    "text", ["z + sum(min(pi, z))", "z + mean(max(z, 20))", "z - sqrt(1 + sum(z**2))/9"]
)
def test_where_a_layer_lies_may_matter(text):
    """Moved by its shared sum, a unit comes to lie on the other side of a kink.

    And along a shift of more than 81 units the last one falls where it rises for fewer.
    """
    with pytest.raises(NoOutputFormError):
        through_output(derive(parse(text)))


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("max(mean(z) - 30, 0)*z", True),
        ("max(mean(z) - 300, 0)*z", True),
        ("max(mean(z) - 30, 0)**2*z", False),
        ("z + where(max(z) - min(z) > 60, mean(z), 0)", True),
    ],
)
def test_a_form_holds_beyond_a_threshold_far_out(text, is_told):
    """Nearer layers are as those that are moved or multiplied by nothing."""
    formula = parse(text)
    form = derive(formula).product_from_output
    assert form is not None or not is_told
    for places in (*_LAYERS, ("48", "3.5", "71"), ("-20", "50"), ("900", "-100", "350")):
        if form is not None:
            assert_true_product(formula, form, places)


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("min(z, 10*mean(abs(z)))", (1000, 100) + 100 * (0,)),
        ("min(z, 100*mean(abs(z)))", (1e5, 5e3) + 998 * (0,)),
        ("max(z - 20*mean(abs(z)), 0)", (50, -2) + 50 * (-1,)),
        ("where(max(z) > 50*mean(abs(z)), 0, z)", (5,) + 60 * (0,)),
        ("where(sum(exp(z - max(z))) > 5, z, z - max(z))", (0,) + 6 * (-0.1,)),
    ],
)
def test_a_form_holds_where_only_many_units_make_another_choice(text, layer):
    """No four units reach these thresholds; what is right below them may be wrong beyond."""
    formula = parse(text)
    form = derive(formula).product_from_output
    assert form is None or _differs_nowhere(formula, form, layer)


def _differs_nowhere(formula, form, layer):
    chained = backward_graph(computation_graph(formula.expression), selects=True)[0].expression()
    z, g = ([mpmath.mpf(x) for x in values] for values in (layer, range(1, len(layer) + 1)))
    known = {"z": z, "a": evaluate_layer(formula.expression, {"z": z}), "g": g}
    got, wanted = (evaluate_layer(e, known) for e in (form, chained))
    return all(abs(x - y) <= 1e-12 * (1 + abs(y)) for x, y in zip(got, wanted, strict=True))


def test_what_the_output_tells_of_the_layer_tells_each_unit():
    """The mean of z is 1/mean(a²), and z then is (a·mean(z))²."""
    form = through_output(derive(parse("sqrt(z)/mean(z)")))
    z, g = [mpmath.mpf(x) for x in (1, 4, 9)], [mpmath.mpf(x) for x in (2, -1, 3)]
    mean = mpmath.mpf(14) / 3
    a = [mpmath.sqrt(x) / mean for x in z]
    total = mpmath.fdot(a, g)
    wanted = [y / (2 * mpmath.sqrt(x) * mean) - total / mean / 3 for x, y in zip(z, g, strict=True)]
    got = evaluate_layer(form, {"a": a, "g": g})
    assert all(abs(x - y) < 1e-12 for x, y in zip(got, wanted, strict=True))


@pytest.mark.parametrize("text", ["z*(max(z) - min(z))", "z*abs(mean(z))"])
def test_where_a_factor_vanishes_so_do_output_and_derivative(text):
    """Layers of equal units, and of mean 0: the output is 0 then, and tells that much."""
    form = through_output(derive(parse(text)))
    nothing = [mpmath.mpf(0)] * 3
    assert evaluate_layer(form, {"a": nothing, "g": [mpmath.mpf(k) for k in (2, -1, 5)]}) == nothing


@pytest.mark.parametrize(
    "text", ["z*max(0, 1 - 1/sqrt(sum(z**2)))", "z*max(1 - 1/mean(abs(z)), 0)"]
)
def test_layers_that_are_zero_below_a_threshold_have_a_form(text):
    """Above it compared with difference quotients; below, output and derivative are 0."""
    formula = parse(text)
    form = through_output(derive(formula))
    for places in (_LAYERS[0], _LAYERS[2]):
        assert_true_product(formula, form, places)
    below = [mpmath.mpf(x) for x in _LAYERS[1]]
    a = layer_values(formula.expression, {"z": below})
    assert a == evaluate_layer(form, {"a": a, "g": [mpmath.mpf(3), mpmath.mpf(-2)]}) == [0, 0]


@pytest.mark.parametrize("text", ["z + sqrt(mean(z**2))", "z - sqrt(mean(z**2))"])
def test_a_layer_whose_outputs_are_all_0_may_have_another_derivative_than_0(text):
    """Of n units that are alike, where the output is 0, it changes with each by 1/n less."""
    form = through_output(derive(parse(text)))
    got = evaluate_layer(form, {"a": [mpmath.mpf(0)] * 2, "g": [mpmath.mpf(5), mpmath.mpf(1)]})
    assert got == [2, -2]


def test_what_a_layer_of_the_output_shares_is_put_in():
    """The largest unit of ``z - max(z)`` is 0."""
    form = to_text(through_output(derive(parse("z - max(z)"))))
    assert form == "g - indicator(a == 0)*sum(g)/sum(indicator(a == 0))"


def test_the_form_in_the_output_alone_is_shown():
    """Beside the one in z, which is computed."""
    shown = " ".join(str(derive(parse("z - max(z)"))).split())
    assert "can be had from the output" in shown
    assert "I(a_j = 0)·(Σ_k ∂J/∂a_k)/(Σ_k I(a_k = 0)) through the output alone" in shown


@pytest.mark.parametrize(
    "text",
    [
        "max(z - max(z)/2, 0)", "max(z + max(z), 0)", "max(z, 0)*mean(max(z, 0))",
        "max(z, 0)**2/(1 + sum(max(z, 0)**2))", "tanh(z)*sum(tanh(z)**2)",
        "max(z, 0)/(5/2 + max(z))", "where(z > mean(z), z, mean(z))",
        "log(1 + max(z - max(z)/2, 0))", "max(2*z - max(z), 0)**2",
        "max(z - max(z) + 1, 0)**2/sum(max(z - max(z) + 1, 0)**2)",
    ],
)  # fmt: skip
def test_forms_hold_where_units_are_at_kinks_tie_or_are_all_negative(text):
    """There they are what the chain rule takes."""
    formula = parse(text)
    derivation = derive(formula)
    form, chained = through_output(derivation), backward_graph(derivation.graph)[0].expression()
    for z in ((-1, -2, -5), (0, 0, 0), (0, -1, -1), (2, 1, 2, -3), (4, 2, 0, 0), (-3,), (5,)):
        g = [mpmath.mpf(2 + 3 * k) / (5 - 2 * k) for k in range(len(z))]
        known = {"z": list(map(mpmath.mpf, z)), "g": g}
        a = layer_values(formula.expression, {"z": known["z"]})
        got, wanted = (evaluate_layer(e, {**known, "a": a}) for e in (form, chained))
        assert all(abs(x - y) < 1e-12 for x, y in zip(got, wanted, strict=True)), z


def test_a_layer_of_zeros_passes_its_slope_back():
    """``0/0`` stands for it in what the output tells of the others."""
    form = through_output(derive(parse("z*sum(z**2)")))
    zero = [mpmath.mpf(0)] * 3
    assert evaluate_layer(form, {"a": zero, "g": [mpmath.mpf(1)] * 3}) == zero


@pytest.mark.parametrize("text", _EXCLUDED)
def test_a_refusal_names_two_layers_that_exclude_a_form(text):
    """Along a factor or a shift of the layer, or by two units exchanged."""
    with pytest.raises(NoOutputFormError, match=r"both give .* the output does not tell"):
        through_output(derive(parse(text)))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("z/sqrt(1 + sum(z**2))", "sqrt(1 - sum(a**2))*(g - a*sum(a*g))"),
        ("z/(1 + sum(abs(z)))", "(1 - sum(abs(a)))*(g - sign(a)*sum(a*g))"),
        (
            "z/(1 + sqrt(mean(z**2)))",
            "(1 - sqrt(mean(a**2)))"
            "*(g - where(sqrt(mean(a**2)) != 0, a*mean(a*g)/sqrt(mean(a**2)), 0))",
        ),
        (
            "(z - mean(z))/(1 + sqrt(mean((z - mean(z))**2)))",
            "(1 - sqrt(mean(a**2)))"
            "*(g - mean(g) - where(sqrt(mean(a**2)) != 0, a*mean(a*g)/sqrt(mean(a**2)), 0))",
        ),
        ("z/(1/2 + mean(abs(z)))", "2*(1 - mean(abs(a)))*(g - mean(a*g)*sign(a))"),
        (
            "z/(1 + max(z) + min(z))",
            "(1 - max(a) - min(a))*(g - indicator(a == max(a))*sum(a*g)/sum(indicator(a == max(a)))"
            " - indicator(a == min(a))*sum(a*g)/sum(indicator(a == min(a))))",
        ),
        (
            "(z - mean(z))/(1/4 + sqrt(mean((z - mean(z))**2)))",
            "(4 - 4*sqrt(mean(a**2)))"
            "*(g - mean(g) - where(sqrt(mean(a**2)) != 0, a*mean(a*g)/sqrt(mean(a**2)), 0))",
        ),
        ("exp(2*z)/sum(exp(z))", "2*a*g - sum(a*g)*sqrt(a)/sum(sqrt(a))"),
        (
            "max(z - max(z)/2, 0)",
            "g*indicator(a > 0) - indicator(a == max(a))*sum(g*indicator(a > 0))"
            "/(2*sum(indicator(a == max(a))))",
        ),
        (
            "z/(1 + max(abs(z)))",
            "(1 - max(abs(a)))*(g - indicator(abs(a) == max(abs(a)))*sign(a)*sum(a*g)"
            "/sum(indicator(abs(a) == max(abs(a)))))",
        ),
        (
            "max(z, 0)/(1 + max(z))",
            "indicator(a > 0)*(1 - max(a))*(g - indicator(a == max(a))*sum(a*g)"
            "/sum(indicator(a == max(a))))",
        ),
        (
            "where(z > mean(z), z, mean(z))",
            "g*indicator(a > min(a)) + mean(g*indicator(a <= min(a)))",
        ),
        (
            "z*mean(abs(z))",
            "where(max(abs(a)) > 0, (g*mean(abs(a)) + mean(a*g)*sign(a))/sqrt(mean(abs(a))), 0)",
        ),
        (
            "max(z, 0)*mean(max(z, 0))",
            "where(a > 0, (mean(a*g) + g*mean(a))/sqrt(mean(a)), 0)",
        ),
        (
            "max(z - max(z) + 1, 0)**2/sum(max(z - max(z) + 1, 0)**2)",
            "where(a > 0, 2*sqrt(a/max(a))*(g - sum(a*g))*max(a), 0) - indicator(a == max(a))"
            "*sum(where(a > 0, 2*sqrt(a/max(a))*(g - sum(a*g))*max(a), 0))"
            "/sum(indicator(a == max(a)))",
        ),
        (
            "(z - mean(z))**3/mean((z - mean(z))**2)",
            "3*(g*abs(a)**(2/3) - mean(g*abs(a)**(2/3)))/mean(abs(a)**(2/3)) + 2*mean(a*g)"
            "*(mean(sign(a)*abs(a)**(1/3)) - sign(a)*abs(a)**(1/3))/mean(abs(a)**(2/3))**2",
        ),
    ],
)
def test_forms_in_the_output_alone_are_short(text, form):
    """As one writes them by hand."""
    assert to_text(through_output(derive(parse(text)))) == form


def test_a_form_says_of_how_many_units_it_is_none():
    """By hand: 7 units of ``exp(z) - sum(exp(z))/7`` add up to 0, which tells no sum."""
    written = " ".join(str(derive(parse("exp(z) - sum(exp(z))/k", {"k": 7}))).split())
    assert "In a layer of 7 units the form through the output alone divides by 0" in written
    assert "divides by 0" not in str(derive(parse("exp(z) - sum(exp(z))/k", {"k": 7.5})))


def test_rounding_makes_no_witness():
    """The largest unit has slope 0, computed as some 1e-61."""
    formula = parse("exp(z)/max(exp(z))")
    assert find_layer_witness(formula, computation_graph(formula.expression)) is None


@pytest.mark.parametrize(
    "text",
    [
        "z*max(sqrt(sum(z**2)) - 2, 0)",
        "(z - mean(z))*max(sqrt(mean((z - mean(z))**2)) - 2, 0)",
        "where(sum(z) > 10000, z, 0)",
        "tanh((z - mean(z))/sqrt(mean((z - mean(z))**2) + 1))",
    ],
)
def test_layers_that_are_zero_below_a_bound_have_a_form_and_so_do_functions_of_layers(text):
    """On either side of the bound the form has the product that differences give."""
    formula = parse(text)
    form = through_output(derive(formula))
    for places in (*_LAYERS, ("4", "-5", "3.5"), ("9000", "800", "700"), ("9000", "800", "-700")):
        assert_true_product(formula, form, places)


def test_an_inverse_that_cannot_be_written_still_tells_the_layer_inside():
    """The error function has no inverse in the language, but one there is."""
    derivation = derive(parse("erf((z - mean(z))/sqrt(mean((z - mean(z))**2) + 1))"))
    assert derivation.product_from_output is None
    assert "has a form through itself" in derivation.determined_by_output


@pytest.mark.parametrize(
    "text", ["z*abs(mean(z)) + z", "z*(2 - min(sum(z), 0))", "z*max(1 + mean(z), 1/2)"]
)
def test_a_factor_made_of_pieces_is_told_piece_by_piece(text):
    """The mean of the outputs is that of z times the factor, which rises with it."""
    formula = parse(text)
    form = through_output(derive(formula))
    for places in (*_LAYERS, ("3", "-0.5", "2"), ("-3", "0.5", "-2"), ("0.2", "-0.7")):
        assert_true_product(formula, form, places)


def test_exponentials_of_either_sign_are_powers_of_one():
    """With A = Σ a and B = Σ 1/a, as worked by hand, exp(-2z/t) = (1 - A)/(B a²)."""
    derivation = derive(parse("exp(z/t)/(sum(exp(z/t)) + sum(exp(-z/t)))", {"t": 2.0}))
    assert to_text(derivation.product_from_output) == (
        "a*g/t + sum(a*g)*(1 - sum(a) - sum(1/a)*a**2)/(a*sum(1/a)*t)"
    )


@pytest.mark.parametrize(
    ("text", "parameters", "form"),
    [
        (
            "max(0, 1 - lam/sqrt(sum(z**2)))*z",
            {"lam": 0.5},
            "where(max(abs(a)) > 0, (a*lam*sum(a*g)/sum(a**2) + g*sqrt(sum(a**2)))"
            "/(lam + sqrt(sum(a**2))), 0)",
        ),
        (
            "(z - mean(z))/(mean(abs(z - mean(z))) + eps)",
            {"eps": 0.1},
            "(1 - mean(abs(a)))*(g + mean(a*g)*mean(sign(a)) - mean(g) - mean(a*g)*sign(a))/eps",
        ),
        (
            "gamma*(z - mean(z))/sqrt(mean((z - mean(z))**2) + eps) + beta",
            {"gamma": 1.5, "eps": 1e-5, "beta": 0.2},
            "sqrt(gamma**2 - mean((a - beta)**2))*(g*gamma**2 - (a - beta)*mean((a - beta)*g)"
            " - mean(g)*gamma**2)/(gamma**2*sqrt(eps))",
        ),
    ],
)
def test_forms_with_parameters_are_short(text, parameters, form):
    """No quotient within a divisor, nothing added that is taken away again: as worked by hand."""
    assert to_text(through_output(derive(parse(text, parameters)))) == form
