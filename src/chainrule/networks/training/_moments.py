"""Where a training stands between two epochs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.networks._errors import ModelFileError
from chainrule.networks._network import Network
from chainrule.networks.files._kept_state import count, decoded
from chainrule.networks.training._orders import is_order
from chainrule.networks.training._span import Span
from chainrule.networks.training._state import LARGEST_SEED, TrainingState, Watch


@dataclass(frozen=True, eq=False)
class Moment:
    """Training between two epochs.

    `made` makes the network, which is not wanted after every epoch; `best` is that of the best
    epoch, where it is asked for and there was one; `pending` tells that nobody was told yet of the
    last epoch.
    """

    made: Callable[[], Network]
    state: TrainingState
    best: Network | None = None
    best_epoch: int | None = None
    epochs: int = 0
    pending: bool = False
    converged: bool = False
    stopped: bool = False

    @property
    def network(self) -> Network:
        """The network as it is now."""
        return self.made()

    def heard(self, stopped: bool) -> Moment:
        """Return the moment after everybody was told, and perhaps one of them ended training."""
        return Moment(
            self.made, self.state, self.best, self.best_epoch, self.epochs, False,
            self.converged, stopped,
        )  # fmt: skip


def read_moment(
    progress: Any, tensors: Mapping[str, NDArray[Any]], start: Moment, span: Span
) -> Moment:
    """Return the moment that a checkpoint holds.

    Raises
    ------
    ModelFileError
        Its parts do not fit the training that starts there, or one another.
    """
    epochs = len(tensors["curves"])
    if epochs > span.epochs:
        raise ModelFileError("it has more epochs than this training")
    network = _network(tensors, "parameters", "statistics", start.network)
    best = None
    if "best" in tensors:
        best = _network(tensors, "best", "statistics of best", start.network)
    state = replace(
        start.state,
        memory=_tensor(tensors, "memory", start.state.memory),
        steps=span.steps_before + epochs * span.steps,
        epochs=span.epochs_before + epochs,
        examples=span.examples_before + epochs * span.examples,
        reductions=count(progress, "reductions", span.reductions + epochs),
        seed=count(progress, "seed", LARGEST_SEED),
        watch=Watch(
            float(progress["best"]), count(progress, "waited", start.state.watch.waited + epochs)
        ),
        generator=decoded(progress["generator"]),
        order=_order(tensors, start.state.order),
        inner=_tensor(tensors, "inner", network.parameters) if "inner" in tensors else None,
    )
    best_epoch = None if progress["best_epoch"] is None else count(progress, "best_epoch", epochs)
    flags = (bool(progress[name]) for name in ("pending", "converged", "stopped"))
    return Moment(lambda: network, state, best, best_epoch, epochs, *flags)


def _network(
    tensors: Mapping[str, NDArray[Any]], parameters: str, statistics: str, like: Network
) -> Network:
    own = _tensor(tensors, parameters, like.parameters)
    of_batches = _tensor(tensors, statistics, like.new_statistics())
    if not (np.isfinite(own).all() and np.isfinite(of_batches).all()):
        raise ModelFileError(f"{parameters} are not finite")
    return like.with_parameters(own, of_batches)


def _order(
    tensors: Mapping[str, NDArray[Any]], like: NDArray[np.intp] | None
) -> NDArray[np.intp] | None:
    order = tensors.get("order")
    if (order is None) != (like is None) or (
        order is not None
        and like is not None
        and not (order.dtype == np.intp and order.ndim == 1 and is_order(order, np.sort(like)))
    ):
        raise ModelFileError("its order is not one of these examples")
    return order


def _tensor(
    tensors: Mapping[str, NDArray[Any]], name: str, like: NDArray[Any]
) -> NDArray[np.floating[Any]]:
    tensor = tensors[name]
    if tensor.shape != like.shape or tensor.dtype != like.dtype:
        raise ModelFileError(f"{name} does not fit the network")
    return tensor
