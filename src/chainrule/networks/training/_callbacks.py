"""What happened in an epoch, and those who want to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from chainrule.networks._errors import NetworkError
from chainrule.networks._network import Network


@final
@dataclass(frozen=True, eq=False)
class Epoch:
    """What callbacks are told after an epoch.

    Parameters
    ----------
    number : int
        Which epoch of this training, from 1 on; with L-BFGS which iteration.
    loss : float
        The mean cost over the epoch, penalty included.
    validation_losses : mapping of str to float
        The mean cost, without penalty, over each validation set.
    score : float or None
        The validation score, where one was asked for.
    learning_rate : float
        The rate of the epoch's last step; with L-BFGS the length of the step.
    seconds : float
        How long the epoch took, its validation included.
    made : callable
        Makes the network as it is now.
    """

    number: int
    loss: float
    validation_losses: Mapping[str, float]
    score: float | None
    learning_rate: float
    seconds: float
    made: Callable[[], Network]

    @property
    def network(self) -> Network:
        """The network as it is now."""
        return self.made()


Callback = Callable[[Epoch], Any]


def checked_callbacks(callbacks: Sequence[Callback] | Callback | None) -> tuple[Callback, ...]:
    """Return the callbacks, and refuse what cannot be called."""
    if callbacks is None:
        return ()
    given = (callbacks,) if callable(callbacks) else callbacks
    if not isinstance(given, Sequence) or not all(callable(callback) for callback in given):
        raise NetworkError(
            f"callbacks must be functions that take an Epoch, got {callbacks!r:.60}\n"
            "Give a list of functions; one that returns True ends training."
        )
    return tuple(given)


def wants_to_stop(callbacks: tuple[Callback, ...], epoch: Epoch) -> bool:
    """Call each, and tell whether one of them returned True."""
    answers = [callback(epoch) for callback in callbacks]
    return any(isinstance(answer, bool | np.bool_) and bool(answer) for answer in answers)
