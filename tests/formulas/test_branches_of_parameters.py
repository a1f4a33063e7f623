"""A branch that the parameters' values do not take is never evaluated."""

import mpmath
import numpy as np
import pytest

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
    assert "the limit of" not in shown
    assert "the limit of" in str(derive(parse("max(z, 0)**alpha", {"alpha": 2})))
