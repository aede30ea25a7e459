"""Files that are whole or not there: written under a temporary name, flushed, then renamed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from tellapart.errors import TellapartError


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path` and renames it there when the block succeeds.

    For libraries that insist on writing a file by its name. When the block raises, the temporary
    file is removed and whatever was at `path` before is untouched.

    Raises:
        TellapartError: the file could not be written: no space, no permission, ...
    """
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.tmp{path.suffix}")
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # a disk that cannot be written raises the same again
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    r"""Writes UTF-8 text atomically.

    File names that are not valid Unicode are written with their stray bytes as \udcXX, which in
    JSON is the very escape that brings them back.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


def write_json(path: Path, value: Any) -> None:
    """Writes JSON atomically. NaN is refused: readers of strict JSON could not open the file."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_with(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Writes what `write` puts into a binary file, atomically."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        write(stream)


def flush_folder(folder: Path) -> None:
    """Makes sure that what was renamed in a folder is there after a power cut, too."""
    with contextlib.suppress(OSError):  # Windows and some network disks cannot, and need not
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_unfinished(folder: Path) -> None:
    """Removes what `atomic_path` was writing in a folder, and below, when its process ended."""
    for left in folder.rglob(".*.tmp*"):
        if re.search(r"\.[0-9a-f]{8}\.tmp(\.[^.]+)?$", left.name):
            with contextlib.suppress(OSError):
                left.unlink()


def similar_path(path: Path) -> str:
    """Returns " Did you mean 'runs/photos-1'?" for what has the closest name in that folder."""
    import difflib

    siblings: list[str] = []
    with contextlib.suppress(OSError):
        siblings = sorted(sibling.name for sibling in path.parent.iterdir())
    close = difflib.get_close_matches(path.name, siblings, n=1, cutoff=0.6)
    return f" Did you mean '{path.parent / close[0]}'?" if close else ""


def write_error(path: Path, error: OSError) -> TellapartError:
    """Translates the operating system's error into one that says what to do.

    To be called before what was begun is removed, or a full disk does not look full any more.
    """
    remedies = {
        errno.ENOENT: f"there is no folder {path.parent}. Make it first, or name another; if it "
        "was there before, look whether its drive or network is connected",
        errno.EISDIR: "it is a folder. Name a file",
        errno.ENOSPC: "the disk is full. Free some space, or name another folder",
        errno.EDQUOT: "your disk quota is used up. Free some space, or name another folder",
        errno.EACCES: "no permission to write there. Name a folder that you may write to",
        errno.EPERM: "no permission to write there. Name a folder that you may write to",
        errno.EROFS: "the file system is read-only. Name a folder that you may write to",
        errno.ENAMETOOLONG: "the name is too long for this file system. Choose a shorter one",
    }
    reason = remedies.get(error.errno or 0, error.strerror or str(error))
    if error.errno == errno.ENOSPC and (full := _full_temporary_folder(path)):
        reason = (
            f"the disk of temporary files is full, that of {full}. Free some space there, or set "
            "the environment variable TMPDIR to a folder on another disk"
        )
    return TellapartError(f"Cannot write {path}: {reason}.")


def _full_temporary_folder(path: Path) -> Path | None:
    """The folder of temporary files, if not the disk of `path` is full but the one of that folder.

    Libraries write there first, and take it away when they fail: it need not be full any more.
    """
    try:
        temporary = Path(tempfile.gettempdir())
        other_disk = temporary.stat().st_dev != path.parent.stat().st_dev
        here, there = (shutil.disk_usage(disk).free for disk in (path.parent, temporary))
    except OSError:
        return None
    return temporary if other_disk and there < here and here > _AS_GOOD_AS_FULL else None


_AS_GOOD_AS_FULL = 2**20
