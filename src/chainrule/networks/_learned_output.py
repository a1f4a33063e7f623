"""Costs behind output activations some of whose parameters are learned: whether theirs are right.

Their kernels are derived of cost and activation together, and called with values that were not
known when they were made.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from chainrule.catalogue import activation_formula, domain_of_targets
from chainrule.formulas import Formula, apart
from chainrule.kernels import activation_kernels, cost_kernels, exactly, kept_answer
from chainrule.networks._errors import NetworkError

_SHIFTS = (-0.1, 0.4)  # of the parameters' values, relative to 1 + |value|
_TOLERANCE = {"float32": 1e-4, "float64": 1e-6}
_NEAR_ZERO = 1e-3
_STEP = 1e-5
_ROWS, _UNITS = 12, 5


@lru_cache(maxsize=256)
def check_learned_output(
    activation: Formula, cost: Formula, dtype: str, names: tuple[str, ...], *, assume: bool
) -> None:
    """Refuse kernels of a cost that are not right for other values of an output's parameters.

    The oracle computes the activation, the cost of its output, and the slopes of both one after
    another; by the parameters it takes differences.

    Raises
    ------
    NetworkError
        They are wrong for values beside the given ones.
    """
    if not names:
        return
    question = f"learned {names!r} {dtype} {exactly(cost)} of {exactly(activation)} given {assume}"
    if not kept_answer(question, lambda: _is_right(activation, cost, dtype, names, assume=assume)):
        raise NetworkError(
            f"{', '.join(names)} of the output activation {activation.title} cannot be learned "
            f"with {cost.title}: their gradient was made for the given values and is not right "
            "for others\nGive the parameters fixed values, or write the formula in another form."
        )


def _is_right(
    activation: Formula, cost: Formula, dtype: str, names: tuple[str, ...], *, assume: bool
) -> bool:
    z = np.linspace(-3.0, 3.0, _ROWS * _UNITS).reshape(_UNITS, _ROWS).T.copy()
    y = _targets(cost)
    first = dict(activation.parameters)
    return all(
        _is_right_at(
            activation.with_parameters(
                **{name: first[name] + shift * (1.0 + abs(first[name])) for name in names}
            ),
            (activation, cost), (z, y), dtype, names, assume=assume,
        )
        for shift in _SHIFTS
    )  # fmt: skip


def _is_right_at(
    there: Formula,
    made_of: tuple[Formula, Formula],
    examples: tuple[NDArray[np.float64], NDArray[np.float64]],
    dtype: str,
    names: tuple[str, ...],
    *,
    assume: bool,
) -> bool:
    (activation, cost), (z, y) = made_of, examples
    fused = cost_kernels(activation, cost, dtype, assume=assume, learned=names)
    beside = apart(cost, activation).parameters
    values = np.array([value for _, value in (*there.parameters, *beside)])
    own_z, own_y = z.astype(dtype), y.astype(dtype)
    found = [np.empty_like(own_z), np.empty(_ROWS, dtype)]
    fused.value_and_gradient.over_rows(own_z, own_y, *found, values=values)
    for kernel in fused.slopes:
        found.append(np.empty(_ROWS, dtype))
        kernel.over_rows(own_z, own_y, found[-1], values=values)
    costs, slopes = _by_factors(there, activation, cost, z, y)
    expected = [slopes, costs]
    for name in names:
        step = _STEP * (1.0 + abs(dict(there.parameters)[name]))
        sides = []
        for sign in (1.0, -1.0):
            moved = there.with_parameters(**{name: dict(there.parameters)[name] + sign * step})
            sides.append(_by_factors(moved, activation, cost, z, y)[0])
        expected.append((sides[0] - sides[1]) / (2.0 * step))
    return all(
        _agree(own.astype(np.float64), true, dtype)
        for own, true in zip(found, expected, strict=True)
    )


def _agree(computed: NDArray[np.float64], expected: NDArray[np.float64], dtype: str) -> bool:
    """Compare where the oracle has a value: taken apart, a logarithm may meet what it has not."""
    known = np.isfinite(expected)
    apart_by = np.abs(computed[known] - expected[known])
    largest = np.abs(expected[known]).max(initial=0.0)
    return bool((apart_by <= _TOLERANCE[dtype] * (largest + _NEAR_ZERO)).all())


def _by_factors(
    there: Formula,
    activation: Formula,
    cost: Formula,
    z: NDArray[np.float64],
    y: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the costs of rows and their slopes by `z`, by the activation and then the cost."""
    layer = activation_kernels(activation, "float64", for_other_values=True)
    alone = cost_kernels(activation_formula("identity"), cost, "float64", assume=False)
    values = np.array([value for _, value in there.parameters])
    a, to_a, to_z = (np.empty_like(z) for _ in range(3))
    costs = np.empty(len(z))
    layer.forward.over_rows(z, z, a, values=values)
    alone.value_and_gradient.over_rows(a, y, to_a, costs)
    layer.backward.over_rows(to_a, z, to_z, values=values)
    return costs, to_z


def _targets(cost: Formula) -> NDArray[np.float64]:
    """Return targets that a cost takes: of each row one unit, or the values that it names."""
    values = domain_of_targets(cost).get("values", (0.0, 1.0))
    low, high = min(values), max(values)
    targets = np.full((_ROWS, _UNITS), low, np.float64)
    targets[np.arange(_ROWS), np.arange(_ROWS) % _UNITS] = high
    return targets
