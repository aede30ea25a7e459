"""Putting a file where nothing is, or not at all: never over another one.

A test and a rename are two steps, and between them somebody else may make a file. These are one
step: the system itself refuses to replace.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tellapart.collection.content import digest_file, digest_stream, forget_cached, open_quietly

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1  # linux/fs.h
_RENAME_EXCL = 4  # sys/stdio.h of macOS

_NOT_OFFERED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


def rename_exclusive(source: Path, target: Path) -> None:
    """Renames a file unless there is something of the new name, in one step.

    Where the file system does not offer it, the file gets the new name as a second one (a hard
    link, which never replaces either) and then loses the old one.

    Raises:
        FileExistsError: there is something of that name.
        OSError: with `errno.EXDEV` where both are not on one file system.
    """
    try:
        _rename(source, target)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise
        os.link(source, target)
        source.unlink()


def copy_to_new(source: Path, target: Path, *, mode: int, times_ns: tuple[int, int]) -> bytes:
    """Copies a regular file to a name that is free, and proves that both are the same.

    It is written, brought to the disk, read again from there and compared; then it gets its
    extended attributes (as far as the disk takes them), permissions and times.

    Args:
        source: a regular file; its access time is left alone.
        target: made here, and removed again if anything fails.
        mode: the permissions.
        times_ns: of the last access and the last change, in nanoseconds.

    Returns:
        The digest of the content.

    Raises:
        FileExistsError: there is something of that name.
        OSError: something could not be read or written.
    """
    with open_quietly(source) as reading:
        descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _BINARY, 0o600)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as writing:
                digest = digest_stream(reading, lambda chunk: _write_all(writing, chunk))
                os.fsync(writing.fileno())
                forget_cached(writing)
            _require_digest(target, digest)
            for keep in (shutil.copystat, lambda _, to: to.chmod(stat.S_IMODE(mode))):
                with contextlib.suppress(OSError):  # a camera's disk knows neither
                    keep(source, target)
            os.utime(target, ns=times_ns)
            fsync(target)
        except BaseException:
            with contextlib.suppress(OSError):
                target.unlink()
            raise
    return digest


def _require_digest(path: Path, digest: bytes) -> None:
    if digest_file(path) != digest:
        raise OSError(errno.EIO, "what was read back is not what was written")


def fsync(path: Path) -> None:
    """Brings a file or a folder to the disk, where the system can."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def fsync_all(folders: Iterable[Path]) -> None:
    """Brings the names in these folders to the disk."""
    for folder in set(folders):
        fsync(folder)


_BINARY = getattr(os, "O_BINARY", 0)


def _write_all(stream: Any, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[stream.write(rest) :]


def _rename(source: Path, target: Path) -> None:
    if sys.platform == "win32":
        source.rename(target)  # there, it never replaces
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    names = (os.fsencode(source), os.fsencode(target))
    if hasattr(libc, "renameat2"):
        failed = libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_NOREPLACE)
    elif hasattr(libc, "renamex_np"):
        failed = libc.renamex_np(*names, _RENAME_EXCL)
    else:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(source), None, str(target))
