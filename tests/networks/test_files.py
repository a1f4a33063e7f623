"""Model files: what is written comes back; what is damaged or hostile is refused."""

import contextlib
import errno
import json
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from chainrule.networks import (
    ModelFileError,
    UnwritableFileError,
    load_network,
    network,
    propagate,
    save_network,
)


@pytest.fixture
def net():
    return network((3, 4, 2), ("where(z > 0, z, 0.3*z)", "identity"), "half_squared_error", rng=0)


@pytest.fixture
def path(tmp_path, net):
    save_network(net, tmp_path / "model.safetensors", {"note": [1, None, "é"]})
    return tmp_path / "model.safetensors"


def _contents(net):
    metadata = {
        "format": "chainrule.network",
        "version": "1",
        "network": json.dumps(
            {
                "sizes": [3, 4, 2],
                "dtype": "float64",
                "activations": [{"formula": "z", "parameters": {}, "name": ""}] * 2,
                "cost": {"formula": "sum((a - y)**2)", "parameters": {}, "name": ""},
            }
        ),
        "extra": "{}",
    }
    tensors = {
        f"{kind}.{layer}": np.ascontiguousarray(values)
        for kind, listed in (("weights", net.weights), ("biases", net.biases))
        for layer, values in enumerate(listed)
    }
    return metadata, tensors


def _with(metadata, **changes):
    return metadata | {"network": json.dumps(json.loads(metadata["network"]) | changes)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "hidden", ["relu", "leaky_relu", "softmax", "z/(1 + exp(-1.702*z))", "2**-z - 1/3"]
)
def test_network_comes_back_bit_for_bit(tmp_path, dtype, hidden):
    """Formulas, parameters of formulas, sizes, dtype and every weight survive."""
    net = network((3, 5, 2), (hidden, "softmax"), "categorical_cross_entropy", dtype=dtype, rng=0)
    save_network(net, tmp_path / "m", {"a": {"b": 1.5}})
    back, extra = load_network(tmp_path / "m")
    assert extra == {"a": {"b": 1.5}}
    assert (back.sizes, back.activations, back.cost) == (net.sizes, net.activations, net.cost)
    assert [formula.name for formula in back.activations] == [f.name for f in net.activations]
    assert back.dtype == net.dtype
    np.testing.assert_array_equal(back.parameters, net.parameters)
    X = np.random.default_rng(1).standard_normal((4, 3))
    np.testing.assert_array_equal(propagate(back, X), propagate(net, X))


def test_the_same_network_is_the_same_file(tmp_path, net):
    """Byte for byte, so that files can be told apart by their digests; others read it too."""
    extra = {"note": "\x7f\x00\\ \u2028 é 😀", "more": list(range(99))}
    for name in range(12):
        save_network(net, tmp_path / str(name), extra)
    contents = {(tmp_path / str(name)).read_bytes() for name in range(12)}
    assert len(contents) == 1
    assert load_network(tmp_path / "0")[1] == extra
    np.testing.assert_array_equal(load_file(tmp_path / "0")["weights.0"], net.weights[0])


def test_handmade_file_is_read(tmp_path, net):
    """The format is plain enough to be written by others."""
    metadata, tensors = _contents(net)
    save_file(tensors, tmp_path / "m", metadata)
    back, _ = load_network(tmp_path / "m")
    np.testing.assert_array_equal(back.parameters, net.parameters)


def test_truncated_files_are_refused(path):
    """No prefix of a model is a model."""
    content = path.read_bytes()
    for length in [0, 1, 7, 8, 9, 100, len(content) // 2, len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError):
            load_network(path)


@pytest.mark.parametrize("mask", [0x01, 0x55, 0x80])
def test_flipped_bytes_are_noticed(path, mask):
    """No damage makes another model of a file: it is refused, or reads as what was saved."""
    saved, extra = load_network(path)
    content = path.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= mask
        path.write_bytes(damaged)
        with contextlib.suppress(ModelFileError):
            back, note = load_network(path)
            assert back.parameters.tobytes() == saved.parameters.tobytes()
            assert (back.activations, back.cost, note) == (saved.activations, saved.cost, extra)


def test_a_checksum_that_does_not_match_says_so(path):
    """One bit of one weight is another network; the error tells that the file is damaged."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="checksum does not match"):
        load_network(path)


@pytest.mark.parametrize(
    "content", [b"not a model", b"PK\x03\x04", pickle.dumps([1]), b"\xff" * 64]
)
def test_foreign_files_are_refused(path, content):
    """Text, archives and pickles are named for what they are not."""
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="not a model file"):
        load_network(path)


def test_other_safetensors_files_are_refused(tmp_path):
    """A safetensors file of another program is not a model."""
    save_file({"weights.0": np.zeros((2, 2))}, tmp_path / "m")
    with pytest.raises(ModelFileError, match="not a model of this package"):
        load_network(tmp_path / "m")


def test_newer_versions_are_refused(tmp_path, net):
    """A format of the future asks for an update."""
    metadata, tensors = _contents(net)
    save_file(tensors, tmp_path / "m", metadata | {"version": "3"})
    with pytest.raises(ModelFileError, match="Update chainrule"):
        load_network(tmp_path / "m")


def _formula(text, **parameters):
    return {"formula": text, "parameters": parameters, "name": ""}


@pytest.mark.parametrize(
    "changes",
    [
        {"activations": [_formula("__import__('os').system('true')"), _formula("z")]},
        {"activations": [_formula("z.__class__"), _formula("z")]},
        {"activations": [_formula("9**9**9**9*z"), _formula("z")]},
        {"activations": [_formula("(" * 100_000 + "z" + ")" * 100_000), _formula("z")]},
        {"activations": [_formula("alpha*z"), _formula("z")]},
        {"activations": [_formula("alpha*z", alpha=float("nan")), _formula("z")]},
        {"activations": [_formula("alpha*z", alpha="1"), _formula("z")]},
        {"activations": [_formula("z")]},
        {"activations": [_formula("z"), {"formula": "z"}]},
        {"activations": ["z", "z"]},
        {"activations": {"0": "z"}},
        {"activations": [_formula("z"), _formula("z") | {"name": "x" * 1000}]},
        {"activations": [_formula("z"), _formula("z") | {"name": "\x1b[2J"}]},
        {"cost": _formula("sum(z)")},
        {"cost": None},
        {"sizes": [3, 4, 3]},
        {"sizes": [3, 4, -2]},
        {"sizes": [3, 4, 2.0]},
        {"sizes": [3, True, 2]},
        {"sizes": [3, 10**30, 2]},
        {"sizes": [1] * 100_000},
        {"sizes": "342"},
        {"dtype": "float32"},
        {"dtype": "object"},
        {"dtype": ["float64"]},
    ],
)
def test_hostile_descriptions_are_refused(tmp_path, net, changes):
    """Formulas are parsed by the whitelist; sizes, shapes and types are checked."""
    metadata, tensors = _contents(net)
    save_file(tensors, tmp_path / "m", _with(metadata, **changes))
    with pytest.raises(ModelFileError, match="is damaged"):
        load_network(tmp_path / "m")


@pytest.mark.parametrize(
    "changes",
    [
        {"network": "{"},
        {"network": "[]"},
        {"network": "{}"},
        {"network": "[" * 100_000},
        {"extra": "[]"},
        {"extra": "nan"},
    ],
)
def test_broken_metadata_are_refused(tmp_path, net, changes):
    """What is not a JSON object is damage."""
    metadata, tensors = _contents(net)
    save_file(tensors, tmp_path / "m", metadata | changes)
    with pytest.raises(ModelFileError, match="is damaged"):
        load_network(tmp_path / "m")


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("biases.1"),
        lambda tensors: tensors.update({"weights.9": np.zeros(2)}),
        lambda tensors: tensors.update({"biases.0": np.zeros(5)}),
        lambda tensors: tensors.update({"biases.0": np.full(4, np.nan)}),
        lambda tensors: tensors.update({"biases.0": np.zeros(4, np.float32)}),
        lambda tensors: tensors.update({"weights.0": np.zeros((4, 3))}),
    ],
)
def test_tensors_that_contradict_the_sizes_are_refused(tmp_path, net, change):
    """Missing, spare, misshapen and non-finite tensors are damage."""
    metadata, tensors = _contents(net)
    change(tensors)
    save_file(tensors, tmp_path / "m", metadata)
    with pytest.raises(ModelFileError, match="is damaged"):
        load_network(tmp_path / "m")


def test_missing_file_and_folder(tmp_path):
    """The two ordinary mistakes have their own messages."""
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_network(tmp_path / "absent")
    with pytest.raises(ModelFileError, match="is a folder"):
        load_network(tmp_path)


@pytest.mark.parametrize("given", ["", ".", "absent/model", "folder"])
def test_paths_that_are_none_of_a_file(tmp_path, net, monkeypatch, given):
    """The error names the path and what is wrong; it is an OSError too, and travels by pickle."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnwritableFileError, match=re.escape(f"file {given!r} cannot be")) as caught:
        save_network(net, given)
    assert isinstance(caught.value, OSError)
    assert caught.value.filename == given
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_with_the_path(tmp_path, net, monkeypatch):
    """What the system says is kept."""
    monkeypatch.setattr(Path, "open", lambda path, mode: open("/dev/full", mode))  # noqa: SIM115
    with pytest.raises(UnwritableFileError, match="No space left") as caught:
        save_network(net, tmp_path / "model")
    assert caught.value.errno == errno.ENOSPC


def test_failed_write_leaves_the_old_file(path, net, monkeypatch):
    """A file is replaced as a whole or not at all, and nothing is left behind."""
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UnwritableFileError, match="cannot be written: disk full"):
        save_network(net, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
