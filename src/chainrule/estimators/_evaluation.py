"""Examples that are not trained on, and the curves over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from chainrule.estimators._data import FLOATS, checked_weights, dense, unpacked
from chainrule.estimators._loop import Batch, Epoch, mean_cost
from chainrule.networks import Network, NetworkError, propagate, validation_split

Rating = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], float]

_SPLIT = "validation"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What is trained on and what is not, with the curves of cost and score as they grow."""

    inputs: NDArray[Any]
    targets: NDArray[Any]
    weights: NDArray[Any]
    sets: Mapping[str, Batch]
    rating: Rating
    scores: dict[str, list[float]] = field(default_factory=dict)
    losses: dict[str, list[float]] = field(default_factory=dict)

    def rate(self, network: Network) -> float:
        """Measure cost and score on every set; return the score on the last."""
        score = np.nan
        for name, (X, Y, weights) in self.sets.items():
            score = self.rating(propagate(network, X), Y, weights)
            self.scores.setdefault(name, []).append(score)
            self.losses.setdefault(name, []).append(mean_cost(network, X, Y, weights))
        return float(score)

    def watchers(self, is_rated: bool) -> tuple[Callable[[Epoch], Any], ...]:
        """Return what must be called after each epoch where no score is asked for."""
        return () if is_rated or not self.sets else (lambda epoch: self.rate(epoch.network),)

    def keep(self, estimator: Any, past: Mapping[str, Any]) -> None:
        """Write the curves to an estimator, behind those of earlier fits."""
        estimator.validation_scores_ = estimator.validation_losses_ = None
        estimator.best_validation_score_ = None
        estimator.evals_result_ = {
            name: {"loss": self.losses[name], "score": self.scores[name]} for name in self.scores
        }
        if self.scores:
            last = list(self.sets)[-1]
            scores = [*(past.get("validation_scores_") or ()), *self.scores[last]]
            losses = [*(past.get("validation_losses_") or ()), *self.losses[last]]
            estimator.validation_scores_, estimator.validation_losses_ = scores, losses
            known = [score for score in scores if not np.isnan(score)]
            estimator.best_validation_score_ = max(known, default=np.nan)


def evaluation(
    estimator: Any,
    eval_set: Any,
    X: NDArray[Any],
    targets: NDArray[Any],
    weights: NDArray[Any],
    strata: NDArray[Any] | None,
    rng: np.random.Generator,
) -> Evaluation:
    """Check the sets that a person gave, or keep a part of the data aside where one is needed."""
    sets: dict[str, Batch] = {}
    for place, (given_X, given_y, given_weight) in enumerate(unpacked(eval_set)):
        inputs, known = validate_data(
            estimator, given_X, given_y, reset=False, multi_output=True, dtype=FLOATS, order="C",
            accept_sparse="csr",
        )  # fmt: skip
        inputs = dense(inputs).astype(targets.dtype, copy=False)
        held = np.ascontiguousarray(estimator._encode(known), targets.dtype)
        if held.shape[1] != targets.shape[1]:
            raise NetworkError(
                f"entry {place} of eval_set has {held.shape[1]} columns of targets; y has "
                f"{targets.shape[1]}"
            )
        sets[f"validation_{place}"] = inputs, held, checked_weights(given_weight, inputs)
    if not sets and estimator.early_stopping and estimator.solver != "lbfgs":
        rows, aside = validation_split(len(X), estimator.validation_fraction, rng, strata)
        if aside.size < 2 or not weights[aside].sum() > 0.0:
            raise NetworkError(
                "The validation set is too small: fewer than two examples with weight were kept "
                "aside\nRaise validation_fraction, give more data, or set early_stopping=False."
            )
        sets[_SPLIT] = X[aside], targets[aside], weights[aside]
        X, targets, weights = X[rows], targets[rows], weights[rows]
    return Evaluation(X, targets, weights, sets, estimator._rating)
