"""What the catalogue says of other frameworks, by calling them: `make peers`.

Each framework's function is called with the arguments that the catalogue states and its own
defaults otherwise, and compared with our formula at the defaults that the catalogue states.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest
from tests.formulas.language import layer_values

from chainrule.catalogue import Entry, Peer, activation_formula, activations

os.environ.setdefault("KERAS_BACKEND", "jax")

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
    keras = pytest.importorskip("keras")
    jax = pytest.importorskip("jax")
    split = {"glu", "sparsemax", "hardmax"}
    named = {name: listed(name) for name in ("keras", "jax")}
    there = {n for n in vars(keras.activations) if not n.startswith("_")}
    there -= {"get", "serialize", "deserialize"}
    twins = {"swish", "hard_swish"}
    assert {n for n in there if f"activations.{n}" not in named["keras"]} <= split | twins
    other = {"logsumexp", "logmeanexp", "log1mexp", "one_hot", "dot_product_attention"}
    other |= {"scaled_matmul", "scaled_dot_general", "get_scaled_dot_general_config"}
    other |= {"initializers"}
    there = {n for n in vars(jax.nn) if not n.startswith("_")}
    assert {n for n in there if f"nn.{n}" not in named["jax"]} <= split | twins | other


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


def in_torch(entry: Entry, peer: Peer) -> np.ndarray:
    torch = pytest.importorskip("torch")
    function, arguments = attribute(torch, peer.name), dict(peer.arguments)
    if isinstance(function, type):
        function = function().double()
    if entry.name in ("softmax", "log_softmax", "softmin"):
        arguments["dim"] = -1
    if entry.name.endswith("_norm"):
        arguments["normalized_shape"] = POINTS.shape[-1:]
    return function(torch.tensor(POINTS), **arguments).detach().numpy()


def in_jax(entry: Entry, peer: Peer) -> np.ndarray:
    jax = pytest.importorskip("jax")
    __import__("jax.scipy.special")
    with jax.enable_x64(True):
        return np.asarray(attribute(jax, peer.name)(POINTS, **peer.arguments))


def in_keras(entry: Entry, peer: Peer) -> np.ndarray:
    keras = pytest.importorskip("keras")
    jax = pytest.importorskip("jax")
    keras.config.set_floatx("float64")
    function = attribute(keras, peer.name)
    with jax.enable_x64(True):
        if isinstance(function, type):
            function = function(dtype="float64")
        return np.asarray(function(jax.numpy.asarray(POINTS), **peer.arguments))


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
