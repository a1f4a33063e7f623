"""Arrays of any layout, on one thread and on several: the result does not depend on either."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule
from chainrule.kernels import _arrays
from chainrule.kernels.running import _workers

SIGMOID = chainrule.activation("1/(1 + exp(-z))")
SOFTMAX = chainrule.activation("exp(z)/sum(exp(z))")
MANY = 300_000  # float32 that workers are woken for


def sigmoid(z: np.ndarray) -> np.ndarray:
    return (1 / (1 + np.exp(-z.astype(np.float64)))).astype(z.dtype)


def softmax(z: np.ndarray, axis: int) -> np.ndarray:
    e = np.exp(z.astype(np.float64) - z.max(axis=axis, keepdims=True))
    return (e / e.sum(axis=axis, keepdims=True)).astype(z.dtype)


@st.composite
def views(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Draw a view and an output of its shape, both laid out anyhow."""
    rank = draw(st.integers(1, 4))
    dtype = draw(st.sampled_from([np.float32, np.float64]))

    def laid_out(shape: tuple[int, ...]) -> np.ndarray:
        order = draw(st.permutations(range(rank)))
        steps = [draw(st.sampled_from([1, 2, 3, -1, -2])) for _ in range(rank)]
        whole = np.zeros([shape[d] * abs(steps[d]) for d in order], dtype).transpose(
            np.argsort(order)
        )
        cut = whole[tuple(slice(None, None, s) for s in steps)]
        return cut[tuple(slice(0, n) for n in shape)]

    shape = tuple(draw(st.integers(1, 9)) for _ in range(rank))
    z = laid_out(shape)
    z[...] = np.random.default_rng(draw(st.integers(0, 99))).normal(size=shape) * 4
    return z, laid_out(shape)


@given(views(), st.data())
@settings(max_examples=150, deadline=None)
def test_any_view_gives_what_its_copy_gives(pair: tuple[np.ndarray, np.ndarray], data):
    """Strided, transposed and reversed arrays, as input and as output, along any axis."""
    z, out = pair
    SIGMOID(z, out=out)
    np.testing.assert_array_equal(out, SIGMOID(z.copy()))
    axis = data.draw(st.integers(-z.ndim, z.ndim - 1))
    SOFTMAX(z, axis=axis, out=out)
    np.testing.assert_allclose(out, softmax(z, axis), rtol=4 * np.finfo(z.dtype).eps)


@pytest.fixture(params=[1, 1 << 60], ids=["shared", "alone"])
def shared(request):
    """Make calls with workers, and without."""
    _workers.pool.help_from(request.param, request.param)
    yield
    _workers.pool.help_from()


@pytest.mark.usefixtures("shared")
def test_large_views_are_right_on_one_thread_and_on_several():
    """Rows longer and shorter than a tile, contiguous or not."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 5000)).astype(np.float32)
    for view in (z, z.T, z[:, ::2], z[::-1, 5:4000], z[:, :3], np.asfortranarray(z)):
        np.testing.assert_allclose(SIGMOID(view), sigmoid(view), rtol=3e-7)
    for axis in (0, 1):
        np.testing.assert_allclose(SOFTMAX(z, axis=axis), softmax(z, axis), rtol=3e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_does_not_matter_where_in_a_cache_line_an_array_begins(dtype):
    """All elements are computed, none beside them, wherever inputs and outputs begin and end."""
    item = np.dtype(dtype).itemsize
    lengths = (8191, 8192, 8193, 8255, 300_003)  # the last one is shared among threads
    z, da = np.random.default_rng(0).normal(size=(2, max(lengths))).astype(dtype)
    pieces = [slice(k, k + 50) for k in range(0, max(lengths), 50)]
    values = np.concatenate([SIGMOID(z[piece]) for piece in pieces])
    products = np.concatenate([SIGMOID.backward(da[piece], z[piece]) for piece in pieces])

    def placed(count: int, offset: int, filling: float | np.ndarray = 7.0) -> np.ndarray:
        whole = np.full(count + 256, 7.0, dtype)
        start = 64 + (-whole.ctypes.data % 64) // item + offset
        whole[start : start + count] = filling
        return whole[start : start + count]

    for count, offset in itertools.product(lengths, range(64 // item)):
        out, slope = placed(count, offset), placed(count, offset // 2)
        at, by = placed(count, 3, z[:count]), placed(count, offset // 3, da[:count])
        SIGMOID(at, out=out)
        np.testing.assert_array_equal(out, values[:count])
        SIGMOID.backward(by, at, out=out)
        np.testing.assert_array_equal(out, products[:count])
        SIGMOID.forward_with_slope(at, out=out, slope_out=slope)
        np.testing.assert_array_equal(out, values[:count])
        for view in (out, slope):
            view[:] = 7.0
            np.testing.assert_array_equal(view.base, 7.0)


def test_in_place_and_overlapping_results_are_those_of_a_copy():
    """The same elements need no copy; shifted ones get one."""
    z = np.random.default_rng(1).normal(size=MANY)
    wanted = SIGMOID(z)
    shifted = np.concatenate([z, [0.0]])
    SIGMOID(shifted[:-1], out=shifted[1:])
    np.testing.assert_array_equal(shifted[1:], wanted)
    assert SIGMOID(z, out=z) is z
    np.testing.assert_array_equal(z, wanted)


def test_an_array_and_its_transpose_are_two_operands():
    """They begin at the same place in memory."""
    z = np.random.default_rng(1).normal(size=(9, 9))
    np.testing.assert_array_equal(SIGMOID.backward(z.T, z), SIGMOID.backward(z.T.copy(), z))
    np.testing.assert_array_equal(SIGMOID.backward(z, z.T), SIGMOID.backward(z, z.T.copy()))
    wanted = SIGMOID(z)
    np.testing.assert_array_equal(SIGMOID(z.T, out=z), wanted.T)


def test_nothing_of_the_arrays_size_is_copied(monkeypatch):
    """Where arrays do not overlap, no copy is asked of NumPy."""
    z = np.random.default_rng(1).normal(size=(600, 700))[:, ::2].T
    out = np.empty((350, 1200))[:, ::2]
    from chainrule.kernels import _arrays

    def refuse(*arguments, **keywords):
        raise AssertionError("a copy")

    SIGMOID(z, out=out)  # compiled before anything is refused
    SOFTMAX(z, axis=0, out=out)
    monkeypatch.setattr(_arrays.np, "array", refuse)
    monkeypatch.setattr(_arrays.np, "empty_like", refuse)
    SIGMOID(z, out=out)
    SOFTMAX(z, axis=0, out=out)


def test_many_threads_may_call_at_once():
    """One call has the workers, the others go on alone."""
    z = np.random.default_rng(2).normal(size=MANY).astype(np.float32)
    wanted = SIGMOID(z)
    with ThreadPoolExecutor(8) as executor:
        results = list(executor.map(lambda _: SIGMOID(z), range(64)))
    assert all(np.array_equal(result, wanted) for result in results)


def test_workers_stop_and_start_again():
    """They are started by the first call that is large enough."""
    z = np.random.default_rng(3).normal(size=MANY).astype(np.float32)
    wanted = SIGMOID(z)
    _workers.pool.stop()
    assert not _workers.pool.threads
    np.testing.assert_array_equal(SIGMOID(z), wanted)
    assert len(_workers.pool.threads) == _workers.pool.wanted


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_starts_workers_of_its_own():
    """The parent's threads are not there; a large call must not wait for them."""
    z = np.random.default_rng(4).normal(size=MANY).astype(np.float32)
    wanted = SIGMOID(z)
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=lambda: there.send(np.array_equal(SIGMOID(z), wanted)))
    process.start()
    assert here.poll(60)
    assert here.recv()
    process.join(60)
    assert process.exitcode == 0


def test_a_process_ends_while_workers_wait():
    """Nothing crashes or hangs at the end."""
    code = (
        "import numpy as np, chainrule\n"
        "z = np.zeros(10**6, np.float32)\n"
        "print(chainrule.activation('1/(1 + exp(-z))')(z)[0])\n"
    )
    environment = {**os.environ, "CHAINRULE_THREADS": "4"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0.5\n", "")


MANY_WORKERS = """
import random, threading, time
import numpy as np, chainrule
from chainrule.kernels.running import _workers

_workers.pool.help_from(1000, 40_000)
f = chainrule.activation("sin(z) + cos(3*z)/(1 + exp(-z))")
whole = np.random.default_rng(0).normal(size=200_000)
wanted = np.sin(whole) + np.cos(3 * whole) / (1 + np.exp(-whole))

def calls(seed):
    choice = random.Random(seed)
    for _ in range(1000):
        size = int(10 ** choice.uniform(1, 5.3))
        out = np.full(size, np.nan)
        f(whole[:size], out=out)
        assert not np.isnan(out).any(), size
        assert np.allclose(out, wanted[:size], rtol=1e-12, atol=1e-12), size
        if choice.random() < 0.1:
            time.sleep(choice.choice([0.0, 1e-4, 1e-3]))
    done.append(seed)

done = []
for first in (0, 1, 3):
    threads = [threading.Thread(target=calls, args=(seed,)) for seed in range(first, first + 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _workers.pool.stop()
print(sorted(done), len(_workers.pool.threads))
"""


def test_more_workers_than_processors_leave_nothing_undone():
    """They come late, sleep, are woken by one another, and are stopped and started."""
    done = subprocess.run(
        [sys.executable, "-c", MANY_WORKERS],
        env={**os.environ, "CHAINRULE_THREADS": "8"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[0, 1, 1, 2, 3, 4] 0\n", "")


def test_the_interpreter_lock_is_released():
    """Another thread runs Python while a large call is under way."""
    z = np.zeros(40_000_000, np.float32)
    out = np.empty_like(z)
    SIGMOID(z[:10])
    ticks = 0
    over = threading.Event()

    def count() -> None:
        nonlocal ticks
        while not over.is_set():
            ticks += 1

    thread = threading.Thread(target=count)
    thread.start()
    before = ticks
    SIGMOID(z, out=out)
    during = ticks - before
    over.set()
    thread.join()
    assert during > 1000


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_that_were_pickled_are_taken(dtype):
    """Their type is equal to NumPy's own and another object, alone and beside others."""
    z = np.linspace(-3, 3, 7).astype(dtype)
    again = pickle.loads(pickle.dumps(z))
    other = np.ndarray(z.shape, np.dtype(dtype).newbyteorder("S").newbyteorder("S"), z.tobytes())
    for array in (again, other):
        np.testing.assert_array_equal(SIGMOID(array), SIGMOID(z))
        np.testing.assert_array_equal(SIGMOID.backward(z, array), SIGMOID.backward(z, z))
        out = np.zeros_like(array)
        np.testing.assert_array_equal(SIGMOID(z, out=out), SIGMOID(z))


@pytest.mark.parametrize("out", [[0.0, 0.0], "text", 1.5, object(), np.float32(1.0), (1, 2)])
def test_what_is_no_array_is_refused_before_it_is_read(out):
    """Its memory is not looked at as if it were one."""
    z = np.zeros(2)
    for call in (SIGMOID, lambda z, out: SIGMOID.backward(z, z, out=out),
                 lambda z, out: SIGMOID.backward_from_output(z, z, out=out)):  # fmt: skip
        with pytest.raises(chainrule.kernels.ArrayError, match="out must be a NumPy array"):
            call(z, out=out)


def test_a_call_without_memory_for_its_tiles_says_so(monkeypatch):
    """The result is not complete then, and is not returned."""
    without = _arrays.NO_MEMORY
    monkeypatch.setattr(_arrays, "apply_directly", lambda *_: without)
    with pytest.raises(MemoryError, match="tiles"):
        SIGMOID(np.zeros((3, 4)).T)
