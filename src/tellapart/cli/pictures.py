"""Which pictures the arguments of a command name: files, folders, patterns, a list on stdin."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tellapart.errors import DataError

if TYPE_CHECKING:  # results need NumPy, which `--help` can do without
    from tellapart.results import FailedPrediction

STDIN = "-"


def find_pictures(paths: Iterable[str], null: bool = False) -> Iterator[str | FailedPrediction]:
    """Yields the pictures that the arguments name; what names none is a failure of its own."""
    for path in paths:
        if path == STDIN:
            yield from _read_list(sys.stdin.buffer, b"\0" if null else b"\n")
        elif _is_folder(path):
            yield from _or_failed(path, _walk(path), "the folder holds no pictures")
        elif _is_pattern(path):
            yield from _or_failed(path, _match(path), "the pattern matches no pictures")
        else:
            yield path


def _or_failed(
    path: str, found: Iterator[str | FailedPrediction], reason: str
) -> Iterator[str | FailedPrediction]:
    from tellapart.images import EXTENSIONS
    from tellapart.results import FailedPrediction

    first = next(found, None)
    if first is None:
        yield FailedPrediction(path, f"{reason} ({', '.join(sorted(EXTENSIONS))})")
    else:
        yield first
        yield from found


def _walk(folder: str) -> Iterator[str | FailedPrediction]:
    """Yields a folder's pictures and those of the folders in it, in the order of their names."""
    from tellapart.results import FailedPrediction

    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield FailedPrediction(folder, f"the folder cannot be listed ({error.strerror})")
        return
    for entry in listed:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):  # a link may lead back up
            yield from _walk(entry.path)
        elif _is_picture(entry.name) and not entry.is_dir():
            yield entry.path


def _is_pattern(path: str) -> bool:
    return glob.has_magic(path) and not os.path.lexists(path)


def _match(pattern: str) -> Iterator[str | FailedPrediction]:
    # `Path.glob` takes no absolute patterns and lists hidden files.
    for path in sorted(glob.iglob(pattern, recursive=True)):  # noqa: PTH207
        if _is_picture(path) and not _is_folder(path):
            yield path


def _is_picture(name: str) -> bool:
    from tellapart.images import EXTENSIONS

    return Path(name).suffix.lower() in EXTENSIONS


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 (Path.is_dir raises where a parent is off limits)


def _read_list(stream: IO[bytes], separator: bytes) -> Iterator[str]:
    """Yields the names of a list as they arrive."""
    rest = b""
    while chunk := stream.read1(2**16):  # type: ignore[attr-defined]
        *names, rest = (rest + chunk).split(separator)
        yield from _decode_names(names, separator)
    yield from _decode_names([rest], separator)


def _decode_names(names: list[bytes], separator: bytes) -> Iterator[str]:
    for name in names:
        kept = name.removesuffix(b"\r") if separator == b"\n" else name
        if kept:
            yield os.fsdecode(kept)


def refuse_if_all_missing(paths: list[str]) -> None:
    """Refuses arguments none of which names anything: a typing mistake, not a damaged file."""
    missing = [
        path
        for path in paths
        if path != STDIN
        and not os.path.lexists(path)
        and not (glob.has_magic(path) and any(_match(path)))
    ]
    if len(missing) < len(paths):
        return
    from tellapart.files import similar_path

    listed = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
    raise DataError(f"No such picture or folder: {listed}.{similar_path(Path(missing[0]))}")
