"""A branch that the parameters' values do not take is never evaluated."""

import mpmath
import numpy as np
import pytest
from tests.formulas.language import layer_values

import chainrule
from chainrule.derivations import derive, through_output
from chainrule.derivations._evaluate import evaluate
from chainrule.formulas import FormulaError, parse

_SOFT_EXPONENTIAL = (
    "where(alpha < 0, -log(1 - alpha*(z + alpha))/alpha, "
    "where(alpha > 0, (exp(alpha*z) - 1)/alpha + alpha, z))"
)


@pytest.mark.parametrize(
    "text", ["where(alpha == 0, z, (exp(alpha*z) - 1)/alpha)", _SOFT_EXPONENTIAL]
)
def test_what_only_another_branch_leaves_undefined_is_accepted(text: str) -> None:
    """With alpha = 0 these are the identity, although another branch divides by alpha."""
    formula = parse(text, {"alpha": 0})
    assert evaluate(through_output(derive(formula)), {"alpha": 0, "a": mpmath.mpf(3)}) == 1
    function = chainrule.activation(text, alpha=0)
    z = np.array([[-1.5, 0.0, 2.0]])
    assert np.array_equal(function(z), z)
    assert np.array_equal(function.backward(np.ones_like(z), z), np.ones_like(z))


def test_the_branch_that_is_taken_must_be_defined() -> None:
    """What is evaluated still has to be a number, whichever branch it stands in."""
    with pytest.raises(FormulaError, match="alpha"):
        parse("where(alpha == 1, z, (exp(alpha*z) - 1)/alpha)", {"alpha": 0})
    with pytest.raises(FormulaError, match="1/alpha"):
        parse("z*where(alpha >= 0, 1/alpha, 2)", {"alpha": 0})


def test_layers_may_choose_by_a_parameter() -> None:
    """A condition that holds no variable is no comparison of units."""
    layer = chainrule.activation("where(alpha == 0, z, z**2/alpha) + mean(z)", alpha=0)
    z = np.array([[1.0, 3.0, -4.0]])
    assert np.array_equal(layer(z), z)
    assert np.allclose(layer.backward(np.array([[1.0, 0.0, 0.0]]), z), [[4 / 3, 1 / 3, 1 / 3]])
    layer = chainrule.activation("where(alpha == 1, z, z**2/alpha) + mean(z)", alpha=2)
    assert np.allclose(layer.backward(np.array([[1.0, 0.0, 0.0]]), z), [[4 / 3, 1 / 3, 1 / 3]])


def test_a_choice_by_the_user_is_no_limit_of_a_power() -> None:
    """Only a derivative by an exponent, where its base is 0, is a limit that is taken."""
    shown = str(derive(parse("where(alpha == 0, z, (exp(alpha*z) - 1)/alpha)", {"alpha": 0})))
    assert "to a positive power" not in shown
    assert "to a positive power" in str(derive(parse("max(z, 0)**alpha", {"alpha": 2})))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("where(alpha == 0, z, (exp(alpha*z) - 1)/alpha)", 0),
        (_SOFT_EXPONENTIAL, 0),
        ("where(alpha == 1, log(1 + exp(z)), (1 - (1 + exp(z))**(1 - alpha))/(alpha - 1))", 1),
        ("where(alpha == 0, z, sinh(alpha*z)/alpha) + mean(z)", 0),
    ],
)
def test_the_derivative_by_a_parameter_is_the_limit_where_a_formula_changes_form(
    text: str, value: int
) -> None:
    """Compared with the difference quotient of the tests' own evaluation."""
    formula = parse(text, {"alpha": value})
    (found,) = derive(formula).by_parameters
    assert found.switches == "limit"
    with mpmath.workdps(60):
        z, step = [mpmath.mpf("-0.7"), mpmath.mpf("1.3")], mpmath.mpf(10) ** -20
        above, below = (
            layer_values(formula.expression, {"z": z}, {"alpha": value + s * step}) for s in (1, -1)
        )
        got = layer_values(found.derivative, {"z": z}, {"alpha": mpmath.mpf(value)})
        for x, high, low in zip(got, above, below, strict=True):
            assert abs(x - (high - low) / (2 * step)) < mpmath.mpf(10) ** -15


@pytest.mark.parametrize(
    "text", ["where(alpha == 0, z, alpha*z**2)", "where(alpha > 0, alpha*z, 2*alpha*z)"]
)
def test_a_jump_or_a_kink_in_a_parameter_is_no_limit(text: str) -> None:
    """What is shown is the derivative of the branch that is taken, and it is said so."""
    derivation = derive(parse(text, {"alpha": 0}))
    assert derivation.by_parameters[0].switches == "branch"
    assert "that of the branch that is taken" in " ".join(str(derivation).split())
