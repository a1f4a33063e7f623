"""The compiled loops of training and prediction.

All of them stand in one file, because Numba's cache watches only the file of the function that
is called: a callee changed elsewhere would go unnoticed. They are compiled once for each dtype and
serve every architecture, activation, cost and optimiser, because kernels are called by address.

Parameters are one flat vector: the weights of all layers, each (inputs, outputs) in C order, then
the biases of all layers. Buffers are flat too; a layer's matrix is a slice, reshaped.

The table of kernels has a row for each layer: addresses of the forward kernel, of its parameters,
of the backward kernel, and of its parameters. The row of the cost: value and gradient likewise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.kernels._call import call_kernel
from chainrule.kernels._native import compiled

SGD, NESTEROV, ADAM = 0, 1, 2

# Infinities and NaN stay what they are; only sums may be reordered, which lets them vectorise.
_CONTRACT = {"contract", "nsz", "arcp", "afn"}
_REORDER = _CONTRACT | {"reassoc"}
# error_model="numpy" below: dividing by zero gives infinity, and no check for it keeps a
# loop from vectorising.


@compiled()
def _matrix(flat: Any, start: int, rows: int, columns: int) -> Any:
    return flat[start : start + rows * columns].reshape(rows, columns)


@compiled()
def _copy(source: Any, destination: Any) -> None:
    for k in range(destination.size):
        destination[k] = source[k]


@compiled()
def _add(source: Any, destination: Any) -> None:
    for k in range(destination.size):
        destination[k] += source[k]


@compiled()
def _scale(values: Any, factor: Any) -> None:
    for k in range(values.size):
        values[k] *= factor


@compiled(fastmath=_REORDER)
def _sum_of_squares(values: Any) -> Any:
    total = values.dtype.type(0.0)
    for k in range(values.size):
        total += values[k] * values[k]
    return total


@compiled()
def _weight_count(sizes: Any) -> int:
    count = 0
    for layer in range(sizes.size - 1):
        count += sizes[layer] * sizes[layer + 1]
    return count


@compiled()
def _unit_count(sizes: Any) -> int:
    count = 0
    for layer in range(1, sizes.size):
        count += sizes[layer]
    return count


@compiled()
def _forward(
    inputs: Any, sizes: Any, kernels: Any, parameters: Any, pre_activations: Any, activations: Any
) -> None:
    """Fill the pre-activations of all layers and the activations of the hidden ones."""
    rows, layers = inputs.shape[0], sizes.size - 1
    weight, bias, place = 0, _weight_count(sizes), 0
    previous = inputs
    for layer in range(layers):
        width = sizes[layer + 1]
        Z = _matrix(pre_activations, place, rows, width)
        np.dot(previous, _matrix(parameters, weight, sizes[layer], width), Z)
        biases = parameters[bias : bias + width]
        for row in range(rows):
            _add(biases, Z[row])
        if layer < layers - 1:
            A = _matrix(activations, place, rows, width)
            z = Z.ctypes.data
            call_kernel(kernels[layer, 0], z, z, A.ctypes.data, rows, width, kernels[layer, 1])
            previous = A
        weight += sizes[layer] * width
        bias += width
        place += rows * width


@compiled()
def _backward(
    inputs: Any,
    sizes: Any,
    kernels: Any,
    parameters: Any,
    pre_activations: Any,
    activations: Any,
    to_pre_activation: Any,
    to_activation: Any,
    gradient: Any,
) -> None:
    """Fill the gradient, from the cost's gradient with respect to the output pre-activation."""
    rows, layers = inputs.shape[0], sizes.size - 1
    weight, bias, place = _weight_count(sizes), parameters.size, rows * _unit_count(sizes)
    for layer in range(layers - 1, -1, -1):
        count, width = sizes[layer], sizes[layer + 1]
        weight -= count * width
        bias -= width
        place -= rows * width
        below = place - rows * count
        dZ = _matrix(to_pre_activation, 0, rows, width)
        W = _matrix(parameters, weight, count, width)
        dW = _matrix(gradient, weight, count, width)
        db = gradient[bias : bias + width]
        _copy(dZ[0], db)
        for row in range(1, rows):
            _add(dZ[row], db)
        if layer > 0:
            np.dot(_matrix(activations, below, rows, count).T, dZ, dW)
            dA = _matrix(to_activation, 0, rows, count)
            np.dot(dZ, W.T, dA)
            Z = _matrix(pre_activations, below, rows, count)
            call_kernel(
                kernels[layer - 1, 2],
                dA.ctypes.data,
                Z.ctypes.data,
                to_pre_activation.ctypes.data,
                rows,
                count,
                kernels[layer - 1, 3],
            )
        else:
            np.dot(inputs.T, dZ, dW)


@compiled(error_model="numpy")
def _cost(
    rows: int,
    sizes: Any,
    cost: Any,
    pre_activations: Any,
    targets: Any,
    weights: Any,
    costs: Any,
    to_pre_activation: Any,
) -> tuple[float, float]:
    """Return the weighted sum of costs and the sum of weights; fill the mean cost's gradient."""
    width = sizes[-1]
    outputs = pre_activations[rows * (_unit_count(sizes) - width) :]
    z, y = outputs.ctypes.data, targets.ctypes.data
    call_kernel(cost[0], z, y, costs.ctypes.data, rows, width, cost[1])
    call_kernel(cost[2], z, y, to_pre_activation.ctypes.data, rows, width, cost[3])
    total, weight = 0.0, 0.0
    for row in range(rows):
        total += weights[row] * costs[row]
        weight += weights[row]
    dZ = _matrix(to_pre_activation, 0, rows, width)
    for row in range(rows):
        _scale(dZ[row], dZ.dtype.type(weights[row] / weight))
    return total, weight


@compiled(fastmath=_CONTRACT)
def _descend(
    parameters: Any,
    gradient: Any,
    velocity: Any,
    decay: Any,
    rate: Any,
    momentum: Any,
    nesterov: bool,
) -> None:
    if nesterov:
        for k in range(parameters.size):
            step = rate * (gradient[k] + decay * parameters[k])
            velocity[k] = momentum * velocity[k] - step
            parameters[k] += momentum * velocity[k] - step
    else:
        for k in range(parameters.size):
            step = rate * (gradient[k] + decay * parameters[k])
            velocity[k] = momentum * velocity[k] - step
            parameters[k] += velocity[k]


@compiled(fastmath=_CONTRACT, error_model="numpy")
def _adapt(
    parameters: Any,
    gradient: Any,
    first: Any,
    second: Any,
    decay: Any,
    rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
) -> None:
    one = parameters.dtype.type(1.0)
    for k in range(parameters.size):
        slope = gradient[k] + decay * parameters[k]
        mean = beta_1 * first[k] + (one - beta_1) * slope
        square = beta_2 * second[k] + (one - beta_2) * slope * slope
        first[k] = mean
        second[k] = square
        parameters[k] -= rate * mean / (np.sqrt(square) + epsilon)


@compiled(error_model="numpy")
def _step(
    parameters: Any,
    gradient: Any,
    first: Any,
    second: Any,
    decay: float,
    rate: float,
    solver: int,
    settings: Any,
    number: int,
) -> None:
    """Move parameters by one step of the optimiser, which remembers one vector or two."""
    real = parameters.dtype.type
    keep, keep_square, epsilon = settings[0], settings[1], settings[2]
    if solver == ADAM:
        rate *= np.sqrt(1.0 - keep_square**number) / (1.0 - keep**number)
        _adapt(
            parameters, gradient, first, second, real(decay), real(rate), real(keep),
            real(keep_square), real(epsilon),
        )  # fmt: skip
    else:
        _descend(
            parameters, gradient, first, real(decay), real(rate), real(keep),
            solver == NESTEROV,
        )  # fmt: skip


@compiled()
def _gather(
    inputs: Any, targets: Any, weights: Any, rows: Any, X: Any, Y: Any, batch_weights: Any
) -> None:
    for k in range(rows.size):
        row = rows[k]
        _copy(inputs[row], X[k])
        _copy(targets[row], Y[k])
        batch_weights[k] = weights[row]


@compiled()
def batch_gradient(
    X: Any, sizes: Any, kernels: Any, cost: Any, parameters: Any, buffers: Any
) -> tuple[float, float]:
    """Fill the gradient of the mean cost of one batch, whose targets and weights are in buffers."""
    _, targets, weights, pre_activations, activations, dZ, dA, costs, gradient = buffers
    _forward(X, sizes, kernels, parameters, pre_activations, activations)
    total, weight = _cost(X.shape[0], sizes, cost, pre_activations, targets, weights, costs, dZ)
    _backward(X, sizes, kernels, parameters, pre_activations, activations, dZ, dA, gradient)
    return total, weight


@compiled(error_model="numpy")
def run_batches(
    inputs: Any,
    targets: Any,
    weights: Any,
    order: Any,
    rates: Any,
    batch_size: int,
    sizes: Any,
    kernels: Any,
    cost: Any,
    parameters: Any,
    state: Any,
    solver: int,
    settings: Any,
    number: int,
    alpha: float,
    buffers: Any,
) -> float:
    """Train on the examples named by `order`, batch after batch; return the sum of their costs."""
    gradient = buffers[8]
    decayed = _weight_count(sizes)
    # Rows of the state first, then parts of them: the other way round they would not be contiguous.
    first, second = state[0], state[state.shape[0] - 1]
    loss = 0.0
    for start in range(0, order.size, batch_size):
        rows = order[start : start + batch_size]
        X = _matrix(buffers[0], 0, rows.size, sizes[0])
        Y = _matrix(buffers[1], 0, rows.size, sizes[-1])
        _gather(inputs, targets, weights, rows, X, Y, buffers[2])
        total, weight = batch_gradient(X, sizes, kernels, cost, parameters, buffers)
        loss += total
        if alpha > 0.0:
            loss += 0.5 * alpha * _sum_of_squares(parameters[:decayed])
        number += 1
        rate = rates[start // batch_size]
        _step(
            parameters[:decayed], gradient[:decayed], first[:decayed], second[:decayed],
            alpha / weight, rate, solver, settings, number,
        )  # fmt: skip
        _step(
            parameters[decayed:], gradient[decayed:], first[decayed:], second[decayed:],
            0.0, rate, solver, settings, number,
        )  # fmt: skip
    return loss


@compiled()
def run_forward(
    inputs: Any,
    sizes: Any,
    kernels: Any,
    parameters: Any,
    block: int,
    pre_activations: Any,
    activations: Any,
    outputs: Any,
) -> None:
    """Fill the output activations, a block of rows at a time."""
    last, width = sizes.size - 2, sizes[-1]
    hidden = _unit_count(sizes) - width
    for start in range(0, inputs.shape[0], block):
        X = inputs[start : start + block]
        rows = X.shape[0]
        _forward(X, sizes, kernels, parameters, pre_activations, activations)
        z = pre_activations[rows * hidden :].ctypes.data
        a = outputs[start : start + rows].ctypes.data
        call_kernel(kernels[last, 0], z, z, a, rows, width, kernels[last, 1])
