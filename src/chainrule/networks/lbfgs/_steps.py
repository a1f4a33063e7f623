"""SciPy's L-BFGS-B, step by step: what it remembers between two steps can be kept.

`scipy.optimize.minimize` runs from a start to an end. The routine that it calls hands over after
every evaluation and step, and has all that it remembers in arrays of its caller. It is no part of
SciPy's interface: `can_step` makes sure that it still does what `minimize` does.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.networks._errors import ModelFileError

Vector = NDArray[np.float64]
Objective = Callable[[Vector], tuple[float, Vector]]

_PAIRS, _SEARCHES = 10, 20  # pairs of steps and slopes remembered; evaluations along one line
_LEAST_DECREASE = 2.2204460492503131e-09  # of the cost, relative: SciPy's ftol
_STEP, _EVALUATE, _CONVERGED = 1, 3, 4
_LARGEST = 1e300
# Where the routine keeps what it takes for places in its arrays: parts of the work, pairs, and how
# many parameters are at no bound, at one, or come to be so.
_OWN_PLACES, _FIRST_PAIR, _PAIR_COUNT, _LAST_PAIR, _FREE = 16, 26, 27, 28, slice(37, 42)
_COST, _EVALUATIONS, _STEPS, _WAS_INFINITE = range(4)


class Steps:
    """A minimisation that stands between two steps.

    Parameters
    ----------
    start : ndarray of float64, shape (parameters,)
    memory : ndarray of float64, optional
        Of an earlier minimisation of the same cost, to go on with.

    Raises
    ------
    ModelFileError
        The memory could not come from a minimisation: SciPy's routine would trust it.
    """

    def __init__(self, start: Vector, memory: Vector | None = None) -> None:
        size = start.size
        self.x, self.slopes, self.evaluated_at = start.copy(), np.zeros(size), np.full(size, np.nan)
        self.numbers = np.zeros(4)
        self.task, self.line_task = np.zeros(2, np.int32), np.zeros(2, np.int32)
        real = np.zeros(2 * _PAIRS * size + 5 * size + 11 * _PAIRS**2 + 8 * _PAIRS)
        self.work = real, np.zeros(3 * size, np.int32), self.task
        self.counts = np.zeros(44, np.int32)
        self.kept = np.zeros(4, np.int32), self.counts, np.zeros(29)
        self.remembered: tuple[NDArray[Any], ...] = (
            self.x, self.slopes, self.numbers, self.line_task, real, *self.kept,
        )  # fmt: skip
        if memory is not None:
            self._recall(memory)

    def _recall(self, memory: Vector) -> None:
        size = self.x.size
        ends = np.cumsum([array.size for array in self.remembered])
        if memory.shape != (ends[-1],) or not (np.abs(memory) < _LARGEST).all():
            raise ModelFileError("the memory of L-BFGS does not fit the network")
        for array, part in zip(self.remembered, np.split(memory, ends[:-1]), strict=True):
            array[:] = part
        # Without bounds these are the same after every step.
        self.task[:] = _STEP, 0
        self.work[1][:] = [*range(size), *[-1] * size, *range(size - 1, -1, -1)]
        self.evaluated_at[:] = self.x
        first, count, last = self.counts[[_FIRST_PAIR, _PAIR_COUNT, _LAST_PAIR]]
        if not (
            np.array_equal(self.counts[:_OWN_PLACES], _places(size))
            and (self.counts[_OWN_PLACES:] >= -1).all()
            and 0 <= first < _PAIRS and 0 <= last < _PAIRS and 0 <= count <= _PAIRS
            and (self.counts[_FREE] == [size, 0, size, 0, 0]).all()
            and (self.line_task >= 0).all()
        ):  # fmt: skip
            raise ModelFileError("the memory of L-BFGS contradicts itself")

    @property
    def memory(self) -> Vector:
        """All that it takes to go on; whole numbers are exact in it."""
        return np.concatenate([array.astype(np.float64) for array in self.remembered])

    @property
    def cost(self) -> float:
        """The last cost that was evaluated."""
        return float(self.numbers[_COST])

    @property
    def was_infinite(self) -> bool:
        """Whether a cost was not finite."""
        return bool(self.numbers[_WAS_INFINITE])

    @property
    def has_converged(self) -> bool:
        """Whether a minimum was found."""
        return bool(self.task[0] == _CONVERGED)

    @property
    def is_between(self) -> bool:
        """Whether a step has just been taken: from there it goes on bit for bit."""
        return bool(self.task[0] == _STEP)

    def advance(self, objective: Objective, *, tolerance: float) -> bool:
        """Take one more step, and tell whether there was one to take."""
        size = self.x.size
        bounds = np.zeros(size), np.zeros(size), np.zeros(size, np.int32)  # none
        decrease = _LEAST_DECREASE / np.finfo(float).eps
        while True:
            _routine()(
                _PAIRS, self.x, *bounds, self.numbers[_COST], self.slopes, decrease, tolerance,
                *self.work, *self.kept, _SEARCHES, self.line_task,
            )  # fmt: skip
            if self.task[0] != _EVALUATE:
                break
            if not np.array_equal(self.x, self.evaluated_at):
                self.numbers[_COST], self.slopes[:] = objective(self.x)
                self.evaluated_at[:] = self.x
                self.numbers[_EVALUATIONS] += 1
                if not np.isfinite(self.numbers[_COST]):
                    self.numbers[_WAS_INFINITE] = 1.0
        self.numbers[_STEPS] += self.task[0] == _STEP
        return self.is_between

    def is_used_up(self, steps: int, evaluations: int) -> bool:
        """Tell whether as many steps or evaluations were made as may be."""
        return bool(self.numbers[_STEPS] >= steps or self.numbers[_EVALUATIONS] > evaluations)


def _places(size: int) -> list[int]:
    """Return where the parts of the work begin, behind their lengths."""
    pairs = _PAIRS * size
    square = _PAIRS**2
    parts = [pairs, pairs, square, square, square, 4 * square, 4 * square, *[size] * 5]
    return [pairs, square, 4 * square, *accumulate(parts, initial=0)]


def _routine() -> Any:
    return importlib.import_module("scipy.optimize._lbfgsb").setulb


@cache
def can_step() -> bool:
    """Tell whether SciPy's routine takes the arguments that it is given here, by a trial."""
    from scipy.optimize import minimize

    scales = np.array([1.0, 7.0, 50.0])

    def bowl(x: Vector) -> tuple[float, Vector]:
        return float(np.sum(scales * x**4 + x)), 4.0 * scales * x**3 + 1.0

    start = np.array([1.0, -2.0, 3.0])
    try:
        steps = Steps(start)
        while steps.advance(bowl, tolerance=1e-5):
            steps = Steps(start, steps.memory)
    except Exception:  # whatever another version makes of these arguments
        return False
    whole = minimize(bowl, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-5})
    return bool(np.array_equal(steps.x, whole.x) and steps.numbers[_STEPS] == whole.nit)
