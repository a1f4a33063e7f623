"""Checkpoints: all that training needs to go on, bit for bit, in one file that holds data only.

A safetensors file with the tensors ``parameters``, ``statistics`` (of layers normalised over the
batch), ``memory`` (of the optimiser), ``curves`` (a row for each epoch), where examples are
shuffled their ``order``, where they are standardised ``inner``, and where the best network is asked
for ``best``. The metadata hold ``format``, ``version``, ``arguments`` (of the training: numbers as
they are, arrays as digests), ``progress`` and a ``checksum`` over all of it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.formulas import ChainruleError
from chainrule.networks._errors import CheckpointError, ModelFileError, NetworkError
from chainrule.networks._network import Network
from chainrule.networks.files._digests import PREFIX, checksum, digest, text_digest
from chainrule.networks.files._kept_state import encoded
from chainrule.networks.files._locks import alone
from chainrule.networks.files._models import (
    describe_network,
    described_network,
    packed,
    read_tensors,
    write_whole,
)
from chainrule.networks.training._generators import put_generator
from chainrule.networks.training._moments import Moment, read_moment
from chainrule.networks.training._records import Record
from chainrule.networks.training._span import Span
from chainrule.networks.training._sparse import arrays_of
from chainrule.networks.training._standardisation import Standardisation
from chainrule.networks.training._state import TrainingState
from chainrule.networks.training._validation import HeldOut

_FORMAT, _VERSION = "chainrule.checkpoint", "2"
_SUMMED = ("arguments", "progress")
_LAST = ("parameters", "statistics")
_DAMAGES = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A place for checkpoints, and the arguments of the training."""

    path: Path
    arguments: Mapping[str, Any]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other trainings from the file.

        Raises
        ------
        CheckpointError
            Another training uses it.
        """
        with alone(self.path) as is_alone:
            if not is_alone:
                raise CheckpointError(
                    f"another training is using the checkpoint {self.path}\n"
                    "Wait until it has ended, or give another path. Nothing was run."
                )
            yield

    def write(self, moment: Moment, records: Sequence[Record]) -> None:
        """Write a checkpoint, whole or not at all; the one before stays until then.

        Raises
        ------
        CheckpointError
            It cannot be written; the error holds the network as it is at the moment.
        """
        tensors: dict[str, NDArray[Any]] = {
            "parameters": moment.network.parameters,
            "statistics": moment.network.new_statistics(),
            "memory": moment.state.memory,
            "curves": _rows(records[: moment.epochs]),
        }
        if moment.state.order is not None:
            tensors["order"] = moment.state.order
        if moment.state.inner is not None:
            tensors["inner"] = moment.state.inner
        if moment.best is not None:
            tensors["best"] = moment.best.parameters
            tensors["statistics of best"] = moment.best.new_statistics()
        progress = {
            "reductions": moment.state.reductions,
            "seed": moment.state.seed,
            "best": moment.state.watch.best,
            "waited": moment.state.watch.waited,
            "generator": encoded(moment.state.generator),
            "best_epoch": moment.best_epoch,
            "pending": moment.pending,
            "converged": moment.converged,
            "stopped": moment.stopped,
        }
        metadata = {
            "format": _FORMAT,
            "version": _VERSION,
            "arguments": json.dumps(self.arguments),
            "progress": json.dumps(progress),
        }
        metadata["checksum"] = _checksum(metadata, tensors)
        # One name for all attempts: those that were killed leave no more than one file behind.
        temporary = self.path.with_name(f".{self.path.name}.partial")
        try:
            write_whole(self.path, packed(tensors, metadata), temporary)
        except OSError as error:
            rest = "Nothing was run."
            if moment.epochs:
                rest = (
                    f"What was learned in {moment.epochs} epochs is in this error's network, and "
                    "the file holds the checkpoint before."
                )
            raise CheckpointError(
                f"the checkpoint {self.path} cannot be written: {error.strerror or error}\n"
                f"Make room, or give a path that can be written. {rest}",
                moment.best or moment.network,
            ) from error

    def read(
        self,
        start: Moment,
        span: Span,
        scored: bool,
        sets: int,
        generator: np.random.Generator | None,
    ) -> tuple[Moment, list[Record]] | None:
        """Return where the training stood, or None where there is no file yet.

        The generator is set to where it stood.

        Parameters
        ----------
        start : Moment
            How this training would begin: the file must fit to it.
        span : Span
            The training's length.
        scored : bool
            Whether there is a validation score.
        sets : int
            How many validation sets there are.
        generator : numpy.random.Generator or None
            Where the orders come from, if there are any.

        Raises
        ------
        CheckpointError
            The file is no checkpoint, is damaged, or belongs to a training with other arguments.
        """
        if not self.path.exists():
            return None
        metadata, tensors = self._contents()
        try:
            self._compare(json.loads(metadata["arguments"]))
            progress = json.loads(metadata["progress"])
            moment = read_moment(progress, tensors, start, span)
            if generator is not None:
                put_generator(moment.state.generator, generator)
            return moment, _records(tensors["curves"], scored, sets)
        except CheckpointError:
            raise
        except _DAMAGES as error:
            raise self.refused(f"{type(error).__name__}: {error}") from error

    def network(self) -> Network:
        """Return the network of the file: the best where that is asked for, else the last."""
        metadata, tensors = self._contents()
        names = ("best", "statistics of best") if "best" in tensors else _LAST
        try:
            parameters, statistics = (tensors[name] for name in names)
            return described_network(json.loads(metadata["arguments"]), parameters, statistics)
        except (ChainruleError, *_DAMAGES) as error:
            raise self.refused(f"{type(error).__name__}: {error}") from error

    def _contents(self) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
        try:
            metadata, tensors = read_tensors(self.path)
        except ModelFileError as error:
            raise self.refused(str(error.__cause__ or error).partition("\n")[0]) from error
        if metadata.get("format") != _FORMAT:
            raise self.refused("it is a safetensors file of another kind")
        if metadata.get("version") != _VERSION:
            raise self.refused(f"it has version {metadata.get('version')!r:.40} of the format")
        if not set(_SUMMED) <= metadata.keys() or (
            metadata.get("checksum") != _checksum(metadata, tensors)
        ):
            raise self.refused("its checksum does not match")
        return metadata, tensors

    def refused(self, reason: str) -> CheckpointError:
        """Return the error that the file is not what it should be."""
        return CheckpointError(
            f"{self.path} is not a checkpoint of this package, or is damaged: {reason}\n"
            "Nothing was run, and the file is as it was. Give another path, or move the file away "
            "to start anew."
        )

    def _compare(self, there: Mapping[str, Any]) -> None:
        here = self.arguments
        names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
        if names:
            lines = (f"  {name}: {_difference(there.get(name), here.get(name))}" for name in names)
            advice = "Give the same arguments to go on, or another path to start anew."
            if "parameters" in names:
                advice += " Networks that begin alike need a seed: rng=0, or random_state=0."
            if "epochs" in names:
                advice += " To train longer, begin with network and state of the result."
            raise CheckpointError(
                f"{self.path} is the checkpoint of a training with other arguments:\n"
                + "\n".join(lines)
                + f"\n{advice} Nothing was run, and the file is as it was."
            )


def checkpoint_at(path: str | os.PathLike[str], arguments: Mapping[str, Any]) -> Checkpoint:
    """Return the place of a training's checkpoints."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise NetworkError(f"checkpoint must be the path of a file, got {path!r:.60}")
    # Through JSON, so that what is compared is what a file gives back.
    return Checkpoint(Path(os.path.realpath(path)), json.loads(json.dumps(arguments)))


def load_checkpoint(path: str | os.PathLike[str]) -> Network:
    """Return the network that the checkpoint of a training holds.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Network
        That of the best epoch where the training was asked for it and had one, else that of the
        last one; after a divergence the last good one.

    Raises
    ------
    CheckpointError
        The file is no checkpoint, or is damaged.
    FileNotFoundError
        There is no such file.

    Examples
    --------
    >>> import tempfile
    >>> from chainrule.networks import network, train
    >>> X = np.linspace(-1, 1, 64)[:, None]
    >>> start = network((1, 8, 1), ("tanh", "identity"), "half_squared_error", rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = train(start, X, X**2, epochs=3, rng=0, checkpoint=f"{folder}/run")
    ...     kept = load_checkpoint(f"{folder}/run")
    >>> np.array_equal(kept.parameters, result.network.parameters)
    True
    """
    return Checkpoint(Path(os.path.realpath(path)), {}).network()


def described(network: Network) -> dict[str, Any]:
    """Return what tells one network from another, for the arguments of a training."""
    return {
        **describe_network(network),
        "parameters": digest(network.parameters, network.new_statistics()),
    }


def described_sets(held: Sequence[HeldOut]) -> dict[str, Any]:
    """Return what tells validation sets from others, for the arguments of a training."""
    return {
        "validation": [part.name for part in held],
        **{
            f"examples of {part.name}": digest(*arrays_of(part.inputs), part.targets, part.weights)
            for part in held
        },
    }


def described_standardisation(given: Standardisation | None) -> str | None:
    """Return what tells a standardisation from others, for the arguments of a training."""
    if given is None:
        return None
    parts = given.centres, given.scales, given.target_centres, np.array(given.target_scale)
    return digest(*parts)


def state_digest(state: TrainingState) -> str:
    """Return a digest of a state of training."""
    rest = replace(
        state, memory=np.empty(0), generator=encoded(state.generator), order=None, inner=None
    )
    arrays = [part for part in (state.memory, state.order, state.inner) if part is not None]
    return text_digest(digest(*arrays) + repr(rest))


def generator_digest(generator: np.random.Generator) -> str:
    """Return a digest of the state of a generator."""
    return text_digest(json.dumps(encoded(generator.bit_generator.state)))


def _difference(there: Any, here: Any) -> str:
    if str(there or here).startswith(PREFIX):
        return f"{_kind(there)} there, {'other' if there and here else _kind(here)} now"
    return f"{there!r:.80} there, {here!r:.80} now"


def _kind(digested: Any) -> str:
    return "none" if digested is None else "some"


def _rows(records: Sequence[Record]) -> NDArray[np.float64]:
    width = 3 + len(records[0].validation_losses) if records else 3
    rows = np.empty((len(records), width))
    for row, record in zip(rows, records, strict=True):
        score = math.nan if record.score is None else record.score
        row[:] = record.loss, record.learning_rate, score, *record.validation_losses
    return rows


def _checksum(metadata: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> str:
    return checksum((metadata[name] for name in _SUMMED), tensors)


def _records(curves: NDArray[Any], scored: bool, sets: int) -> list[Record]:
    if curves.dtype != np.float64 or (curves.size and curves.shape[1:] != (3 + sets,)):
        raise ModelFileError("its curves are not those of this training")
    return [
        Record(loss, rate, score if scored else None, tuple(losses))
        for loss, rate, score, *losses in curves.tolist()
    ]
