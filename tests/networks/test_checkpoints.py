"""Checkpoints: killed trainings go on bit for bit; what is foreign or damaged is refused."""

import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from chainrule.networks import (
    Adam,
    AdamW,
    Adaptive,
    CheckpointError,
    Cosine,
    DivergenceError,
    GradientDescent,
    Muon,
    NetworkError,
    RMSprop,
    load_checkpoint,
    network,
    propagate,
    save_network,
    train,
)

# Trains in processes that are killed after random times, then to the end; and undisturbed.
_KILLED = """
import os, random, signal, sys, time
import numpy as np
from chainrule.networks import Cosine, network, train

rng = np.random.default_rng(0)
X = rng.standard_normal((300, 4))
Y = np.sin(X @ rng.standard_normal((4, 2)))
net = network((4, 16, 2), ("tanh", "identity"), "half_squared_error", rng=1)

def training(path):
    return train(
        net, X, Y, schedule=Cosine(), alpha=0.01, batch_size=32, dropout=0.1, epochs=80, rng=5,
        tolerance=0.0, patience=200, validation=(X[:50] + 0.1, Y[:50]), restore_best=True,
        checkpoint=path, checkpoint_every=1, callbacks=[lambda epoch: time.sleep(0.003)],
    )

train(net, X, Y, epochs=1)
random.seed(int(sys.argv[2]))
kills = 0
while kills < 10:
    child = os.fork()
    if child == 0:
        training(sys.argv[1])
        os._exit(0)
    time.sleep(random.uniform(0.005, 0.12))
    os.kill(child, signal.SIGKILL)
    if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
        break
    kills += 1
result, whole = training(sys.argv[1]), training(None)
assert np.array_equal(result.network.parameters, whole.network.parameters)
assert np.array_equal(result.state.memory, whole.state.memory)
for name in ("loss_curve", "validation_losses", "learning_rates", "best_epoch"):
    assert getattr(result, name) == getattr(whole, name), name
print(kills)
"""


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 4))
    Y = np.sin(X @ rng.standard_normal((4, 2)))
    net = network((4, 6, 2), ("tanh", "identity"), "half_squared_error", rng=1)
    return net, X, Y, {"batch_size": 16, "epochs": 12, "rng": 3, "tolerance": 0.0}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.checkpoint"


@contextmanager
def _small_files():
    """Let no file of this process grow beyond 100 bytes, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def _interrupt_at(number):
    def callback(epoch):
        if epoch.number == number:
            signal.raise_signal(signal.SIGINT)

    return callback


def _assert_same(result, whole):
    np.testing.assert_array_equal(result.network.parameters, whole.network.parameters)
    np.testing.assert_array_equal(result.network.statistics, whole.network.statistics)
    np.testing.assert_array_equal(result.state.memory, whole.state.memory)
    for name in ("loss_curve", "validation_scores", "learning_rates", "converged", "best_epoch"):
        assert getattr(result, name) == getattr(whole, name), name
    assert (result.state.steps, result.state.watch) == (whole.state.steps, whole.state.watch)


def test_killed_at_random_moments_the_result_is_the_same_bit_for_bit(path):
    """Ten times kill -9, in the middle of steps and of writing."""
    seed = str(int.from_bytes(os.urandom(4), "little"))
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(path), seed], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, (seed, done.stderr)
    assert int(done.stdout) >= 1
    assert sorted(os.listdir(path.parent)) == [path.name]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimiser": GradientDescent(0.05), "schedule": Adaptive(), "tolerance": 0.05,
         "patience": 1},
        {"schedule": Cosine(), "score": lambda net: -abs(net.parameters[0]), "alpha": 0.1},
        {"rng": np.random.MT19937(4), "shuffle": True},
        {"rng": None, "shuffle": False},
        {"sample_weight": np.arange(40) % 3},
        {"optimiser": AdamW(), "dropout": 0.3, "clip_norm": 0.1},
        {"optimiser": Muon(), "dropout": 0.3, "normalisation": "batch",
         "score": lambda net: net.parameters[0]},
        {"optimiser": RMSprop(), "clip_value": 0.1, "normalisation": "batch"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("every", [None, 1, 5])
def test_interrupted_training_goes_on_as_if_nothing_had_been(problem, path, options, every):
    """Everything that an epoch depends on is in the file, with any schedule and generator."""
    _, X, Y, common = problem

    def run(**more):
        arguments = {**common, **options, **more}
        if isinstance(arguments["rng"], np.random.MT19937):
            arguments["rng"] = np.random.Generator(np.random.MT19937(4))
        kind = arguments.pop("normalisation", "")
        start = network(
            (4, 6, 2), ("tanh", "identity"), "half_squared_error", rng=1, normalisation=kind
        )
        return train(start, X, Y, **arguments)

    first = run(checkpoint=path, checkpoint_every=every, callbacks=_interrupt_at(7))
    assert first.interrupted
    assert len(first.loss_curve) == 7
    seen = []
    second = run(checkpoint=path, checkpoint_every=every, callbacks=seen.append)
    _assert_same(second, run())
    # The callback that was interrupted is told again.
    assert [epoch.number for epoch in seen] == list(range(7, len(second.loss_curve) + 1))


def test_finished_training_returns_at_once(problem, path):
    """Nothing is run, and the file stays as it is."""
    net, X, Y, common = problem
    whole = train(net, X, Y, checkpoint=path, **common)
    content = path.read_bytes()
    again = train(net, X, Y, checkpoint=path, callbacks=_interrupt_at(1), **common)
    _assert_same(again, whole)
    assert not again.interrupted
    assert path.read_bytes() == content


def test_orders_and_dropout_that_were_not_seeded_are_kept(problem, path):
    """Without a seed they come from the file: two calls make one training."""
    net, X, Y, common = problem
    options = {**common, "rng": None, "dropout": 0.3}
    train(net, X, Y, checkpoint=path, callbacks=_interrupt_at(6), **options)
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    _assert_same(*(train(net, X, Y, checkpoint=place, **options) for place in (path, copy)))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"alpha": 0.5}, r"alpha: 0.0 there, 0.5 now"),
        ({"epochs": 20}, r"epochs: 12 there, 20 now[^$]*To train longer"),
        ({"optimiser": Adam(0.1)}, r"optimiser: .*0.001.* there, .*0.1.* now"),
        ({"schedule": Cosine()}, r"schedule: 'Constant\(\)' there, 'Cosine"),
        ({"rng": 4}, r"rng: some there, other now"),
        ({"rng": None}, r"rng: some there, none now"),
        ({"sample_weight": np.arange(40)}, r"sample_weight: some there, other now"),
        ({"score": lambda net: 0.0}, r"score: False there, True now"),
        (
            {"validation": (np.ones((1, 4)), np.ones((1, 2)))},
            r"validation: \[\] there.*\n  examples of validation: none there, some now",
        ),
    ],
)
def test_other_arguments_are_named(problem, path, change, named):
    """The error says what differs; the file stays as it is."""
    net, X, Y, common = problem
    train(net, X, Y, checkpoint=path, **common)
    content = path.read_bytes()
    with pytest.raises(CheckpointError, match=named):
        train(net, X, Y, checkpoint=path, **{**common, **change})
    assert path.read_bytes() == content


def test_other_data_and_another_network_are_named(problem, path):
    """One number is enough."""
    net, X, Y, common = problem
    train(net, X, Y, checkpoint=path, **common)
    other = X.copy()
    other[0, 0] += 1e-9
    with pytest.raises(CheckpointError, match=r"arguments:\n  X: some there, other now\n"):
        train(net, other, Y, checkpoint=path, **common)
    unlike = network((4, 6, 2), ("tanh", "identity"), "half_squared_error", rng=2)
    with pytest.raises(CheckpointError, match=r"  parameters: [^$]*need a seed"):
        train(unlike, X, Y, checkpoint=path, **common)
    unlike = network((4, 6, 2), ("relu", "identity"), "half_squared_error", rng=1)
    with pytest.raises(CheckpointError, match=r"  activations: "):
        train(unlike, X, Y, checkpoint=path, **common)


def test_divergence_leaves_the_last_good_epoch_on_disk(problem, path):
    """The file holds the parameters of the error; going on diverges again, at once."""
    _, X, Y, common = problem
    common["optimiser"] = GradientDescent(1.0, momentum=0.999)
    bad = network((4, 6, 2), ("relu", "identity"), "half_squared_error", rng=1)
    errors = []
    for _ in range(2):
        with pytest.raises(DivergenceError, match="Lower the learning rate") as caught:
            train(bad, X * 10, Y, checkpoint=path, checkpoint_every=100, **common)
        errors.append(caught.value)
    kept = load_file(path)
    assert 0 < len(kept["curves"]) < 12
    np.testing.assert_array_equal(load_checkpoint(path).parameters, kept["parameters"])
    for error in errors:
        assert "load_checkpoint" in error.__notes__[0]
        np.testing.assert_array_equal(kept["parameters"], error.network.parameters)
        assert f"epoch {len(kept['curves']) + 1}" in str(error)


def test_errors_of_callbacks_lose_nothing(problem, path):
    """What was trained until a callback failed is on disk."""
    net, X, Y, common = problem

    def fail(epoch):
        if epoch.number == 4:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train(net, X, Y, checkpoint=path, checkpoint_every=100, callbacks=fail, **common)
    assert len(load_file(path)["curves"]) == 4
    _assert_same(train(net, X, Y, checkpoint=path, checkpoint_every=9, **common),
                 train(net, X, Y, **common))  # fmt: skip


def test_full_disk_keeps_the_checkpoint_before_and_what_was_learned(problem, path):
    """Before the start nothing is run; later the error holds the network, the file the rest."""
    net, X, Y, common = problem
    with (
        _small_files(),
        pytest.raises(CheckpointError, match=r"cannot be written.*\n.*Nothing was"),
    ):
        train(net, X, Y, checkpoint=path, **common)
    assert not os.listdir(path.parent)
    seen, limited = [], _small_files()

    def fill(epoch):
        seen.append(epoch)
        if epoch.number == 5:
            limited.__enter__()

    try:
        with pytest.raises(CheckpointError, match="learned in 5 epochs") as caught:
            train(net, X, Y, checkpoint=path, checkpoint_every=1, callbacks=fill, **common)
    finally:
        limited.__exit__(None, None, None)
    np.testing.assert_array_equal(caught.value.network.parameters, seen[4].network.parameters)
    assert os.listdir(path.parent) == [path.name]
    assert len(load_file(path)["curves"]) == 4
    _assert_same(train(net, X, Y, checkpoint=path, **common), train(net, X, Y, **common))


def test_places_that_cannot_be_written_are_refused_before_the_start(problem, path):
    """A folder, and a path in a folder that is not there."""
    net, X, Y, common = problem
    for wrong in (path.parent, path / "deeper"):
        with pytest.raises(CheckpointError, match="Nothing was run"):
            train(net, X, Y, checkpoint=wrong, **common)
    with pytest.raises(NetworkError, match="path of a file"):
        train(net, X, Y, checkpoint="", **common)


def test_network_of_a_checkpoint_is_the_best_or_the_last(problem, path):
    """Formulas, normalised layers and all: it predicts what the result predicts."""
    _, X, Y, common = problem
    net = network(
        (4, 6, 2), ("max(0.1*z, z)", "identity"), "half_squared_error", rng=1, dtype=np.float32,
        normalisation="batch",
    )  # fmt: skip
    for place, options in ((path, {}), (path.with_name("best"), {"score": lambda _: -1.0})):
        result = train(net, X, Y, checkpoint=place, **options, **common)
        kept = load_checkpoint(place)
        np.testing.assert_array_equal(propagate(kept, X), propagate(result.network, X))
        assert kept.activations == net.activations
    with pytest.raises(FileNotFoundError):
        load_checkpoint(path.with_name("none"))


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": "{}"}, {"arguments": "3"}, {"arguments": "["},
        {"arguments": json.dumps({"sizes": [4, 6, 2], "dtype": "float64", "activations": [
            {"formula": "__import__('os')", "parameters": {}, "name": ""}] * 2})},
        {"parameters": np.zeros(3)}, {"parameters": np.full(44, np.inf)},
    ],
)  # fmt: skip
def test_networks_of_hostile_checkpoints_are_refused(problem, path, change):
    """A checksum that is right makes no file trusted."""
    net, X, Y, common = problem
    train(net, X, Y, checkpoint=path, **common)
    _rewritten(path, **change)
    with pytest.raises(CheckpointError, match="Nothing was run"):
        load_checkpoint(path)


def _rewritten(path, **changes):
    """Write the file anew with other metadata, under a checksum that is right."""
    from safetensors import safe_open

    from chainrule.networks.files._checkpoints import _checksum

    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    progress = json.loads(metadata["progress"])
    for name, value in changes.items():
        if name in tensors:
            tensors[name] = value
        elif name in metadata:
            metadata[name] = value
        else:
            progress[name] = value
            metadata["progress"] = json.dumps(progress)
    metadata["checksum"] = _checksum(metadata, tensors)
    save_file(tensors, path, metadata)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "7"},
        {"format": "other"},
        {"arguments": "{"},
        {"arguments": "[1]"},
        {"progress": "[" * 100_000},
        {"progress": "{}"},
        {"progress": "null"},
        {"waited": -1},
        {"waited": "many"},
        {"reductions": 10**30},
        {"best": [0.0]},
        {"generator": {"bit_generator": "PCG64", "state": {"state": -1, "inc": 2}}},
        {"generator": {"bit_generator": "MT19937"}},
        {"generator": 7},
        {"best_epoch": 13},
        {"parameters": np.zeros(3)},
        {"parameters": np.zeros(44, np.float32)},
        {"parameters": np.full(44, np.nan)},
        {"memory": np.zeros((1, 44))},
        {"curves": np.zeros((13, 3))},
        {"curves": np.zeros((2, 4))},
        {"curves": np.zeros(())},
        {"curves": np.zeros((2, 3), np.int64)},
        {"order": np.arange(3)},
        {"order": np.full(40, 2**40)},
        {"order": np.zeros(40, np.int64)},
        {"order": np.arange(40.0)},
    ],
)
def test_hostile_files_are_refused_and_stay(problem, path, change):
    """Whatever a file says, the answer is an error of ours that says what to do."""
    net, X, Y, common = problem
    train(net, X, Y, checkpoint=path, **common)
    _rewritten(path, **change)
    content = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"Nothing was run, and the file is as it was"):
        train(net, X, Y, checkpoint=path, **common)
    assert path.read_bytes() == content


def test_damaged_and_foreign_files_are_refused_and_stay(problem, path):
    """Truncated anywhere, a bit changed, empty, a model, another kind: nothing is overwritten."""
    net, X, Y, common = problem
    train(net, X, Y, checkpoint=path, **common)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-5] ^= 1
    contents = [whole[:length] for length in range(0, len(whole), len(whole) // 25)]
    for content in [*contents, bytes(flipped), b"my thesis"]:
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="move the file away"):
            train(net, X, Y, checkpoint=path, **common)
        with pytest.raises(CheckpointError, match="move the file away"):
            load_checkpoint(path)
        assert path.read_bytes() == content
    save_network(net, path)
    with pytest.raises(CheckpointError, match="of another kind"):
        train(net, X, Y, checkpoint=path, **common)


def test_state_is_part_of_the_arguments(problem, path):
    """A training that goes on with a state has its own checkpoints."""
    net, X, Y, common = problem
    first = train(net, X, Y, **common)
    options = {**common, "rng": None, "state": first.state}
    train(first.network, X, Y, checkpoint=path, callbacks=_interrupt_at(4), **options)
    _assert_same(train(first.network, X, Y, checkpoint=path, **options),
                 train(first.network, X, Y, **options))  # fmt: skip
    with pytest.raises(CheckpointError, match="state: some there, none now"):
        train(first.network, X, Y, checkpoint=path, **{**options, "state": None})


def test_two_trainings_cannot_share_a_checkpoint(problem, path):
    """The second is refused while the first is at it; that goes on, and leaves nothing behind."""
    net, X, Y, _ = problem
    refused = []

    def again(epoch):
        with pytest.raises(CheckpointError, match="another training is using"):
            train(net, X, Y, epochs=4, rng=0, checkpoint=path)
        refused.append(epoch.number)

    result = train(net, X, Y, epochs=3, rng=0, checkpoint=path, callbacks=[again])
    assert refused == [1, 2, 3]
    assert os.listdir(path.parent) == [path.name]
    alone = train(net, X, Y, epochs=3, rng=0)
    np.testing.assert_array_equal(result.network.parameters, alone.network.parameters)


_HOLDS = """
import fcntl, os, sys, time
fcntl.flock(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


def test_locks_end_with_the_process_that_held_them(problem, path):
    """Killed, it leaves a file, but no lock; while it lives, others are refused."""
    net, X, Y, _ = problem
    lock = path.with_name(f".{path.name}.lock")
    holder = subprocess.Popen(
        [sys.executable, "-S", "-c", _HOLDS, lock], stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CheckpointError, match="another training is using"):
            train(net, X, Y, epochs=1, rng=0, checkpoint=path)
        assert not path.exists()
        holder.kill()
    assert lock.exists()
    assert len(train(net, X, Y, epochs=2, rng=0, checkpoint=path).loss_curve) == 2
    assert os.listdir(path.parent) == [path.name]
