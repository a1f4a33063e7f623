"""Bounds in time for simplifications: what is cut short is shown unsimplified, and still right.

What counts is the work of the thread, so that neither a busy machine nor a slow one changes a
result. Limits are given in seconds of a usual machine.
"""

from __future__ import annotations

import _thread
import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import mpmath

from chainrule.derivations.limits_in_time._clock import (
    WorkClock,
    renew_speed,
    undisturbed,
    work_clock,
)

_AGAIN = 0.05  # seconds after which a limit that was swallowed is raised again
_GRACE = 0.3  # seconds for what is no simplification, after the budget of those is spent
_T = TypeVar("_T")
_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


class TimeLimitError(Exception):
    """A simplification took longer than it may."""


@contextmanager
def time_budget(seconds: float) -> Iterator[None]:
    """Bound the simplifications inside taken together; each has its own limit besides."""
    token = _deadline.set(min(_deadline.get(), work_clock().now() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def time_left() -> float:
    """Return the seconds that are left of the budget, which may be infinite."""
    return _deadline.get() - work_clock().now()


def is_time_up() -> bool:
    """Tell whether the budget is spent."""
    return time_left() <= 0


def in_time(seconds: float, work: Callable[[], _T]) -> _T:
    """Return the result of work whose simplifications are bounded in time taken together.

    Should it run on all the same, it is done once more without any simplification: every
    `time_limit` inside refuses to begin, and what remains is short.
    """
    try:
        with time_limit(seconds + _GRACE), time_budget(seconds):
            return work()
    except TimeLimitError:
        with time_budget(0.0):
            return work()


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Bound one simplification, by its own limit and by what is left of the budget.

    Works on every thread: another one watches, and raises the error in this one.

    Raises
    ------
    TimeLimitError
        Inside the block, when the time is up.
    """
    clock = work_clock()
    now = clock.now()
    deadline = min(_deadline.get(), now + seconds)
    if deadline <= now:
        raise TimeLimitError
    watch = _Watch(clock, deadline)
    precisions = [(context, context.prec) for context in (mpmath.mp, mpmath.iv)]
    previous_hook, sys.unraisablehook = sys.unraisablehook, watch.ignore
    watch.previous_hook = previous_hook
    # What is done inside after the time is up was cut short, also where it ends in good order.
    token = _deadline.set(deadline)
    try:
        watch.start()
        yield
    except Exception as error:
        # Where a library swallows the interruption, it fails in a way of its own.
        if watch.has_interrupted and not isinstance(error, TimeLimitError):
            raise TimeLimitError from error
        raise
    finally:
        watch.end()
        _deadline.reset(token)
        if watch.has_interrupted:
            # It may have struck just where a precision was to be put back.
            for context, precision in precisions:
                context.prec = precision
        sys.unraisablehook = previous_hook


class _Watch:
    """Looks at the clock of the thread that made it, and interrupts that thread."""

    def __init__(self, clock: WorkClock, deadline: float) -> None:
        self.clock = clock
        self.deadline = deadline
        self.thread = ctypes.c_ulong(threading.get_ident())
        self.began = _thread.allocate_lock()
        self.began.acquire()
        self.over = False
        self.has_interrupted = False
        self.previous_hook: Callable[[Any], Any] = sys.unraisablehook

    def start(self) -> None:
        """Start the thread that watches, and wait until it runs."""
        # Until then it counts as the thread that starts it, and an interruption of that one would
        # end it. Without threading.Thread, whose locks an interruption could leave taken.
        with undisturbed():
            _take_interruption()
            _thread.start_new_thread(self.run, ())
            self.began.acquire()

    def run(self) -> None:
        """Wait until the time is up, then raise until the block is left."""
        self.began.release()
        while not self.over:
            time.sleep(min(self.left() or _AGAIN, _AGAIN))
            renew_speed()
            with undisturbed():
                if not self.over and not self.left():
                    self.has_interrupted = True
                    _raise_in(self.thread, TimeLimitError)

    def left(self) -> float:
        """Return the seconds that are left, at least as many as it pays to wait, or 0."""
        try:
            left = self.deadline - self.clock.now()
        except OSError:  # the thread has ended, and its clock with it
            return 0.0
        return max(left, _AGAIN / 10) if left > 0 else 0.0

    def end(self) -> None:
        """Stop watching; an interruption that is still under way is taken here."""
        while not self.over:
            try:
                with undisturbed():
                    self.over = True
            except TimeLimitError:
                continue
        if not self.has_interrupted:
            return
        # Calling it off instead would leave the interpreter looking for it ever after: that
        # slows all that follows down, and never ends under a profiler.
        try:
            while True:  # once does, unless a callback of the garbage collector swallows it
                _raise_in(self.thread, TimeLimitError)
        except TimeLimitError:
            return

    def ignore(self, unraisable: Any) -> None:
        """Say nothing of a limit raised inside a destructor: it is lost there, the next is not."""
        if not isinstance(unraisable.exc_value, TimeLimitError):
            self.previous_hook(unraisable)


def _take_interruption() -> None:
    """Do nothing: an interruption that is under way strikes at the call."""


def _raise_in(thread: ctypes.c_ulong, error: type[Exception]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(error))
