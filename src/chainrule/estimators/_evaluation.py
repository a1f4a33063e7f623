"""Examples that are not trained on, and the curves over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_regressor
from sklearn.utils.validation import validate_data

from chainrule.estimators._data import FLOATS, checked_weights, unpacked
from chainrule.estimators._labels import with_types
from chainrule.networks import (
    Epoch,
    Network,
    NetworkError,
    Standardisation,
    Training,
    validation_loss,
    validation_split,
)
from chainrule.networks.training._validation import HeldOut, held_out

Batch = tuple[Any, NDArray[Any], NDArray[Any]]
Rating = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], float]
Errors = Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]]

_SPLIT = "validation"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What is trained on and what is not, with the curves of cost and score as they grow."""

    inputs: Any
    targets: NDArray[Any]
    weights: NDArray[Any]
    sets: Mapping[str, HeldOut]
    rating: Rating
    errors_of: Errors
    scores: dict[str, list[float]] = field(default_factory=dict)

    def score(self, network: Network) -> float:
        """Return the score on the last set, which decides when to stop."""
        return self._rated(list(self.sets.values())[-1], network)

    def loss(self, network: Network, penalty: float, given: Standardisation | None) -> float:
        """Return the cost of a network over what is trained on, penalty included."""
        inner, unit = (
            (network, 1.0) if given is None else (given.unfolded(network), given.unit(network))
        )
        decayed = inner.parameters[: inner.layout.decayed].astype(np.float64)
        total = self.weights.sum(dtype=np.float64)
        cost = validation_loss(network, self.inputs, self.targets, self.weights)
        return cost + float(0.5 * penalty * unit * (decayed @ decayed) / total)

    def errors(self, outputs: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the weighted errors of what a network makes of some of the examples."""
        errors: NDArray[np.float64] = self.weights[rows] * self.errors_of(
            outputs, self.targets[rows]
        )
        return errors

    def rate(self, epoch: Epoch) -> None:
        """Write down the score on every set."""
        last = list(self.sets)[-1:]
        for name, part in self.sets.items():
            known = epoch.score if name in last else None
            score = self._rated(part, epoch.network) if known is None else known
            self.scores.setdefault(name, []).append(score)

    def _rated(self, part: HeldOut, network: Network) -> float:
        _, outputs = part.output_layer(network)
        return self.rating(outputs, part.targets, part.weights)

    def not_looked_at(self, result: Training) -> Training:
        """Return a training that was interrupted, for which nothing is known of the sets."""
        unknown = (float("nan"),) * len(result.loss_curve)
        return replace(
            result, validation_scores=(), validation_losses=dict.fromkeys(self.sets, unknown),
            converged=False, interrupted=True, stopped=False, best_epoch=None,
        )  # fmt: skip

    def keep(self, estimator: Any, past: Mapping[str, Any], result: Training) -> None:
        """Write the curves to an estimator, behind those of earlier fits."""
        epochs = len(result.loss_curve)
        curves = {}
        for name in self.sets:
            scores = self.scores.get(name, [])
            # Scores of epochs before a checkpoint that training went on from are not known again.
            missing = [float("nan")] * (epochs - len(scores))
            curves[name] = {
                "loss": list(result.validation_losses[name]),
                "score": [*missing, *scores],
            }
        if result.validation_scores:
            curves[list(self.sets)[-1]]["score"] = list(result.validation_scores)
        estimator.evals_result_ = curves
        watched = list(curves.values())[-1] if curves else {}
        for attribute, kind in (("validation_scores_", "score"), ("validation_losses_", "loss")):
            curve = [*(past.get(attribute) or ()), *watched.get(kind, ())]
            setattr(estimator, attribute, curve if curves else None)
        known = [score for score in estimator.validation_scores_ or () if not np.isnan(score)]
        estimator.best_validation_score_ = max(known, default=None)


def evaluation(
    estimator: Any,
    start: Network,
    eval_set: Any,
    X: Any,
    targets: NDArray[Any],
    weights: NDArray[Any],
    strata: NDArray[Any] | None,
    rng: np.random.Generator,
) -> Evaluation:
    """Check the sets that a person gave, or keep a part of the data aside where one is needed."""
    sets: dict[str, Batch] = {}
    for place, (given_X, given_y, given_weight) in enumerate(unpacked(eval_set)):
        inputs, known = validate_data(
            estimator, given_X, given_y if is_regressor(estimator) else with_types(given_y),
            reset=False, multi_output=True, dtype=FLOATS, order="C", accept_sparse="csr",
        )  # fmt: skip
        inputs = inputs.astype(targets.dtype, copy=False)
        held = np.ascontiguousarray(estimator._encode(known), targets.dtype)
        if held.shape[1] != targets.shape[1]:
            raise NetworkError(
                f"entry {place} of eval_set has {held.shape[1]} columns of targets; y has "
                f"{targets.shape[1]}"
            )
        sets[f"validation_{place}"] = inputs, held, checked_weights(given_weight, inputs)
    if not sets and estimator.early_stopping and estimator.solver != "lbfgs":
        rows, aside = validation_split(X.shape[0], estimator.validation_fraction, rng, strata)
        if aside.size < 2 or not weights[aside].sum() > 0.0:
            raise NetworkError(
                "The validation set is too small: fewer than two examples with weight were kept "
                "aside\nRaise validation_fraction, give more data, or set early_stopping=False."
            )
        sets[_SPLIT] = X[aside], targets[aside], weights[aside]
        X, targets, weights = X[rows], targets[rows], weights[rows]
    parts = {part.name: part for part in held_out(start, sets)}
    return Evaluation(X, targets, weights, parts, estimator._rating, estimator._errors)
