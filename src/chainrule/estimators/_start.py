"""Networks to start from: those of an earlier fit, or of weights that a person assigned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.catalogue import activation_formula, cost_formula
from chainrule.formulas import ParameterError
from chainrule.networks import Network, NetworkError, network

# scikit-learn's words for its output activations.
_OUTPUTS = {"sigmoid": "logistic", "exponential": "exp"}


def output_name(fitted: Network) -> str:
    """Return scikit-learn's name of the output activation, or the formula's own."""
    title = fitted.activations[-1].title
    return _OUTPUTS.get(title, title)


def assigned(fitted: Network, weights: Sequence[Any], biases: Sequence[Any]) -> Network:
    """Return a network with other weights and biases.

    Raises
    ------
    NetworkError
        They are not one finite array for each layer, of its shape.
    """
    shapes = [*pairwise(fitted.sizes), *((width,) for width in fitted.sizes[1:])]
    try:
        parts = [np.asarray(part, fitted.dtype) for part in (*weights, *biases)]
    except (TypeError, ValueError) as error:
        raise NetworkError(f"coefs_ and intercepts_ must be lists of arrays: {error}") from None
    found = [part.shape for part in parts]
    if found != shapes or not all(np.isfinite(part).all() for part in parts):
        raise NetworkError(
            "coefs_ and intercepts_ must be finite arrays, one for each layer, of shapes "
            f"{shapes}; got {found}"
        )
    parameters = fitted.parameters.copy()
    given = np.concatenate([part.ravel() for part in parts])
    parameters[: given.size] = given
    return fitted.with_parameters(parameters)


def start_from(
    estimator: Any,
    sizes: tuple[int, ...],
    activations: tuple[Any, ...],
    cost: Any,
    dtype: np.dtype[Any],
    *,
    normalisation: tuple[str, ...],
    learned: tuple[tuple[str, ...], ...],
    blocks: tuple[int, ...],
) -> Network:
    """Return the network that a further fit goes on from.

    Raises
    ------
    ParameterError
        The network there is has other layers than the parameters and data now describe.
    """
    if "network_" not in vars(estimator):
        blank = network(
            sizes, activations, cost, dtype=dtype, rng=0, normalisation=normalisation,
            learned=learned, blocks=blocks,
        )  # fmt: skip
        return assigned(blank, estimator.coefs_, estimator.intercepts_)
    last: Network = estimator.network_
    if last.sizes != sizes:
        raise ParameterError(
            f"the fitted network has layers of {_listed(last.sizes)} units, but hidden_layer_sizes "
            f"and the data now ask for {_listed(sizes)}\n"
            "Set warm_start=False and call fit to train a new network."
        )
    for name, had, asked in (
        ("normalisation", last.normalisations[:-1], normalisation),
        ("learned_parameters", last.learned, learned),
    ):
        if had != asked:
            raise ParameterError(
                f"the layers of the fitted network have {had}, but {name} now asks for {asked}\n"
                "Set warm_start=False and call fit to train a new network."
            )
    formulas = tuple(activation_formula(activation) for activation in activations)
    return replace(last, activations=formulas, cost=cost_formula(cost))


def _listed(sizes: tuple[int, ...]) -> str:
    return "-".join(map(str, sizes))
