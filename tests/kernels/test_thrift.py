"""Rounding errors that need not be kept are not: less work, and the promise still holds."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from tests.cases import some_of

from chainrule.formulas import parse
from chainrule.kernels import activation_kernels
from chainrule.kernels._choice import choose
from chainrule.kernels._kept_choices import Choice
from chainrule.kernels._kernels import kernels_in
from chainrule.kernels._thrift import with_fewer_kept
from chainrule.kernels.source._compensated import FloatFunction
from chainrule.kernels.source._emulation import emulated
from chainrule.kernels.source._tiers import described, format_of, has_fits

Z = np.array([-30.0, -7.1, -2.3, -1.0, -0.3, -1e-3, 1e-3, 0.4, 1.7, 5.2, 21.0], np.float32)
CASES = {
    "z/sqrt(1 + z**2)": lambda z: z / mpmath.sqrt(1 + z**2),
    "z/(1 + exp(-z))": lambda z: z / (1 + mpmath.exp(-z)),
    "(z + sqrt(z**2 + 4))/2": lambda z: (z + mpmath.sqrt(z**2 + 4)) / 2,
    "where(z < 2, z*(z + 3)/6, z)": lambda z: z * (z + 3) / 6 if z < 2 else z,
}


def test_an_operation_that_is_left_out_is_one_on_numbers():
    """Counted as they are written, from 0."""
    function = FloatFunction(keeps="everything", rounded=[1])
    (line,) = function.lines("y = x * x + 1.0")
    assert "pairs.product(x, x)" in line
    function = FloatFunction(keeps="everything", rounded=[0])
    (line,) = function.lines("y = x * x + 1.0")
    assert "pairs.product" not in line
    assert "pairs.add" in line


def test_those_that_save_most_are_left_out_while_the_promise_holds():
    """Of a division, a sum and a product the product's is needed."""
    operations = ["pairs.scaled(a)", "pairs.add(b)", "pairs.divide(c)"]
    asked = []

    def source(tier):
        left_out = tier.partition(" but ")[2].split()
        return " ".join("" if str(k) in left_out else s for k, s in enumerate(operations))

    def passes(tier):
        asked.append(tier)
        return "0" not in tier

    assert with_fewer_kept("compensated", source, passes) == "compensated but 1 2"
    assert asked == ["compensated but 1", "compensated but 1 2", "compensated but 0 1 2"]


def test_a_small_gain_is_not_worth_an_error():
    """A tenth of the work is nothing that anybody notices."""
    operations = ["pairs.scaled(a)", *["pairs.square_root(b)"] * 3]

    def source(tier):
        left_out = tier.partition(" but ")[2].split()
        return " ".join("" if str(k) in left_out else s for k, s in enumerate(operations))

    assert with_fewer_kept("divided", source, lambda tier: tier.endswith(" 0")) == "divided"


@pytest.mark.parametrize("text", CASES)
@pytest.mark.parametrize("left_out", some_of(range(8), 3))
def test_source_is_right_whatever_is_left_out(text, left_out):
    """Each error alone costs a few units in the last place at most."""
    tier = f"compensated but {left_out}"
    tiers = {"activation": tier, "derivative": "double"}
    kernels = kernels_in(parse(text), "float32", Choice(tiers, {}, ""))
    got = emulated(kernels.source, "activation", Z, [])
    with mpmath.workdps(40):
        true = [CASES[text](mpmath.mpf(float(z))) for z in Z]
    for value, wanted in zip(got, true, strict=True):
        assert abs(float(value) - wanted) <= 4 * abs(np.spacing(np.float32(wanted)))


def test_a_function_that_keeps_errors_keeps_no_more_than_it_needs():
    """Under the root and of the last product they count less than the bound allows."""
    formula = parse("z/sqrt(1 + z**2)")

    def candidate(tiers, zeros):
        return kernels_in(formula, "float32", Choice(dict(tiers), zeros, ""))

    exact = activation_kernels(formula, np.float64)
    kernels, choice = choose(exact, candidate, coupled=False)
    assert choice.tiers["activation"].startswith("compensated but ")
    whole = candidate({**choice.tiers, "activation": "compensated"}, choice.zeros)
    assert kernels.source.count("pairs.") < whole.source.count("pairs.")


def test_exceptions_do_not_hide_the_tier():
    """What format it reads, whether it has fits, and how it is told."""
    assert format_of("compensated but 0 2") == "single"
    assert has_fits("divided but 1")
    assert described("compensated but 0 2") == "compensated but for 2 operations"
    assert described("divided but 1") == "divided but for 1 operation"
    assert described("double") == "double"
