"""The displayed equations of a network, evaluated as they stand, against its gradient."""

import math

import numpy as np
import pytest
from tests.cases import some_of

from chainrule.formulas import Apply, Constant, Parameter, Pi, Variable
from chainrule.networks import NetworkError, gradient, network

INFIX = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "hadamard": np.multiply,
    "divide": np.divide, "matrix_product": np.matmul, "power": np.power, "maximum": np.maximum,
    "minimum": np.minimum, "greater": np.greater, "less": np.less, "equal": np.equal,
    "greater_equal": np.greater_equal, "less_equal": np.less_equal, "not_equal": np.not_equal,
}  # fmt: skip
ONE = {
    "negate": np.negative, "exp": np.exp, "log": np.log, "log1p": np.log1p, "expm1": np.expm1,
    "tanh": np.tanh, "sinh": np.sinh, "cosh": np.cosh, "sin": np.sin, "cos": np.cos,
    "sqrt": np.sqrt, "abs": np.abs, "sign": np.sign, "atan": np.arctan, "asinh": np.arcsinh,
    "erf": np.vectorize(math.erf), "transpose": np.transpose,
    "broadcast": lambda x: x, "indicator": lambda x: x.astype(float), "sum_examples": np.sum,
}  # fmt: skip
REDUCED = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min}


def value(e, known):
    """Evaluate a displayed expression as a reader would, with NumPy."""
    if e in known:
        return known[e]
    if isinstance(e, Constant):
        return float(e.value)
    if isinstance(e, Pi):
        return np.pi
    assert isinstance(e, Apply), f"{e} has no value"
    parts = [value(part, known) for part in e.arguments]
    if e.operation == "where":
        return np.where(*parts)
    name, _, axis = e.operation.partition("_axis_")
    if axis:
        return REDUCED[name](parts[0], axis=int(axis), keepdims=True)
    return (INFIX | ONE)[e.operation](*parts)


def at_layer(e, layer):
    """Put a layer's number for l in a general equation."""
    if isinstance(e, Variable):
        return Variable(e.name.replace("[l]", f"[{layer}]").replace("[l-1]", f"[{layer - 1}]"))
    if isinstance(e, Apply):
        return Apply(e.operation, tuple(at_layer(part, layer) for part in e.arguments))
    return e


def layers_of(title):
    """Return the layers that a section's equations stand for, from its title."""
    if "layers l" in title:
        first, last = title.split(" = ")[1].split(", …, ")
        return range(int(first), int(last) + 1)
    return [int(title.split()[-1])]


def evaluated(net, shown, X, Y, *, columns, given=()):
    """Evaluate all equations in the order in which they are displayed."""
    turned = np.transpose if columns else np.asarray
    known = {Variable("A[0]"): turned(X), Variable("Y"): turned(Y), Variable("m"): len(X)}
    known |= dict(given)
    for layer, (w, b) in enumerate(zip(net.weights, net.biases, strict=True), 1):
        known[Variable(f"W[{layer}]")] = turned(w)
        known[Variable(f"b[{layer}]")] = turned(b[None, :])
        known[Variable(f"n[{layer}]")] = len(b)
    for section in shown.sections:
        back = section.title.startswith("Backward")
        if not back and not section.title.startswith(("Forward", "Cost")):
            continue
        layers = [0] if section.title == "Cost" else layers_of(section.title)
        for layer in reversed(layers) if back else layers:
            formula = net.activations[layer - 1] if layer else net.cost
            here = {**known, **{Parameter(k): v for k, v in formula.parameters}}
            here |= {Parameter(k): v for k, v in net.cost.parameters}
            for equation in section.equations:
                left, *rights = (at_layer(side, layer) for side in equation.sides)
                if layer == 1 and left == Apply("partial", (Variable("J"), Variable("A[0]"))):
                    continue
                for right in rights:
                    found = value(right, here)
                    if left in here and back:
                        np.testing.assert_allclose(found, here[left], rtol=1e-7, atol=1e-12)
                    known[left] = here[left] = found
                check_shape(equation.remark, np.shape(known[left]))
    return known


def check_shape(remark, shape):
    """Compare the shape in a remark with the array's."""
    stated = remark.split(" ")[0].rstrip(",")
    if "×" in stated and "n[" not in stated:
        numbers = tuple(int(x) for x in stated.split("×"))
        assert numbers == (shape if len(shape) == 2 else (1, 1))


NETWORKS = [
    ((5, 7, 4, 3), ("mish", "leaky_relu", "softmax"), "categorical_cross_entropy"),
    ((4, 6, 2), ("tanh", "sigmoid"), "binary_cross_entropy"),
    ((4, 6, 2), ("gelu", "identity"), "half_squared_error"),
    ((3, 5, 5, 5, 5, 2), ("elu",) * 4 + ("identity",), "half_squared_error"),
    ((3, 6, 4, 2), ("softmax", "(z - mean(z))/sqrt(mean((z - mean(z))**2) + 0.1)", "sigmoid"),
     "binary_cross_entropy"),
    ((3, 5, 3), ("sin(z)", "tanh"), "sum(sqrt(1 + (a - y)**2))"),
    ((4, 3), ("log_softmax",), "negative_log_likelihood"),
    ((3, 5, 2), ("max(-1, min(z, 1))", "z*exp(-z**2)"), "mean((a - y)**4)"),
]  # fmt: skip


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize(("sizes", "activations", "cost"), some_of(NETWORKS, 2))
def test_displayed_equations_are_the_gradient(sizes, activations, cost, axis):
    """What the equations give is the compiled gradient, and the difference quotient of the cost."""
    net = network(sizes, activations, cost, rng=1)
    rng = np.random.default_rng(2)
    net = net.with_parameters(net.parameters + 0.1 * rng.standard_normal(net.parameters.size))
    X, Y = rng.standard_normal((6, sizes[0])), rng.dirichlet(np.ones(sizes[-1]), 6)
    shown = net.propagation(batch=6, axis=axis)
    known = evaluated(net, shown, X, Y, columns=axis == 0)
    cost_there, slopes = gradient(net, X, Y)
    np.testing.assert_allclose(known[Variable("J")], cost_there, rtol=1e-12)

    def shown_slope(name):
        found = known[Apply("partial", (Variable("J"), Variable(name)))]
        return (found.T if axis == 0 else found).ravel()

    layers = range(1, len(sizes))
    parts = [shown_slope(f"W[{k}]") for k in layers] + [shown_slope(f"b[{k}]") for k in layers]
    np.testing.assert_allclose(np.concatenate(parts), slopes, rtol=1e-8, atol=1e-12)
    for index in rng.integers(0, slopes.size, 8):
        step = np.zeros_like(slopes)
        step[index] = 1e-5
        ends = [gradient(net.with_parameters(net.parameters + s * step), X, Y)[0] for s in (1, -1)]
        assert np.concatenate(parts)[index] == pytest.approx(
            (ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-8
        )


@pytest.mark.parametrize("axis", [-1, 0])
def test_displayed_equations_with_a_penalty_are_the_gradient(axis):
    """With a penalty on the weights, cost and slopes are those that training computes."""
    net = network((4, 6, 2), ("leaky_relu", "identity"), "half_squared_error", rng=1)
    rng = np.random.default_rng(2)
    X, Y = rng.standard_normal((6, 4)), rng.standard_normal((6, 2))
    shown = net.propagation(batch=6, axis=axis, penalty=0.7)
    squares = sum(float(np.sum(w * w)) for w in net.weights)
    given = {Variable("lambda"): 0.7, Variable("S"): squares}
    known = evaluated(net, shown, X, Y, columns=axis == 0, given=given)
    cost, slopes = gradient(net, X, Y, alpha=0.7)
    np.testing.assert_allclose(known[Variable("J")], cost, rtol=1e-12)
    parts = []
    for name in ("W[1]", "W[2]", "b[1]", "b[2]"):
        found = known[Apply("partial", (Variable("J"), Variable(name)))]
        parts.append((found.T if axis == 0 else found).ravel())
    np.testing.assert_allclose(np.concatenate(parts), slopes, rtol=1e-8, atol=1e-12)


def test_notation_with_columns_as_examples():
    """With the units on axis 0 the equations stand as in a text: Z = W A + b, ∂J/∂W = ∂J/∂Z Aᵀ."""
    net = network((64, 32, 10), ("tanh", "softmax"), "categorical_cross_entropy", rng=0)
    text = net.propagation(batch=200, axis=0).to_text()
    for line in (
        "Z[1] = W[1] A[0] + broadcast(b[1])    32×200 = (32×64)(64×200) + 32×1",
        "∂J/∂Z[2] = (A[2] - Y)/m    10×200",
        "∂J/∂W[2] = ∂J/∂Z[2] A[1]ᵀ    10×32",
        "∂J/∂b[2] = Σ_{axis=1} ∂J/∂Z[2]    10×1",
        "∂J/∂A[1] = W[2]ᵀ ∂J/∂Z[2]    32×200",
        "Σ_k y = 1 in every example",
    ):
        assert line in text


def test_notation_with_rows_as_examples():
    """By default the equations are those of the stored arrays."""
    net = network((64, 32, 10), ("tanh", "softmax"), "categorical_cross_entropy", rng=0)
    text = net.propagation().to_text()
    for line in (
        "Z[1] = A[0] W[1] + broadcast(b[1])    m×32 = (m×64)(64×32) + 1×32",
        "∂J/∂W[2] = A[1]ᵀ ∂J/∂Z[2]    32×10",
        "∂J/∂A[1] = ∂J/∂Z[2] W[2]ᵀ    m×32",
    ):
        assert line in text


def test_like_layers_share_an_equation():
    """Three like hidden layers or more are one general equation; the table has every shape."""
    net = network((9, 8, 7, 6, 2), ("relu",) * 3 + ("identity",), "half_squared_error", rng=0)
    sections = net.propagation().sections
    titles = [section.title for section in sections]
    assert "Forward, layers l = 1, …, 3" in titles
    rows = sections[0].blocks[0].rows
    assert [row[3] for row in rows[1:5]] == ["9×8", "8×7", "7×6", "6×2"]


def test_memory_and_operations_by_hand():
    """Per example 3·4 + 4·2 = 20 multiply-adds forward, 3·4 + 2·4·2 = 28 back; 3 + 2·4 + 2 kept."""
    net = network((3, 4, 2), ("tanh", "identity"), "half_squared_error", rng=0)
    table = net.propagation(batch=10).sections[-1].blocks[0]
    assert table.rows[-1] == ("all", "", "130", "200", "280")
    assert net.propagation(batch=10).sections[0].blocks[0].rows[-1][-1] == "26"


def test_every_rendering():
    """Text, LaTeX and HTML of an ordinary network show the same equations."""
    net = network((64, 32, 16, 10), ("mish", "gelu", "softmax"), "cross_entropy", rng=0)
    net.propagation().to_text()
    shown = net.propagation(batch=32)
    latex = shown.to_latex()
    assert r"{\mathbf{Z}^{[1]}} &= {\mathbf{A}^{[0]}} \, {\mathbf{W}^{[1]}}" in latex
    assert r"{\mathbf{A}^{[1]}}^{\top}" in latex
    assert "<math" in shown.to_html()


@pytest.mark.parametrize("settings", [
    {"batch": 0}, {"batch": 2.5}, {"batch": True}, {"axis": 2},
    {"penalty": -1.0}, {"penalty": math.inf}, {"penalty": math.nan},
])  # fmt: skip
def test_what_is_no_batch_axis_or_penalty_is_refused(settings):
    """A batch is a positive whole number, an axis that of rows or columns, a penalty finite."""
    net = network((3, 2), ("identity",), "half_squared_error", rng=0)
    with pytest.raises(NetworkError):
        net.propagation(**settings)
