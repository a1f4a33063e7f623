"""The numbers of epochs: kept, told to callbacks, and watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.networks._errors import NetworkError
from chainrule.networks._network import Network
from chainrule.networks.training._callbacks import Epoch
from chainrule.networks.training._validation import HeldOut


@dataclass(frozen=True)
class Record:
    """The numbers of one epoch."""

    loss: float
    learning_rate: float
    score: float | None
    validation_losses: tuple[float, ...]


def restores_best(wanted: bool | None, score: Any, held: tuple[HeldOut, ...]) -> bool:
    """Tell whether the best network is asked for, and refuse it where nothing rates networks."""
    if wanted and score is None and not held:
        raise NetworkError(
            "restore_best needs something to rate networks by\nGive score= or validation=."
        )
    return score is not None if wanted is None else bool(wanted)


def watched(record: Record, restores: bool) -> float:
    """Return the number that is watched, higher being better."""
    if record.score is not None:
        return record.score
    return -record.validation_losses[0] if restores else -record.loss


def told(
    number: int,
    record: Record,
    held: tuple[HeldOut, ...],
    seconds: float,
    made: Callable[[], Network],
) -> Epoch:
    """Return what callbacks are told."""
    names = (part.name for part in held)
    losses = dict(zip(names, record.validation_losses, strict=True))
    return Epoch(number, record.loss, losses, record.score, record.learning_rate, seconds, made)


def curves(
    records: Sequence[Record], held: tuple[HeldOut, ...]
) -> tuple[
    tuple[float, ...], tuple[float, ...], dict[str, tuple[float, ...]], tuple[float, ...]
]:  # fmt: skip
    """Return the curves of losses, of scores, of validation losses, and of learning rates."""
    losses = {
        part.name: tuple(record.validation_losses[place] for record in records)
        for place, part in enumerate(held)
    }
    return (
        tuple(record.loss for record in records),
        tuple(record.score for record in records if record.score is not None),
        losses,
        tuple(record.learning_rate for record in records),
    )
