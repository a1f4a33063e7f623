"""Bounds in time for simplifications: what is cut short is shown unsimplified, and still right."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_AGAIN = 0.05  # seconds after which a limit that was swallowed is raised again
_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


class TimeLimitError(Exception):
    """A simplification took longer than it may."""


@contextmanager
def time_budget(seconds: float) -> Iterator[None]:
    """Bound the simplifications inside taken together; each has its own limit besides."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Bound one simplification, by its own limit and by what is left of the budget.

    Off the main thread, where no timer can be set, only a spent budget stops it.

    Raises
    ------
    TimeLimitError
        Inside the block, when the time is up.
    """
    seconds = min(seconds, _deadline.get() - time.monotonic())
    if seconds <= 0:
        raise TimeLimitError
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return

    running = True

    def stop(signum: int, frame: Any) -> None:
        if running:
            raise TimeLimitError

    def ignore(unraisable: Any) -> None:
        # Raised inside a destructor it is lost, with a message; the next one will not be.
        if not isinstance(unraisable.exc_value, TimeLimitError):
            previous_hook(unraisable)

    previous_hook, sys.unraisablehook = sys.unraisablehook, ignore
    previous_handler = signal.signal(signal.SIGALRM, stop)
    previous_timer, started = (0.0, 0.0), time.monotonic()
    try:
        previous_timer = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
        yield
    finally:
        # A signal that arrives from here on finds nothing to stop and is let pass.
        running = False
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous_handler)
        sys.unraisablehook = previous_hook
        delay, again = previous_timer
        if delay:
            left = max(delay - (time.monotonic() - started), 1e-6)
            signal.setitimer(signal.ITIMER_REAL, left, again)
