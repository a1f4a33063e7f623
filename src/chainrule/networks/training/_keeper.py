"""When a checkpoint is due."""

from __future__ import annotations

import time

from chainrule.networks.files._checkpoints import Checkpoint
from chainrule.networks.training._moments import Moment
from chainrule.networks.training._records import Record

_TRAINING_PER_WRITING = 10.0


class Keeper:
    """Writes checkpoints, where there is a place for them, and knows when the next one is due."""

    def __init__(self, checkpoint: Checkpoint | None, every: int | None) -> None:
        self.checkpoint = checkpoint
        self.every = every
        self.due = 0.0

    def is_due(self, moment: Moment) -> bool:
        """Tell whether a checkpoint should be written now."""
        if self.every is None:
            return time.perf_counter() >= self.due
        return moment.epochs % self.every == 0

    def keep(self, moment: Moment, records: list[Record]) -> None:
        """Write a checkpoint."""
        if self.checkpoint is not None:
            begun = time.perf_counter()
            self.checkpoint.write(moment, records)
            ended = time.perf_counter()
            self.due = ended + _TRAINING_PER_WRITING * (ended - begun)
