"""What a schedule of learning rates is, and what it may know of the training."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from chainrule.networks._errors import NetworkError

Steps = NDArray[np.intp]
Rates = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Span:
    """What a schedule may know of the training that it belongs to.

    Parameters
    ----------
    learning_rate : float
        The optimiser's learning rate, which schedules scale.
    epochs : int
        How many epochs this training has at most.
    steps, examples : int
        How many of them an epoch has.
    epochs_before, steps_before, examples_before : int
        How many were done in earlier trainings that this one goes on with.
    reductions : int
        How often the rate was lowered because nothing improved.

    Examples
    --------
    >>> Span(0.1, epochs=10, steps=4, examples=100).epochs_at(np.array([0, 6]))
    array([0. , 1.5])
    """

    learning_rate: float
    epochs: int
    steps: int
    examples: int
    epochs_before: int = 0
    steps_before: int = 0
    examples_before: int = 0
    reductions: int = 0

    def epochs_at(self, steps: Steps) -> Rates:
        """Return how many epochs are done before each step, fractions included."""
        return np.asarray(self.epochs_before + self._since(steps) / self.steps, np.float64)

    def examples_at(self, steps: Steps) -> Rates:
        """Return how many examples were seen in the whole epochs before each step."""
        whole = self._since(steps) // self.steps * self.examples
        return np.asarray(self.examples_before + whole, np.float64)

    def share_at(self, steps: Steps) -> Rates:
        """Return which share of this training's steps is done before each step."""
        return np.asarray(self._since(steps) / (self.steps * self.epochs), np.float64)

    def _since(self, steps: Steps) -> Any:
        return np.asarray(steps) - self.steps_before


class Schedule(ABC):
    """A frozen value that gives every step its learning rate."""

    @abstractmethod
    def rates(self, steps: Steps, span: Span) -> Rates:
        """Return the learning rate of each step.

        Parameters
        ----------
        steps : ndarray of int
            Numbers of steps, from 0 on; those of earlier trainings count.
        span : Span
            The training they belong to.

        Returns
        -------
        ndarray of float64
        """


def check_range(
    schedule: Schedule, name: str, low: float, high: float, *, above: bool = False,
    below: bool = False,
) -> None:  # fmt: skip
    """Refuse a field of a schedule outside of its range."""
    value = getattr(schedule, name)
    number = isinstance(value, int | float | np.integer | np.floating)
    if number and not isinstance(value, bool) and math.isfinite(value):
        over = value > low if above else value >= low
        under = value < high if below else value <= high
        if over and under:
            return
    ends = f"{'above' if above else 'at least'} {low:g}"
    if high < math.inf:
        ends += f" and {'below' if below else 'at most'} {high:g}"
    raise NetworkError(f"{type(schedule).__name__}: {name} must be a number {ends}, got {value!r}")
