"""Interrupts that Python could not pass on.

Where Ctrl-C arrives while a weak reference's callback or a finaliser runs, Python prints the
KeyboardInterrupt, and goes on as if nobody had asked.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def lost_interrupts() -> Iterator[Callable[[], None]]:
    """Give what raises a KeyboardInterrupt that was lost since.

    Signals are handled by the main thread alone, so that in other threads there is none to lose.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    lost: list[type[BaseException]] = []
    before = sys.unraisablehook

    def keep(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            lost.append(unraisable.exc_type)
        else:
            before(unraisable)

    def raise_again() -> None:
        if lost:
            raise lost.pop()

    sys.unraisablehook = keep
    try:
        yield raise_again
    finally:
        sys.unraisablehook = before
