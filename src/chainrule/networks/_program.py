"""What the compiled loops need to know about a network: its sizes and its kernels' addresses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.formulas import Formula
from chainrule.kernels import activation_kernels, cost_kernels, forward


@dataclass(frozen=True, eq=False)
class Program:
    """Tables of addresses, and the kernels behind them, which must outlive every call."""

    sizes: NDArray[np.int64]
    kernels: NDArray[np.int64]
    held: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class CostProgram:
    """The cost's row of addresses, and the kernels behind it."""

    row: NDArray[np.int64]
    held: Any


@lru_cache(maxsize=256)
def program(sizes: tuple[int, ...], activations: tuple[Formula, ...], dtype: str) -> Program:
    """Compile the activations of a network."""
    held = tuple(activation_kernels(formula, np.dtype(dtype)) for formula in activations)
    rows = [[*_addresses(pair.forward), *_addresses(pair.backward)] for pair in held]
    return Program(np.array(sizes, np.int64), np.array(rows, np.int64), held)


@lru_cache(maxsize=256)
def cost_program(activation: Formula, cost: Formula, dtype: str, assume: bool) -> CostProgram:
    """Compile a cost, composed with the activation of the output layer.

    `assume` tells whether the targets satisfy what the short form of the gradient needs.
    """
    held = cost_kernels(activation, cost, np.dtype(dtype), assume=assume)
    row = [*_addresses(held.value), *_addresses(held.gradient)]
    return CostProgram(np.array(row, np.int64), held)


def evaluate(formula: Formula, z: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Apply an activation to an array of shape (examples, units)."""
    return forward(formula, z)


def _addresses(kernel: Any) -> tuple[int, int]:
    return int(kernel.address), int(kernel.parameters.ctypes.data)
