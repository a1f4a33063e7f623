"""Training: epochs of mini-batches, until what is watched stops improving."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule.networks._checks import check_count, check_number, overflow_remedy
from chainrule.networks._errors import CheckpointError, DivergenceError, NetworkError
from chainrule.networks._network import Network
from chainrule.networks.files._checkpoints import (
    checkpoint_at,
    described,
    described_sets,
    described_standardisation,
    generator_digest,
    state_digest,
)
from chainrule.networks.files._digests import digest
from chainrule.networks.training._callbacks import Callback, checked_callbacks, wants_to_stop
from chainrule.networks.training._generators import generator_of, generator_state, put_generator
from chainrule.networks.training._interrupts import lost_interrupts
from chainrule.networks.training._keeper import Keeper
from chainrule.networks.training._moments import Moment
from chainrule.networks.training._optimisers import Adam, Optimiser
from chainrule.networks.training._orders import is_order, shuffled
from chainrule.networks.training._progress import progress
from chainrule.networks.training._records import Record, curves, restores_best, told, watched
from chainrule.networks.training._run import Run
from chainrule.networks.training._schedules import Constant, lowered
from chainrule.networks.training._span import Schedule, Span
from chainrule.networks.training._standardisation import Standardisation
from chainrule.networks.training._state import LARGEST_SEED, Training, TrainingState
from chainrule.networks.training._validation import HeldOut, held_out


@dataclass(frozen=True, eq=False)
class _Plan:
    """What stays the same from one epoch to the next."""

    run: Run
    span: Span
    schedule: Schedule
    shuffle: bool
    generator: np.random.Generator
    tolerance: float
    patience: float
    score: Callable[[Network], float] | None
    held: tuple[HeldOut, ...]
    restore_best: bool


def train(
    network: Network,
    X: Any,
    Y: ArrayLike,
    *,
    optimiser: Optimiser | None = None,
    schedule: Schedule | None = None,
    sample_weight: ArrayLike | None = None,
    alpha: float = 0.0,
    batch_size: int = 200,
    epochs: int = 200,
    dropout: float | tuple[float, ...] = 0.0,
    clip_value: float = 0.0,
    clip_norm: float = 0.0,
    standardisation: Standardisation | None = None,
    shuffle: bool = True,
    rng: np.random.Generator | int | None = None,
    tolerance: float = 1e-4,
    patience: float = 10,
    score: Callable[[Network], float] | None = None,
    validation: Any = None,
    restore_best: bool | None = None,
    callbacks: Sequence[Callback] | Callback | None = None,
    state: TrainingState | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    show_progress: bool | int = False,
) -> Training:
    r"""Train a network; the one that is given stays what it is.

    Every batch moves the parameters along the gradient of

    .. math:: J = \frac{1}{\sum_i s_i} \left( \sum_i s_i J_i + \frac{\alpha}{2} \|W\|^2 \right).

    Training watches one number: the score where one is given, else, with `restore_best`, the cost
    over the (first) validation set, else the mean cost of the epochs.

    Parameters
    ----------
    network : Network
        Where to start.
    X : array-like or sparse matrix of shape (examples, inputs)
        The inputs. Rows of a sparse matrix become dense when their batch comes; of more than 1024
        columns, and few entries, the first layer's products and gradient are sparse instead.
    Y : array-like of shape (examples, outputs)
        The targets.
    optimiser : Optimiser, optional
        Adam by default.
    schedule : Schedule, optional
        Scales the optimiser's learning rate from step to step; constant by default.
    sample_weight : array-like of shape (examples,), optional
        The weights :math:`s_i`; 1 by default. Without mini-batches a weight of 2 is the same as
        giving the example twice.
    alpha : float
        Strength of the penalty on the weights; biases are free.
    batch_size : int
        Examples in a batch; the last one of an epoch holds what is left.
    epochs : int
        At most so many passes over the examples.
    dropout : float or tuple of float
        The share of the inputs of each hidden layer and of the output layer that a step drops; a
        tuple gives the share for the inputs of every layer, the network's inputs first.
    clip_value, clip_norm : float
        Bounds of the gradient's entries and of its length; 0 for none.
    standardisation : Standardisation, optional
        What inputs and targets are shifted and scaled by as they come; `standardisation` computes
        it. The optimiser, the penalty and the clipping act on the parameters over standardised
        examples; every network that training tells of takes raw ones, and losses are those of raw
        targets. The tolerance of losses counts in the cost of standardised targets.
    shuffle : bool
        Whether every epoch shuffles the order of the one before.
    rng : numpy.random.Generator or int, optional
        Where the orders, and what is dropped, come from. The same seed gives the same parameters,
        bit for bit.
    tolerance, patience : float, float
        Training ends when what it watches has not improved by more than `tolerance` for more than
        `patience` epochs in a row: scikit-learn's ``tol`` and ``n_iter_no_change``.
    score : callable, optional
        Rates a network on data kept aside, higher being better.
    validation : tuple or mapping, optional
        Examples kept aside, ``(X, Y)`` or ``(X, Y, sample_weight)``, or several by name; the mean
        cost over each is kept for every epoch.
    restore_best : bool, optional
        Whether to return the network of the best epoch, not the last; by default where there is a
        score.
    callbacks : sequence of callable, optional
        Each is called with an `Epoch` after every epoch; training ends where one returns True.
    state : TrainingState, optional
        Of an earlier training, to go on with its optimiser's memory, schedule and patience.
    checkpoint : path-like, optional
        A file for all that it takes to go on, bit for bit. Calling `train` with the same arguments
        again goes on from there after whatever ended it, or returns the result where it had ended.
        Callbacks and the score's function are not compared. One training at a time may use it:
        a lock on a file beside it, which ends with the process, keeps others away.
    checkpoint_every : int, optional
        How many epochs lie between two checkpoints; by default as few as keep writing below a tenth
        of the time. There is always one in the end, and after an interrupt or an error.
    show_progress : bool or int
        1 or True draws a bar in terminals and notebooks; 2 also prints lines, now and then, where
        output goes elsewhere.

    Returns
    -------
    Training
        After Ctrl-C what was learned until then. A callback may raise KeyboardInterrupt to end a
        training that its checkpoint will go on with.

    Raises
    ------
    DivergenceError
        The cost or a parameter became infinite or NaN. The error, and the checkpoint, hold the
        network as it was before that epoch.
    CheckpointError
        The checkpoint belongs to a training with other arguments, is in use by another training,
        is damaged, or cannot be written.
    NetworkError
        Arguments do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.networks import Adam, network, train
    >>> X = np.linspace(-1, 1, 64)[:, None]
    >>> start = network((1, 16, 1), ("tanh", "identity"), "half_squared_error", rng=0)
    >>> result = train(start, X, X**2, optimiser=Adam(0.01), epochs=500, rng=0, tolerance=0.0)
    >>> result.loss_curve[-1] < 0.01
    True
    """
    check_count("batch_size", batch_size)
    check_count("epochs", epochs)
    if checkpoint_every is not None:
        check_count("checkpoint_every", checkpoint_every)
    check_number("alpha", alpha)
    check_number("tolerance", tolerance)
    check_number("patience", patience)
    if schedule is not None and not isinstance(schedule, Schedule):
        raise NetworkError(f"schedule must be a Schedule such as Cosine(), got {schedule!r:.60}")
    tellers = checked_callbacks(callbacks)
    check_number("clip_value", clip_value)
    check_number("clip_norm", clip_norm)
    run = Run(
        network, X, Y, sample_weight, optimiser or Adam(), alpha=alpha, batch_size=batch_size,
        dropout=dropout, clip_value=clip_value, clip_norm=clip_norm,
        standardisation=standardisation,
    )  # fmt: skip
    held = held_out(network, validation)
    generator = generator_of(rng)
    best = restores_best(restore_best, score, held)
    given = None if rng is None else generator_digest(generator)
    start = _start(
        run, state, generator, shuffle=bool(shuffle), seeded=rng is not None, restore_best=best
    )  # fmt: skip
    plan = _Plan(
        run, _span(run, epochs, start.state), schedule or Constant(), bool(shuffle),
        generator, float(tolerance) * (run.unit if score is None else 1.0), float(patience),
        score, held, best,
    )  # fmt: skip
    if checkpoint is None:
        return _train(plan, start, [], Keeper(None, None), tellers, show_progress)
    keep = checkpoint_at(checkpoint, _arguments(plan, batch_size, given, state))
    with keep.alone():
        found = keep.read(start, plan.span, score is not None, len(held), generator)
        moment, records = (start, []) if found is None else found
        keeper = Keeper(keep, checkpoint_every)
        return _train(plan, moment, records, keeper, tellers, show_progress)


def _train(
    plan: _Plan,
    moment: Moment,
    records: list[Record],
    keeper: Keeper,
    tellers: tuple[Callback, ...],
    show_progress: bool | int,
) -> Training:
    run, epochs = plan.run, plan.span.epochs
    run.begin(moment.network, moment.state.inner)
    moment.state.put_into(run)
    interrupted = False
    try:
        with (
            progress(epochs, show_progress, moment.epochs) as report,
            run.threads(),
            lost_interrupts() as raise_lost,
        ):
            if not records:
                keeper.keep(moment, records)
            begun = time.perf_counter()
            while True:
                if moment.pending:
                    record, seconds = records[moment.epochs - 1], time.perf_counter() - begun
                    stopped = False
                    if tellers or show_progress:
                        epoch = told(moment.epochs, record, plan.held, seconds, moment.made)
                        stopped = wants_to_stop(tellers, epoch)
                        report(epoch)
                    moment = moment.heard(stopped)
                    if _has_ended(moment, epochs) or keeper.is_due(moment):
                        keeper.keep(moment, records)
                if _has_ended(moment, epochs):
                    break
                raise_lost()
                begun = time.perf_counter()
                del records[moment.epochs :]
                moment = _next(plan, moment, records)
    except KeyboardInterrupt:
        interrupted = True
        keeper.keep(moment, records)
    except CheckpointError:
        raise
    except BaseException as error:
        keeper.keep(moment, records)
        if isinstance(error, DivergenceError) and keeper.checkpoint is not None:
            place = keeper.checkpoint.path
            error.add_note(f"load_checkpoint({str(place)!r}) gives the network before that epoch.")
        raise
    return _result(plan, moment, records[: moment.epochs], interrupted)


def _has_ended(moment: Moment, epochs: int) -> bool:
    return moment.converged or moment.stopped or moment.epochs >= epochs


def _next(plan: _Plan, moment: Moment, records: list[Record]) -> Moment:
    """Train for an epoch, add its record, and return where training stands then."""
    run, before = plan.run, moment.state
    span = plan.span
    if span.reductions != before.reductions:
        span = replace(span, reductions=before.reductions)
    order = run.rows if before.order is None else shuffled(before.order, plan.generator)
    rates = plan.schedule.rates(np.arange(run.steps, run.steps + run.steps_of(order)), span)
    loss = run.epoch(order, rates)
    if not (math.isfinite(loss) and run.is_finite):
        raise _diverged(plan, moment, loss, float(rates.max()))
    made = run.made()
    score = None if plan.score is None else float(plan.score(made()))
    losses = tuple(part.mean_cost(made()) for part in plan.held)
    records.append(Record(loss, float(rates[-1]), score, losses))
    value = watched(records[-1], plan.restore_best)
    is_best = plan.restore_best and value > before.watch.best
    watch = before.watch.after(value, plan.tolerance)
    reductions, converged = before.reductions, False
    if watch.waited > plan.patience:
        lower = lowered(plan.schedule, span)
        converged = lower is None
        if lower is not None:
            reductions, watch = lower.reductions, replace(watch, waited=0)
    state = TrainingState(
        before.optimiser, run.state, run.steps, before.epochs + 1,
        before.examples + run.rows.size, reductions, before.seed, watch,
        generator_state(plan.generator), None if before.order is None else order, made.inner,
    )  # fmt: skip
    return Moment(
        made, state, made() if is_best else moment.best,
        moment.epochs + 1 if is_best else moment.best_epoch, moment.epochs + 1, True, converged,
    )  # fmt: skip


def _result(plan: _Plan, moment: Moment, records: list[Record], interrupted: bool) -> Training:
    run, network, state = plan.run, moment.network, moment.state
    if interrupted and run.is_finite:
        # The part of an epoch that was done before the interrupt is kept as well.
        made = run.made()
        network = made()
        state = replace(
            state, memory=run.state, steps=run.steps, inner=made.inner,
            generator=generator_state(plan.generator),
        )  # fmt: skip
    return Training(
        moment.best or network, *curves(records, plan.held),
        converged=moment.converged, interrupted=interrupted, stopped=moment.stopped,
        best_epoch=moment.best_epoch, state=state,
    )  # fmt: skip


def _start(
    run: Run,
    state: TrainingState | None,
    generator: np.random.Generator,
    *,
    shuffle: bool,
    seeded: bool,
    restore_best: bool,
) -> Moment:
    if state is None:
        seed = int(generator.integers(LARGEST_SEED)) if run.tables.dropout.any() else 0
        begun = TrainingState(type(run.optimiser).__name__, run.state, run.steps, seed=seed)
    elif isinstance(state, TrainingState):
        begun = state
    else:
        raise NetworkError(f"state must be the state of a Training, got {type(state).__name__}")
    if begun.generator and not seeded:
        put_generator(begun.generator, generator)
    order = begun.order if is_order(begun.order, run.rows) else run.rows
    begun = replace(begun, generator=generator_state(generator), order=order if shuffle else None)
    begun.put_into(run)
    # Where an earlier training found a best network, that is where this one starts.
    found = restore_best and math.isfinite(begun.watch.best)
    return Moment(lambda: run.start, begun, run.start if found else None)


def _span(run: Run, epochs: int, state: TrainingState) -> Span:
    return Span(
        float(run.optimiser.learning_rate), epochs, run.steps_of(run.rows), run.rows.size,
        state.epochs, state.steps, state.examples, state.reductions,
    )  # fmt: skip


def _arguments(
    plan: _Plan, batch_size: int, generator: str | None, state: TrainingState | None
) -> dict[str, Any]:
    """Return all that decides about the result, as what JSON can hold."""
    run = plan.run
    return {
        **described(run.start),
        "X": digest(run.inputs, run.columns, run.row_starts),
        "Y": digest(run.given_targets),
        "sample_weight": digest(run.weights),
        "optimiser": repr(run.optimiser),
        "schedule": repr(plan.schedule),
        "alpha": run.alpha,
        "batch_size": batch_size,
        "dropout": run.tables.dropout.tolist(),
        "clip_value": run.clip_value,
        "clip_norm": run.clip_norm,
        "standardisation": described_standardisation(run.standardisation),
        "epochs": plan.span.epochs,
        "shuffle": plan.shuffle,
        "rng": generator,
        "tolerance": plan.tolerance,
        "patience": plan.patience,
        "score": plan.score is not None,
        **described_sets(plan.held),
        "restore_best": plan.restore_best,
        "state": None if state is None else state_digest(state),
    }


def _diverged(plan: _Plan, moment: Moment, loss: float, rate: float) -> DivergenceError:
    run = plan.run
    inputs, targets = (float(np.abs(part).max(initial=0.0)) for part in (run.inputs, run.targets))
    scale = ""
    if inputs > 10.0 and run.standardisation is None:
        scale += f", standardise X (its largest entry is {inputs:.3g})"
    if targets > 100.0:
        scale += f", divide the targets by their spread (the largest is {targets:.3g})"
    titles = dict.fromkeys(formula.title for formula in run.start.activations)
    remedy = overflow_remedy(run.inputs, run.given_targets, run.start.dtype) or (
        f"Lower the learning rate (now {rate:g}), bound the gradient with clip_norm{scale}, or "
        f"check that the activations {', '.join(titles)} are finite and smooth enough to follow."
    )
    return DivergenceError(
        f"training diverged in epoch {moment.epochs + 1}: the mean cost became {loss}\n{remedy}",
        moment.network,
    )
