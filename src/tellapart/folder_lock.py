"""Whether the process that works on a folder is still there.

The operating system takes a lock away when the process that holds it ends, in whatever way: a
process number would be given to another one, and means nothing in another container.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def lock_folder(folder: Path, *, shared: bool = False) -> int | None:
    """Locks a folder until the file descriptor that is returned is closed.

    None where folders cannot be locked: on Windows, and on some network disks.

    Raises:
        BlockingIOError: somebody else has locked it.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    descriptor = None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if descriptor is not None:
            os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return descriptor


def is_locked(folder: Path) -> bool | None:
    """Whether a process holds the lock of a folder; None where folders cannot be locked."""
    try:
        lock = lock_folder(folder, shared=True)  # those who only look do not see each other
    except BlockingIOError:
        return True
    if lock is None:
        return None
    os.close(lock)
    return False
