"""How an estimator's parameters train a network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chainrule.estimators._evaluation import Evaluation
from chainrule.estimators._parameters import shares
from chainrule.estimators._recipes import Recipe
from chainrule.estimators._solvers import optimiser_of, schedule_of
from chainrule.networks import Network, Training, train, train_lbfgs

if TYPE_CHECKING:
    from chainrule.estimators._base import Request


def options_of(estimator: Any, start: Network) -> dict[str, Any]:
    """Return what every training of an estimator's network has in common."""
    if estimator.solver == "lbfgs":
        return {}
    return {
        "optimiser": optimiser_of(estimator),
        "schedule": schedule_of(estimator),
        "alpha": float(estimator.alpha),
        "shuffle": bool(estimator.shuffle),
        "dropout": shares(estimator.dropout, len(start.activations)),
        "clip_norm": float(estimator.clip_norm),
        "clip_value": float(estimator.clip_value),
    }


def trained(estimator: Any, recipe: Recipe, held: Evaluation, request: Request) -> Training:
    """Train a network by a recipe, and as the estimator's parameters say.

    Parameters
    ----------
    estimator : Feedforward
    recipe : Recipe
        Where to start, and how to go on.
    held : Evaluation
        The examples.
    request : Request
        What the call asks for.
    """
    if recipe.ended is not None:
        return held.not_looked_at(recipe.ended)
    watches, by_cost = bool(estimator.early_stopping and held.sets), estimator._stops_by_cost
    # The first set decides there, the last one here.
    last = list(held.sets.items())[-1:]
    shared: dict[str, Any] = {
        "score": held.score if watches and not by_cost else None,
        "restore_best": True if watches and by_cost else None,
        "validation": {**dict(last), **held.sets} or None,
        "callbacks": (*((held.rate,) if held.sets else ()), *request.callbacks),
        "checkpoint": request.checkpoint,
        "checkpoint_every": request.checkpoint_every,
        "show_progress": int(estimator.verbose),
        "standardisation": recipe.standardisation,
        "tolerance": float(estimator.tol),
    }
    if estimator.solver == "lbfgs":
        return train_lbfgs(
            recipe.start, held.inputs, held.targets, sample_weight=held.weights,
            alpha=float(estimator.alpha), iterations=int(estimator.max_iter),
            evaluations=int(estimator.max_fun), **shared,
        )  # fmt: skip
    options, state = options_of(estimator, recipe.start), vars(estimator).get("_state")
    # Another solver cannot go on with what this one remembers.
    kind = None if state is None else state.optimiser
    fits = request.partial and kind == type(options["optimiser"]).__name__
    result = train(
        recipe.start, held.inputs, held.targets, sample_weight=held.weights,
        batch_size=recipe.batch_size, epochs=recipe.epochs, rng=recipe.generator,
        patience=float(estimator.n_iter_no_change), state=state if fits else None,
        **options, **shared,
    )  # fmt: skip
    ended = len(result.loss_curve) == recipe.epochs < int(estimator.max_iter)
    return replace(result, converged=True) if ended and not request.partial else result
