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
    learned : tuple of str
        Parameters of the activation with other values of which the kernels are called, too.
    """

    activation: Formula
    cost: Formula
    dtype: str
    assumption: str
    learned: tuple[str, ...] = ()

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

    @cached_property
    def slopes(self) -> tuple[Kernel, ...]:
        """``slope(z, y, derivative of each example's cost)`` by each learned parameter."""
        return tuple(self._slope(name) for name in self.learned)

    def of_rows(
        self, z: NDArray[Any], y: NDArray[Any], values: NDArray[np.float64] | None = None
    ) -> NDArray[Any]:
        """Return the cost of each row of contiguous matrices, with the parameters' first values.

        Others may be given, those of the activation and then those of the cost.
        """
        costs = np.empty(len(z), z.dtype)
        # The kernel of training: another would be compiled too.
        self.value_and_gradient.over_rows(z, y, np.empty_like(z), costs, values=values)
        return costs

    def _slope(self, name: str) -> Kernel:
        def generate() -> str:
            from chainrule.kernels._cost_modules import slope_module

            return slope_module(self.activation, self.cost, self.dtype, name)

        question = (
            f"slope of cost by {name} {self.dtype} {exactly(self.cost)} "
            f"of {exactly(self.activation)}"
        )
        values = values_of(self.activation, self.cost)
        return kernel_of(
            compiled_module(question, generate), "slope", values, self.dtype, coupled=True
        )

    def _kernel(self, function: str) -> Kernel:
        together = function == "value_and_gradient"

        def generate() -> str:
            from chainrule.kernels._cost_modules import cost_module

            return cost_module(
                self.activation, self.cost, self.dtype, self.assumption, together=together,
                for_other_values=bool(self.learned),
            )  # fmt: skip

        question = (
            f"cost{' with gradient' * together} {self.dtype} {exactly(self.cost)} "
            f"of {exactly(self.activation)} given {self.assumption}"
            f"{', and with other values' * bool(self.learned)}"
        )
        values = values_of(self.activation, self.cost)
        name = compiled_module(question, generate)
        return kernel_of(name, function, values, self.dtype, coupled=True)


def cost_kernels(
    activation: Formula,
    cost: Formula,
    dtype: Any,
    *,
    assume: bool = True,
    learned: tuple[str, ...] = (),
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
    learned : tuple of str
        Parameters of the activation with other values of which the kernels are to be called, too.
    """
    return _cost_kernels(activation, cost, np.dtype(dtype).name, assume, learned)


@lru_cache(maxsize=512)
def _cost_kernels(
    activation: Formula, cost: Formula, dtype: str, assume: bool, learned: tuple[str, ...]
) -> CostKernels:
    assumption = assumption_on_targets(cost) if assume else ""
    return CostKernels(activation, apart(cost, activation), dtype, assumption, learned)
