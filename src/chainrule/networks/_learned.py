"""Activations some of whose parameters are learned: their derivatives by them, as formulas."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.formulas import (
    Apply,
    Formula,
    Variable,
    bind,
    constant,
    parameters_of,
    variables_of,
)
from chainrule.kernels import Kernel, activation_kernels
from chainrule.networks._errors import NetworkError

_NATIVE = ctypes.CFUNCTYPE(
    None, *[ctypes.c_void_p] * 3, ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.c_void_p
)
_SHIFTS = (-0.1, 0.4)  # of the parameters' values, relative to 1 + |value|
_TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
_NEAR_ZERO = 1e-3


def check_learned(learned: Sequence[Sequence[str]], layers: int) -> None:
    """Refuse names for another number of layers."""
    if len(learned) != layers:
        raise NetworkError(
            f"learned names the parameters of {len(learned)} layers, of {layers} there are"
        )


@lru_cache(maxsize=256)
def slope_formulas(formula: Formula, names: tuple[str, ...], dtype: str) -> tuple[Formula, ...]:
    """Return the derivatives of an activation with respect to some of its parameters.

    Raises
    ------
    NetworkError
        The activation has no such parameter, or its kernels hold for its present values only.
    """
    if not names:
        return ()
    from chainrule.derivations import by_parameter

    values = dict(formula.parameters)
    missing = [name for name in names if name not in values]
    if missing:
        raise NetworkError(
            f"{formula.title} has no parameter {missing[0]!r} to learn; it has "
            f"{', '.join(values) or 'none'}"
        )
    found = []
    for name in names:
        slope = by_parameter(formula.expression, name, values)
        if not variables_of(slope):
            # A kernel runs over pre-activations, also where the slope is the same for all.
            slope = Apply("add", (slope, Apply("multiply", (constant(0), Variable("z")))))
        found.append(bind(slope, {name: values[name] for name in parameters_of(slope)}))
    for part in (formula, *found):
        _check_other_values(part, names, dtype, of=formula)
    return tuple(found)


def _check_other_values(formula: Formula, names: tuple[str, ...], dtype: str, of: Formula) -> None:
    """Refuse kernels that were simplified, or fitted, for the present values of parameters."""
    values = dict(formula.parameters)
    learned = [name for name in names if name in values]
    if not learned:
        return
    z = np.linspace(-6.0, 6.0, 120).reshape(10, 12)
    own = activation_kernels(formula, dtype, for_other_values=True)
    for shift in _SHIFTS:
        moved = {name: values[name] + shift * (1.0 + abs(values[name])) for name in learned}
        there = formula.with_parameters(**moved)
        exact = activation_kernels(there, "float64")
        numbers = np.array([value for _, value in there.parameters])
        pairs = ((own.forward, exact.forward), (own.backward, exact.backward))
        seeds = (z, np.ones_like(z))  # what a forward kernel reads first, and a backward one
        for (kernel, reference), first in zip(pairs, seeds, strict=True):
            if formula is not of and first is not z:
                continue
            computed = _computed(kernel, first, z, dtype, numbers)
            expected = _computed(reference, first, z, "float64", reference.parameters)
            apart = np.abs(computed - expected) / (np.abs(expected) + _NEAR_ZERO)
            if not (apart <= _TOLERANCE[dtype]).all():
                raise NetworkError(
                    f"{', '.join(learned)} of {of.title} cannot be learned: its evaluation was "
                    "made for the given values and is not right for others\n"
                    "Give the parameters fixed values, or write the formula in another form."
                )


def _computed(
    kernel: Kernel,
    first: NDArray[np.float64],
    z: NDArray[np.float64],
    dtype: str,
    values: NDArray[np.float64],
) -> NDArray[Any]:
    given = first.astype(dtype), z.astype(dtype)
    result = np.empty_like(given[0])
    addresses = (array.ctypes.data for array in (*given, result))
    _NATIVE(kernel.address)(*addresses, *z.shape, values.ctypes.data)
    return result.astype(np.float64)
