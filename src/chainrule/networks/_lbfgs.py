"""Training with L-BFGS: all examples at once, steps along a model of the curvature."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.networks._callbacks import Callback, checked_callbacks, wants_to_stop
from chainrule.networks._checks import check_count, check_number
from chainrule.networks._errors import DivergenceError
from chainrule.networks._network import Network, as_rows
from chainrule.networks._optimisers import GradientDescent
from chainrule.networks._progress import progress
from chainrule.networks._propagation import gradient
from chainrule.networks._records import Record, curves, restores_best, told, watched
from chainrule.networks._run import Run
from chainrule.networks._state import Training
from chainrule.networks._validation import held_out

_BLOCK = 512  # examples propagated together: memory stays bounded, the cache is kept
_LOST = 2  # SciPy's status where a line search found no way on

Vector = NDArray[np.float64]


class _Objective:
    """The cost over all examples as a function of float64 parameters, block after block.

    Line searches compare costs that differ in digits which float32 does not have.
    """

    def __init__(
        self, network: Network, X: ArrayLike, Y: ArrayLike, weights: ArrayLike | None, alpha: float
    ) -> None:
        self.network = network.with_parameters(network.parameters.astype(np.float64))
        # A run checks and holds the examples, and knows how many threads their products deserve.
        self.run = Run(network, X, Y, weights, GradientDescent(), alpha=alpha, batch_size=_BLOCK)
        self.inputs = as_rows(X, network.sizes[0], network.dtype, "X")
        self.alpha = alpha
        self.decayed = network.layout.decayed
        self.was_infinite = False

    def __call__(self, parameters: Vector) -> tuple[float, Vector]:
        # What overflows is noticed by its result, which is the line search's or our own to judge.
        with np.errstate(over="ignore", invalid="ignore"):
            return self._evaluate(self.network.with_parameters(parameters), parameters)

    def _evaluate(self, network: Network, parameters: Vector) -> tuple[float, Vector]:
        total, slopes = 0.0, np.zeros_like(parameters)
        for X, Y, weights in self._blocks():
            weight = float(weights.sum())
            cost, steepest = gradient(network, X, Y, sample_weight=weights)
            total += weight * cost
            slopes += weight * steepest
        decayed = parameters[: self.decayed]
        slopes[: self.decayed] += self.alpha * decayed
        total += 0.5 * self.alpha * float(decayed @ decayed)
        if not math.isfinite(total):
            self.was_infinite = True
        weight = float(self.run.weights.sum(dtype=np.float64))
        return total / weight, slopes / weight

    def _blocks(self) -> Iterator[tuple[NDArray[Any], NDArray[Any], Vector]]:
        run = self.run
        for first in range(0, run.rows.size, _BLOCK):
            rows = run.rows[first : first + _BLOCK]
            yield self.inputs[rows], run.targets[rows], run.weights[rows].astype(np.float64)


def train_lbfgs(
    network: Network,
    X: ArrayLike,
    Y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    alpha: float = 0.0,
    iterations: int = 200,
    evaluations: int = 15_000,
    tolerance: float = 1e-4,
    score: Callable[[Network], float] | None = None,
    validation: Any = None,
    restore_best: bool | None = None,
    callbacks: Sequence[Callback] | Callback | None = None,
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
    X : array-like of shape (examples, inputs)
        The inputs. They are propagated in blocks, so that memory does not grow with them.
    Y : array-like of shape (examples, outputs)
        The targets.
    sample_weight : array-like of shape (examples,), optional
        The weights :math:`s_i`; 1 by default. A weight of 2 is the same as giving the example
        twice.
    alpha : float
        Strength of the penalty on the weights; biases are free.
    iterations, evaluations : int
        At most so many steps, and so many computations of the cost and its gradient.
    tolerance : float
        Training ends where no entry of the gradient is larger, or where a step lowers the cost by
        less than 2e-9 of it: scikit-learn's ``tol``.
    score, validation, restore_best, callbacks, show_progress
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
        Arguments do not fit together.

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
    from scipy.optimize import minimize

    check_count("iterations", iterations)
    check_count("evaluations", evaluations)
    check_number("tolerance", tolerance)
    check_number("alpha", alpha)
    tellers = checked_callbacks(callbacks)
    held = held_out(network, validation)
    restores = restores_best(restore_best, score, held)
    objective = _Objective(network, X, Y, sample_weight, float(alpha))
    start = network.parameters.astype(np.float64)
    records: list[Record] = []
    reached, begun = start, time.perf_counter()
    best, best_value, best_epoch = network, -math.inf, None
    stopped = interrupted = converged = False

    with progress(iterations, show_progress) as report, objective.run.threads():

        def follow(intermediate_result: Any) -> None:
            nonlocal reached, begun, best, best_value, best_epoch, stopped
            x, loss = intermediate_result.x.copy(), float(intermediate_result.fun)
            if not math.isfinite(loss):
                raise _diverged(_cast(network, reached), len(records))
            now = _cast(network, x)
            rating = None if score is None else float(score(now))
            losses = tuple(part.mean_cost(now) for part in held)
            record = Record(loss, float(np.linalg.norm(x - reached)), rating, losses)
            value = watched(record, restores)
            if restores and value > best_value:
                best, best_value, best_epoch = now, value, len(records) + 1
            records.append(record)
            reached = x
            epoch = told(len(records), record, held, time.perf_counter() - begun, now)
            report(epoch)
            stopped = wants_to_stop(tellers, epoch)
            begun = time.perf_counter()
            if stopped:
                raise StopIteration

        try:
            options = {"maxiter": iterations, "maxfun": evaluations, "gtol": float(tolerance)}
            found = minimize(
                objective, start, jac=True, method="L-BFGS-B", callback=follow, options=options
            )
            converged = bool(found.success) and not stopped
            if not math.isfinite(found.fun) or (objective.was_infinite and found.status == _LOST):
                raise _diverged(_cast(network, reached), len(records))
        except KeyboardInterrupt:
            interrupted = True
    return Training(
        best if best_epoch else _cast(network, reached), *curves(records, held),
        converged=converged, interrupted=interrupted, stopped=stopped, best_epoch=best_epoch,
        state=None,
    )  # fmt: skip


def _cast(network: Network, parameters: Vector) -> Network:
    return network.with_parameters(parameters.astype(network.dtype))


def _diverged(network: Network, iterations: int) -> DivergenceError:
    titles = ", ".join(dict.fromkeys(formula.title for formula in network.activations))
    return DivergenceError(
        f"training diverged in iteration {iterations + 1}: the mean cost became infinite or NaN\n"
        f"Standardise X, raise alpha, or check that the activations {titles} are finite.",
        network,
    )
