"""Files that one process at a time may use; who is killed leaves no lock behind."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_TAKEN = {errno.EAGAIN, errno.EACCES}


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Tell whether nobody else uses a file, and keep others from it until the end.

    The operating system ends a lock with its holder. It lies on a file beside, because checkpoints
    are replaced as a whole. Where none can be written, or the file system has no locks, nobody can
    tell, and that counts as being alone.
    """
    beside = path.with_name(f".{path.name}.lock")
    try:
        descriptor = _locked(beside)
    except OSError as error:
        yield error.errno not in _TAKEN or not beside.exists()
        return
    try:
        yield True
    finally:
        with suppress(OSError):  # not every system removes what is open; an empty file stays then
            beside.unlink()
        os.close(descriptor)


def _locked(beside: Path) -> int:
    """Return the descriptor of a file that is locked, and still the one of that name."""
    while True:
        descriptor = os.open(beside, os.O_RDONLY | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
            if os.path.samestat(os.fstat(descriptor), beside.stat()):
                return descriptor
        except FileNotFoundError:
            pass  # its last holder has removed it in between
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
