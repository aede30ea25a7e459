"""Taking a sort back: what was moved returns, what was copied or linked is removed.

Nothing goes of which there is no other: a copy is removed while it holds the bytes that were
written and its original is still there with the same ones; a link while it leads to its original.
A place that something new has taken meanwhile is left to it, and the file comes back beside it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from tellapart.collection.content import exists, regular, same_inode
from tellapart.collection.doing import BATCH_FILES, STOPS, remove_folders
from tellapart.collection.journal import Entry, FileState, Journal, Unit, remove
from tellapart.collection.placing import copy_to_new, fsync_all, rename_exclusive
from tellapart.collection.settling import (
    VANISHED,
    has_digest,
    is_what_was_made,
    leads_to,
    reason,
    settle,
)
from tellapart.collection.suffixes import free_names

EDITED = "it has changed since it was put there"
OTHER = "it is no longer what was put there"
ONLY_ONE = "its original is gone or has changed, so this may be the only one"

Verdict = Literal["return", "remove", "undone"] | tuple[Literal["keep", "fail"], str]
"""What is to become of a file: back to its place; away; it is done; stays for good, or for now."""


def take_back(journal: Journal, on_progress: Callable[[str, int, int | None], None]) -> None:
    """Takes a sort back, the last files first, and goes on where it was ended.

    Raises:
        OSError: with one of `doing.STOPS`; what was done is in the journal.
    """
    settle(journal)
    journal.set_state("undoing")
    done = journal.count("undone", "kept")
    total = done + journal.count("done", "undoing")
    for batch in _batches(journal):
        _take_back_batch(journal, batch)
        done += sum(map(len, batch))
        on_progress("Taking back", done, total)
    remove_folders(journal)


def forget(journal: Journal) -> None:
    """Ends an undo: the journal goes, and the folder that was sorted into if that made it."""
    made_into = bool(journal.about("made_into"))
    into = journal.into
    remove(journal)
    if made_into and not any(into.iterdir()):
        into.rmdir()


def judge(journal: Journal, entry: Entry) -> Verdict:
    """Says what is to become of a file that was sorted. Nothing is changed."""
    try:
        return _judge(journal, entry)
    except OSError as error:
        return "fail", reason(error)


def _judge(journal: Journal, entry: Entry) -> Verdict:
    target, source = journal.target(entry), journal.source(entry)
    how = journal.how
    if not exists(target):
        if how != "move" or (entry.state == "undoing" and _came_back(journal, entry)):
            return "undone"
        return "keep", VANISHED
    if how == "symlink":
        return "remove" if leads_to(target, source) else ("keep", OTHER)
    status = regular(target)
    if status is None:
        return "keep", OTHER
    if how == "move":
        # Killed between the two halves of a return to another disk.
        twice = entry.state == "undoing" and has_digest(_back(journal, entry), entry.digest)
        return "remove" if twice and has_digest(target, entry.digest) else "return"
    if how == "link":
        original = regular(source)
        if original is not None and os.path.samestat(original, status):
            return "remove"
        return "keep", ONLY_ONE if same_inode(status, entry.made_inode) else OTHER
    if not is_what_was_made(target, entry):
        return "keep", EDITED
    return "remove" if _is_original(source, entry) else ("keep", ONLY_ONE)


def _batches(journal: Journal) -> Iterator[list[Unit]]:
    batch: list[Unit] = []
    for unit in journal.units("done", "undoing", newest_first=True):
        batch.append(unit)
        if sum(map(len, batch)) >= BATCH_FILES:
            yield batch
            batch = []
    if batch:
        yield batch


def _take_back_batch(journal: Journal, units: list[Unit]) -> None:
    decided: list[tuple[Entry, Verdict]] = []
    for found in units:
        unit, verdicts = found, [judge(journal, entry) for entry in found]
        # Where nobody may look for a free name, the return will say so, file by file.
        with contextlib.suppress(OSError):
            unit = _choose_places(journal, unit, verdicts)
        decided += zip(unit, verdicts, strict=True)
    journal.update(replace(entry, state="undoing") for entry, _ in decided)
    ended = [_take_back_one(journal, entry, verdict) for entry, verdict in decided]
    fsync_all(journal.target(entry).parent for entry in ended)
    if journal.how == "move":
        fsync_all(_back(journal, entry).parent for entry in ended)
    journal.update(ended)


def _choose_places(journal: Journal, unit: Unit, verdicts: list[Verdict]) -> Unit:
    """Chooses other names for a unit that comes back where one of its names is taken."""
    returning = [
        entry for entry, verdict in zip(unit, verdicts, strict=True) if verdict == "return"
    ]
    if not any(exists(_back(journal, entry)) for entry in returning):
        return unit
    folder = returning[0].path.parent
    names = [entry.path.name for entry in returning]
    stem = Path(names[0]).stem
    if not all(name.startswith(stem) for name in names):  # the picture is not among them
        stem = stem.partition(".")[0]
    free, _ = free_names(names, stem, lambda name: exists(journal.folder_path / folder / name))
    places = {
        entry.id: os.fsencode(folder / name) for entry, name in zip(returning, free, strict=True)
    }
    return [replace(entry, back=places.get(entry.id, entry.back)) for entry in unit]


def _take_back_one(journal: Journal, entry: Entry, verdict: Verdict) -> Entry:
    try:
        if verdict == "remove":
            journal.target(entry).unlink()
        elif verdict == "return":
            entry = _return(journal, entry)
    except OSError as error:
        if error.errno in STOPS:
            raise
        # Not for good: the next undo tries it again.
        return replace(entry, state="done", note=reason(error))
    if isinstance(verdict, tuple):
        state: FileState = "kept" if verdict[0] == "keep" else "done"  # the next undo tries again
        return replace(entry, state=state, note=verdict[1])
    return replace(entry, state="undone", note=None)


def _return(journal: Journal, entry: Entry) -> Entry:
    target = journal.target(entry)
    now = target.stat()
    mode, times_ns = now.st_mode, (now.st_atime_ns, now.st_mtime_ns)
    if _is_untouched(target, now, entry):
        mode, times_ns = entry.mode, (entry.atime_ns, entry.mtime_ns)
    while True:
        back = _back(journal, entry)
        back.parent.mkdir(parents=True, exist_ok=True)
        try:
            _move(journal, entry, back, mode, times_ns)
        except FileExistsError:  # it has been made in this moment
            place = os.fsencode(entry.path.parent / _free_path(back).name)
            entry = replace(entry, state="undoing", back=place)
            journal.update([entry])
        else:
            break
    if stat.S_IMODE(back.stat().st_mode) != stat.S_IMODE(mode):
        back.chmod(stat.S_IMODE(mode))
    os.utime(back, ns=times_ns)
    return entry


def _free_path(path: Path) -> Path:
    (name,), _ = free_names(
        [path.name], path.stem, lambda name: exists(path.with_name(name)), start=2
    )
    return path.with_name(name)


def _is_untouched(target: Path, status: os.stat_result, entry: Entry) -> bool:
    """Whether a moved file holds what it held, and is to get its old times and permissions."""
    if entry.digest is None:
        return (status.st_size, status.st_mtime_ns) == (entry.size, entry.mtime_ns)
    return is_what_was_made(target, entry)


def _move(journal: Journal, entry: Entry, back: Path, mode: int, times_ns: tuple[int, int]) -> None:
    target = journal.target(entry)
    try:
        rename_exclusive(target, back)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        temporary = journal.temporary(entry, back.parent)
        temporary.unlink(missing_ok=True)  # from an undo that was killed
        digest = copy_to_new(target, temporary, mode=mode, times_ns=times_ns)
        try:
            journal.update([replace(entry, state="undoing", digest=digest)])
            rename_exclusive(temporary, back)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        fsync_all([back.parent])
        target.unlink()


def _back(journal: Journal, entry: Entry) -> Path:
    """Where a file comes back to."""
    if entry.back is None:
        return journal.source(entry)
    return journal.folder_path / os.fsdecode(entry.back)


def _came_back(journal: Journal, entry: Entry) -> bool:
    """Whether a file is in its place again."""
    status = regular(_back(journal, entry))
    if status is None:
        return False
    if same_inode(status, entry.made_inode):
        return True
    if (status.st_size, status.st_mtime_ns) == (entry.size, entry.mtime_ns):
        return True  # some disks number files anew when they are mounted
    return has_digest(_back(journal, entry), entry.digest)


def _is_original(source: Path, entry: Entry) -> bool:
    """Whether the original of a copy holds the same bytes as it."""
    status = regular(source)
    if status is None or status.st_size != entry.size:
        return False
    if same_inode(status, entry.inode) and (status.st_mtime_ns, status.st_ctime_ns) == (
        entry.mtime_ns, entry.ctime_ns,
    ):  # fmt: skip
        return True
    return has_digest(source, entry.digest)
