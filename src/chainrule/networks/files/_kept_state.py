"""States of training as what JSON can hold, besides the optimiser's memory; read with suspicion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.networks._errors import ModelFileError
from chainrule.networks.training import _optimisers
from chainrule.networks.training._generators import put_generator
from chainrule.networks.training._optimisers import Optimiser
from chainrule.networks.training._state import LARGEST_SEED, TrainingState, Watch

_OPTIMISERS = {
    name
    for name, kind in vars(_optimisers).items()
    if isinstance(kind, type) and issubclass(kind, Optimiser)
}
_MOST = 2**62
_BIT_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


def described_state(state: TrainingState) -> dict[str, Any]:
    """Return all of a state but its arrays."""
    return {
        "optimiser": state.optimiser,
        "steps": state.steps,
        "epochs": state.epochs,
        "examples": state.examples,
        "reductions": state.reductions,
        "seed": state.seed,
        "best": None if state.watch.best == -math.inf else state.watch.best,
        "waited": state.watch.waited,
        "generator": encoded(state.generator),
    }


def read_state(
    described: Mapping[str, Any], memory: NDArray[Any], parameters: NDArray[Any],
    order: NDArray[Any] | None, inner: NDArray[Any] | None,
) -> TrainingState:  # fmt: skip
    """Return the state that a file describes.

    Raises
    ------
    ModelFileError
        Its parts do not fit together, or to the parameters of the network.
    """
    if described["optimiser"] not in _OPTIMISERS:
        raise ModelFileError(f"its optimiser is unknown: {described['optimiser']!r:.40}")
    fits = memory.ndim == 2 and memory.shape[1:] == parameters.shape
    if not fits or memory.dtype != parameters.dtype or not np.isfinite(memory).all():
        raise ModelFileError("the memory of its optimiser does not fit the network")
    if inner is not None and (
        (inner.shape, inner.dtype) != (parameters.shape, parameters.dtype)
        or not np.isfinite(inner).all()
    ):
        raise ModelFileError("its inner parameters do not fit the network")
    if order is not None and (order.ndim != 1 or order.dtype != np.intp or not order.size):
        raise ModelFileError("its order of examples is none")
    best = described["best"]
    counts = {
        name: count(described, name, _MOST)
        for name in ("steps", "epochs", "examples", "reductions")
    }
    state = TrainingState(
        described["optimiser"], memory, **counts,
        seed=count(described, "seed", LARGEST_SEED),
        watch=Watch(-math.inf if best is None else float(best), count(described, "waited", _MOST)),
        generator=decoded(described["generator"]), order=order, inner=inner,
    )  # fmt: skip
    generator_of(state.generator)
    return state


def generator_of(state: Mapping[str, Any]) -> np.random.Generator:
    """Return a generator that stands where one stood whose state was kept."""
    kind = state.get("bit_generator")
    if kind not in _BIT_GENERATORS:
        raise ModelFileError(f"its random numbers are of an unknown kind, {kind!r:.40}")
    generator = np.random.Generator(getattr(np.random, kind)())
    put_generator(state, generator)
    return generator


def count(described: Mapping[str, Any], name: str, most: int) -> int:
    """Return a whole number from 0 on, and refuse all else."""
    value = described[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ModelFileError(f"{name} is {value!r:.40}; expected a whole number up to {most}")
    return value


def encoded(state: Any) -> Any:
    """Return the state of a bit generator as what JSON can hold."""
    if isinstance(state, np.ndarray):
        return {"array": state.tolist(), "dtype": state.dtype.name}
    if isinstance(state, Mapping):
        return {name: encoded(value) for name, value in state.items()}
    return state.item() if isinstance(state, np.generic) else state


def decoded(state: Any) -> Any:
    """Return the state of a bit generator that JSON held."""
    if not isinstance(state, dict):
        return state
    if state.keys() == {"array", "dtype"} and state["dtype"] in ("uint32", "uint64"):
        return np.array(state["array"], state["dtype"])
    return {name: decoded(value) for name, value in state.items()}
