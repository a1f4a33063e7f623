"""Training as the estimators ask for it: schedules, validation, callbacks, and going on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.networks import DivergenceError, Network, Optimiser, gradient
from chainrule.networks._progress import progress
from chainrule.networks._run import Run
from chainrule.networks._training import _diverged, _Patience

Batch = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class InverseScaling:
    """The learning rate falls with the number of examples seen, after every epoch."""

    power: float = 0.5


@dataclass(frozen=True)
class Adaptive:
    """The learning rate is divided when nothing improves, until it is tiny."""

    divisor: float = 5.0
    smallest: float = 1e-6


Schedule = InverseScaling | Adaptive


@dataclass(frozen=True, eq=False)
class State:
    """What the optimiser remembers between two calls."""

    moments: NDArray[Any]
    steps: int
    examples: int
    learning_rate: float


@dataclass(frozen=True, eq=False)
class Epoch:
    """What a callback is told after an epoch."""

    number: int
    network: Network
    loss: float
    validation_score: float | None


@dataclass(frozen=True, eq=False)
class Training:
    """What came of training."""

    network: Network
    loss_curve: tuple[float, ...]
    validation_scores: tuple[float, ...]
    validation_losses: tuple[float, ...]
    converged: bool
    interrupted: bool
    best_epoch: int | None
    state: State | None


Callback = Callable[[Epoch], Any]


def train(
    network: Network,
    X: NDArray[Any],
    Y: NDArray[Any],
    *,
    optimiser: Optimiser,
    schedule: Schedule | None,
    sample_weight: NDArray[Any],
    alpha: float,
    batch_size: int,
    epochs: int,
    shuffle: bool,
    rng: np.random.Generator,
    tolerance: float,
    patience: float,
    score: Callable[[Network], float] | None,
    callbacks: Iterable[Callback],
    state: State | None,
    seen: int,
    show_progress: bool,
) -> Training:
    """Train as `networks.train` does, with what that does not take yet."""
    run = Run(network, X, Y, sample_weight, optimiser, alpha=alpha, batch_size=batch_size)
    rate = optimiser.learning_rate
    if state is not None and state.moments.shape == run.state.shape:
        run.state[:] = state.moments
        run.steps, rate = state.steps, state.learning_rate
    losses: list[float] = []
    scores: list[float] = []
    waiting = _Patience(tolerance, patience)  # type: ignore[arg-type]
    best, best_epoch = run.parameters.copy(), None
    converged = interrupted = False
    with progress(epochs, show_progress) as report, run.threads():
        try:
            while len(losses) < epochs and not converged:
                before = run.parameters.copy()
                order = rng.permutation(run.rows) if shuffle else run.rows
                loss = run.epoch(order, np.full(run.steps_of(order), rate))
                if not (math.isfinite(loss) and run.is_finite):
                    raise _diverged(network.with_parameters(before), run, len(losses) + 1, loss)
                losses.append(loss)
                seen += run.rows.size
                now = run.network
                if score is not None:
                    scores.append(float(score(now)))
                if waiting.improved(-loss if score is None else scores[-1]):
                    best, best_epoch = run.parameters.copy(), len(losses)
                if isinstance(schedule, InverseScaling):
                    rate = optimiser.learning_rate / (seen + 1) ** schedule.power
                if waiting.exhausted:
                    if isinstance(schedule, Adaptive) and rate > schedule.smallest:
                        rate /= schedule.divisor
                        waiting.waited = 0
                    else:
                        converged = True
                report(len(losses), loss, scores[-1] if scores else None)
                told = Epoch(len(losses), now, loss, scores[-1] if scores else None)
                for callback in callbacks:
                    callback(told)
        except KeyboardInterrupt:
            interrupted = True
    final = best if score is not None or not run.is_finite else run.parameters
    return Training(
        network.with_parameters(final), tuple(losses), tuple(scores), (), converged, interrupted,
        best_epoch, State(run.state, run.steps, seen, rate),
    )  # fmt: skip


def mean_cost(network: Network, X: NDArray[Any], Y: NDArray[Any], weights: NDArray[Any]) -> float:
    """Return the weighted mean cost over examples, without penalty."""
    return gradient(network, X, Y, sample_weight=weights)[0]


def train_lbfgs(
    network: Network,
    X: NDArray[Any],
    Y: NDArray[Any],
    *,
    sample_weight: NDArray[Any],
    alpha: float,
    epochs: int,
    evaluations: int,
    tolerance: float,
) -> Training:
    """Train on all examples at once by L-BFGS."""
    from scipy.optimize import minimize

    losses: list[float] = []

    def cost_and_slopes(parameters: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        at = network.with_parameters(parameters.astype(network.dtype))
        cost, slopes = gradient(at, X, Y, alpha=alpha, sample_weight=sample_weight)
        if not math.isfinite(cost):
            raise DivergenceError(
                f"training diverged: the mean cost became {cost}\nStandardise X.", network
            )
        return cost, slopes.astype(np.float64)

    found = minimize(
        cost_and_slopes,
        network.parameters.astype(np.float64),
        method="L-BFGS-B",
        jac=True,
        callback=lambda intermediate_result: losses.append(float(intermediate_result.fun)),
        options={"maxiter": epochs, "maxfun": evaluations, "gtol": tolerance},
    )
    final = network.with_parameters(found.x.astype(network.dtype))
    curve = tuple(losses) or (float(found.fun),)
    return Training(final, curve, (), (), bool(found.success), False, None, None)
