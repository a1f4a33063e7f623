"""Where a training by L-BFGS stands, and what came of its steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from chainrule.networks._errors import DivergenceError
from chainrule.networks._network import Network
from chainrule.networks.lbfgs._steps import Steps, Vector
from chainrule.networks.training._callbacks import Callback, Epoch, wants_to_stop
from chainrule.networks.training._moments import Moment
from chainrule.networks.training._records import Record, curves, told, watched
from chainrule.networks.training._standardisation import Standardisation
from chainrule.networks.training._state import Training, TrainingState, Watch
from chainrule.networks.training._validation import HeldOut

_NOTHING = np.empty(0)


class Course:
    """A training by L-BFGS between two steps.

    Parameters
    ----------
    network : Network
        Where it starts.
    score : callable or None
        Rates a network.
    held : tuple of HeldOut
    restores_best : bool
        Whether the best network is asked for.
    tellers : tuple of callable
        Are told of every step.
    standardisation : Standardisation or None
        Of the examples: steps are in the parameters over standardised ones.
    keeps_memory : bool
        Whether the minimisation is to be taken up again.
    """

    report: Callable[[Epoch], None]
    raise_lost: Callable[[], None]
    overflow_remedy: Callable[[], str]

    def __init__(
        self,
        network: Network,
        score: Callable[[Network], float] | None,
        held: tuple[HeldOut, ...],
        restores_best: bool,
        tellers: tuple[Callback, ...],
        standardisation: Standardisation | None,
        *,
        keeps_memory: bool,
    ) -> None:
        self.network, self.score, self.held = network, score, held
        self.restores_best = restores_best
        self.tellers = tellers
        self.standardisation = standardisation
        precise = network.with_parameters(network.parameters.astype(np.float64))
        inner = precise if standardisation is None else standardisation.unfolded(precise)
        self.start: Vector = inner.parameters.astype(np.float64)
        self.reached = self.start
        self.records: list[Record] = []
        self.begun = time.perf_counter()
        memory = Steps(self.start).memory if keeps_memory else _NOTHING
        self.moment = Moment(lambda: network, TrainingState("L-BFGS", memory, 0))

    def steps(self) -> Steps:
        """Return the minimisation as it stands."""
        if not self.moment.epochs:
            return Steps(self.start)
        steps = Steps(self.start, self.moment.state.memory.astype(np.float64, copy=False))
        self.reached = steps.x.copy()
        return steps

    def record(self, x: Vector, loss: float, memory: Vector = _NOTHING) -> None:
        """Take a step down: its numbers, and the network there if it is the best so far."""
        if not math.isfinite(loss):
            raise self.diverged()
        now, before = self._network(x), self.moment
        rating = None if self.score is None else float(self.score(now))
        losses = tuple(part.mean_cost(now) for part in self.held)
        if self.standardisation is not None:
            loss *= self.standardisation.unit(self.network)
        record = Record(loss, float(np.linalg.norm(x - self.reached)), rating, losses)
        value = watched(record, self.restores_best)
        is_best = self.restores_best and value > before.state.watch.best
        count = before.epochs + 1
        self.records[before.epochs :] = [record]
        self.reached = x
        self.moment = Moment(
            lambda: now,
            TrainingState(
                before.state.optimiser, memory, count, count,
                watch=Watch(max(value, before.state.watch.best)),
            ),
            now if is_best else before.best, count if is_best else before.best_epoch, count, True,
        )  # fmt: skip

    def tell(self) -> None:
        """Tell everybody of the last step, unless there was an interrupt that was lost."""
        self.raise_lost()
        seconds, count = time.perf_counter() - self.begun, self.moment.epochs
        epoch = told(count, self.records[count - 1], self.held, seconds, self.moment.made)
        self.report(epoch)
        stopped = wants_to_stop(self.tellers, epoch)
        self.moment = replace(self.moment, pending=False, stopped=stopped)
        self.begun = time.perf_counter()

    def result(self, *, converged: bool = False, interrupted: bool = False) -> Training:
        """Return what came of it."""
        moment, records = self.moment, self.records[: self.moment.epochs]
        return Training(
            moment.best or moment.network, *curves(records, self.held), converged=converged,
            interrupted=interrupted, stopped=moment.stopped, best_epoch=moment.best_epoch,
            state=None,
        )  # fmt: skip

    def diverged(self) -> DivergenceError:
        """Return the error that the cost is no number, with the network of the last step."""
        remedy = "Standardise X, raise" if self.standardisation is None else "Raise"
        titles = ", ".join(dict.fromkeys(formula.title for formula in self.network.activations))
        advice = self.overflow_remedy() or (
            f"{remedy} alpha, or check that the activations {titles} are finite."
        )
        return DivergenceError(
            f"training diverged in iteration {self.moment.epochs + 1}: the mean cost became "
            f"infinite or NaN\n{advice}",
            self._network(self.reached),
        )

    def _network(self, parameters: Vector) -> Network:
        if self.standardisation is None:
            return self.network.with_parameters(parameters.astype(self.network.dtype))
        folded = self.standardisation.folded(self.network.with_parameters(parameters))
        return self.network.with_parameters(folded.parameters.astype(self.network.dtype))
