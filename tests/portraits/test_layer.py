"""Portraits of layer-coupled functions against kernels and SVD."""

import numpy as np
import pytest
import sympy

import chainrule
from chainrule.derivations import TimeLimitError
from chainrule.derivations.limits_in_time import _clock
from chainrule.portraits.layers import _layer

_LAYERS = np.random.default_rng(3).normal(scale=2.0, size=(40, 5))
_COUPLED = [
    "softmax", "softmin", "log_softmax", "layer_norm", "rms_norm", "l2_normalization",
    "softmax_one", "l1_normalization", "z - mean(z)", "z/sqrt(sum(z**2))",
    "exp(z - max(z))/sum(exp(z - max(z)))",
]  # fmt: skip


def _texts(source, subject):
    return [s.text for s in chainrule.activation(source).portrait().about(subject) if s.proved]


@pytest.mark.parametrize("source", _COUPLED)
def test_what_is_called_invariant_is_and_the_rest_is_not(source):
    f, small = chainrule.activation(source), 1e-5 * _LAYERS
    moved = {"shift": f(small + 1.3), "scale": f(small * 2.5)}
    for subject, values in moved.items():
        (text,) = _texts(source, subject)
        assert np.allclose(values, f(small), rtol=0, atol=1e-9) == (" = " in text)


@pytest.mark.parametrize("source", _COUPLED)
def test_sums_ranges_and_monotony_hold_at_random_layers(source):
    f = chainrule.activation(source)
    a, jacobian = f(_LAYERS), f.jacobian(_LAYERS)
    drawn = f.portrait()
    for statement in drawn.statements:
        if not statement.proved:
            continue
        if statement.subject == "sum of the outputs":
            assert np.allclose(a.sum(-1), float(statement.text))
        if statement.subject == "range of one output" and statement.bounds:
            assert (a >= statement.bounds[0]).all()
            assert (a <= statement.bounds[1]).all()
        if statement.subject == "one output":
            sign = 1 if "increasing" in statement.text else -1
            own = np.eye(5, dtype=bool)
            chosen = jacobian[:, own] if "own" in statement.text else jacobian[:, ~own]
            assert (sign * chosen > 0).all()
        if statement.subject == "norm of the Jacobian":
            order = 2 if "spectral" in statement.text else np.inf
            assert (np.linalg.norm(jacobian, order, (1, 2)) <= statement.bounds[1] + 1e-12).all()
        if statement.subject == "Jacobian":
            smallest = np.linalg.svd(jacobian, compute_uv=False)[:, -1]
            assert np.allclose(smallest, 0, atol=1e-9)


def test_softmax_has_spectral_norm_one_half_which_two_equal_units_attain():
    (statement,) = chainrule.activation("softmax").portrait().about("norm of the Jacobian")
    assert statement.bounds[1] == 0.5
    attained = np.linalg.norm(chainrule.activation("softmax").jacobian(np.zeros(2)), 2)
    assert attained == pytest.approx(0.5)


def test_a_unit_that_others_may_leave_alone_is_not_called_monotone():
    """Where all other units are 0, z/sqrt(sum(z**2)) is the sign of z: it attains 1, and stays."""
    drawn = chainrule.activation("z/sqrt(sum(z**2))").portrait()
    assert not any(s.proved for s in drawn.about("range of one output"))
    assert not any(s.proved for s in drawn.about("one output"))


def test_an_output_of_a_normalisation_comes_as_near_to_the_root_of_n_less_1_as_you_like():
    assert _texts("layer_norm", "range of one output") == [
        "between -sqrt(n - 1) and sqrt(n - 1), neither attained"
    ]
    outputs = chainrule.activation("layer_norm")(np.array([1e4, 0.0, 0.0, 0.0, 0.0]))
    assert 2 - 1e-6 < outputs[0] < 2


@pytest.mark.parametrize(
    "source", ["l1_normalization", "rms_norm", "exp(-abs(z))/sum(exp(-abs(z)))"]
)
def test_what_is_said_to_go_both_ways_does(source):
    """Of others that push an output up at some layers and down at others nothing else is said."""
    assert len(_texts(source, "other units")) == 1
    slopes = chainrule.activation(source).jacobian(_LAYERS)[:, 0, 1:]
    assert slopes.min() < 0 < slopes.max()


def test_a_function_of_comparisons_has_steps_alone():
    assert _texts("hardmax", "range of one output") == ["attains 0, 1 and nothing else"]
    assert _texts("hardmax", "norm of the Jacobian") == ["0 wherever the function does not jump"]
    assert " = " in _texts("hardmax", "shift")[0]
    assert " = " in _texts("hardmax", "scale")[0]
    assert _texts("where(z < mean(z), 0, z)", "norm of the Jacobian") == []


def test_rows_that_add_up_to_what_grows_with_a_shift_bound_the_norm():
    """Of exp(z)/(1 + sum(exp(z))) two rows' largest sums come near to 1/2."""
    (statement,) = chainrule.activation("softmax_one").portrait().about("norm of the Jacobian")
    assert statement.bounds[1] == 0.5
    attained = np.abs(chainrule.activation("softmax_one").jacobian(np.array([9.0, 9.0]))).sum(1)
    assert 0.499 < attained.max() <= 0.5


@pytest.mark.parametrize(("source", "units"), [("layer_norm", 3), ("rms_norm", 2)])
def test_a_normalisation_is_steepest_where_its_layer_all_but_vanishes(source, units):
    """There the Jacobian is a projection over sqrt(eps)."""
    (statement,) = chainrule.activation(source).portrait().about("norm of the Jacobian")
    assert statement.bounds[1] == pytest.approx(1e5**0.5, rel=1e-12)
    attained = np.linalg.norm(chainrule.activation(source).jacobian(1e-9 * np.arange(units)), 2)
    assert attained == pytest.approx(statement.bounds[1], rel=1e-9)


def test_no_norm_is_stated_where_squares_may_weigh_more_than_2():
    """z/(eps + sum(abs(z))) takes away what is not symmetric."""
    assert _texts("l1_normalization", "norm of the Jacobian") == []


@pytest.mark.parametrize(
    "text", ["z/sum(abs(z))", "z/sqrt(sum(z**2))", "(z - mean(z))/max(abs(z))"]
)
def test_the_jacobian_of_what_knows_directions_alone_has_no_bound(text):
    """At a thousandth of a layer it is a thousand times as large."""
    activation = chainrule.activation(text)
    (statement,) = activation.portrait().about("norm of the Jacobian")
    assert statement.proved
    assert statement.bounds[1] == np.inf
    z = np.array([1.0, -2.0, 0.5])
    norms = [np.linalg.norm(activation.jacobian(c * z), 2) for c in (1, 1e-3)]
    assert norms[1] == pytest.approx(1e3 * norms[0], rel=1e-9)


@pytest.mark.parametrize("weight", ["1/(1 + exp(-z))", "1/(1 + abs(z))", "sqrt(1 + z**2)"])
def test_shares_add_up_to_one(weight):
    """What is divided by its own sum is a share, also where it is a fraction itself."""
    assert _texts(f"({weight})/sum({weight})", "sum of the outputs") == ["1"]


@pytest.mark.parametrize(
    ("source", "subject", "text"),
    [
        ("z/sqrt(mean(z**2))", "sum of squares", "n"),
        ("z - mean(z) + bias", "sum of the outputs", "bias*n"),
        ("gain*(z - mean(z))/sqrt(mean((z - mean(z))**2) + eps) + bias", "range of one output",
         "between 0.3 - 2*sqrt(n - 1) and 0.3 + 2*sqrt(n - 1), neither attained"),
    ],
)  # fmt: skip
def test_sums_and_ranges_name_units_and_parameters(source, subject, text):
    values = {"bias": 0.3, "gain": 2.0, "eps": 0.1}
    known = {name: x for name, x in values.items() if name in source}
    (statement,) = chainrule.activation(source, **known).portrait().about(subject)
    assert statement.proved
    assert statement.text == text


@pytest.mark.parametrize(
    ("source", "own", "other"),
    [
        ("z - mean(z)/2", 1, -1), ("z + sum(z)/3", 1, 1), ("tanh(z - mean(z))", 1, -1),
        ("1/(1 + exp(2*(z - mean(z))))", -1, 1), ("z - 1.2*mean(z)", 1, -1),
        ("z - 3*mean(z)", None, -1),
    ],
)  # fmt: skip
def test_outputs_that_depend_on_their_unit_and_the_plain_sum(source, own, other):
    """They are monotone where algebra shows it for two units and more; differences agree."""
    texts = _texts(source, "one output")
    for sign, which in ((own, "in its own z"), (other, "in another unit's z")):
        found = [text.split()[0] for text in texts if text.endswith(which)]
        assert found == ([{1: "increasing", -1: "decreasing"}[sign]] if sign else [])
    for units in (2, 3, 5):
        jacobian = chainrule.activation(source).jacobian(_LAYERS[:, :units])
        diagonal = np.eye(units, dtype=bool)
        for sign, entries in ((own, jacobian[:, diagonal]), (other, jacobian[:, ~diagonal])):
            assert sign is None or (sign * entries >= 0).all()


def test_signs_that_factors_show_ask_for_no_long_search(monkeypatch):
    """On a busy machine that would end by its time."""

    def unexpected(e):
        raise NotImplementedError

    monkeypatch.setattr(sympy, "simplify", unexpected)
    assert _texts("tanh(z - mean(z))", "one output") == [
        "increasing in its own z", "decreasing in another unit's z",
    ]  # fmt: skip


def test_statements_on_layers_that_are_found_in_time_are_kept(monkeypatch):
    def interrupted(*_):
        raise TimeLimitError

    monkeypatch.setattr(_layer, "one_output_statements", interrupted)
    *found, last = chainrule.activation("softmax").portrait().statements
    assert {"permutation", "shift", "sum of the outputs"} <= {s.subject for s in found}
    assert last.text == "no more: not settled in the time that is allowed"


def test_a_norm_is_found_on_a_slow_machine(monkeypatch):
    """The shortest form is among the first: the search for others leaves time for the norm."""
    monkeypatch.setattr(_clock, "_USUAL", 2.4 * _clock._USUAL)
    layer = "(z - mean(z))/sqrt(mean((z - mean(z))**2) + 1/1024)"
    (statement,) = chainrule.activation(layer).portrait().about("norm of the Jacobian")
    assert statement.bounds is not None
    assert statement.bounds[1] == pytest.approx(32, rel=1e-12)
