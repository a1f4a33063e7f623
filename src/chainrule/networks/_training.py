"""Training: epochs of mini-batches, until the cost or the validation score stops improving."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.networks._errors import DivergenceError, NetworkError
from chainrule.networks._network import Network
from chainrule.networks._optimisers import Adam, Optimiser
from chainrule.networks._progress import progress
from chainrule.networks._run import Run


@dataclass(frozen=True, eq=False)
class Training:
    """What came of training.

    Parameters
    ----------
    network : Network
        The trained network: as it was at the best validation score where one was asked for, else
        as it was in the end.
    loss_curve : tuple of float
        The mean cost, penalty included, over each epoch.
    validation_scores : tuple of float
        The validation score after each epoch; empty where none was asked for.
    converged : bool
        Whether it ended because nothing improved any more.
    interrupted : bool
        Whether it was ended from the keyboard.
    """

    network: Network
    loss_curve: tuple[float, ...]
    validation_scores: tuple[float, ...]
    converged: bool
    interrupted: bool


class _Patience:
    """Counts the epochs in which a number did not rise by more than the tolerance."""

    def __init__(self, tolerance: float, limit: int) -> None:
        self.tolerance = tolerance
        self.limit = limit
        self.best = -math.inf
        self.waited = 0

    def improved(self, value: float) -> bool:
        """Take the next number; tell whether it is the best so far."""
        self.waited = 0 if value > self.best + self.tolerance else self.waited + 1
        is_best = value > self.best
        self.best = max(self.best, value)
        return is_best

    @property
    def exhausted(self) -> bool:
        return self.waited > self.limit


def train(
    network: Network,
    X: ArrayLike,
    Y: ArrayLike,
    *,
    optimiser: Optimiser | None = None,
    sample_weight: ArrayLike | None = None,
    alpha: float = 0.0,
    batch_size: int = 200,
    epochs: int = 200,
    shuffle: bool = True,
    rng: np.random.Generator | int | None = None,
    tolerance: float = 1e-4,
    patience: int = 10,
    score: Callable[[Network], float] | None = None,
    show_progress: bool = False,
) -> Training:
    r"""Train a network; the one that is given stays what it is.

    Every batch moves the parameters along the gradient of

    .. math:: J = \frac{1}{\sum_i s_i} \left( \sum_i s_i J_i + \frac{\alpha}{2} \|W\|^2 \right).

    Parameters
    ----------
    network : Network
        Where to start.
    X : array-like of shape (examples, inputs)
        The inputs.
    Y : array-like of shape (examples, outputs)
        The targets.
    optimiser : Optimiser, optional
        Adam by default.
    sample_weight : array-like of shape (examples,), optional
        The weights :math:`s_i`; 1 by default. Without mini-batches a weight of 2 is the same as
        giving the example twice.
    alpha : float
        Strength of the penalty on the weights; biases are free.
    batch_size : int
        Examples in a batch; the last one of an epoch holds what is left.
    epochs : int
        At most so many passes over the examples.
    shuffle : bool
        Whether every epoch takes the examples in a new order.
    rng : numpy.random.Generator or int, optional
        Where the orders come from. The same seed gives the same parameters, bit for bit.
    tolerance, patience : float, int
        Training ends when the mean cost, or the score where one is given, has not improved by more
        than `tolerance` for more than `patience` epochs.
    score : callable, optional
        Rates a network on data kept aside, higher being better; the best network is returned.
    show_progress : bool
        Whether to draw a progress bar with the cost and the score.

    Returns
    -------
    Training

    Raises
    ------
    DivergenceError
        The cost or a parameter became infinite or NaN. The error holds the network as it was
        before that epoch.

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
    if batch_size < 1 or epochs < 1:
        raise NetworkError(f"batch_size and epochs must be at least 1, got {batch_size}, {epochs}")
    generator = np.random.default_rng(rng)
    run = Run(network, X, Y, sample_weight, optimiser or Adam(), alpha=alpha, batch_size=batch_size)
    losses: list[float] = []
    scores: list[float] = []
    waiting = _Patience(tolerance, patience)
    best = before = network.parameters
    interrupted = False
    with progress(epochs, show_progress) as report, run.threads():
        try:
            while len(losses) < epochs and not waiting.exhausted:
                before = run.parameters.copy()
                order = generator.permutation(run.rows) if shuffle else run.rows
                loss = run.epoch(order, np.full(run.steps_of(order), run.optimiser.learning_rate))
                if not (math.isfinite(loss) and run.is_finite):
                    raise _diverged(network.with_parameters(before), run, len(losses) + 1, loss)
                losses.append(loss)
                if score is None:
                    waiting.improved(-loss)
                else:
                    scores.append(float(score(network.with_parameters(run.parameters))))
                    if waiting.improved(scores[-1]):
                        best = run.parameters.copy()
                report(len(losses), loss, scores[-1] if scores else None)
        except KeyboardInterrupt:
            interrupted = True
    final = best if score is not None else run.parameters if run.is_finite else before
    return Training(
        network.with_parameters(final), tuple(losses), tuple(scores), waiting.exhausted,
        interrupted,
    )  # fmt: skip


def validation_split(
    count: int,
    fraction: float,
    rng: np.random.Generator,
    classes: NDArray[Any] | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows to train on and the rows to keep aside, both in ascending order.

    Parameters
    ----------
    count : int
        The number of rows.
    fraction : float
        The share to keep aside.
    rng : numpy.random.Generator
        Where the choice comes from.
    classes : ndarray of shape (count,), optional
        Labels. Every class is split in the same proportion, rounded so that the shares add up;
        each keeps at least one row to train on.
    """
    shuffled = rng.permutation(count)
    if classes is None:
        kept = max(round(count * fraction), 1)
        aside = shuffled[:kept]
    else:
        _, labels = np.unique(classes, return_inverse=True)
        ordered = shuffled[np.argsort(labels[shuffled], kind="stable")]
        sizes = np.bincount(labels)
        # Running totals are rounded, not the shares: then small classes are not all rounded away.
        totals = np.round(np.cumsum(sizes) * fraction).astype(int)
        shares = np.minimum(np.diff(totals, prepend=0), sizes - 1)
        starts = np.cumsum(sizes) - sizes
        aside = np.concatenate(
            [ordered[start : start + share] for start, share in zip(starts, shares, strict=True)]
        )
    if not 0 < aside.size < count:
        raise NetworkError(
            f"{count} examples are too few to keep a share of {fraction:g} aside for validation\n"
            "Give more data, another validation fraction, or train without early stopping."
        )
    mask = np.zeros(count, bool)
    mask[aside] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def _diverged(network: Network, run: Run, epoch: int, loss: float) -> DivergenceError:
    largest = float(np.abs(run.inputs).max())
    scale = f", standardise X (its largest entry is {largest:.3g})" if largest > 10.0 else ""
    return DivergenceError(
        f"training diverged in epoch {epoch}: the mean cost became {loss}\n"
        f"Lower the learning rate (now {run.optimiser.learning_rate:g}){scale}, or check that the "
        f"activations {', '.join(dict.fromkeys(a.title for a in network.activations))} are finite "
        "and smooth enough to follow.",
        network,
    )
