"""What is in a file, read without a trace: neither its times nor a link are touched."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO

CHUNK = 2**20

DIGEST_BYTES = 32
"""BLAKE2b with 256 bits: two files with one digest are the same, as far as anybody can tell."""


def digest_bytes(content: bytes) -> bytes:
    """Returns the digest of a file's content."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def digest_file(path: Path) -> bytes:
    """Reads a regular file whole and returns its digest.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    with open_quietly(path) as stream:
        return digest_stream(stream)


def digest_stream(stream: IO[bytes], write: Callable[[bytes], object] | None = None) -> bytes:
    """Returns the digest of what is left in a stream, handing each piece to `write` on the way."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
        if write is not None:
            write(chunk)
    return digest.digest()


def open_quietly(path: Path) -> IO[bytes]:
    """Opens a regular file to read, leaving its access time alone where the system allows it.

    Raises:
        OSError: it cannot be read, is a symbolic link, or is no regular file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_NOATIME", 0))
    except PermissionError:  # only who owns a file may leave its access time alone
        descriptor = os.open(path, flags)
    stream = os.fdopen(descriptor, "rb", buffering=0)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        stream.close()
        raise OSError(f"{path} is not a file")
    return stream


def forget_cached(stream: IO[bytes]) -> None:
    """Asks the system to read a file from the disk again, not from memory."""
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def identity(status: os.stat_result) -> str:
    """Returns "device:inode", which no other file has at the same time."""
    return f"{status.st_dev}:{status.st_ino}"


def same_inode(status: os.stat_result, known: str | None) -> bool:
    """Whether a file has the number of an `identity`.

    The device is left out: a disk may get another number when it is connected again.
    """
    return known is not None and known.partition(":")[2] == str(status.st_ino)


def regular(path: Path) -> os.stat_result | None:
    """Returns the status of a regular file; None where there is none, or something else.

    Raises:
        OSError: nobody can tell: no permission to look, a disk that does not answer.
    """
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def exists(path: Path) -> bool:
    """Whether there is anything of that name, a broken link too.

    Raises:
        OSError: nobody can tell; `os.path.lexists` would say no.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
