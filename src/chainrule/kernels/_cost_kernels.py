"""Native kernels of a cost behind an output activation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.catalogue import assumption_on_targets
from chainrule.formulas import Formula, apart
from chainrule.kernels._kernels import Kernel, compiled_module, exactly, kernel_of, values_of


@dataclass(frozen=True, eq=False)
class CostKernels:
    """The compiled kernels of a cost behind an output activation.

    Parameters
    ----------
    activation, cost : Formula
        Whose parameters bear different names.
    dtype : str
        Of the arrays.
    assumption : str
        What the gradient takes for granted of the targets; empty if nothing.
    """

    activation: Formula
    cost: Formula
    dtype: str
    assumption: str

    @cached_property
    def value(self) -> Kernel:
        """``value(z, y, cost of each example)``."""
        return self._kernel("value")

    @cached_property
    def gradient(self) -> Kernel:
        """``gradient(z, y, derivative of each example's cost by z)``."""
        return self._kernel("gradient")

    @cached_property
    def value_and_gradient(self) -> Kernel:
        """``value_and_gradient(z, y, gradient, costs)``, which is called by address only."""
        return self._kernel("value_and_gradient")

    def of_rows(self, z: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        """Return the cost of each row of contiguous matrices."""
        costs = np.empty(len(z), z.dtype)
        # The kernel of training: another would be compiled too.
        self.value_and_gradient.over_rows(z, y, np.empty_like(z), costs)
        return costs

    def _kernel(self, function: str) -> Kernel:
        together = function == "value_and_gradient"

        def generate() -> str:
            from chainrule.kernels._cost_modules import cost_module

            return cost_module(
                self.activation, self.cost, self.dtype, self.assumption, together=together
            )

        question = (
            f"cost{' with gradient' * together} {self.dtype} {exactly(self.cost)} "
            f"of {exactly(self.activation)} given {self.assumption}"
        )
        values = values_of(self.activation, self.cost)
        name = compiled_module(question, generate)
        return kernel_of(name, function, values, self.dtype, coupled=True)


def cost_kernels(
    activation: Formula, cost: Formula, dtype: Any, *, assume: bool = True
) -> CostKernels:
    """Return the kernels of a cost behind an output activation, compiled at their first use.

    Parameters
    ----------
    activation, cost : Formula
    dtype : dtype
        float32 or float64.
    assume : bool
        Whether the targets satisfy what the cost assumes of them (``sum(y) == 1``), so that the
        short form of the gradient may be used.
    """
    return _cost_kernels(activation, cost, np.dtype(dtype).name, assume)


@lru_cache(maxsize=512)
def _cost_kernels(activation: Formula, cost: Formula, dtype: str, assume: bool) -> CostKernels:
    assumption = assumption_on_targets(cost) if assume else ""
    return CostKernels(activation, apart(cost, activation), dtype, assumption)
