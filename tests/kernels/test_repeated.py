"""Generated code is the same whenever it is generated: kept choices are found by it."""

from __future__ import annotations

import pytest

from chainrule.catalogue import activation_formula
from chainrule.derivations import derive
from chainrule.kernels.source._smooth import stable_form


@pytest.mark.parametrize("name", ["logish", "gelu_tanh"])
def test_a_stable_form_does_not_hang_on_the_order_of_hashes(name):
    """Every time the symbols of its logarithms and numbers are new, and so are their hashes."""
    formula = activation_formula(name)
    slope = derive(formula).steps[-1].in_variables
    found = {repr(stable_form(slope, dict(formula.parameters), -1)) for _ in range(8)}
    assert len(found) == 1
