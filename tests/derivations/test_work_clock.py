"""Work is counted in seconds of a usual machine: a slow machine changes no result."""

import gc
import os
import threading
import time
import warnings

import pytest

from chainrule.catalogue import activation_formula
from chainrule.derivations import derive, is_time_up, time_budget
from chainrule.derivations.limits_in_time import _clock as _work_clock
from chainrule.derivations.limits_in_time._remembered import forget
from chainrule.formulas import parse
from chainrule.portraits import portrait

SLOWER = 5.0


class SlowTime:
    """The time of a machine that is slower, as the clocks of the processor show it."""

    def __getattr__(self, name):
        return getattr(time, name)

    def perf_counter(self):
        return SLOWER * time.perf_counter()

    def clock_gettime(self, clock):
        return SLOWER * time.clock_gettime(clock)


@pytest.fixture
def slow_machine(monkeypatch):
    monkeypatch.setattr(_work_clock, "time", SlowTime())
    _work_clock._begin_anew()
    yield
    _work_clock._begin_anew()


def run_for(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def told(formula):
    forget()
    derivation = derive(formula)
    further = derivation.hessian, derivation.second, derivation.told_by_output
    return str(derivation), further, str(portrait(formula))


@pytest.mark.parametrize("text", ["sigmoid", "softmax", "where(z > 1, z**1.5 + z, -9)"])
def test_a_slow_machine_finds_the_same(text, request):
    formula = parse(text) if "(" in text else activation_formula(text)
    before = told(formula)
    request.getfixturevalue("slow_machine")
    assert told(formula) == before


def test_what_others_and_waiting_take_is_no_work():
    clock = _work_clock.work_clock()
    began = clock.now()
    other = threading.Thread(target=run_for, args=(0.05,))
    other.start()
    other.join()
    waited = clock.now() - began
    run_for(0.2)
    assert waited < (clock.now() - began) / 4


def test_to_look_through_all_objects_for_garbage_is_no_work():
    """How long that takes depends on what else the process holds."""
    everything = [[k] for k in range(1_000_000)]
    clock = _work_clock.work_clock()
    began, before = time.thread_time(), clock.now()
    gc.collect()
    worked, passed = clock.now() - before, time.thread_time() - began
    run_for(passed)
    assert len(everything) == 1_000_000
    assert worked < (clock.now() - before) / 4


def test_the_clock_of_a_thread_is_read_by_others():
    clocks = []
    ready, done = threading.Event(), threading.Event()

    def work():
        clock = _work_clock.work_clock()
        clocks.append(clock)
        run_for(0.02)
        clocks.append(clock.now())
        ready.set()
        done.wait()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    assert clocks[0].now() >= clocks[1] > 0
    done.set()
    thread.join()


def test_the_time_of_a_budget_is_up_once_it_is_spent():
    assert not is_time_up()
    with time_budget(0.02):
        assert not is_time_up()
        run_for(1.0)
        assert is_time_up()
    assert not is_time_up()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_child_process_has_a_clock_of_its_own():
    _work_clock.work_clock()
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the threads of the test runner are not in the child
        child = os.fork()
    if not child:
        clock = _work_clock.work_clock()
        began = clock.now()
        run_for(0.02)
        os.write(write, b"1" if clock.now() > began else b"0")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(read, 1) == b"1"
