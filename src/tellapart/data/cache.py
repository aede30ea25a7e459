"""The cache folder: what was decoded, listed or fetched once, to be used again.

    <cache folder>/
    ├── pixels-0123.../      index.json, rows.npy, ...        decoded pictures
    ├── signatures-.../      index.json, rows.npy, ...        what the audit compares
    ├── copies-.../          index.json, copies.npz           which pictures are copies
    ├── features-.../        index.json, rows.npy, ...        what a pretrained network saw
    ├── backbone-.../        index.json, backbone.onnx        a pretrained network, converted
    ├── listing-4567.../     index.json, listing.json         what is in an archive
    ├── arrays-89ab.../      index.json, x_train.npy, ...     a data set of the catalog
    └── .building-cdef.../   not complete; locked by the process that builds it

An entry is built in a `.building-` folder and renamed when it is complete, so that whatever has
its final name is whole, and of two processes that build the same entry one wins. The operating
system takes the lock away when the process ends, in whatever way: what is not locked is left over,
and removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tellapart.data.wording import size
from tellapart.errors import DataError, TellapartError, UsageError
from tellapart.files import write_error, write_json
from tellapart.folder_lock import is_locked, lock_folder
from tellapart.limits import parse_amount

VARIABLE = "TELLAPART_CACHE"
"""The environment variable that names the cache folder."""

LIMIT_VARIABLE = "TELLAPART_STORE_LIMIT"
"""The environment variable that says how much a store of decoded pictures may take."""

FORMAT = 2
"""Raised when what is inside an entry changes its meaning; older entries are made again."""

KINDS = ("pixels", "signatures", "copies", "features", "backbone", "listing", "arrays")

STALE_SECONDS = 24 * 3600
"""Where folders cannot be locked (Windows, some network disks): what nobody has changed for so long
has been left by a process that died."""

_BUILDING = ".building-"
_SPARE_BYTES = 64 * 2**20


@dataclass(frozen=True)
class CacheEntry:
    """One thing in the cache.

    Attributes:
        location: the data it was made from, as the user named it.
        kind: one of `KINDS`.
        bytes: its size on disk.
        created: date and time, ISO 8601, UTC.
        folder: where it is.
        complete: False of what a process left that was ended while it made it.
    """

    location: str
    kind: str
    bytes: int
    created: str
    folder: Path
    complete: bool = True


@dataclass
class Draft:
    """An entry under construction: the folder to write into, and what `index.json` will say."""

    folder: Path
    index: dict[str, Any] = field(default_factory=dict)


def cache_folder() -> Path:
    """Returns the cache folder: `TELLAPART_CACHE`, or the operating system's place for caches."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    try:
        from platformdirs import user_cache_dir
    except ImportError:  # where nothing is installed but what predictions need
        return Path.home() / ".cache" / "tellapart"
    return Path(user_cache_dir("tellapart", appauthor=False))


def store_limit() -> int:
    """Returns how many bytes the decoded pictures of one data set may take on disk.

    `TELLAPART_STORE_LIMIT`, such as "20GB", or half of what is free on the cache folder's disk.

    Raises:
        UsageError: the environment variable is not a size.
    """
    named = os.environ.get(LIMIT_VARIABLE)
    if named:
        number = parse_amount(named)
        if number is None:
            raise UsageError(f"{LIMIT_VARIABLE}={named}: expected a size such as 500MB or 20GB.")
        return number
    folder = cache_folder()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free // 2


def entry_folder(kind: str, key: str) -> Path:
    """Returns where an entry is, or would be."""
    return cache_folder() / f"{kind}-{key[:32]}"


def read_index(folder: Path) -> dict[str, Any] | None:
    """Returns what `index.json` says of a complete entry, or None where that is not one.

    Every file must have the size that the index states.
    """
    index = _read_own(folder)
    if index is None or index["format"] != FORMAT or not isinstance(index.get("files"), dict):
        return None
    try:
        whole = all((folder / name).stat().st_size == size for name, size in index["files"].items())
    except OSError:
        return None
    return index if whole else None


@contextlib.contextmanager
def building(kind: str, key: str, location: str, needed_bytes: int = 0) -> Iterator[Draft]:
    """Yields a draft and makes it the entry of that kind and key when the block succeeds.

    When the block raises, nothing is left behind. An entry that is there already, whole, made
    by another process in the meantime, stays; a damaged one is replaced.

    Raises:
        DataError: the cache folder cannot be written, or has no room for `needed_bytes`.
    """
    final = entry_folder(kind, key)
    folder = final.with_name(f"{_BUILDING}{secrets.token_hex(8)}")
    created = datetime.now(UTC).isoformat(timespec="seconds")
    draft = Draft(folder)
    identity = {
        "made_by": "tellapart",
        "format": FORMAT,
        "kind": kind,
        "key": key,
        "location": location,
        "created": created,
    }
    lock = None
    try:
        folder.mkdir(parents=True)
        lock = lock_folder(folder)  # before it says that it is ours: nobody looks at it until then
        write_json(folder / "index.json", identity)  # so that `clear_cache` knows it for ours
        _sweep(final.parent)
        _check_space(final.parent, needed_bytes)
        yield draft
        files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
        del files["index.json"]
        described = identity | draft.index | {"bytes": sum(files.values()), "files": files}
        write_json(folder / "index.json", described)
        _publish(folder, final)
    except BrokenPipeError:  # not ours: the reader of the progress has gone
        raise
    except OSError as error:
        raise _cache_error(final.parent, error) from error
    except TellapartError as error:
        if isinstance(error.__cause__, OSError) and not isinstance(error, DataError):
            raise _cache_error(final.parent, error.__cause__) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def list_cache() -> list[CacheEntry]:
    """Lists what is in the cache, the newest first; not what is being made at this moment."""
    entries = []
    for folder in _folders(cache_folder()):
        draft = folder.name.startswith(_BUILDING)
        index = _read_own(folder) if draft else read_index(folder)
        if index is not None and not _is_being_built(folder):
            entries.append(
                CacheEntry(
                    location=str(index["location"]),
                    kind=index["kind"],
                    bytes=_bytes_in(folder),
                    created=str(index["created"]),
                    folder=folder,
                    complete=not draft,
                )
            )
    return sorted(entries, key=lambda entry: (entry.created, entry.folder.name), reverse=True)


def entries_of_kind(kind: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yields folder and index of every complete entry of a kind."""
    for folder in _folders(cache_folder()):
        if folder.name.startswith(f"{kind}-"):
            index = read_index(folder)
            if index is not None and index["kind"] == kind:
                yield folder, index


def clear_cache() -> int:
    """Removes what tellapart has put into the cache folder, and nothing else.

    What another process is building at this moment stays; what one has left half-built does not.

    Returns:
        The bytes that were freed.
    """
    freed = 0
    for folder in _folders(cache_folder()):
        if _read_own(folder) is not None and not _is_being_built(folder):
            held = _bytes_in(folder)
            discard(folder)
            freed += held if not folder.exists() else 0
    return freed


def discard(folder: Path) -> None:
    """Removes an entry, at once as others see it."""
    doomed = folder.with_name(f"{_BUILDING}{secrets.token_hex(8)}")
    # On Windows a file that is mapped by another process cannot go; its entry stays.
    with contextlib.suppress(OSError):
        folder.rename(doomed)
        _remove(doomed)


def _remove(folder: Path) -> None:
    """Removes a folder, its index last: cut short, what is left still says whose it is."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.name != "index.json":
                path.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _publish(folder: Path, final: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb+") as stream:
            os.fsync(stream.fileno())  # or a power cut could leave right sizes and no content
    if read_index(final) is None and final.is_dir() and not final.is_symlink():
        discard(final)  # it is damaged
    try:
        folder.rename(final)
    except OSError:
        if read_index(final) is None:
            raise


def _read_own(folder: Path) -> dict[str, Any] | None:
    """Returns the content of `index.json` where it says that the folder is tellapart's."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    known = isinstance(index, dict) and {"format", "location", "created"} <= index.keys()
    if not known or index.get("made_by") != "tellapart" or index.get("kind") not in KINDS:
        return None
    owned: dict[str, Any] = index
    return owned


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _is_being_built(folder: Path) -> bool:
    if not folder.name.startswith(_BUILDING):
        return False
    locked = is_locked(folder)
    if locked is not None:
        return locked
    try:
        changed = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return True
    return time.time() - changed < STALE_SECONDS


def _sweep(root: Path) -> None:
    """Removes what processes that died have left half-built."""
    for folder in _folders(root):
        ours = folder.name.startswith(_BUILDING) and _read_own(folder) is not None
        if ours and not _is_being_built(folder):
            _remove(folder)


def _check_space(root: Path, needed_bytes: int) -> None:
    free = shutil.disk_usage(root).free
    if needed_bytes and needed_bytes + _SPARE_BYTES > free:
        raise DataError(
            f"The cache folder {root} has {size(free)} free: too little for "
            f"{size(needed_bytes)} of decoded pictures and {size(_SPARE_BYTES)} to spare. Free "
            f"some space, or set {VARIABLE} to a folder on a larger disk."
        )


def _cache_error(root: Path, error: OSError) -> DataError:
    return DataError(
        f"{write_error(root, error)} This is the cache folder: set the environment variable "
        f"{VARIABLE} to use another one."
    )
