"""What the catalogue says of other frameworks, by calling them: `make peers`.

Each framework's function is called with the arguments that the catalogue states and its own
defaults otherwise, and compared with our formula at the defaults that the catalogue states.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from tests.formulas.language import layer_values

from chainrule.catalogue import (
    Entry,
    Peer,
    activation_formula,
    activations,
    cost_formula,
    costs,
)
from chainrule.kernels import backward

os.environ.setdefault("KERAS_BACKEND", "jax")

NOT_ACTIVATIONS = tomllib.loads(
    Path(__file__).with_name("not_activations.toml").read_text(encoding="utf-8")
)
pytestmark = pytest.mark.filterwarnings("ignore")

NAMED = [(entry, name) for entry in activations() for name in entry.elsewhere]
SHOWN = [f"{entry.name}-{name}" for entry, name in NAMED]
# Rows of a layer, kinks and large units among them.
POINTS = np.array(
    [
        [-7.25, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0],
        [-40.0, -6.0, -2.5, 2.5, 4.5, 6.0, 19.5, 40.0],
        *np.random.default_rng(7).normal(scale=3.0, size=(6, 8)),
        *np.random.default_rng(8).normal(scale=0.01, size=(2, 8)),
    ]
)
TOLERANCE = {
    "onnx": 1e-7,  # attributes are float32
    ("softplus", "torch"): 1e-9,  # z itself where z > 20
    ("softplus_beta", "torch"): 1e-9,
    ("layer_norm", "keras"): 2e-6,  # computed in float32 whatever the dtype
    ("rms_norm", "keras"): 2e-6,
}
SLIPS = {
    ("l1_normalization", "onnx"): "the reference evaluator sums without the absolute values that "
    "the operator's text has"
}


@pytest.mark.parametrize(("entry", "framework"), NAMED, ids=SHOWN)
def test_a_function_of_another_framework_is_ours_with_the_parameters_stated(entry, framework):
    """Equal to a few roundings, of float64 where the framework has it, in every row."""
    if (entry.name, framework) in SLIPS:
        pytest.skip(SLIPS[entry.name, framework])
    peer = entry.elsewhere[framework]
    got = CALLS[framework](entry, peer)
    wanted = ours(entry, peer)
    tolerance = TOLERANCE.get((entry.name, framework), TOLERANCE.get(framework, 1e-14))
    if got.dtype != np.float64:
        assert (framework, got.dtype) == ("keras", np.float32)  # a few of its functions round
        tolerance = 1e-6
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


def test_every_activation_that_a_framework_lists_is_in_the_catalogue_or_left_out_by_name():
    """A new version's new function shows here."""
    keras, jax = pytest.importorskip("keras"), pytest.importorskip("jax")
    torch, onnx = pytest.importorskip("torch"), pytest.importorskip("onnx")
    split = {"glu", "sparsemax"}
    twins = {"swish", "hard_swish"}
    there = {n for n in vars(keras.activations) if not n.startswith("_")}
    there -= {"get", "serialize", "deserialize"}
    assert {n for n in there if f"activations.{n}" not in listed("keras")} <= split | twins
    other = {"logsumexp", "logmeanexp", "log1mexp", "one_hot", "dot_product_attention"}
    other |= {"scaled_matmul", "scaled_dot_general", "get_scaled_dot_general_config"}
    other |= {"initializers"}
    there = {n for n in vars(jax.nn) if not n.startswith("_")}
    assert {n for n in there if f"nn.{n}" not in listed("jax")} <= split | twins | other
    known = {key: set(names.split()) for key, names in NOT_ACTIVATIONS.items()}
    functional = torch.nn.functional
    there = {n for n in dir(functional) if n[0].islower() and callable(getattr(functional, n))}
    there -= {n for n in there if n.endswith("_")}  # in place
    ours_there = {n.removeprefix("nn.functional.") for n in listed("torch")}
    costs_there = {e.elsewhere["torch"].name for e in costs() if "torch" in e.elsewhere}
    there -= {n.removeprefix("nn.functional.") for n in costs_there}
    assert there - ours_there - known["torch"] == set()
    modules = {n.lower() for n in torch.nn.modules.activation.__all__}
    modules -= {n.lower().removeprefix("nn.").replace("_", "") for n in ours_there}
    assert modules <= {"glu", "multiheadattention", "softmax2d"}
    operators = {schema.name for schema in onnx.defs.get_all_schemas()}
    assert operators - listed("onnx") - known["onnx"] == set()


IN_FLOAT32 = {"hard_sigmoid"}  # PyTorch's slope is 1/6 in float32
GRADIENTS = [(entry, name) for entry, name in NAMED if name in ("torch", "jax", "keras")]


@pytest.mark.parametrize(
    ("entry", "framework"), GRADIENTS, ids=[f"{entry.name}-{name}" for entry, name in GRADIENTS]
)
def test_the_gradient_of_a_function_of_another_framework_is_ours(entry, framework):
    """For random derivatives by the outputs, away from kinks."""
    peer = entry.elsewhere[framework]
    z = POINTS[2:]
    da = np.random.default_rng(10).normal(size=z.shape)
    got = GRADIENT_CALLS[framework](entry, peer, da, z)
    wanted = backward(activation_formula(entry.name, **peer.parameters), da, z)
    precise = got.dtype == np.float64 and (entry.name, framework) not in TOLERANCE
    tolerance = 1e-10 if precise and entry.name not in IN_FLOAT32 else 2e-5
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


def listed(framework: str) -> set[str]:
    return {e.elsewhere[framework].name for e in activations() if framework in e.elsewhere}


def ours(entry: Entry, peer: Peer) -> np.ndarray:
    formula = activation_formula(entry.name, **peer.parameters)
    with mpmath.workdps(50):
        rows = [
            layer_values(formula.expression, {"z": list(map(mpmath.mpf, row))},
                         dict(formula.parameters))
            for row in POINTS
        ]  # fmt: skip
    return np.array([[float(value) for value in row] for row in rows])


def attribute(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name)
    return module


def called_in_torch(entry: Entry, peer: Peer, z: Any) -> Any:
    torch = pytest.importorskip("torch")
    function, arguments = attribute(torch, peer.name), dict(peer.arguments)
    if isinstance(function, type):
        function = function().double()
    if entry.name in ("softmax", "log_softmax", "softmin"):
        arguments["dim"] = -1
    if entry.name.endswith("_norm"):
        arguments["normalized_shape"] = POINTS.shape[-1:]
    return function(z, **arguments)


def in_torch(entry: Entry, peer: Peer) -> np.ndarray:
    torch = pytest.importorskip("torch")
    return called_in_torch(entry, peer, torch.tensor(POINTS)).detach().numpy()


def gradient_in_torch(entry: Entry, peer: Peer, da: np.ndarray, z: np.ndarray) -> np.ndarray:
    torch = pytest.importorskip("torch")
    place = torch.tensor(z, requires_grad=True)
    called_in_torch(entry, peer, place).backward(torch.tensor(da))
    return place.grad.numpy()


def called_in_jax(peer: Peer) -> Callable[[Any], Any]:
    jax = pytest.importorskip("jax")
    __import__("jax.scipy.special")
    return lambda z: attribute(jax, peer.name)(z, **peer.arguments)


def in_jax(entry: Entry, peer: Peer) -> np.ndarray:
    with pytest.importorskip("jax").enable_x64(True):
        return np.asarray(called_in_jax(peer)(POINTS))


def called_in_keras(peer: Peer) -> Callable[[Any], Any]:
    keras = pytest.importorskip("keras")
    pytest.importorskip("jax")
    keras.config.set_floatx("float64")
    function = attribute(keras, peer.name)
    function = function(dtype="float64") if isinstance(function, type) else function
    return lambda z: function(z, **peer.arguments)


def in_keras(entry: Entry, peer: Peer) -> np.ndarray:
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        return np.asarray(called_in_keras(peer)(jax.numpy.asarray(POINTS)))


def gradient_by_jax(function: Callable[[Peer], Callable[[Any], Any]]) -> Callable[..., np.ndarray]:
    def gradient(entry: Entry, peer: Peer, da: np.ndarray, z: np.ndarray) -> np.ndarray:
        jax = pytest.importorskip("jax")
        with jax.enable_x64(True):
            a, pull_back = jax.vjp(function(peer), jax.numpy.asarray(z))
            return np.asarray(pull_back(jax.numpy.asarray(da, dtype=a.dtype))[0]).astype(a.dtype)

    return gradient


@cache
def onnx_inputs() -> dict[str, Callable[[Entry], list[np.ndarray]]]:
    ones = np.ones(POINTS.shape[-1])
    return {
        "PRelu": lambda entry: [np.array([entry.parameters["alpha"]])],
        "LayerNormalization": lambda _: [ones],
        "RMSNormalization": lambda _: [ones],
    }


def in_onnx(entry: Entry, peer: Peer) -> np.ndarray:
    onnx = pytest.importorskip("onnx")
    evaluator = pytest.importorskip("onnx.reference").ReferenceEvaluator
    inputs = [POINTS, *onnx_inputs().get(peer.name, lambda _: [])(entry)]
    feeds = {f"x{k}": values for k, values in enumerate(inputs)}
    node = onnx.helper.make_node(peer.name, list(feeds), ["a"], **peer.arguments)
    double = onnx.TensorProto.DOUBLE
    graph = onnx.helper.make_graph(
        [node], entry.name,
        [onnx.helper.make_tensor_value_info(n, double, x.shape) for n, x in feeds.items()],
        [onnx.helper.make_tensor_value_info("a", double, POINTS.shape)],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 24)])
    onnx.checker.check_model(model)
    (a,) = evaluator(model).run(None, feeds)
    return a


def in_sklearn(entry: Entry, peer: Peer) -> np.ndarray:
    from sklearn.neural_network._base import ACTIVATIONS

    a = POINTS.copy()
    ACTIVATIONS[peer.name](a)
    return a


CALLS = {
    "torch": in_torch, "jax": in_jax, "keras": in_keras, "onnx": in_onnx, "sklearn": in_sklearn,
}  # fmt: skip

GRADIENT_CALLS = {
    "torch": gradient_in_torch,
    "jax": gradient_by_jax(called_in_jax),
    "keras": gradient_by_jax(called_in_keras),
}

COSTS = [(entry, name) for entry in costs() for name in entry.elsewhere]
# Another call than (a, y), by hand: what the notes say.
COST_CALLS = {
    ("negative_log_likelihood", "torch"): lambda f, a, y: f(a, y.argmax(-1)),
    ("cosine", "torch"): lambda f, a, y: f(a, y, y.new_ones(len(y))),
    ("cosine", "keras"): lambda f, a, y: 1 + f(y, a),
}
COST_TOLERANCE = {("kullback_leibler", "keras"): 1e-5}  # targets are taken as at least 1e-7


@pytest.mark.parametrize(
    ("entry", "framework"), COSTS, ids=[f"{entry.name}-{name}" for entry, name in COSTS]
)
def test_a_cost_of_another_framework_is_ours_with_the_differences_stated(entry, framework):
    """Over a batch: its factor, its reduction, its defaults and what it takes in place of a."""
    peer = entry.elsewhere[framework]
    a, y = batch(entry)
    wanted = np.mean([our_cost(entry, peer, *row) for row in zip(a, y, strict=True)])
    got = cost_of(entry, peer, framework, TAKES[peer.takes](a), y)
    if peer.outputs == "apart":
        got = np.sum(got) / len(a)
    got = np.mean(got) * (a.shape[1] if peer.outputs == "mean" else 1)
    tolerance = COST_TOLERANCE.get((entry.name, framework), 1e-6)
    np.testing.assert_allclose(got, peer.factor * wanted, rtol=tolerance)


TAKES = {"a": lambda a: a, "log(a)": np.log, "log(a/(1 - a))": lambda a: np.log(a / (1 - a))}


def batch(entry: Entry) -> tuple[np.ndarray, np.ndarray]:
    """Return outputs that are probabilities, and targets of the cost's domain."""
    random = np.random.default_rng(9)
    count = 1 if entry.name == "hinge" else 4
    a = random.uniform(0.1, 1.0, (6, count))
    a = a / a.sum(axis=1, keepdims=True) if count > 1 else a
    if "values" in entry.targets:
        return a, random.choice(entry.targets["values"], a.shape)
    return a, np.eye(count)[random.integers(count, size=len(a))]


def our_cost(entry: Entry, peer: Peer, a: np.ndarray, y: np.ndarray) -> float:
    formula = cost_formula(entry.name, **peer.parameters)
    units = {"a": list(map(mpmath.mpf, a)), "y": list(map(mpmath.mpf, y))}
    return float(layer_values(formula.expression, units, dict(formula.parameters))[0])


def cost_of(entry: Entry, peer: Peer, framework: str, a: np.ndarray, y: np.ndarray) -> Any:
    call = COST_CALLS.get((entry.name, framework))
    if framework == "torch":
        torch = pytest.importorskip("torch")
        function, a, y = attribute(torch, peer.name), torch.tensor(a), torch.tensor(y)
        result = call(function, a, y) if call else function(a, y, **peer.arguments)
        return result.numpy()
    if framework == "sklearn":
        import sklearn.metrics

        function = attribute(sklearn, peer.name)
        if a.shape[1] == 1:
            a, y = a[:, 0], y[:, 0]
        return function(y, a, **peer.arguments)
    if framework == "optax":
        optax = pytest.importorskip("optax")
        jax = pytest.importorskip("jax")
        with jax.enable_x64(True):
            return np.asarray(attribute(optax, peer.name)(a, y, **peer.arguments))
    keras = pytest.importorskip("keras")
    jax = pytest.importorskip("jax")
    keras.config.set_floatx("float64")
    with jax.enable_x64(True):
        function = attribute(keras, peer.name)(dtype="float64", **peer.arguments)
        return np.asarray((call or (lambda f, a, y: f(y, a)))(function, a, y))
