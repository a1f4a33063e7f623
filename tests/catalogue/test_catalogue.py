"""The catalogue: every named function is data, found by its names, and is what its name says."""

from __future__ import annotations

import pickle

import mpmath
import pytest
from tests.catalogue.definitions import ELEMENTWISE, LAYER_COUPLED
from tests.formulas.language import UndefinedError, layer_values, value_at

from chainrule.catalogue import (
    CatalogueError,
    activation_formula,
    activations,
    assumption_on_targets,
    cost_formula,
    costs,
)
from chainrule.formulas import ChainruleError, Formula, FormulaError, ParameterError, parse

ACTIVATIONS = {entry.name: entry for entry in activations()}
COSTS = {entry.name: entry for entry in costs()}
REQUIRED = (
    *("identity", "relu", "leaky_relu", "elu", "selu", "softplus", "softsign", "sigmoid", "tanh"),
    *("silu", "gelu", "mish", "softmax", "log_softmax"),
)
PLACES = ("-30.5", "-7.25", "-3", "-1.5", "-1", "-0.25", "0", "1e-6", "0.5", "1", "2.75", "6", "20")


def close(got, wanted) -> bool:
    return abs(got - wanted) <= mpmath.mpf(10) ** -35 * (1 + abs(wanted))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_read_with_its_defaults(name):
    """The text parses, the defaults are those of its parameters, and the name is kept."""
    entry = ACTIVATIONS[name]
    formula = activation_formula(name)
    assert formula.name == formula.title == name
    assert dict(formula.parameters) == entry.parameters
    assert formula == parse(entry.formula, entry.parameters)
    assert parse(formula.text, dict(formula.parameters)) == formula
    assert entry.source


@pytest.mark.parametrize("name", COSTS)
def test_every_cost_is_read_and_gives_one_number(name):
    """Costs are formulas in a and y that reduce over the outputs."""
    formula = cost_formula(name)
    assert formula.name == name
    assert formula.is_layer_coupled
    units = {"a": [mpmath.mpf("0.2"), mpmath.mpf("0.7")], "y": [mpmath.mpf(0), mpmath.mpf(1)]}
    values = layer_values(formula.expression, units, dict(formula.parameters))
    assert values[0] == values[1]


def test_what_every_framework_has_is_there():
    """The functions that users expect by name."""
    assert set(REQUIRED) <= set(ACTIVATIONS)
    assert {"half_squared_error", "binary_cross_entropy", "categorical_cross_entropy"} <= set(COSTS)


def test_every_activation_has_a_definition_here():
    """A function that is added to the catalogue needs an independent definition in these tests."""
    assert {*ELEMENTWISE, *LAYER_COUPLED} == set(ACTIVATIONS)
    coupled = {name for name in ACTIVATIONS if activation_formula(name).is_layer_coupled}
    assert coupled == set(LAYER_COUPLED)


@pytest.mark.parametrize("entries", [ACTIVATIONS, COSTS], ids=["activations", "costs"])
def test_names_and_aliases_are_unique_and_lower_case_identifiers(entries):
    """No name means two functions."""
    names = [name for entry in entries.values() for name in (entry.name, *entry.aliases)]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() and name == name.lower() for name in names)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_functions_are_what_their_names_say(name):
    """Values equal the function's definition in forty digits, kinks and saturation included."""
    formula = activation_formula(name)
    with mpmath.workdps(60):
        for place in map(mpmath.mpf, PLACES):
            try:
                got = value_at(formula.expression, place, dict(formula.parameters))
            except UndefinedError:  # exponentials of exponentials: beyond what is evaluated here
                assert place > 10
                continue
            assert close(got, ELEMENTWISE[name].function(place)), place


@pytest.mark.parametrize("name", LAYER_COUPLED)
def test_layer_coupled_functions_are_what_their_names_say(name):
    """Values of a layer equal the definition, whichever way it is shifted."""
    formula = activation_formula(name)
    with mpmath.workdps(60):
        for layer in (("0.5", "-1", "2", "0.25"), ("3",), ("-20", "15", "15"), ("0", "0")):
            z = [mpmath.mpf(x) for x in layer]
            got = layer_values(formula.expression, {"z": z}, dict(formula.parameters))
            wanted = LAYER_COUPLED[name](z)
            assert all(close(x, y) for x, y in zip(got, wanted, strict=True))


def test_costs_are_what_their_names_say():
    """Half the squared distance; minus the log-likelihood of targets, for one or many labels."""
    a = [mpmath.mpf(x) for x in ("0.2", "0.5", "0.3")]
    y = [mpmath.mpf(x) for x in ("0", "1", "0")]
    wanted = {
        "half_squared_error": (a[0] ** 2 + (a[1] - 1) ** 2 + a[2] ** 2) / 2,
        "binary_cross_entropy": -mpmath.log(1 - a[0]) - mpmath.log(a[1]) - mpmath.log(1 - a[2]),
        "categorical_cross_entropy": -mpmath.log(a[1]),
        "negative_log_likelihood": -a[1],
        "absolute_error": mpmath.mpf(1),
        "huber": (a[0] ** 2 + (a[1] - 1) ** 2 + a[2] ** 2) / 2,
        "log_cosh": sum(mpmath.log(mpmath.cosh(mpmath.mpf(x))) for x in ("0.2", "0.5", "0.3")),
        "quantile": mpmath.mpf("0.5"),
        "poisson": 1 - mpmath.log(a[1]),
        "hinge": mpmath.mpf("2.5"),
        "squared_hinge": mpmath.mpf("2.25"),
        "focal": -((1 - a[1]) ** 2) * mpmath.log(a[1]),
        "binary_focal": -(a[0] ** 2) * mpmath.log(1 - a[0])
        - (1 - a[1]) ** 2 * mpmath.log(a[1])
        - a[2] ** 2 * mpmath.log(1 - a[2]),
        "label_smoothed_cross_entropy": -mpmath.mpf("0.9") * mpmath.log(a[1])
        - mpmath.mpf("0.1") * sum(mpmath.log(x) for x in a) / 3,
        "kullback_leibler": -mpmath.log(a[1]),
        "cosine": 1 - a[1] / mpmath.sqrt(a[0] ** 2 + a[1] ** 2 + a[2] ** 2),
    }
    assert set(wanted) == set(COSTS)
    for name, value in wanted.items():
        cost = cost_formula(name)
        got = layer_values(cost.expression, {"a": a, "y": y}, dict(cost.parameters))[0]
        assert abs(got - value) < 1e-14


@pytest.mark.parametrize(
    ("alias", "name"),
    [("logistic", "sigmoid"), ("swish", "silu"), ("linear", "identity"), ("ReLU", "relu"),
     (" tanh ", "tanh"), ("GELU", "gelu"), ("hardtanh", "hard_tanh"), ("logsigmoid", "log_sigmoid"),
     ("LeakyReLU", "leaky_relu"), ("Hardswish", "hard_swish"), ("soft_sign", "softsign")],
)  # fmt: skip
def test_aliases_and_capitals_find_the_function(alias, name):
    """The formula bears the catalogue's name."""
    assert activation_formula(alias) == activation_formula(name)
    assert activation_formula(alias).name == name


def test_every_alias_finds_its_entry():
    """Of activations and of costs."""
    for entry in ACTIVATIONS.values():
        assert all(activation_formula(alias).name == entry.name for alias in entry.aliases)
    for entry in COSTS.values():
        assert all(cost_formula(alias).name == entry.name for alias in entry.aliases)


@pytest.mark.parametrize(
    ("wrong", "suggestion"),
    [("relo", "relu"), ("sigmod", "sigmoid"), ("soft_max", "softmax"), ("leaky_rule", "leaky_relu"),
     ("Mihs", "mish"), ("log_soft_max", "log_softmax")],
)  # fmt: skip
def test_an_unknown_name_suggests_the_nearest(wrong, suggestion):
    """A CatalogueError, readable, which also says what is known."""
    with pytest.raises(CatalogueError) as caught:
        activation_formula(wrong)
    message = str(caught.value)
    assert f"Did you mean {suggestion}?" in message
    assert repr(wrong) in message
    assert "\\n" not in message
    assert isinstance(caught.value, ChainruleError)
    assert isinstance(caught.value, KeyError)


def test_an_unknown_name_like_no_other_lists_what_is_known():
    """No suggestion is better than a wild one."""
    with pytest.raises(CatalogueError) as caught:
        activation_formula("qqqqqqqq")
    assert "Did you mean" not in str(caught.value)
    assert "softplus" in str(caught.value)
    with pytest.raises(CatalogueError, match="half_squared_error"):
        cost_formula("half_square_error")
    with pytest.raises(CatalogueError, match="catalogue of costs"):
        cost_formula("relu")


def test_defaults_can_be_changed_by_name():
    """A parameter that the function does not have is refused."""
    assert activation_formula("leaky_relu", alpha=0.2).parameters == (("alpha", 0.2),)
    assert activation_formula("selu", alpha=2.0).parameters == (
        ("scale", 1.0507009873554805),
        ("alpha", 2.0),
    )
    with pytest.raises(ParameterError, match="slope"):
        activation_formula("leaky_relu", slope=0.2)
    with pytest.raises(ParameterError, match="no parameters"):
        activation_formula("tanh", alpha=1.0)


def test_formulas_texts_and_holders_of_formulas_are_taken_as_they_are():
    """The same door for a name, a text, a Formula, and what has a formula."""

    class Holder:
        formula = parse("z**3")

    assert activation_formula("z**3") == activation_formula(Holder()) == Holder.formula
    assert activation_formula(Holder.formula) is Holder.formula
    assert activation_formula("z").expression == activation_formula("identity").expression
    assert activation_formula("alpha*z", alpha=3.0).parameters == (("alpha", 3.0),)
    for wrong in (None, 3, [], "", "  ", "z +", "2relu"):
        with pytest.raises(FormulaError):
            activation_formula(wrong)


def test_a_cost_with_a_value_for_every_output_is_refused():
    """The remedy is written out."""
    with pytest.raises(FormulaError) as caught:
        cost_formula("(a - y)**2")
    assert "sum((a - y)**2)" in str(caught.value)


def test_only_costs_that_need_it_assume_anything_of_their_targets():
    """Categorical cross-entropy needs targets that sum to one; a user's cost assumes nothing."""
    assert assumption_on_targets(cost_formula("categorical_cross_entropy")) == "sum(y) == 1"
    assert assumption_on_targets(cost_formula("cross_entropy")) == "sum(y) == 1"
    assert assumption_on_targets(cost_formula("half_squared_error")) == ""
    assert assumption_on_targets(cost_formula("binary_cross_entropy")) == ""
    assert assumption_on_targets(cost_formula("-sum(y*log(a))")) == ""


@pytest.mark.parametrize("name", [*ACTIVATIONS])
def test_formulas_are_values(name):
    """Equal, hashable, and the same after pickling; the name is for display only."""
    formula = activation_formula(name)
    assert pickle.loads(pickle.dumps(formula)) == formula
    assert hash(formula) == hash(activation_formula(name))
    assert Formula(formula.expression, formula.parameters) == formula
