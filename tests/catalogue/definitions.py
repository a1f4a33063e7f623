"""Every named activation a second time: in mpmath, from its paper or framework, not its formula.

`ELEMENTWISE` holds for every element-wise function its definition, and what it becomes beyond
|z| = 800: (left, right), each a slope and a constant, or None where it is computed there too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mpmath

FAR = 800


class Definition(NamedTuple):
    """A function, its straight lines beyond |z| = 800, and where its slope jumps."""

    function: Callable[[Any], Any]
    left: tuple[float, float] | None
    right: tuple[float, float] | None
    kinks: tuple[float, ...] = ()


def logistic(z: Any) -> Any:
    return (1 + mpmath.tanh(z / 2)) / 2 if abs(z) < 1 else 1 / (1 + mpmath.exp(-z))


def normal_distribution(z: Any) -> Any:
    return mpmath.erfc(-z / mpmath.sqrt(2)) / 2


def clipped(z: Any, low: float, high: float) -> Any:
    if z <= low:
        return mpmath.mpf(low)
    return mpmath.mpf(high) if z >= high else z


def exponential_unit(z: Any) -> Any:
    return z if z > 0 else mpmath.expm1(z)


def softplus(z: Any) -> Any:
    return mpmath.log1p(mpmath.exp(z)) if z < 0 else z + mpmath.log1p(mpmath.exp(-z))


def gelu_by_tanh(z: Any) -> Any:
    # z/2 (1 + tanh(x)) = z/(1 + exp(-2x))
    x = mpmath.sqrt(2 / mpmath.pi) * (z + mpmath.mpf("0.044715") * z**3)
    return z / (1 + mpmath.exp(-2 * x))


def number(value: float) -> Any:
    return mpmath.mpf(value)


def gelu(z: Any) -> Any:
    return z * normal_distribution(z)


def positive(z: Any) -> Any:
    return z if z > 0 else mpmath.mpf(0)


def leaky(slope: float) -> Callable[[Any], Any]:
    return lambda z: z if z > 0 else z * mpmath.mpf(slope)


def symmetric_logarithm(z: Any) -> Any:
    return mpmath.log1p(z) if z > 0 else -mpmath.log1p(-z)


ELEMENTWISE: dict[str, Definition] = {
    "identity": Definition(lambda z: z, (1, 0), (1, 0)),
    "relu": Definition(lambda z: z if z > 0 else mpmath.mpf(0), (0, 0), (1, 0), (0.0,)),
    "leaky_relu": Definition(lambda z: z if z > 0 else z * mpmath.mpf(0.01), None, (1, 0), (0.0,)),
    "relu6": Definition(lambda z: clipped(z, 0, 6), (0, 0), (0, 6), (0.0, 6.0)),
    "elu": Definition(exponential_unit, (0, -1), (1, 0)),
    "celu": Definition(exponential_unit, (0, -1), (1, 0)),
    "selu": Definition(
        lambda z: (
            mpmath.mpf(1.0507009873554805)
            * (z if z > 0 else mpmath.mpf(1.6732632423543772) * mpmath.expm1(z))
        ),
        None,
        None,
        (0.0,),
    ),
    "softplus": Definition(softplus, (0, 0), (1, 0)),
    "softsign": Definition(lambda z: z / (1 + abs(z)), None, None),
    "sigmoid": Definition(logistic, (0, 0), (0, 1)),
    "log_sigmoid": Definition(lambda z: -softplus(-z), (1, 0), (0, 0)),
    "hard_sigmoid": Definition(lambda z: clipped(z / 6 + 0.5, 0, 1), (0, 0), (0, 1), (-3.0, 3.0)),
    "tanh": Definition(mpmath.tanh, (0, -1), (0, 1)),
    "hard_tanh": Definition(lambda z: clipped(z, -1, 1), (0, -1), (0, 1), (-1.0, 1.0)),
    "silu": Definition(lambda z: z * logistic(z), (0, 0), (1, 0)),
    "gelu": Definition(lambda z: z * normal_distribution(z), (0, 0), (1, 0)),
    "gelu_tanh": Definition(gelu_by_tanh, (0, 0), (1, 0)),
    "mish": Definition(lambda z: z * mpmath.tanh(softplus(z)), (0, 0), (1, 0)),
    "exponential": Definition(mpmath.exp, (0, 0), None),
    "gaussian": Definition(lambda z: mpmath.exp(-z * z), (0, 0), (0, 0)),
    "hard_swish": Definition(lambda z: z * clipped(z + 3, 0, 6) / 6, (0, 0), (1, 0), (-3.0, 3.0)),
    "hard_shrink": Definition(
        lambda z: z if abs(z) > 0.5 else mpmath.mpf(0), (1, 0), (1, 0), (-0.5, 0.5)
    ),
    "soft_shrink": Definition(
        lambda z: mpmath.sign(z) * max(abs(z) - mpmath.mpf(0.5), mpmath.mpf(0)),
        (1, 0.5),
        (1, -0.5),
        (-0.5, 0.5),
    ),
    "thresholded_relu": Definition(lambda z: z if z > 1 else mpmath.mpf(0), (0, 0), (1, 0), (1.0,)),
    "sparse_plus": Definition(
        lambda z: mpmath.mpf(0) if z <= -1 else z if z >= 1 else ((z + 1) / 2) ** 2, (0, 0), (1, 0)
    ),
    "sparse_sigmoid": Definition(lambda z: clipped((z + 1) / 2, 0, 1), (0, 0), (0, 1), (-1.0, 1.0)),
    "prelu": Definition(leaky(0.25), (0.25, 0), (1, 0), (0.0,)),
    "rrelu": Definition(leaky(11 / 48), None, (1, 0), (0.0,)),
    "bounded_relu": Definition(lambda z: clipped(z, 0, 1), (0, 0), (0, 1), (0.0, 1.0)),
    "squared_relu": Definition(lambda z: positive(z) ** 2, (0, 0), None),
    "star_relu": Definition(
        lambda z: number(0.8944) * positive(z) ** 2 - number(0.4472), None, None
    ),
    "threshold": Definition(lambda z: z if z > 1 else number(0), (0, 0), (1, 0), (1.0,)),
    "isru": Definition(lambda z: z / mpmath.sqrt(1 + z * z), None, None),
    "isrlu": Definition(lambda z: z if z > 0 else z / mpmath.sqrt(1 + z * z), None, (1, 0)),
    "softplus_beta": Definition(softplus, (0, 0), (1, 0)),
    "shifted_softplus": Definition(lambda z: softplus(z) - mpmath.log(2), None, None),
    "squareplus": Definition(lambda z: z / 2 + mpmath.sqrt(z * z / 4 + 1), None, None),
    "bent_identity": Definition(
        lambda z: z * z / (2 * (mpmath.sqrt(z * z + 1) + 1)) + z, None, None
    ),
    "laplace": Definition(
        lambda z: normal_distribution((z - number(0.7071067811865476)) / 0.28209479177387814),
        (0, 0),
        (0, 1),
    ),
    "scaled_tanh": Definition(lambda z: number(1.7159) * mpmath.tanh(z * (2 / 3)), None, None),
    "penalized_tanh": Definition(
        lambda z: mpmath.tanh(z) * (1 if z > 0 else 0.25), (0, -0.25), (0, 1), (0.0,)
    ),
    "dynamic_tanh": Definition(lambda z: mpmath.tanh(z / 2), (0, -1), (0, 1)),
    "arctan": Definition(mpmath.atan, None, None),
    "erf": Definition(mpmath.erf, (0, -1), (0, 1)),
    "tanh_shrink": Definition(lambda z: z - mpmath.tanh(z), (1, 1), (1, -1)),
    "swish_beta": Definition(lambda z: z * logistic(z), (0, 0), (1, 0)),
    "e_swish": Definition(lambda z: z * logistic(z) * 1.375, (0, 0), (1.375, 0)),
    "flattened_swish": Definition(
        lambda z: positive(z) * logistic(z) - number(0.2), None, None, (0.0,)
    ),
    "quick_gelu": Definition(lambda z: z * logistic(mpmath.mpf("1.702") * z), (0, 0), (1, 0)),
    "tanhexp": Definition(
        lambda z: z * (mpmath.tanh(mpmath.exp(z)) if z < 800 else 1), (0, 0), (1, 0)
    ),
    "phish": Definition(lambda z: z * mpmath.tanh(gelu(z)), (0, 0), (1, 0)),
    "elish": Definition(lambda z: exponential_unit(z) * logistic(z), (0, 0), (1, 0)),
    "hard_elish": Definition(
        lambda z: exponential_unit(z) * clipped((z + 1) / 2, 0, 1), (0, 0), (1, 0), (-1.0, 1.0)
    ),
    "logish": Definition(lambda z: z * mpmath.log1p(logistic(z)), (0, 0), None),
    "smish": Definition(lambda z: z * mpmath.tanh(mpmath.log1p(logistic(z))), (0, 0), None),
    "serf": Definition(lambda z: z * mpmath.erf(softplus(z)), (0, 0), (1, 0)),
    "lisht": Definition(lambda z: z * mpmath.tanh(z), (-1, 0), (1, 0)),
    "snake": Definition(lambda z: z + (1 - mpmath.cos(2 * z)) / 2, None, None),
    "sine": Definition(mpmath.sin, None, None),
    "siren": Definition(lambda z: mpmath.sin(30 * z), None, None),
    "cosine": Definition(mpmath.cos, None, None),
    "gcu": Definition(lambda z: z * mpmath.cos(z), None, None),
    "absolute": Definition(abs, (-1, 0), (1, 0), (0.0,)),
    "asinh": Definition(mpmath.asinh, None, None),
    "symlog": Definition(symmetric_logarithm, None, None),
    "cube": Definition(lambda z: z * z * z, None, None),
}


def softmax(z: Sequence[Any]) -> list[Any]:
    largest = max(z)
    weights = [mpmath.exp(x - largest) for x in z]
    return [w / mpmath.fsum(weights) for w in weights]


def log_softmax(z: Sequence[Any]) -> list[Any]:
    largest = max(z)
    shift = largest + mpmath.log(mpmath.fsum(mpmath.exp(x - largest) for x in z))
    return [x - shift for x in z]


def layer_norm(z: Sequence[Any]) -> list[Any]:
    mean = mpmath.fsum(z) / len(z)
    variance = mpmath.fsum((x - mean) ** 2 for x in z) / len(z)
    return [(x - mean) / mpmath.sqrt(variance + mpmath.mpf(1e-5)) for x in z]


def rms_norm(z: Sequence[Any]) -> list[Any]:
    square = mpmath.fsum(x * x for x in z) / len(z)
    return [x / mpmath.sqrt(square + mpmath.mpf(1e-5)) for x in z]


LAYER_COUPLED: dict[str, Callable[[Sequence[Any]], list[Any]]] = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "softmin": lambda z: softmax([-x for x in z]),
    "softmax_one": lambda z: softmax([*z, mpmath.mpf(0)])[:-1],
    "hardmax": lambda z: [mpmath.mpf(x == max(z)) for x in z],
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "l2_normalization": lambda z: [
        x / mpmath.sqrt(mpmath.fsum(v * v for v in z) + mpmath.mpf(1e-12)) for x in z
    ],
    "softmax_temperature": softmax,
    "l1_normalization": lambda z: [
        x / (mpmath.fsum(abs(v) for v in z) + mpmath.mpf(1e-12)) for x in z
    ],
}
