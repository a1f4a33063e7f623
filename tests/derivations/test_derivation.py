"""Whole derivations: what they claim is true, equation by equation, and what they hold."""

from __future__ import annotations

import pickle
import threading

import mpmath
import pytest
from tests.cases import some_of
from tests.derivations.shared import derivation_of
from tests.formulas.language import POINTWISE, UndefinedError, central_difference, value_at

from chainrule.catalogue import activation_formula, activations
from chainrule.derivations import NoOutputFormError, derive, node_names, through_output
from chainrule.documents import text_of
from chainrule.formulas import Expression, parse, to_text

NAMES = [entry.name for entry in activations()]
ELEMENTWISE = [name for name in NAMES if not activation_formula(name).is_layer_coupled]
OTHERS = ["z**2*exp(-z)", "atan(z)/pi + 1/2", "max(z, 0)**2", "abs(z)*z", "log(z**2 + 1)", "sin(z)"]


class UnknownError(Exception):
    """An equation's side holds symbols that have no number: ∂a/∂u, a_j, matrices."""


def side_value(e: Expression, known: dict[str, object]):
    """Return the value of one side of an equation."""
    operation = getattr(e, "operation", None)
    if operation is None:
        if hasattr(e, "name") and e.name not in known:
            raise UnknownError
        return known[e.name] if hasattr(e, "name") else value_at(e, 0)
    if operation == "where":
        condition, x, y = e.arguments
        return side_value(x if side_value(condition, known) else y, known)
    if operation not in POINTWISE:
        raise UnknownError
    return POINTWISE[operation](*(side_value(argument, known) for argument in e.arguments))


@pytest.mark.long
@pytest.mark.parametrize("source", [*ELEMENTWISE, *OTHERS])
def test_every_equation_of_a_derivation_holds(source):
    """All sides of all equations have one value, at places on all sides of the kinks."""
    formula = activation_formula(source)
    derivation = derivation_of(source)
    names = node_names(derivation.graph)
    compared = 0
    with mpmath.workdps(60):
        for place in ("-3.7", "-0.9", "0.35", "1.2", "7.5"):
            z = mpmath.mpf(place)
            parameters = {name: mpmath.mpf(value) for name, value in formula.parameters}
            known = {**parameters, "z": z, "a": value_at(formula.expression, z, parameters)}
            for index, name in names.items():
                known[name.name] = value_at(derivation.graph.expression(index), z, parameters)
            for section in derivation.sections:
                for equation in section.equations:
                    if "where" in equation.remark or "on " in equation.remark:
                        continue  # it holds on a piece
                    values = []
                    for side in equation.sides:
                        try:
                            values.append((side_value(side, known), text_of(side)))
                        except (UnknownError, UndefinedError):
                            continue
                    for value, text in values[1:]:
                        scale = 1 + abs(values[0][0])
                        assert abs(value - values[0][0]) < 1e-40 * scale, (text, values[0][1])
                        compared += 1
    assert compared >= 5


@pytest.mark.parametrize("source", [*ELEMENTWISE, *OTHERS])
def test_the_last_step_is_the_derivative(source):
    """∂a/∂u0 in z agrees with a central difference of the formula."""
    formula = activation_formula(source)
    step = derivation_of(source).steps[-1]
    parameters = dict(formula.parameters)
    with mpmath.workdps(90):
        for place in ("-3.7", "-0.9", "0.35", "1.2", "7.5"):
            z = mpmath.mpf(place)
            wanted = central_difference(lambda t: value_at(formula.expression, t, parameters), z)
            got = value_at(step.in_variables, z, parameters)
            assert abs(got - wanted) < 1e-20 * (1 + abs(wanted))


@pytest.mark.parametrize("name", some_of(NAMES, 3))
def test_derivations_of_named_functions_render_everywhere(name):
    """As text, LaTeX and HTML; with no name of Python's in what is read."""
    derivation = derivation_of(name)
    text = str(derivation)
    assert text == derivation.to_text()
    assert name in text.splitlines()[0]
    for word in ("Apply(", "Variable(", "Constant(", "Fraction(", "None", "<function", "Dummy"):
        assert word not in text
        assert word not in derivation.to_latex()
    page = derivation.to_html()
    assert page.count("<math") >= 5
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/1998/Math/MathML", "")


@pytest.mark.parametrize("name", ["sigmoid", "mish", "softmax", "elu"])
def test_derivations_are_the_same_off_the_main_thread(name):
    """Where no timer can be set nothing else changes."""
    results: list[str] = []
    thread = threading.Thread(target=lambda: results.append(str(derive(activation_formula(name)))))
    thread.start()
    thread.join()
    assert results == [str(derivation_of(name))]


@pytest.mark.parametrize("name", ["silu", "gelu", "mish", "gaussian", "hard_swish"])
def test_the_lack_of_a_form_through_the_output_is_said_with_its_reason(name):
    """The error names the function and the remedy."""
    with pytest.raises(NoOutputFormError) as caught:
        through_output(derivation_of(name))
    assert name in str(caught.value)
    assert "backward(da, z)" in str(caught.value)


@pytest.mark.parametrize("text", ["abs(z)", "max(z, -z/2)", "where(z > 0, z, exp(-z) - 1)", "z**2"])
def test_an_output_that_belongs_to_two_pieces_does_not_tell_the_slope(text):
    """A fall and a rise share their outputs."""
    with pytest.raises(NoOutputFormError):
        through_output(derive(parse(text)))


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("1/(1 + exp(-z))", {}), ("tanh(z)", {}), ("max(0, z)", {}), ("z/(1 + abs(z))", {}),
        ("where(z > 0, z, s*z)", {"s": 0.1}), ("where(z > 0, z, s*(exp(z) - 1))", {"s": 1.5}),
        ("log(1 + exp(z))", {}), ("z/sqrt(1 + z**2)", {}), ("max(-1, min(1, z))", {}),
        ("where(z > 1, 2*z - 1, z)", {}), ("exp(z)", {}),
    ],
)  # fmt: skip
def test_forms_through_the_output_join_where_the_pieces_do(text, parameters):
    """One expression in a for the whole axis, kinks included."""
    formula = parse(text, parameters)
    form = through_output(derive(formula))
    with mpmath.workdps(60):
        for k in range(-41, 42):
            z = mpmath.mpf(k) / 8
            a = value_at(formula.expression, z, parameters)
            got = value_at(form, z, parameters, a=a)

            def function(t):
                return value_at(formula.expression, t, parameters)

            left, right = (central_difference(function, z + h) for h in (-1e-12, 1e-12))
            if abs(left - right) < 1e-6:
                assert abs(got - left) < 1e-6, k
            else:
                assert min(abs(got - left), abs(got - right)) < 1e-6, k


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("max(0, tanh(z)) + min(0, z/10)", "where(a == 0, 0, where(a < 0, 1/10, 1 - a**2))"),
        ("where(z > 0, exp(-z), -exp(z))", "where(a < 0, a, -a)"),
        ("where(z > 0, 1/(1 + z), -1/(1 - z))", "-a**2"),
        ("where(z > 0, exp(z), exp(z + 1))", "a"),
        ("z*sqrt(abs(z))", "where(a < 0, 3*(-a)**(1/3)/2, 3*a**(1/3)/2)"),
        ("where(z > 0, 2 - exp(-z), exp(z) - 2)", "where(a <= -1, 2 + a, 2 - a)"),
    ],
)
def test_pieces_in_any_order_are_told_apart_by_their_outputs(text, wanted):
    """A slope of the kink's own is taken at its output; one form for all pieces stands alone."""
    formula = parse(text)
    form = through_output(derive(formula))
    assert to_text(form) == wanted
    with mpmath.workdps(60):
        for k in (-37, -5, -1, 1, 7, 40):
            z = mpmath.mpf(k) / 8
            a = value_at(formula.expression, z)
            slope = central_difference(lambda t: value_at(formula.expression, t), z)
            assert abs(value_at(form, 0, a=a) - slope) < 1e-15


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("where(z > 0, log(z), 0)", "slopes 0 and 1"),
        ("where(z > 0, 0, z)", "slopes 1 and 0"),
        ("where(z >= 0, z, 0)", "slopes 1 and 0"),
        ("min(z**2, min(1/10, z))", "slopes 0.6325 and 0"),
    ],
)
def test_a_flat_piece_whose_output_others_have_is_refused(text, wanted):
    """Even where one place alone has it, the kink."""
    with pytest.raises(NoOutputFormError, match=wanted):
        through_output(derive(parse(text)))


def test_a_flat_piece_among_outputs_of_others_is_told_by_its_own():
    """-1/z has all outputs but 0, where it is cut to 0 beyond 2 by none but -1/2."""
    form = through_output(derive(parse("where(z > 2, 0, -1/z)")))
    assert [value_at(form, 0, a=a) for a in (0, -2, 3)] == [0, 4, 9]


def test_the_relu_through_its_output():
    """Where a is 0, the slope is 0."""
    form = through_output(derivation_of("relu"))
    assert [value_at(form, 0, a=a) for a in (0, 0.5, 3)] == [0, 1, 1]


def test_derivations_are_values():
    """Equal for equal formulas."""
    one, two = (derive(parse("1/(1 + exp(-z))")) for _ in range(2))
    assert one.graph == two.graph
    assert one.steps == two.steps
    assert one.pieces == two.pieces
    assert pickle.loads(pickle.dumps(one.graph)) == one.graph


@pytest.mark.parametrize(
    "text",
    [
        "z/0.1/0.3/7", "exp(exp(exp(z)))", "sin(cos(tanh(z**3)))**7", "z**z", "(z**2)**(1/2)",
        "where(z != z, 1, z)", "max(z, max(z, max(z, z)))", "1/z", "log(z)", "sqrt(z)", "sign(z)",
        "abs(sin(z))", "z**0.3333", "z**100", "exp(z)/exp(z)", "z - z", "0*z", "min(z, 1/z)",
        "erf(z)/(1 + erf(z)**2)", "where(sin(z) > cos(z), z, -z)", "atan(z**2 + z) - asinh(z)",
        "sum(z)/sum(z)", "max(z) - z", "z/max(abs(z))", "sum(where(z > 0, z, 0))*mean(z)",
        "sum(1/z)", "mean(sum(max(z, mean(z))))*z", "z*sum(z)**0.5", "exp(-(z - mean(z))**2)",
    ],
)  # fmt: skip
def test_anything_of_the_language_can_be_derived_and_shown(text):
    """Odd formulas too: no error, and a text that ends with the matrix form."""
    derivation = derive(parse(text))
    shown = str(derivation)
    assert "∂J/∂Z" in shown
    assert derivation.to_latex()
