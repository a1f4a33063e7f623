"""How an estimator's parameters train a network, and for how many epochs."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.estimators._evaluation import Evaluation
from chainrule.estimators._parameters import shares
from chainrule.estimators._solvers import optimiser_of, schedule_of
from chainrule.networks import (
    DivergenceError,
    Network,
    NetworkError,
    Standardisation,
    Training,
    train,
    train_lbfgs,
    validation_split,
)

if TYPE_CHECKING:
    from chainrule.estimators._base import Request

_SMALLEST_BATCH, _LARGEST_BATCH = 25, 200
_STEPS = 30  # that an epoch has at least, as far as the smallest batch allows
_FOLDS = 3
_LONG = 100  # epochs: who allows fewer has chosen how long to train
_FEWEST, _MOST = 40, 10_000  # examples on which epochs are counted; fewer are one batch
_SHARE = 0.2  # of the examples that a fold keeps aside
_PATIENCE = 25  # epochs of a fold without a lower cost
_WINDOW = 9  # epochs whose costs are averaged


def trained(
    estimator: Any,
    start: Network,
    held: Evaluation,
    request: Request,
    *,
    strata: NDArray[Any] | None,
    goes_on: bool,
    by_hand: bool,
) -> Training:
    """Train a network as the estimator's parameters say.

    Parameters
    ----------
    estimator : Feedforward
    start : Network
        Over raw inputs and targets.
    held : Evaluation
        The examples.
    request : Request
        What the call asks for.
    strata : ndarray or None
        Classes of the examples.
    goes_on : bool
        Whether the network is not new.
    by_hand : bool
        Whether its weights were assigned, and no training came before.
    """
    given: Standardisation | None = vars(estimator).get("_standardisation")
    own = None if given is None else given.suited(start)
    score = held.score if estimator.early_stopping and held.sets else None
    shared: dict[str, Any] = {
        "score": score,
        "validation": held.sets or None,
        "callbacks": (held.rate, *request.callbacks),
        "checkpoint": request.checkpoint,
        "checkpoint_every": request.checkpoint_every,
        "show_progress": int(estimator.verbose),
    }
    if estimator.solver == "lbfgs":
        return train_lbfgs(
            start, held.inputs, held.targets, sample_weight=held.weights, standardisation=own,
            alpha=float(estimator.alpha), iterations=int(estimator.max_iter),
            evaluations=int(estimator.max_fun), tolerance=float(estimator.tol), **shared,
        )  # fmt: skip
    optimiser, state = optimiser_of(estimator), vars(estimator).get("_state")
    # Another solver cannot go on with what this one remembers.
    kind = None if state is None else state.optimiser
    options: dict[str, Any] = {
        "optimiser": optimiser,
        "schedule": schedule_of(estimator),
        "alpha": float(estimator.alpha),
        "batch_size": _batch_size(estimator.batch_size, len(held.weights), by_hand=by_hand),
        "shuffle": bool(estimator.shuffle),
        "dropout": shares(estimator.dropout, len(start.activations)),
        "clip_norm": float(estimator.clip_norm),
        "clip_value": float(estimator.clip_value),
        "standardisation": own,
    }
    epochs = 1 if request.partial else int(estimator.max_iter)
    if not goes_on and not request.partial:
        folds = _folds(estimator, len(held.weights))
        rng = copy.deepcopy(estimator._generator)
        epochs = _best_epochs(start, held, strata, folds, epochs, rng, options)
    result = train(
        start, held.inputs, held.targets, sample_weight=held.weights, epochs=epochs,
        rng=estimator._generator, tolerance=float(estimator.tol),
        patience=float(estimator.n_iter_no_change),
        state=state if request.partial and kind == type(optimiser).__name__ else None,
        **options, **shared,
    )  # fmt: skip
    ended = len(result.loss_curve) == epochs < int(estimator.max_iter)
    return replace(result, converged=True) if ended and not request.partial else result


def _batch_size(given: Any, count: int, *, by_hand: bool) -> int:
    if given != "auto":
        return int(given)
    if by_hand or count < _FEWEST:
        return _LARGEST_BATCH
    return min(max(count // _STEPS, _SMALLEST_BATCH), _LARGEST_BATCH)


def _folds(estimator: Any, count: int) -> int:
    """Return how many trainings count epochs: none where the length of training was chosen."""
    if estimator.stopping_folds != "auto":
        return int(estimator.stopping_folds)
    is_open = (
        estimator.tol > 0.0
        and estimator.n_iter_no_change < estimator.max_iter
        and estimator.max_iter >= _LONG
        and estimator.learning_rate == "constant"
        and estimator.solver != "sgd"
        and not estimator.early_stopping
    )
    return _FOLDS if is_open and _FEWEST <= count <= _MOST else 0


def _best_epochs(
    start: Network,
    held: Evaluation,
    strata: NDArray[Any] | None,
    folds: int,
    most: int,
    rng: np.random.Generator,
    options: dict[str, Any],
) -> int:
    """Return after how many epochs the cost of examples kept aside was the least, in the mean."""
    if not folds:
        return most
    inputs, targets = held.inputs, held.targets
    own = options["standardisation"]
    if own is not None and isinstance(inputs, np.ndarray):
        # Once, rather than at every look at a network: where the cost is least is the same.
        start, inputs, targets = own.unfolded(start), own.inputs(inputs), own.targets(targets)
        options = {**options, "standardisation": None}
    curves = []
    for _ in range(folds):
        try:
            rows, aside = validation_split(len(held.weights), _SHARE, rng, strata)
            result = train(
                start, inputs[rows], targets[rows], sample_weight=held.weights[rows],
                validation=(inputs[aside], targets[aside], held.weights[aside]),
                restore_best=True, epochs=most, tolerance=0.0, patience=_PATIENCE, rng=rng,
                **options,
            )  # fmt: skip
        except (DivergenceError, NetworkError):
            # The training on all examples tells what is wrong, if anything is.
            continue
        if result.interrupted:
            raise KeyboardInterrupt
        (curve,) = result.validation_losses.values()
        curves.append(curve)
    if not curves:
        return most
    longest = max(map(len, curves))
    means = np.mean([np.pad(curve, (0, longest - len(curve)), "edge") for curve in curves], axis=0)
    half = min(_WINDOW, longest) // 2
    smooth = np.convolve(
        np.pad(means, half, "edge"), np.full(2 * half + 1, 1.0 / (2 * half + 1)), "valid"
    )
    return int(np.argmin(smooth)) + 1
