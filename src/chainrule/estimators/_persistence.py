"""Estimators to files and back; what is stored is data, and checked when it is read."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from chainrule.estimators._base import Feedforward
from chainrule.estimators._classifier import FeedforwardClassifier
from chainrule.estimators._descriptions import (
    as_texts,
    describe_classes,
    describe_parameters,
    describe_standardisation,
    mapping,
    read_choice,
    read_classes,
    read_numbers,
    read_parameters,
    read_standardisation,
    read_strings,
    read_truth,
)
from chainrule.estimators._meanings import meaning_of
from chainrule.estimators._parameters import (
    check_parameters,
    hidden_formulas,
    hidden_sizes,
    learned_of,
    normalisations,
)
from chainrule.estimators._recipes import OWN, SCIKIT_LEARN
from chainrule.estimators._regressor import FeedforwardRegressor
from chainrule.estimators._start import output_name
from chainrule.formulas import ChainruleError
from chainrule.networks import ModelFileError, Network, load_training, save_network
from chainrule.networks.files._kept_state import decoded, encoded, generator_of

_ESTIMATORS: dict[str, type[Feedforward]] = {
    "FeedforwardClassifier": FeedforwardClassifier,
    "FeedforwardRegressor": FeedforwardRegressor,
}
_CURVES = (
    "loss_", "loss_curve_", "validation_scores_", "validation_losses_", "evals_result_",
    "best_loss_", "best_validation_score_", "best_epoch_", "n_iter_", "t_",
)  # fmt: skip


def save_estimator(estimator: Feedforward, path: str | os.PathLike[str], *, training: bool) -> None:
    """Write a fitted estimator to a file, whole or not at all."""
    state = {name: getattr(estimator, name) for name in _CURVES}
    state["n_features_in_"] = int(estimator.n_features_in_)
    state["recipe_"] = estimator.recipe_
    state["_penalty"], state["_is_weighted"] = estimator._penalty, estimator._is_weighted
    if hasattr(estimator, "feature_names_in_"):
        state["feature_names_in_"] = [str(name) for name in estimator.feature_names_in_]
    if isinstance(estimator, FeedforwardClassifier):
        state["classes_"] = describe_classes(estimator.classes_)
        state["_multilabel"] = estimator._multilabel
        state["_sparse_labels"] = estimator._sparse_labels
    else:
        state["_one_dimensional"] = estimator._one_dimensional
    if training:
        state["_generator"] = encoded(estimator._generator.bit_generator.state)
    standardised = vars(estimator).get("_standardisation")
    if standardised is not None:
        state["_standardisation"] = describe_standardisation(standardised)
    extra = {
        "estimator": type(estimator).__name__,
        "parameters": describe_parameters(estimator),
        "state": state,
    }
    save_network(estimator.network_, path, extra, estimator._state if training else None)


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
    network, extra, training = load_training(path)
    if "estimator" not in extra:
        return network
    try:
        estimator = _restore(network, extra)
        estimator._state = training
        _restore_generator(estimator, mapping(extra["state"]))
        return estimator
    except ModelFileError as error:
        raise ModelFileError(f"{path} is damaged: {error}") from None
    except (ChainruleError, ValueError, TypeError, KeyError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelFileError(f"{path} is damaged: {reason}") from error


def _restore(network: Network, extra: dict[str, Any]) -> Feedforward:
    kind = _ESTIMATORS.get(str(extra["estimator"]))
    if kind is None:
        raise ModelFileError(f"it holds an unknown estimator, {extra['estimator']!r:.40}")
    estimator = kind(**read_parameters(mapping(extra["parameters"])))
    _agree(estimator, network)
    state = mapping(extra["state"])
    outputs = network.sizes[-1]
    if state["n_features_in_"] != network.sizes[0]:
        raise ModelFileError("its number of features differs from the network's inputs")
    estimator.network_ = network
    estimator.n_features_in_ = network.sizes[0]
    if "feature_names_in_" in state:
        names = read_strings(state["feature_names_in_"])
        if len(names) != network.sizes[0]:
            raise ModelFileError("its feature names differ in number from the network's inputs")
        estimator.feature_names_in_ = np.array(names, object)
    _restore_curves(estimator, state)
    estimator.recipe_ = read_choice(state.get("recipe_", OWN), (OWN, SCIKIT_LEARN))
    if "_standardisation" in state:
        estimator._standardisation = read_standardisation(state["_standardisation"], network)
    # Files of earlier versions hold neither, nor sparse labels, nor a recipe.
    estimator._penalty = read_numbers([state.get("_penalty", estimator.alpha)])[0]
    estimator._is_weighted = read_truth(state.get("_is_weighted", False))
    if isinstance(estimator, FeedforwardClassifier):
        estimator.classes_ = read_classes(state["classes_"])
        estimator._multilabel = read_truth(state["_multilabel"])
        estimator._sparse_labels = read_truth(state.get("_sparse_labels", False))
        estimator._meaning = meaning_of(
            estimator.classes_, many=estimator._multilabel, one_unit=outputs == 1
        )
        if estimator._meaning.blocks != network.blocks:
            raise ModelFileError(
                f"its classes need outputs in blocks of {estimator._meaning.blocks}, but the "
                f"network's are of {network.blocks}"
            )
    else:
        estimator._one_dimensional = read_truth(state["_one_dimensional"])
        if estimator._one_dimensional and outputs != 1:
            raise ModelFileError(f"one-dimensional targets, but a network of {outputs} outputs")
    return estimator


def _restore_generator(estimator: Feedforward, state: dict[str, Any]) -> None:
    """Let random numbers go on; files of earlier versions hold them with the optimiser's memory."""
    if "_generator" in state:
        estimator._generator = generator_of(mapping(decoded(state["_generator"])))
    elif estimator._state is not None:
        estimator._generator = generator_of(estimator._state.generator)


def _restore_curves(estimator: Feedforward, state: dict[str, Any]) -> None:
    """Give back the curves; files of earlier versions hold three of them."""
    estimator.loss_curve_ = read_numbers(state["loss_curve_"])
    # Files of earlier versions hold the curve alone.
    known = [state["loss_"]] if "loss_" in state else estimator.loss_curve_
    estimator.loss_ = read_numbers(known)[-1] if known else float("nan")
    for name in ("validation_scores_", "validation_losses_"):
        curve = state.get(name)
        setattr(estimator, name, None if curve is None else read_numbers(curve))
    for name in ("best_loss_", "best_validation_score_"):
        number = state.get(name)
        setattr(estimator, name, None if number is None else read_numbers([number])[0])
    epochs = len(estimator.loss_curve_)
    for name, value in (("n_iter_", epochs), ("t_", 0), ("best_epoch_", None)):
        count = state.get(name, value)
        setattr(estimator, name, None if count is None else int(read_numbers([count])[0]))
    estimator.evals_result_ = {
        str(name): {kind: read_numbers(mapping(curves)[kind]) for kind in ("loss", "score")}
        for name, curves in mapping(state.get("evals_result_", {})).items()
    }
    sizes = estimator.network_.sizes
    estimator.n_layers_, estimator.n_outputs_ = len(sizes), sizes[-1]
    estimator.out_activation_ = output_name(estimator.network_)


def _agree(estimator: Feedforward, network: Network) -> None:
    """Check the parameters; where they describe other formulas, the network's are right.

    A name in the catalogue may stand for another form of its formula in a later version.
    """
    parameters = estimator.get_params(deep=False)
    check_parameters(type(estimator).__name__, parameters)
    widths = hidden_sizes(parameters["hidden_layer_sizes"])
    if widths != network.sizes[1:-1]:
        raise ModelFileError("its hidden_layer_sizes differ from the network's")
    if normalisations(parameters["normalisation"], len(widths)) != network.normalisations[:-1]:
        raise ModelFileError("its normalisation differs from the network's")
    hidden = network.activations[:-1]
    if learned_of(parameters["learned_parameters"], network.activations) != network.learned:
        raise ModelFileError("its learned_parameters differ from the network's")
    if network.learned[-1]:
        # The text of the file has numbers in the places of parameters.
        estimator.set_params(output_activation=network.activations[-1])
    try:
        described: Any = hidden_formulas(
            parameters["activation"], parameters["activation_parameters"], len(widths)
        )
    except ChainruleError:
        described = None
    if described != hidden:
        estimator.set_params(**as_texts(hidden))
