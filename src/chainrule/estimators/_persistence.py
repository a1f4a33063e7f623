"""Estimators to files and back; what is stored is data, and checked when it is read."""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.catalogue import activation_formula, cost_formula
from chainrule.estimators._base import Feedforward
from chainrule.estimators._classifier import FeedforwardClassifier
from chainrule.estimators._parameters import check_parameters, hidden_formulas, hidden_sizes
from chainrule.estimators._regressor import FeedforwardRegressor
from chainrule.formulas import (
    ChainruleError,
    Expression,
    Formula,
    Parameter,
    constant,
    substitute,
    to_text,
)
from chainrule.networks import ModelFileError, Network, load_network, save_network

_ESTIMATORS: dict[str, type[Feedforward]] = {
    "FeedforwardClassifier": FeedforwardClassifier,
    "FeedforwardRegressor": FeedforwardRegressor,
}
_LABEL_KINDS = {
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "float16", "float32", "float64", "bool", "str", "object",
}  # fmt: skip
_CURVES = ("loss_curve_", "validation_scores_", "best_loss_", "n_iter_")


def save_estimator(estimator: Feedforward, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to a file, whole or not at all."""
    state = {name: getattr(estimator, name) for name in _CURVES}
    state["n_features_in_"] = int(estimator.n_features_in_)
    state["_penalty"], state["_is_weighted"] = estimator._penalty, estimator._is_weighted
    if hasattr(estimator, "feature_names_in_"):
        state["feature_names_in_"] = [str(name) for name in estimator.feature_names_in_]
    if isinstance(estimator, FeedforwardClassifier):
        state["classes_"] = _describe_labels(estimator.classes_)
        state["_multilabel"] = estimator._multilabel
    else:
        state["_one_dimensional"] = estimator._one_dimensional
    extra = {
        "estimator": type(estimator).__name__,
        "parameters": _describe_parameters(estimator),
        "state": state,
    }
    save_network(estimator.network_, path, extra)


def load(path: str | os.PathLike[str]) -> Feedforward | Network:
    """Read an estimator, or a network without one, from a file.

    Parameters
    ----------
    path : path-like
        A file that `save` wrote.

    Returns
    -------
    FeedforwardClassifier, FeedforwardRegressor or Network

    Raises
    ------
    ModelFileError
        The file is not a model, is damaged, or contradicts itself. Nothing in it is executed.
    FileNotFoundError
        There is no such file.
    """
    network, extra = load_network(path)
    if "estimator" not in extra:
        return network
    try:
        return _restore(network, extra)
    except ModelFileError as error:
        raise ModelFileError(f"{path} is damaged: {error}") from None
    except (ChainruleError, ValueError, TypeError, KeyError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelFileError(f"{path} is damaged: {reason}") from error


def _restore(network: Network, extra: dict[str, Any]) -> Feedforward:
    kind = _ESTIMATORS.get(str(extra["estimator"]))
    if kind is None:
        raise ModelFileError(f"it holds an unknown estimator, {extra['estimator']!r:.40}")
    estimator = kind(**_mapping(extra["parameters"]))
    _agree(estimator, network)
    state = _mapping(extra["state"])
    outputs = network.sizes[-1]
    if state["n_features_in_"] != network.sizes[0]:
        raise ModelFileError("its number of features differs from the network's inputs")
    estimator.network_ = network
    estimator.n_features_in_ = network.sizes[0]
    if "feature_names_in_" in state:
        names = _strings(state["feature_names_in_"])
        if len(names) != network.sizes[0]:
            raise ModelFileError("its feature names differ in number from the network's inputs")
        estimator.feature_names_in_ = np.array(names, object)
    estimator.loss_curve_ = _numbers(state["loss_curve_"])
    scores, best = state["validation_scores_"], state["best_loss_"]
    estimator.validation_scores_ = None if scores is None else _numbers(scores)
    estimator.best_loss_ = None if best is None else _numbers([best])[0]
    estimator.n_iter_ = len(estimator.loss_curve_)
    # Files of earlier versions hold neither.
    estimator._penalty = _numbers([state.get("_penalty", estimator.alpha)])[0]
    estimator._is_weighted = _truth(state.get("_is_weighted", False))
    if isinstance(estimator, FeedforwardClassifier):
        estimator.classes_ = _labels(_mapping(state["classes_"]))
        estimator._multilabel = _truth(state["_multilabel"])
        count = len(estimator.classes_)
        is_one_unit = count == 2 and outputs == 1 and not estimator._multilabel
        if outputs != count and not is_one_unit:
            raise ModelFileError(f"{count} classes do not match a network of {outputs} outputs")
    else:
        estimator._one_dimensional = _truth(state["_one_dimensional"])
        if estimator._one_dimensional and outputs != 1:
            raise ModelFileError(f"one-dimensional targets, but a network of {outputs} outputs")
    return estimator


def _agree(estimator: Feedforward, network: Network) -> None:
    """Check the parameters; where they describe other formulas, the network's are right.

    A name in the catalogue may stand for another form of its formula in a later version.
    """
    parameters = estimator.get_params(deep=False)
    check_parameters(type(estimator).__name__, parameters)
    widths = hidden_sizes(parameters["hidden_layer_sizes"])
    if widths != network.sizes[1:-1]:
        raise ModelFileError("its hidden_layer_sizes differ from the network's")
    hidden = network.activations[:-1]
    try:
        described: Any = hidden_formulas(
            parameters["activation"], parameters["activation_parameters"], len(widths)
        )
    except ChainruleError:
        described = None
    if described != hidden:
        estimator.set_params(**_as_texts(hidden))


def _as_texts(formulas: tuple[Formula, ...]) -> dict[str, Any]:
    return {
        "activation": [formula.text for formula in formulas],
        "activation_parameters": [dict(formula.parameters) for formula in formulas],
    }


def _describe_parameters(estimator: Feedforward) -> dict[str, Any]:
    parameters = dict(estimator.get_params(deep=False))
    widths = hidden_sizes(parameters["hidden_layer_sizes"])
    parameters["hidden_layer_sizes"] = list(widths)
    activation, values = parameters["activation"], parameters["activation_parameters"]
    listed = list(activation) if isinstance(activation, list | tuple) else [activation]
    if not all(isinstance(source, str) for source in listed):
        parameters |= _as_texts(hidden_formulas(activation, values, len(widths)))
    for name, read in (("output_activation", activation_formula), ("cost", cost_formula)):
        if not isinstance(parameters.get(name, ""), str):
            parameters[name] = _as_text(read(parameters[name]))
    state = parameters["random_state"]
    parameters["random_state"] = int(state) if isinstance(state, numbers.Integral) else None
    return {name: _plain(value) for name, value in parameters.items()}


def _as_text(formula: Formula) -> str:
    """Return a formula's text with the values of its parameters written into it."""
    values = dict(formula.parameters)

    def replacement(expression: Expression) -> Expression | None:
        if isinstance(expression, Parameter):
            return constant(Fraction(repr(values[expression.name])))
        return None

    return to_text(substitute(formula.expression, replacement))


def _plain(value: Any) -> Any:
    """Return NumPy's numbers and containers as Python's."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def _describe_labels(classes: NDArray[Any]) -> dict[str, Any]:
    kind = "str" if classes.dtype.kind == "U" else classes.dtype.name
    values = classes.tolist()
    plain = all(isinstance(value, str | bool | int | float) for value in values)
    if kind not in _LABEL_KINDS or not plain:
        raise TypeError(
            f"labels of type {kind} cannot be saved; use numbers, truth values or text as labels"
        )
    return {"kind": kind, "values": values}


def _labels(description: dict[str, Any]) -> NDArray[Any]:
    kind, values = description["kind"], description["values"]
    if kind not in _LABEL_KINDS or not isinstance(values, list) or not values:
        raise ModelFileError("its labels cannot be read")
    allowed = {"str": str, "bool": bool, "object": str | bool | int | float}
    expected = allowed.get(kind, float if kind.startswith("float") else int)
    if not all(isinstance(value, expected) for value in values):
        raise ModelFileError(f"its labels are not all {kind}")
    labels: NDArray[Any] = np.array(values, dtype=kind)
    return labels


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ModelFileError(f"expected a mapping, found {type(value).__name__}")
    return value


def _numbers(values: Any) -> list[float]:
    if not isinstance(values, list) or not all(isinstance(v, int | float) for v in values):
        raise ModelFileError("expected a list of numbers")
    return [float(value) for value in values]


def _strings(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ModelFileError("expected a list of text")
    return values


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ModelFileError("expected true or false")
    return value
