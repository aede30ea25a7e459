"""Carrying a plan out, so that it can be killed at any moment and gone on with.

The files are taken in batches, and each batch in steps, of which each is on the disk before the
next begins:

    1. the intent goes into the journal        "doing"
    2. copies, under temporary names           "copied", with what they are recognised by
    3. the names, which never replace a file   "placed" where an original is still to go
    4. the originals of those go               "done"

Copies on the same disk end with the third step; links, and moves on one disk, need no second one.
A picture's companions share its suffix and its fate: where a picture stays, they stay.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from tellapart.collection.content import exists, regular
from tellapart.collection.journal import Entry, Journal, Unit
from tellapart.collection.placing import copy_to_new, fsync, fsync_all, rename_exclusive
from tellapart.collection.settling import (
    VANISHED,
    is_unchanged,
    made,
    reason,
    remove_original,
    settle,
)
from tellapart.collection.suffixes import free_names

BATCH_FILES = 256
BATCH_BYTES = 256 * 2**20
"""A batch ends with either; so much may lie under temporary names at once."""

STOPS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What ails one file here ails all."""

CHANGED = "it has changed since the plan was made"
STAYED = "its picture stayed"
TAKEN = "its name beside its picture is taken"
OTHER_DISK = "a hard link cannot lead to another disk"


def carry_out(journal: Journal, on_progress: Callable[[str, int, int | None], None]) -> None:
    """Does what the plan says, and goes on where it was ended.

    A file that cannot be done is skipped with a reason, and the others go on.

    Raises:
        OSError: with one of `STOPS`; what was done is in the journal.
    """
    settle(journal)
    done = journal.count("done", "skipped")
    total = done + journal.count("planned")
    for batch in _batches(journal):
        _Batch(journal).run(batch)
        done += sum(map(len, batch))
        on_progress("Sorting", done, total)


def _batches(journal: Journal) -> Iterator[list[Unit]]:
    batch: list[Unit] = []
    files = size = 0
    for unit in journal.units("planned"):
        batch.append(unit)
        files += len(unit)
        size += sum(entry.size for entry in unit)
        if files >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, files, size = [], 0, 0
    if batch:
        yield batch


class _Batch:
    """A batch on its way: `units` get shorter as files drop out, which `dropped` collects."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.how = journal.how
        self.dropped: list[Entry] = []
        self.devices: dict[Path, int | None] = {}

    def run(self, units: list[Unit]) -> None:
        units = [self._each(unit, self._intend) for unit in units]
        units = [self._name_or_drop(unit) for unit in units]
        self._commit(units)
        if any(self._is_to_copy(entry) for unit in units for entry in unit):
            units = [self._each(unit, self._copy) for unit in units]
            self._commit(units)
        units = [self._place(unit) for unit in units]
        fsync_all(self.journal.target(entry).parent for unit in units for entry in unit)
        self._commit(units)
        if any(entry.state == "placed" for unit in units for entry in unit):
            self._commit([[self._end(entry) for entry in unit] for unit in units])

    def _commit(self, units: list[Unit]) -> None:
        self.journal.update([*chain.from_iterable(units), *self.dropped])
        self.dropped.clear()

    # --- Who drops out -------------------------------------------------------------------------

    def _each(self, unit: Unit, step: Callable[[Entry], Entry]) -> Unit:
        """Takes each file of a unit one step further; returns those that are still on their way."""
        left: Unit = []
        for place, entry in enumerate(unit):
            try:
                left.append(step(entry))
            except _Dropped as dropped:
                self._drop(entry, str(dropped))
            except OSError as error:
                if error.errno in STOPS:
                    raise
                self._drop(entry, OTHER_DISK if error.errno == errno.EXDEV else reason(error))
            else:
                continue
            if entry.is_picture:
                for companion in unit[place + 1 :]:
                    self._drop(companion, STAYED)
                return []
        return left

    def _drop(self, entry: Entry, why: str) -> None:
        if entry.state == "copied":
            self._temporary(entry).unlink(missing_ok=True)
        self.dropped.append(replace(entry, state="skipped", note=why))

    # --- 1. The intent -------------------------------------------------------------------------

    def _intend(self, entry: Entry) -> Entry:
        self._require_unchanged(entry)
        make_folder(self.journal, self.journal.target(entry).parent)
        return replace(entry, state="doing")

    def _require_unchanged(self, entry: Entry, digest: bytes | None = None) -> None:
        status = regular(self.journal.source(entry))
        if status is None:
            raise _Dropped(VANISHED)
        same = digest is None or entry.digest in (None, digest)
        if not (same and is_unchanged(status, entry)):
            raise _Dropped(CHANGED)

    def _name_or_drop(self, unit: Unit) -> Unit:
        try:
            return self._name(unit)
        except OSError as error:  # nobody may look into the folder
            for entry in unit:
                self._drop(entry, reason(error))
            return []

    def _name(self, unit: Unit) -> Unit:
        """Gives a unit other names where somebody has taken one of them since the plan."""
        if not any(exists(self.journal.target(entry)) for entry in unit):
            return unit
        if not unit[0].is_picture:  # it was done before we were killed, under its name
            return self._each(unit, self._require_free)
        return self._rename(unit)

    def _require_free(self, entry: Entry) -> Entry:
        if exists(self.journal.target(entry)):
            raise _Dropped(TAKEN)
        return entry

    def _rename(self, unit: Unit) -> Unit:
        folder = unit[0].placed.parent
        names = [os.fsdecode(entry.name) for entry in unit]
        stem = Path(names[0]).stem
        free, _ = free_names(names, stem, lambda name: exists(self.journal.into / folder / name))
        return [
            replace(entry, target=os.fsencode(folder / name))
            for entry, name in zip(unit, free, strict=True)
        ]

    # --- 2. Copies -----------------------------------------------------------------------------

    def _is_to_copy(self, entry: Entry) -> bool:
        if self.how != "move":
            return self.how == "copy"
        source, target = self.journal.source(entry), self.journal.target(entry)
        return self._device(source.parent) != self._device(target.parent)

    def _device(self, folder: Path) -> int | None:
        if folder not in self.devices:
            self.devices[folder] = folder.stat().st_dev if folder.is_dir() else None
        return self.devices[folder]

    def _copy(self, entry: Entry) -> Entry:
        return self._copy_anyway(entry) if self._is_to_copy(entry) else entry

    def _copy_anyway(self, entry: Entry) -> Entry:
        temporary = self._temporary(entry)
        temporary.unlink(missing_ok=True)  # its name was taken back, or taken by another
        digest = copy_to_new(
            self.journal.source(entry),
            temporary,
            mode=entry.mode,
            times_ns=(entry.atime_ns, entry.mtime_ns),
        )
        copied = replace(
            made(entry, temporary, "copied"), digest=digest, made_ctime_ns=None
        )  # the time of the last change of its status changes with its name
        try:
            self._require_unchanged(entry, digest)
        except _Dropped:
            temporary.unlink()
            raise
        return copied

    def _temporary(self, entry: Entry) -> Path:
        return self.journal.temporary(entry, self.journal.target(entry).parent)

    # --- 3. Names ------------------------------------------------------------------------------

    def _place(self, unit: Unit) -> Unit:
        """Gives the files of a unit their names, all with the same suffix."""
        placed: Unit = []

        def place(entry: Entry) -> Entry:
            result = self._place_one(entry)
            placed.append(result)
            return result

        while True:
            try:
                return self._each(unit, place)
            except _NameTakenError:
                for entry in reversed(placed):
                    self._take_name_back(entry)
                placed.clear()
                gone = {entry.id for entry in self.dropped}
                unit = self._name_or_drop([entry for entry in unit if entry.id not in gone])
                self._commit([unit])

    def _place_one(self, entry: Entry) -> Entry:
        source, target = self.journal.source(entry), self.journal.target(entry)
        try:
            if entry.state == "copied":
                rename_exclusive(self._temporary(entry), target)
            elif self.how == "link":
                os.link(source, target)
            elif self.how == "symlink":
                target.symlink_to(source)
            else:
                rename_exclusive(source, target)
        except FileExistsError:
            raise _NameTakenError from None
        except OSError as error:
            if error.errno != errno.EXDEV or self.how != "move" or entry.state == "copied":
                raise
            # One device, and yet not one file system: a folder that is mounted twice.
            copied = self._copy_anyway(entry)
            self._commit([[copied]])
            return self._place_one(copied)
        return made(entry, target, "placed" if self._original_goes(entry) else "done")

    def _end(self, entry: Entry) -> Entry:
        return remove_original(self.journal, entry) if entry.state == "placed" else entry

    def _original_goes(self, entry: Entry) -> bool:
        return self.how == "move" and entry.state == "copied"

    def _take_name_back(self, entry: Entry) -> None:
        target = self.journal.target(entry)
        if self.how in ("link", "symlink"):
            target.unlink()
        elif self.how == "copy" or entry.state == "placed":
            rename_exclusive(target, self._temporary(entry))
        else:
            rename_exclusive(target, self.journal.source(entry))


class _Dropped(Exception):  # noqa: N818 (no error: the file stays, and its reason is noted)
    """A file that is not to be done, and why."""


class _NameTakenError(Exception):
    """Somebody has made a file of that name since we looked."""


def make_folder(journal: Journal, folder: Path) -> None:
    """Makes a folder below the one that is sorted into, and notes first that it is ours."""
    missing = []
    while folder != journal.into and not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        name = os.fsencode(path.relative_to(journal.into))
        journal.execute("INSERT OR IGNORE INTO folders VALUES (?)", name)
        try:
            path.mkdir()
        except FileExistsError:
            journal.execute("DELETE FROM folders WHERE path = ?", name)
            if not path.is_dir():
                raise
        fsync(path.parent)  # or a cut of the power could take it, and what is moved into it


def remove_folders(journal: Journal) -> None:
    """Removes the folders that were made and are empty now."""
    rows = journal.execute("SELECT path FROM folders ORDER BY length(path) DESC").fetchall()
    for (path,) in rows:
        with contextlib.suppress(OSError):  # it holds something, or is gone
            (journal.into / os.fsdecode(path)).rmdir()
