"""Locks on local files and folders that the death of their holder releases."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock of a file or folder for the time of the block, wherever it is moved; wait for it first."""
    handle = os.open(path, os.O_RDONLY)
    try:
        # Some network file systems have no locks; there only age tells what a killed run left.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Say whether a live process holds the lock, as far as can be told. Raises FileNotFoundError for no such path."""
    handle = os.open(path, os.O_RDONLY)
    try:
        # Shared: two who look at once do not take each other for the holder.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(handle)
