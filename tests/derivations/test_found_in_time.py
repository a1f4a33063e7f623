"""What is found does not depend on a machine that does some work slower than others."""

import pytest

from chainrule.catalogue import activation_formula
from chainrule.derivations import derive
from chainrule.derivations.limits_in_time import _clock
from chainrule.formulas import to_text


@pytest.fixture(autouse=True)
def _on_a_slow_machine(monkeypatch):
    """Make limits five eighths of what they are for users; in tests they are longer by half."""
    monkeypatch.setattr(_clock, "_USUAL", 2.4 * _clock._USUAL)
    _clock._speed._fresh_until = -1.0


def test_a_layer_that_is_zero_below_a_bound_has_a_form_before_a_shorter_one_is_sought():
    form = derive(activation_formula("z*max(sqrt(sum(z**2)) - 1.9, 0)")).product_from_output
    assert form is not None
    assert to_text(form).startswith("where(max(abs(a)) > 0, ")
