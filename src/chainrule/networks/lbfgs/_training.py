"""Training with L-BFGS: all examples at once, steps along a model of the curvature."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import __version__ as scipy_version

from chainrule.kernels import available_processors
from chainrule.networks._checks import as_rows, check_count, check_number, overflow_remedy
from chainrule.networks._errors import CheckpointError, ModelFileError, NetworkError
from chainrule.networks._network import Network
from chainrule.networks._propagation import Batches, compiled_cost, example_weights
from chainrule.networks.files._checkpoints import (
    checkpoint_at,
    described,
    described_sets,
    described_standardisation,
)
from chainrule.networks.files._digests import digest
from chainrule.networks.lbfgs._course import Course
from chainrule.networks.lbfgs._steps import Steps, Vector, can_step
from chainrule.networks.training._callbacks import Callback, checked_callbacks
from chainrule.networks.training._interrupts import lost_interrupts
from chainrule.networks.training._keeper import Keeper
from chainrule.networks.training._progress import progress
from chainrule.networks.training._records import restores_best
from chainrule.networks.training._span import Span
from chainrule.networks.training._sparse import arrays_of, behind_products, has_sparse_products
from chainrule.networks.training._standardisation import Standardisation
from chainrule.networks.training._state import Training
from chainrule.networks.training._validation import held_out

_BLOCK = 512  # examples propagated together: memory stays bounded, the cache is kept
_LOST = 2  # SciPy's status where a line search found no way on


class Objective:
    """The cost over all examples as a function of float64 parameters, block after block.

    Line searches compare costs that differ in digits which float32 does not have.
    """

    def __init__(
        self,
        network: Network,
        X: Any,
        Y: ArrayLike,
        weights: ArrayLike | None,
        alpha: float,
        standardisation: Standardisation | None,
    ) -> None:
        sizes, dtype = network.sizes, network.dtype
        inputs = X.tocsr() if hasattr(X, "tocsr") else as_rows(X, sizes[0], dtype, "X")
        targets = as_rows(Y, sizes[-1], dtype, "Y")
        if inputs.shape[1] != sizes[0]:
            raise NetworkError(f"X must have shape (examples, {sizes[0]}), got {inputs.shape}")
        digests = {"X": digest(*arrays_of(inputs)), "Y": digest(targets)}
        self.standardisation, units = standardisation, (1.0, 1.0)
        if standardisation is not None:
            standardisation.check(network)
            targets, units = standardisation.targets(targets), standardisation.units(network)
        given = example_weights(weights, inputs.shape[0], targets)
        kept = slice(None) if given.all() else np.flatnonzero(given)
        self.inputs, self.targets = inputs[kept], targets[kept]
        self.weights = given[kept].astype(np.float64)
        self.alpha = alpha
        self.decayed = network.layout.decayed
        self.was_infinite = False
        blocks = -(-self.weights.size // _BLOCK)
        self.described = {
            **digests, "sample_weight": digest(given), "optimiser": "L-BFGS", "alpha": alpha,
            "standardisation": described_standardisation(standardisation),
        }  # fmt: skip
        self.blocks = [slice(first, first + _BLOCK) for first in range(0, blocks * _BLOCK, _BLOCK)]
        precise = network.with_parameters(network.parameters.astype(np.float64))
        cost = compiled_cost(precise, targets.astype(np.float64))
        rows = min(_BLOCK, self.weights.size)
        self.is_sparse = has_sparse_products(network, inputs)
        trained = behind_products(precise) if self.is_sparse else precise
        self.workers = [
            Batches(trained, cost, rows, to_inputs=self.is_sparse, units=units)
            for _ in range(min(available_processors(), blocks))
        ]
        self.pool = ThreadPoolExecutor(len(self.workers), "chainrule training")

    def __call__(self, parameters: Vector) -> tuple[float, Vector]:
        total, slopes = 0.0, np.zeros_like(parameters)
        count = len(self.workers)
        # What overflows is noticed by its result, which is the line search's or our own to judge.
        with np.errstate(over="ignore", invalid="ignore"):
            for first in range(0, len(self.blocks), count):
                together = self.blocks[first : first + count]
                apply = self.pool.map if len(together) > 1 else map
                # One sum after the other, in this order: it does not depend on the threads.
                for cost, weight, steepest in apply(
                    self._part, repeat(parameters), self.workers, together
                ):
                    total += cost
                    slopes += weight * steepest
            decayed = parameters[: self.decayed]
            slopes[: self.decayed] += self.alpha * decayed
            total += 0.5 * self.alpha * float(decayed @ decayed)
            self.was_infinite |= not math.isfinite(total)
            weight = float(self.weights.sum())
            return total / weight, slopes / weight

    def overflow_remedy(self) -> str:
        """Return what to do where entries are too large."""
        return overflow_remedy(arrays_of(self.inputs)[0], self.targets, np.dtype(np.float64))

    def _part(
        self, parameters: Vector, worker: Batches, rows: slice
    ) -> tuple[float, float, Vector]:
        if self.is_sparse:
            return self._sparse_part(parameters, worker, rows)
        X, slopes = self.inputs[rows], np.zeros_like(parameters)
        dense = X.toarray() if hasattr(X, "toarray") else X
        if self.standardisation is not None:
            dense = (dense - self.standardisation.centres) / self.standardisation.scales
        cost, weight = worker.sums(
            parameters, np.ascontiguousarray(dense, np.float64), self.targets[rows],
            self.weights[rows], slopes,
        )  # fmt: skip
        return cost, weight, slopes

    def _sparse_part(
        self, parameters: Vector, worker: Batches, rows: slice
    ) -> tuple[float, float, Vector]:
        r"""Propagate standardised rows that stay sparse, with ones :math:`e`.

        .. math::

            X' = (X - e \mu) D, \qquad X' W = X D W - e \mu D W, \qquad
            X'^T \delta = D X^T \delta - D \mu^T e^T \delta
        """
        X: Any = self.inputs[rows].astype(np.float64)
        given = self.standardisation
        count, width = X.shape[1], worker.held[0].sizes[0]
        shifts = np.zeros(count)
        if given is not None:
            shifts = given.centres / np.asarray(given.scales, np.float64)
            X.data /= given.scales[X.indices]
        first, rest = parameters[: count * width].reshape(count, width), parameters[count * width :]
        behind = np.concatenate([np.eye(width).ravel(), rest])
        slopes = np.zeros_like(behind)
        products = np.ascontiguousarray(X @ first - shifts @ first)
        cost, weight = worker.sums(behind, products, self.targets[rows], self.weights[rows], slopes)
        to_products = worker.to_inputs(len(products))
        steepest = X.T @ to_products - np.outer(shifts, to_products.sum(axis=0))
        return cost, weight, np.concatenate([steepest.ravel(), slopes[width * width :]])


def train_lbfgs(
    network: Network,
    X: Any,
    Y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    alpha: float = 0.0,
    standardisation: Standardisation | None = None,
    iterations: int = 200,
    evaluations: int = 15_000,
    tolerance: float = 1e-4,
    score: Callable[[Network], float] | None = None,
    validation: Any = None,
    restore_best: bool | None = None,
    callbacks: Sequence[Callback] | Callback | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    show_progress: bool | int = False,
) -> Training:
    r"""Train a network with L-BFGS [1]_; the one that is given stays what it is.

    Every step sees all examples. On small data it ends at lower costs, and sooner, than steps over
    batches. The minimum sought is that of

    .. math:: J = \frac{1}{\sum_i s_i} \left( \sum_i s_i J_i + \frac{\alpha}{2} \|W\|^2 \right).

    Parameters
    ----------
    network : Network
        Where to start. Parameters are float64 while training and return to the network's dtype.
    X : array-like or sparse matrix of shape (examples, inputs)
        The inputs. They are propagated in blocks, so that memory does not grow with them.
    Y : array-like of shape (examples, outputs)
        The targets.
    sample_weight : array-like of shape (examples,), optional
        The weights :math:`s_i`; 1 by default. A weight of 2 is the same as giving the example
        twice.
    alpha : float
        Strength of the penalty on the weights; biases are free.
    standardisation : Standardisation, optional
        As in `train`.
    iterations, evaluations : int
        At most so many steps, and so many computations of the cost and its gradient.
    tolerance : float
        Training ends where no entry of the gradient is larger, or where a step lowers the cost by
        less than 2e-9 of it: scikit-learn's ``tol``.
    score, validation, restore_best, callbacks, checkpoint, checkpoint_every, show_progress
        As in `train`; an epoch is an iteration.

    Returns
    -------
    Training
        `converged` tells whether a minimum was found. After Ctrl-C what was learned until then.

    Raises
    ------
    DivergenceError
        The cost is infinite or NaN at the start, or wherever the line search looks. The error holds
        the network of the last step.
    NetworkError
        Arguments do not fit together, or a layer is normalised over the batch: its statistics
        belong to batches.
    CheckpointError
        As in `train`; or SciPy's routine has other arguments than those of SciPy 1.15 and later.

    References
    ----------
    .. [1] R. Byrd, P. Lu, J. Nocedal, C. Zhu, "A limited memory algorithm for bound constrained
       optimization", SIAM Journal on Scientific Computing 16, 1995; SciPy's implementation.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.networks import network, train_lbfgs
    >>> X = np.linspace(-1, 1, 64)[:, None]
    >>> start = network((1, 16, 1), ("tanh", "identity"), "half_squared_error", rng=0)
    >>> result = train_lbfgs(start, X, X**2)
    >>> result.converged, result.loss_curve[-1] < 1e-4
    (True, True)
    """
    if "batch" in network.normalisations:
        raise NetworkError(
            "L-BFGS does not train networks that normalise over the batch\n"
            "Normalise over the layer, or use train()."
        )
    check_count("iterations", iterations)
    check_count("evaluations", evaluations)
    if checkpoint_every is not None:
        check_count("checkpoint_every", checkpoint_every)
    check_number("tolerance", tolerance)
    check_number("alpha", alpha)
    tellers = checked_callbacks(callbacks)
    held = held_out(network, validation)
    restores = restores_best(restore_best, score, held)
    objective = Objective(network, X, Y, sample_weight, float(alpha), standardisation)
    limits = _Limits(int(iterations), int(evaluations), float(tolerance))
    course = Course(
        network, score, held, restores, tellers, standardisation,
        keeps_memory=checkpoint is not None,
    )  # fmt: skip
    course.overflow_remedy = objective.overflow_remedy
    with objective.pool, lost_interrupts() as course.raise_lost:
        if checkpoint is None:
            with progress(limits.iterations, show_progress) as course.report:
                return _minimised(objective, course, limits)
        if not can_step():
            raise CheckpointError(
                f"L-BFGS keeps no checkpoints with SciPy {scipy_version}\n"
                "Install SciPy 1.15 or later, leave the checkpoint out, or use another solver."
            )
        arguments = {
            **described(network), **objective.described, **asdict(limits),
            "score": score is not None, **described_sets(held), "restore_best": restores,
        }  # fmt: skip
        keep = checkpoint_at(checkpoint, arguments)
        with keep.alone():
            span = Span(1.0, limits.iterations, 1, objective.weights.size)
            found = keep.read(course.moment, span, score is not None, len(held), None)
            if found is not None:
                course.moment, course.records = found
            try:
                steps = course.steps()
            except ModelFileError as error:
                raise keep.refused(str(error)) from None
            keeper = Keeper(keep, checkpoint_every)
            with progress(limits.iterations, show_progress, course.moment.epochs) as course.report:
                return _stepped(objective, course, steps, limits, keeper)


@dataclass(frozen=True)
class _Limits:
    iterations: int
    evaluations: int
    tolerance: float


def _minimised(objective: Objective, course: Course, limits: _Limits) -> Training:
    """Minimise by SciPy's function."""
    from scipy.optimize import minimize

    options = {"maxiter": limits.iterations, "maxfun": limits.evaluations, "gtol": limits.tolerance}

    def follow(intermediate_result: Any) -> None:
        course.record(intermediate_result.x.copy(), float(intermediate_result.fun))
        course.tell()
        if course.moment.stopped:
            raise StopIteration

    try:
        found = minimize(
            objective, course.start, jac=True, method="L-BFGS-B", callback=follow, options=options
        )
    except KeyboardInterrupt:
        return course.result(interrupted=True)
    if not math.isfinite(found.fun) or (objective.was_infinite and found.status == _LOST):
        raise course.diverged()
    return course.result(converged=bool(found.success) and not course.moment.stopped)


def _stepped(
    objective: Objective, course: Course, steps: Steps, limits: _Limits, keeper: Keeper
) -> Training:
    """Minimise step by step, and keep where it stands."""
    try:
        if not course.records:
            keeper.keep(course.moment, course.records)
        while True:
            if course.moment.pending:
                course.tell()
                if keeper.is_due(course.moment):
                    keeper.keep(course.moment, course.records)
            if course.moment.stopped or steps.is_used_up(limits.iterations, limits.evaluations):
                break
            if not steps.advance(objective, tolerance=limits.tolerance):
                if not math.isfinite(steps.cost) or (
                    steps.was_infinite and not steps.has_converged
                ):
                    raise course.diverged()
                break
            course.record(steps.x.copy(), steps.cost, steps.memory)
    except KeyboardInterrupt:
        keeper.keep(course.moment, course.records)
        return course.result(interrupted=True)
    except CheckpointError:
        raise
    except BaseException:
        keeper.keep(course.moment, course.records)
        raise
    keeper.keep(course.moment, course.records)
    return course.result(converged=steps.has_converged)
