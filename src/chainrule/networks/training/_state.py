"""What training must remember, from one epoch to the next, to go on as if it had never ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from chainrule.networks._errors import NetworkError
from chainrule.networks._network import Network
from chainrule.networks.training._run import Run

LARGEST_SEED = 2**62


@final
@dataclass(frozen=True)
class Watch:
    """The best value so far of what is watched, and the epochs since without improvement.

    This is scikit-learn's count: an epoch counts where its value stays below the best one plus the
    tolerance, so that NaN does not count.
    """

    best: float = -math.inf
    waited: int = 0

    def after(self, value: float, tolerance: float) -> Watch:
        """Return what is remembered after another epoch, higher values being better."""
        waited = self.waited + 1 if value < self.best + tolerance else 0
        return Watch(value if value > self.best else self.best, waited)


@final
@dataclass(frozen=True, eq=False)
class TrainingState:
    """What training needs besides a network to go on where it ended.

    ``train(result.network, X, Y, state=result.state)`` goes on with the optimiser's memory, its
    step numbers, the schedule, the patience and, unless another `rng` is given, the orders of the
    examples.

    Parameters
    ----------
    optimiser : str
        The kind of optimiser that it belongs to.
    memory : ndarray of shape (vectors, parameters)
        What the optimiser remembers; read-only.
    steps, epochs, examples : int
        How many were done.
    reductions : int
        How often an adaptive schedule lowered the rate.
    watch : Watch
        The best loss or score, and the epochs since.
    seed : int
        Which inputs of layers are dropped.
    generator : mapping
        The state of the generator of the orders, as NumPy's bit generators tell theirs.
    order : ndarray of shape (examples,), optional
        The order of the last epoch, which the next one shuffles again; read-only.
    inner : ndarray of shape (parameters,), optional
        The network's parameters over standardised examples, where training had a standardisation:
        those of the network are computed from them, and rounded; read-only.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.networks import network, train
    >>> X = np.linspace(-1, 1, 64)[:, None]
    >>> start = network((1, 8, 1), ("tanh", "identity"), "half_squared_error", rng=0)
    >>> whole = train(start, X, X**2, epochs=6, rng=0)
    >>> half = train(start, X, X**2, epochs=3, rng=0)
    >>> rest = train(half.network, X, X**2, epochs=3, state=half.state)
    >>> np.array_equal(rest.network.parameters, whole.network.parameters)
    True
    """

    optimiser: str
    memory: NDArray[np.floating[Any]]
    steps: int
    epochs: int = 0
    examples: int = 0
    reductions: int = 0
    seed: int = 0
    watch: Watch = field(default_factory=Watch)
    generator: Mapping[str, Any] = field(default_factory=dict)
    order: NDArray[np.intp] | None = None
    inner: NDArray[np.floating[Any]] | None = None

    def __post_init__(self) -> None:
        for name in ("memory", "order", "inner"):
            given = getattr(self, name)
            if given is not None and given.flags.writeable:
                own = given.copy()
                own.flags.writeable = False
                object.__setattr__(self, name, own)

    def put_into(self, run: Run) -> None:
        """Give a run the optimiser's memory and the number of steps.

        Raises
        ------
        NetworkError
            They belong to another optimiser or to a network of another size or dtype.
        """
        kind = type(run.optimiser).__name__
        here, there = run.state, self.memory
        if self.optimiser != kind or here.shape != there.shape or here.dtype != there.dtype:
            raise NetworkError(
                f"state is of {self.optimiser} over {there.shape[-1]} parameters of "
                f"{there.dtype.name}; this training is of {kind} over {here.shape[-1]} parameters "
                f"of {here.dtype.name}\nGo on with the network and the optimiser that it came "
                "from, or leave state out."
            )
        run.put(there, self.steps, self.seed)


@dataclass(frozen=True, eq=False)
class Training:
    """What came of training.

    Parameters
    ----------
    network : Network
        The trained network: as it was in the best epoch where that was asked for, else as it was
        in the end.
    loss_curve : tuple of float
        The mean cost, penalty included, over each epoch.
    validation_scores : tuple of float
        The validation score after each epoch; empty where none was asked for.
    validation_losses : mapping of str to tuple of float
        The mean cost over each validation set, after each epoch.
    learning_rates : tuple of float
        The rate of each epoch's last step; of L-BFGS the length of each step.
    converged : bool
        Whether it ended because nothing improved any more.
    interrupted : bool
        Whether it was ended from the keyboard.
    stopped : bool
        Whether a callback ended it.
    best_epoch : int or None
        The epoch, from 1 on, whose network was the best so far, where that was asked for.
    state : TrainingState or None
        What else it takes to go on; L-BFGS has none.
    """

    network: Network
    loss_curve: tuple[float, ...]
    validation_scores: tuple[float, ...]
    validation_losses: Mapping[str, tuple[float, ...]]
    learning_rates: tuple[float, ...]
    converged: bool
    interrupted: bool
    stopped: bool
    best_epoch: int | None
    state: TrainingState | None
