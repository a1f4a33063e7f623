"""Model files: safetensors for the numbers, JSON in its metadata for the rest. Data only.

The metadata hold ``format``, ``version``, ``network`` (sizes, dtype, formulas as text with the
values of their parameters, and where the output layer has several blocks their widths), ``extra``,
where training is to go on its ``state``, and a ``checksum`` over all of it, which files of earlier
versions and those written by others may lack; the tensors are ``weights.0``, ``biases.0``, and so
on, the optimiser's ``memory``, and of a training on standardised examples the ``inner`` parameters.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.formulas import ChainruleError, Formula, parse
from chainrule.networks._blocks import check_blocks
from chainrule.networks._checks import check_architecture, check_normalisations
from chainrule.networks._errors import ModelFileError, UnwritableFileError
from chainrule.networks._layout import Layout, layout
from chainrule.networks._learned import slope_formulas
from chainrule.networks._network import Network
from chainrule.networks.files._digests import checksum
from chainrule.networks.files._kept_state import described_state, read_state
from chainrule.networks.training._state import TrainingState

_FORMAT, _VERSION = "chainrule.network", "1"
_FURTHER = "2"  # with blocks or a state: who knows of none must not read it as if it had none
_MOST_LAYERS = 10_000
_LENGTH = 8  # bytes that tell a header's length
_LONGEST_NAME = 100


def save_network(
    network: Network,
    path: str | os.PathLike[str],
    extra: dict[str, Any] | None = None,
    state: TrainingState | None = None,
) -> None:
    """Write a network to a file, whole or not at all.

    Parameters
    ----------
    network : Network
        What to write.
    path : path-like
        Where to; an existing file is replaced.
    extra : dict, optional
        Anything that JSON can hold, for those who build on networks.
    state : TrainingState, optional
        Of the training of the network, to go on with it.

    Raises
    ------
    UnwritableFileError
        The disk is full, the path is none of a file, or its folder is missing or closed to us.
    """
    description = describe_network(network)
    metadata = {
        "format": _FORMAT,
        "version": _VERSION if state is None and "blocks" not in description else _FURTHER,
        "network": json.dumps(description),
        "extra": json.dumps(extra or {}),
    }
    tensors = {}
    for layer, (weights, biases) in enumerate(zip(network.weights, network.biases, strict=True)):
        tensors[f"weights.{layer}"] = np.ascontiguousarray(weights)
        tensors[f"biases.{layer}"] = np.ascontiguousarray(biases)
    tensors |= {name: network.parameters[part] for name, part in _further(network.layout)}
    if network.statistics is not None and network.statistics.size:
        tensors["statistics"] = network.statistics
    if state is not None:
        metadata["state"] = json.dumps(described_state(state))
        kept = {"memory": state.memory, "order": state.order, "inner": state.inner}
        tensors |= {name: part for name, part in kept.items() if part is not None}
    metadata["checksum"] = _checksum(metadata, tensors)
    given, path = os.fspath(path), Path(path)
    if not path.name or path.is_dir():
        raise UnwritableFileError(given, "it is a folder" if path.name else "it names no file")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write_whole(path, packed(tensors, metadata), temporary)
    except OSError as error:
        raise UnwritableFileError(given, error.strerror or str(error), error.errno) from error


def load_network(path: str | os.PathLike[str]) -> tuple[Network, dict[str, Any]]:
    """Read a network, and what was stored with it, from a file.

    Raises
    ------
    ModelFileError
        The file is not a model, is damaged, or contradicts itself. Nothing in it is executed:
        formulas are parsed anew.
    FileNotFoundError
        There is no such file.
    """
    network, extra, _ = load_training(path)
    return network, extra


def load_training(
    path: str | os.PathLike[str],
) -> tuple[Network, dict[str, Any], TrainingState | None]:
    """Read a network, what was stored with it, and the state of its training where there is one.

    Raises
    ------
    ModelFileError, FileNotFoundError
        As `load_network`.
    """
    metadata, tensors = read_tensors(Path(path))
    if metadata.get("format") != _FORMAT:
        raise ModelFileError(
            f"{path} is a safetensors file, but not a model of this package\n"
            "Expected a file written by save()."
        )
    if metadata.get("version") not in (_VERSION, _FURTHER):
        raise ModelFileError(
            f"{path} has version {metadata.get('version')!r:.40} of the format; this package reads "
            f"versions {_VERSION} and {_FURTHER}\nUpdate chainrule, or save the model again."
        )
    if metadata.get("checksum", found := _checksum(metadata, tensors)) != found:
        raise ModelFileError(
            f"{path} is damaged: its checksum does not match its contents\nSave the model again. "
            "Whoever changes a file on purpose leaves the checksum out."
        )
    try:
        description = _mapping(json.loads(metadata["network"]))
        extra = _mapping(json.loads(metadata["extra"]))
        memory, order, inner = (tensors.pop(name, None) for name in ("memory", "order", "inner"))
        network, state = _network(description, tensors), None
        if memory is not None:
            described = _mapping(json.loads(metadata["state"]))
            state = read_state(described, memory, network.parameters, order, inner)
        return network, extra, state
    except ModelFileError as error:
        raise ModelFileError(f"{path} is damaged: {error}") from None
    except (ChainruleError, ValueError, TypeError, KeyError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelFileError(f"{path} is damaged: {reason}") from error


def _checksum(metadata: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> str:
    summed = sorted(metadata.keys() - {"checksum"})
    return checksum((f"{name}: {metadata[name]}" for name in summed), tensors)


def describe(formula: Formula) -> dict[str, Any]:
    """Return a formula as what JSON can hold."""
    return {
        "formula": formula.text,
        "parameters": dict(formula.parameters),
        "name": formula.name,
    }


def describe_network(network: Network) -> dict[str, Any]:
    """Return a network without its numbers as what JSON can hold."""
    several = {"blocks": list(network.blocks)} if len(network.blocks) > 1 else {}
    return {
        "sizes": list(network.sizes),
        "dtype": network.dtype.name,
        "activations": [describe(formula) for formula in network.activations],
        "cost": describe(network.cost),
        "normalisations": list(network.normalisations),
        "learned": [list(names) for names in network.learned],
        **several,
    }


def described_network(
    description: dict[str, Any], parameters: NDArray[Any], statistics: NDArray[Any]
) -> Network:
    """Return the network that a description and its numbers give."""
    sizes, activations, cost, dtype, kinds, learned, blocks = _architecture(description)
    for numbers in (parameters, statistics):
        if numbers.dtype.name != dtype or not np.isfinite(numbers).all():
            raise ModelFileError("its numbers are of another dtype, or not finite")
    return Network(sizes, activations, cost, parameters, kinds, learned, statistics, blocks)


def _architecture(
    description: dict[str, Any],
) -> tuple[
    tuple[int, ...], tuple[Formula, ...], Formula, str, tuple[str, ...],
    tuple[tuple[str, ...], ...], tuple[int, ...],
]:  # fmt: skip
    sizes = tuple(_list(description["sizes"]))
    listed = _list(description["activations"])
    if max(len(sizes), len(listed)) > _MOST_LAYERS:
        raise ModelFileError(f"more than {_MOST_LAYERS} layers")
    activations = tuple(_formula(entry, ("z",)) for entry in listed)
    check_architecture(sizes, activations)
    dtype = description["dtype"]
    if dtype not in ("float32", "float64"):
        raise ModelFileError(f"its dtype is {dtype!r:.40}; expected float32 or float64")
    layers = range(len(sizes) - 1)
    kinds = tuple(_list(description.get("normalisations", [""] * len(layers))))
    check_normalisations(kinds, len(layers))
    learned = tuple(
        tuple(_list(names)) for names in _list(description.get("learned", [[]] * len(layers)))
    )
    if len(learned) != len(layers):
        raise ModelFileError("its learned parameters do not match its layers")
    for formula, names in zip(activations, learned, strict=True):
        slope_formulas(formula, names, dtype)
    cost = _formula(description["cost"], ("a", "y"))
    blocks = tuple(_list(description.get("blocks", list(sizes[-1:]))))
    check_blocks(blocks, sizes[-1])
    return sizes, activations, cost, dtype, kinds, learned, blocks


def _network(description: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Network:
    sizes, activations, cost, dtype, kinds, learned, blocks = _architecture(description)
    layers = range(len(sizes) - 1)
    places = layout(sizes, kinds, learned)
    shapes: dict[str, tuple[int, ...]] = {
        f"weights.{layer}": sizes[layer : layer + 2] for layer in layers
    }
    shapes |= {f"biases.{layer}": sizes[layer + 1 : layer + 2] for layer in layers}
    shapes |= {name: (part.stop - part.start,) for name, part in _further(places)}
    in_order = list(shapes)
    if places.statistics_size:
        shapes["statistics"] = (places.statistics_size,)
    if shapes.keys() != tensors.keys():
        wrong = sorted(shapes.keys() ^ tensors.keys())[:3]
        raise ModelFileError(f"its tensors do not match its sizes: {', '.join(wrong)}")
    for name, shape in shapes.items():
        tensor = tensors[name]
        if tensor.shape != shape or tensor.dtype.name != dtype:
            raise ModelFileError(
                f"{name} is {tensor.dtype.name}{list(tensor.shape)}; expected {dtype}{list(shape)}"
            )
        if not np.isfinite(tensor).all():
            raise ModelFileError(f"{name} holds values that are not finite")
    # The order of the names above is that of the flat vector: all weights, then all biases.
    parameters = np.concatenate([tensors[name].ravel() for name in in_order])
    statistics = tensors.get("statistics")
    return Network(sizes, activations, cost, parameters, kinds, learned, statistics, blocks)


def _further(places: Layout) -> list[tuple[str, slice]]:
    """Return the names of what follows weights and biases, in its order, and where it lies."""
    named = [("scales", start) for start in places.scales] + [
        ("learned", own[0] if own else None) for own in places.learned
    ]
    found = [
        (f"{name}.{layer % len(places.scales)}", start)
        for layer, (name, start) in enumerate(named)
        if start is not None
    ]
    starts = [*(start for _, start in found), places.size]
    return [
        (name, slice(*bounds)) for (name, _), bounds in zip(found, pairwise(starts), strict=True)
    ]


def _formula(entry: Any, variables: tuple[str, ...]) -> Formula:
    values = _mapping(entry)
    text, name, parameters = values["formula"], values["name"], _mapping(values["parameters"])
    if not isinstance(text, str) or not isinstance(name, str):
        raise ModelFileError("a formula is not text")
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise ModelFileError("a formula's name is too long or cannot be printed")
    return parse(text, parameters, variables=variables, name=name)


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ModelFileError(f"expected a mapping, found {type(value).__name__}")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ModelFileError(f"expected a list, found {type(value).__name__}")
    return value


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """Read the metadata and the tensors of a file, or raise ModelFileError."""
    from safetensors import SafetensorError, safe_open

    if path.is_dir():
        raise ModelFileError(f"{path} is a folder, not a model file")
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, AttributeError, OSError) as error:
        raise ModelFileError(
            f"{path} is not a model file, or is damaged: {error}\n"
            "Expected a file written by save()."
        ) from error
    return metadata, tensors


def packed(tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> bytes:
    """Return the content of a safetensors file, the same bytes for the same parts.

    The package writes the metadata in an order that changes from call to call.
    """
    from safetensors.numpy import save

    content = save(tensors, metadata)
    end = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
    header = json.loads(content[_LENGTH:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    # Tensors begin at whole multiples of their numbers' sizes.
    text += b" " * (-len(text) % _LENGTH)
    return len(text).to_bytes(_LENGTH, "little") + text + content[end:]


def write_whole(path: Path, content: bytes, temporary: Path) -> None:
    """Write to a temporary file, then put it in the destination's place in one step.

    What was there stays whole until then, and stays where writing fails.
    """
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    # The new name must reach the disk as well; not every system lets folders be opened for that.
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
