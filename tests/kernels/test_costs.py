"""Costs behind output activations: the value of each example, and its derivative by z."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from tests.catalogue.definitions import ELEMENTWISE, LAYER_COUPLED
from tests.formulas.language import central_difference, layer_values
from tests.kernels.native import call

from chainrule.catalogue import activation_formula, cost_formula
from chainrule.formulas import parse
from chainrule.kernels import cost_kernels

USERS = {
    "pseudo-Huber": "sum(sqrt((a - y)**2 + 1) - 1)",
    "mean of squares": "mean((a - y)**2)",
    "root of squares": "sqrt(sum((a - y)**2) + 0.01)",
    "log-sum": "log(sum(exp(a - y)))",
    "largest": "max((a - y)**2)",
}
PAIRS = [
    ("identity", "half_squared_error"), ("sigmoid", "half_squared_error"),
    ("tanh", "half_squared_error"), ("softmax", "half_squared_error"),
    ("relu", "half_squared_error"), ("softplus", "half_squared_error"),
    ("layer_norm", "half_squared_error"),
    ("sigmoid", "binary_cross_entropy"), ("softmax", "binary_cross_entropy"),
    ("softmax", "categorical_cross_entropy"), ("sigmoid", "categorical_cross_entropy"),
    ("softplus", "categorical_cross_entropy"), ("softmin", "categorical_cross_entropy"),
    ("log_softmax", "negative_log_likelihood"), ("log_sigmoid", "negative_log_likelihood"),
    ("identity", "pseudo-Huber"), ("mish", "pseudo-Huber"), ("tanh", "mean of squares"),
    ("sigmoid", "root of squares"), ("softmax", "root of squares"), ("identity", "log-sum"),
    ("identity", "largest"),
]  # fmt: skip


def kernels_of(activation: str, cost: str, dtype=np.float64, **keywords):
    inner, outer = activation_formula(activation), cost_formula(USERS.get(cost, cost))
    return cost_kernels(inner, outer, dtype, **keywords)


def value(kernels, z, y):
    # The kernel writes one number for each row into the first places of its output.
    return call(kernels.value, z, y, np.full_like(z, np.nan)).reshape(-1)[: len(z)]


def gradient(kernels, z, y):
    return call(kernels.gradient, z, y, np.empty_like(z))


def definition(activation: str, cost: str, z, y):
    """Return the cost of one example from the definitions, in mpmath."""
    if activation in LAYER_COUPLED:
        a = LAYER_COUPLED[activation](z)
    else:
        a = [ELEMENTWISE[activation].function(x) for x in z]
    return layer_values(cost_formula(USERS.get(cost, cost)).expression, {"a": a, "y": y})[0]


def targets(cost: str, shape, rng):
    if cost in ("categorical_cross_entropy", "negative_log_likelihood"):
        return np.eye(shape[1])[rng.integers(shape[1], size=shape[0])]
    return rng.uniform(0.05, 0.95, size=shape)


@pytest.mark.long
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("activation", "cost"), PAIRS)
def test_value_and_gradient_agree_with_the_definition(activation, cost, dtype):
    """The cost of each example in sixty digits, and its central differences by every z."""
    rng = np.random.default_rng(8)
    z = rng.normal(size=(4, 3)).astype(dtype)
    y = targets(cost, z.shape, rng).astype(dtype)
    if cost == "categorical_cross_entropy" and activation != "softmax":
        y = (y + 0.5).astype(dtype)  # what is not a distribution has a gradient too
    if activation == "layer_norm":
        y -= dtype(0.5)
    assume = bool(np.all(y.sum(axis=1) == 1))
    kernels = kernels_of(activation, cost, dtype, assume=assume)
    got, slopes = value(kernels, z, y), gradient(kernels, z, y)
    epsilon = float(np.finfo(dtype).eps)
    for i in range(4):
        with mpmath.workdps(90):
            units, wanted_at = (
                [mpmath.mpf(float(x)) for x in z[i]],
                [mpmath.mpf(float(x)) for x in y[i]],
            )
            wanted = definition(activation, cost, units, wanted_at)
            assert abs(float(got[i]) - wanted) <= 8 * epsilon * (1 + abs(wanted))
            for j in range(3):

                def moved(t, j=j, units=units, wanted_at=wanted_at):
                    z_moved = [t if k == j else u for k, u in enumerate(units)]
                    return definition(activation, cost, z_moved, wanted_at)

                slope = central_difference(moved, units[j])
                assert abs(float(slopes[i, j]) - slope) <= 16 * epsilon * (1 + abs(slope))


@pytest.mark.parametrize(
    ("activation", "cost"),
    [
        ("sigmoid", "binary_cross_entropy"), ("softmax", "categorical_cross_entropy"),
        ("log_softmax", "negative_log_likelihood"), ("sigmoid", "categorical_cross_entropy"),
        ("identity", "half_squared_error"), ("tanh", "half_squared_error"),
        ("softmax", "half_squared_error"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gradient_is_the_slope_of_the_value_kernel(activation, cost, dtype):
    """Whatever the inputs' size, as far as differences of floats can tell."""
    rng = np.random.default_rng(9)
    kernels = kernels_of(activation, cost, np.float64)
    single = kernels_of(activation, cost, dtype)
    for scale in (0.1, 3, 30):
        z = (scale * rng.normal(size=(5, 4))).astype(dtype).astype(np.float64)
        y = targets("negative_log_likelihood", z.shape, rng)
        slopes = gradient(single, z.astype(dtype), y.astype(dtype))
        h = 1e-5 * max(scale, 1)
        for j in range(4):
            up, down = z.copy(), z.copy()
            up[:, j] += h
            down[:, j] -= h
            wanted = (value(kernels, up, y) - value(kernels, down, y)) / (2 * h)
            np.testing.assert_allclose(slopes[:, j], wanted, rtol=1e-5, atol=3e-6)


EXTREMES = [0.0, 40.0, -40.0, 800.0, -800.0, 1e5, -1e5, 1e30, -1e30]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_binary_cross_entropy_is_finite_and_exact_at_any_z(dtype):
    """log(1 + e^-z) for y = 1 and log(1 + e^z) for y = 0: |z| on the wrong side, never inf."""
    kernels = kernels_of("sigmoid", "binary_cross_entropy", dtype)
    for target in (0.0, 1.0, 0.25):
        z = np.array(EXTREMES, dtype)[:, None]
        y = np.full_like(z, target)
        got, slopes = value(kernels, z, y), gradient(kernels, z, y)
        for x, cost, slope in zip(EXTREMES, got, slopes[:, 0], strict=True):
            t, place = mpmath.mpf(target), mpmath.mpf(float(dtype(x)))
            with mpmath.workdps(500):
                small = mpmath.log1p(mpmath.exp(-min(abs(place), 5000)))
                wanted = small + (max(place, 0) - t * place)
                a = 1 / (1 + mpmath.exp(-place)) if abs(place) < 5000 else mpmath.mpf(place > 0)
            assert math.isfinite(cost)
            assert cost == pytest.approx(
                float(wanted), rel=4 * float(np.finfo(dtype).eps), abs=1e-45
            )
            assert slope == pytest.approx(
                float(a - t), rel=1e-6, abs=4 * float(np.finfo(dtype).eps)
            )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("activation", "cost"),
    [("softmax", "categorical_cross_entropy"), ("log_softmax", "negative_log_likelihood")],
)
def test_categorical_cross_entropy_is_finite_and_exact_at_any_z(activation, cost, dtype):
    """The distance to the largest unit plus the log of the sum, however large the units."""
    kernels = kernels_of(activation, cost, dtype)
    rows = [(x, 0.0, -x) for x in EXTREMES] + [(x, x, x) for x in EXTREMES]
    z = np.array(rows, dtype)
    for k in range(3):
        y = np.tile(np.eye(3, dtype=dtype)[k], (len(rows), 1))
        got, slopes = value(kernels, z, y), gradient(kernels, z, y)
        assert np.isfinite(slopes).all()
        for row, cost_of_row in zip(z, got, strict=True):
            with mpmath.workdps(80):
                units = [mpmath.mpf(float(x)) for x in row]
                shift = max(units)
                small = [u - shift if u - shift > -5000 else mpmath.mpf(-5000) for u in units]
                total = mpmath.log(mpmath.fsum(map(mpmath.exp, small)))
                wanted = float(shift - units[k] + total)
            assert cost_of_row == pytest.approx(
                wanted, rel=8 * float(np.finfo(dtype).eps), abs=1e-16
            )
        a = np.exp(z.astype(np.longdouble) - z.max(axis=1, keepdims=True))
        a /= a.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(slopes, (a - y).astype(float), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("assume", [True, False])
def test_the_assumption_on_targets_is_used_only_where_it_is_granted(assume):
    """With targets that do not sum to one the short form would be wrong; the long one is right."""
    kernels = kernels_of("softmax", "categorical_cross_entropy", assume=assume)
    assert kernels.assumption == ("sum(y) == 1" if assume else "")
    z = np.array([[0.3, -1.0, 2.0]])
    y = np.array([[2.0, 0.5, 0.0]])
    a = np.exp(z) / np.exp(z).sum()
    wanted = a - y if assume else a * y.sum() - y
    np.testing.assert_allclose(gradient(kernels, z, y), wanted, atol=1e-15)


def test_the_gradient_kernel_says_what_it_computes():
    """Where ∂J/∂z is a - y, that stands in the source."""
    for activation, cost in (
        ("identity", "half_squared_error"),
        ("sigmoid", "binary_cross_entropy"),
        ("softmax", "categorical_cross_entropy"),
    ):
        assert "a - y" in kernels_of(activation, cost).gradient.source


def test_saturated_outputs_keep_their_gradient():
    """Half squared error behind the sigmoid at z = 40: σ'(40) (a - y), not 0."""
    kernels = kernels_of("sigmoid", "half_squared_error")
    slope = gradient(kernels, np.array([[40.0]]), np.array([[0.0]]))[0, 0]
    assert slope == pytest.approx(math.exp(-40), rel=1e-12)
    kernels = kernels_of("tanh", "half_squared_error")
    slope = gradient(kernels, np.array([[30.0]]), np.array([[-1.0]]))[0, 0]
    assert slope == pytest.approx(8 * math.exp(-60), rel=1e-12)


@pytest.mark.parametrize(
    ("activation", "row"),
    [
        ("z/(1 + exp(-mean(z)))", [-1000.5, -999.0, -1001.25]),
        ("log(1 + exp(z))/sum(log(1 + exp(z)))", [1000.5, 999.0, 1001.25]),
        ("z*exp(z)/sum(exp(z))", [-1000.5, -999.0, -1001.25]),
        ("z*exp(z)/sum(exp(z))", [1000.5, 999.0, 1001.25]),
    ],
)
def test_a_plainly_written_layer_has_costs_and_gradients(activation, row):
    """None of its exponentials overflows, and what is left of it is right."""
    inner, outer = parse(activation), cost_formula("half_squared_error")
    y = [0.25, -0.5, 1.0]

    def whole(z):
        a = layer_values(inner.expression, {"z": z})
        return mpmath.fsum((p - q) ** 2 for p, q in zip(a, y, strict=True)) / 2

    with mpmath.workdps(2000):
        true = whole([mpmath.mpf(x) for x in row])
        step = mpmath.mpf(10) ** -100
        slopes = [
            (whole([x + step * (i == j) for i, x in enumerate(row)]) - true) / step
            for j in range(3)
        ]
    kernels = cost_kernels(inner, outer, np.float64)
    z, targets = np.array([row]), np.array([y])
    np.testing.assert_allclose(value(kernels, z, targets)[0], float(true), rtol=1e-13)
    wanted = [float(slope) for slope in slopes]
    np.testing.assert_allclose(gradient(kernels, z, targets)[0], wanted, rtol=1e-11, atol=1e-300)


def test_parameters_of_activation_and_cost_are_told_apart():
    """Both may have an alpha of their own."""
    inner = activation_formula("alpha*z", alpha=3.0)
    outer = cost_formula("alpha*sum((a - y)**2)", alpha=0.5)
    kernels = cost_kernels(inner, outer, np.float64)
    z, y = np.array([[2.0]]), np.array([[1.0]])
    assert value(kernels, z, y)[0] == pytest.approx(0.5 * 25)
    assert gradient(kernels, z, y)[0, 0] == pytest.approx(0.5 * 2 * 5 * 3)


def _log_sigmoid(x):
    return -mpmath.log1p(mpmath.exp(-x)) if x > 0 else x - mpmath.log1p(mpmath.exp(x))


def _log_softmax(z):
    total = mpmath.log(mpmath.fsum(mpmath.exp(x - max(z)) for x in z))
    return [x - max(z) - total for x in z]


def _log_cosh(z, y):
    d = abs(z[0] - y[0])
    return d + mpmath.log1p(mpmath.exp(-2 * d)) - mpmath.log(2)


def _binary_focal(z, y):
    right = [mpmath.exp(_log_sigmoid(x)) for x in (z[0], -z[0])]
    of_one, of_zero = (right[1] ** 2 * _log_sigmoid(z[0]), right[0] ** 2 * _log_sigmoid(-z[0]))
    return -(y[0] * of_one + (1 - y[0]) * of_zero)


def _focal(z, y):
    logs = _log_softmax(z)
    a = [mpmath.exp(x) for x in logs]
    return -mpmath.fsum(t * (1 - p) ** 2 * x for t, p, x in zip(y, a, logs, strict=True))


def _kullback_leibler(z, y):
    logs = _log_softmax(z)
    return mpmath.fsum(t * (mpmath.log(t) - x) for t, x in zip(y, logs, strict=True) if t)


def _huber(z, y):
    d = abs(z[0] - y[0])
    return d * d / 2 if d <= 1 else d - mpmath.mpf(1) / 2


_LARGE = [0.0, 1e-4, 0.75, -1.5, 20.0, -20.0, 90.0, -90.0, 800.0, -800.0, 1e4, -1e4]
_ONE = [(x,) for x in _LARGE]
_ROWS = [(x, 0.0, -x) for x in _LARGE] + [(x, -0.5 * x, 0.25 * x) for x in _LARGE]
_CLASSES = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.25, 0.25))


@pytest.mark.long
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("activation", "cost", "by_hand", "rows", "targets"),
    [
        ("identity", "log_cosh", _log_cosh, _ONE, ((0,), (1,), (-0.5,))),
        ("identity", "huber", _huber, _ONE, ((0,), (1,), (-0.5,))),
        ("sigmoid", "binary_focal", _binary_focal, _ONE, ((0,), (1,), (0.25,))),
        ("softmax", "focal", _focal, _ROWS, _CLASSES),
        ("exp(z - max(z))/sum(exp(z - max(z)))", "focal", _focal, _ROWS, _CLASSES),
        ("softmax", "kullback_leibler", _kullback_leibler, _ROWS, _CLASSES),
    ],
)
def test_costs_keep_value_and_gradient_at_large_inputs(
    activation, cost, by_hand, rows, targets, dtype
):
    """Against differences of formulas written here: no overflow, no infinity times zero."""
    kernels = kernels_of(activation, cost, dtype)
    z = np.array([row for row in rows for _ in targets], dtype)
    y = np.array([target for _ in rows for target in targets], dtype)
    got, slopes = value(kernels, z, y), gradient(kernels, z, y)
    epsilon = float(np.finfo(dtype).eps)
    step = mpmath.mpf(10) ** -20
    for i in range(len(z)):
        with mpmath.workdps(60):
            place, target = ([mpmath.mpf(float(x)) for x in row] for row in (z[i], y[i]))
            wanted = by_hand(place, target)
            assert abs(float(got[i]) - wanted) <= 8 * epsilon * (1 + abs(wanted))
            for j in range(z.shape[1]):
                up, down = (
                    by_hand([x + s * (k == j) for k, x in enumerate(place)], target)
                    for s in (step, -step)
                )
                slope = (up - down) / (2 * step)
                assert abs(float(slopes[i, j]) - slope) <= 8 * epsilon * (1 + abs(slope))


@pytest.mark.long
@pytest.mark.parametrize("gamma", [0.0, 0.25, 0.5, 1.0, 2.0])
@pytest.mark.parametrize(
    ("activation", "cost", "rows", "targets"),
    [
        ("sigmoid", "binary_focal", _ONE, ((0,), (1,), (0.25,))),
        ("softmax", "focal", [*_ROWS, (40.0, 40.0, 0.0), (800.0, 799.0, -800.0)], _CLASSES),
    ],
)
def test_focal_costs_are_finite_and_right_where_the_output_saturates(
    activation, cost, rows, targets, gamma
):
    """A power of 1 - a below 1 has an infinite slope where 1 - a is 0: no NaN comes of it."""
    kernels = cost_kernels(
        activation_formula(activation), cost_formula(cost, gamma=gamma), np.float64
    )
    z = np.array([row for row in rows for _ in targets])
    y = np.array([target for _ in rows for target in targets], float)
    got, slopes = value(kernels, z, y), gradient(kernels, z, y)
    for i in range(len(z)):
        with mpmath.workdps(60):
            place, target = ([mpmath.mpf(float(x)) for x in row] for row in (z[i], y[i]))
            logs = _log_softmax(place) if cost == "focal" else [_log_sigmoid(x) for x in place]
            if cost == "focal":
                terms = list(zip(target, logs, _logs_of_others(place), strict=True))
            else:
                against = _log_sigmoid(-place[0])
                terms = [(target[0], logs[0], against), (1 - target[0], against, logs[0])]
            wanted = -mpmath.fsum(t * mpmath.exp(gamma * other) * log for t, log, other in terms)
            assert abs(float(got[i]) - wanted) <= 1e-14 * (1 + abs(wanted))
    assert np.all(np.isfinite(slopes))
    h = 2.0**-20
    for j in range(z.shape[1]):
        step = h * np.eye(z.shape[1])[j]
        differences = (value(kernels, z + step, y) - value(kernels, z - step, y)) / (2 * h)
        np.testing.assert_allclose(slopes[:, j], differences, rtol=1e-5, atol=1e-7)


def _logs_of_others(z):
    """Return log(1 - a) of the softmax, from the other units alone."""
    return [
        mpmath.log(mpmath.fsum(mpmath.exp(x) for k, x in enumerate(z) if k != j))
        - mpmath.log(mpmath.fsum(map(mpmath.exp, z)))
        for j in range(len(z))
    ]


def test_the_share_of_the_others_is_right_where_the_output_is_one() -> None:
    """The focal cost at a lead of 40 is a normal number, to fifteen digits."""
    kernels = cost_kernels(
        activation_formula("softmax"), cost_formula("focal", gamma=0.5), np.float64
    )
    z, y = np.array([[40.0, 0.0, -1.0]]), np.array([[1.0, 0.0, 0.0]])
    with mpmath.workdps(60):
        others = (mpmath.exp(-40) + mpmath.exp(-41)) / (1 + mpmath.exp(-40) + mpmath.exp(-41))
        wanted = -mpmath.sqrt(others) * mpmath.log(1 - others)
    assert value(kernels, z, y)[0] == pytest.approx(float(wanted), rel=1e-14)


@pytest.mark.parametrize("cost", ["half_squared_error", "pseudo-Huber", "binary_cross_entropy"])
@pytest.mark.parametrize(
    ("text", "place", "of_distance"),
    [
        ("(1 - exp(-z))/z/2", 0.0, lambda u: -mpmath.expm1(-u) / u / 2 if u else mpmath.mpf(0.5)),
        ("sin(z - theta)/(z - theta)/2", 0.5, lambda u: mpmath.sinc(u) / 2),
    ],
)
def test_costs_have_a_value_where_the_output_is_0_by_0(text, place, of_distance, cost):
    """There and beside it: the output is what both sides tend to, and its slope too."""
    formula = parse(text, {"theta": place} if "theta" in text else {})
    kernels = cost_kernels(formula, cost_formula(USERS.get(cost, cost)), np.float64)
    z = place + np.array([[0.0], [2.0**-40], [-(2.0**-30)], [2.0**-12], [0.5]])
    y = np.full_like(z, 0.25)
    outer = cost_formula(USERS.get(cost, cost)).expression

    def whole(u):
        return layer_values(outer, {"a": [of_distance(u)], "y": [mpmath.mpf(0.25)]})[0]

    with mpmath.workdps(60):
        distances = [mpmath.mpf(x) - place for x in z[:, 0]]
        wanted = [float(whole(u)) for u in distances]
        step = mpmath.mpf(10) ** -20
        slopes = [float((whole(u + step) - whole(u - step)) / (2 * step)) for u in distances]
    np.testing.assert_allclose(value(kernels, z, y), wanted, rtol=1e-14)
    np.testing.assert_allclose(gradient(kernels, z, y)[:, 0], slopes, rtol=1e-13, atol=1e-15)
