"""Where each picture goes: the folder of its class, under its own name or one with a suffix.

What is in the folder already, byte for byte, is not stored a second time. That is for copies and
links alone: a file that is to be moved is the user's, and goes where it was asked to, whatever
else is there.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tellapart.collection.content import digest_file
from tellapart.collection.folder_names import UNSURE
from tellapart.collection.journal import Entry, Journal, Unit
from tellapart.collection.suffixes import free_names

TWICE = "the same as another picture of the collection"
THERE = "there already, byte for byte"
IN_PLACE = "it is in its place already"

_TABLES = (
    # What is in the target folders: `path` is where its bytes can be read, now.
    "CREATE TEMP TABLE present (folder BLOB, name BLOB, size INTEGER, digest BLOB, path BLOB, "
    "ours INTEGER, PRIMARY KEY (folder, name))",
    # Of those whose digest is known alone: many files may be of one size.
    "CREATE INDEX temp.present_unread ON present (folder, size) WHERE digest IS NULL",
    "CREATE INDEX temp.present_by_digest ON present (folder, digest)",
    "CREATE TEMP TABLE looked_into (folder BLOB PRIMARY KEY)",
    "CREATE TEMP TABLE chosen (path BLOB PRIMARY KEY)",
    "CREATE TEMP TABLE numbers (path BLOB PRIMARY KEY, number INTEGER)",
)

_NAMES = ("present", "looked_into", "chosen", "numbers")


def choose_targets(journal: Journal, on_progress: Callable[[str, int, int | None], None]) -> None:
    """Chooses the place of every picture and its companions, all or nothing."""
    total = journal.count("predicted", pictures=True)
    done = 0
    with journal.transaction():
        chooser = _Chooser(journal)
        for unit in journal.units("predicted", "listed"):
            if not unit[0].is_picture:
                continue  # the picture is unreadable: they stay with it
            chooser.choose(unit)
            done += 1
            on_progress("Planning", done, total)
        journal.set_state("asking")
    chooser.forget()


class _Chooser:
    """Remembers, in temporary tables, which names are taken and which contents are there."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.into = journal.into
        self.stores = journal.how != "move"
        self.keep_folders = bool(journal.about("keep_folders"))
        self.folders = [folder for _, folder in journal.classes()]
        self.key = _same_name if ignores_case(journal.into) else os.fsencode
        self.forget()
        for statement in _TABLES:
            journal.execute(statement)

    def forget(self) -> None:
        for name in _NAMES:
            self.journal.execute(f"DROP TABLE IF EXISTS temp.{name}")

    def choose(self, unit: Unit) -> None:
        folder = self._folder(unit[0])
        if (note := self._reason_to_stay(unit, folder)) is not None:
            self._write([replace(entry, state="there", note=note) for entry in unit])
            return
        names = [os.fsdecode(entry.name) for entry in unit]
        stem = os.path.splitext(names[0])[0]  # noqa: PTH122 (100,000 times)
        base = self.key(os.path.join(folder, names[0]))  # noqa: PTH118
        row = self.journal.execute("SELECT number FROM numbers WHERE path = ?", base).fetchone()
        free, number = free_names(
            names,
            stem,
            lambda name: self._is_taken(os.path.join(folder, name)),  # noqa: PTH118
            start=row[0] + 1
            if row
            else 1,  # or a thousand of one name would be tried a million times
        )
        self.journal.execute("INSERT OR REPLACE INTO numbers VALUES (?,?)", base, number)
        targets = [os.path.join(folder, name) for name in free]  # noqa: PTH118
        self.journal.execute_many(
            "INSERT INTO chosen VALUES (?)", [(self.key(target),) for target in targets]
        )
        self._write(
            [
                replace(entry, state="planned", target=os.fsencode(target))
                for entry, target in zip(unit, targets, strict=True)
            ]
        )
        if self.stores:
            self._remember(unit, folder, free)

    def _folder(self, picture: Entry) -> str:
        assert picture.class_ is not None  # noqa: S101 (it is predicted)
        folder = UNSURE if picture.unsure else self.folders[picture.class_]
        if self.keep_folders and picture.folder:
            return os.path.join(folder, os.fsdecode(picture.folder))  # noqa: PTH118
        return folder

    def _reason_to_stay(self, unit: Unit, folder: str) -> str | None:
        if self.journal.source(unit[0]).parent == self.into / folder:
            return IN_PLACE
        if not self.stores:
            return None
        self._look_into(folder)
        digest = unit[0].digest
        for name, ours in self._like(folder, unit[0].size, digest):
            if self._has_companions(unit, folder, name):
                return TWICE if ours else THERE
        return None

    def _is_taken(self, target: str) -> bool:
        chosen = self.journal.execute("SELECT 1 FROM chosen WHERE path = ?", self.key(target))
        return chosen.fetchone() is not None or os.path.lexists(self.into / target)

    def _write(self, entries: Unit) -> None:
        self.journal.execute_many(
            "UPDATE files SET state = ?, target = ?, note = ? WHERE id = ?",
            [(entry.state, entry.target, entry.note, entry.id) for entry in entries],
        )

    # --- What is there -------------------------------------------------------------------------

    def _look_into(self, folder: str) -> None:
        """Lists a target folder once, with sizes; contents are read only where sizes agree."""
        key = os.fsencode(folder)
        known = self.journal.execute("INSERT OR IGNORE INTO looked_into VALUES (?)", key)
        if not known.rowcount:
            return
        try:
            with os.scandir(self.into / folder) as entries:
                for entry in entries:
                    if entry.is_file() and not entry.name.startswith("."):
                        path = os.path.realpath(entry.path)  # of what a link leads to
                        row = (key, os.fsencode(entry.name), entry.stat().st_size, None, path)
                        self._insert(row, ours=False)
        except OSError:  # there is no such folder yet, or nobody may look
            return

    def _insert(self, row: tuple[bytes, bytes, int, bytes | None, str], *, ours: bool) -> None:
        *values, path = row
        self.journal.execute(
            "INSERT OR IGNORE INTO present VALUES (?,?,?,?,?,?)", *values, os.fsencode(path), ours
        )

    def _remember(self, unit: Unit, folder: str, names: list[str]) -> None:
        for entry, name in zip(unit, names, strict=True):
            path = str(self.journal.source(entry))
            row = (os.fsencode(folder), os.fsencode(name), entry.size, entry.digest, path)
            self._insert(row, ours=True)

    def _like(self, folder: str, size: int, digest: bytes | None) -> list[tuple[str, bool]]:
        key = os.fsencode(folder)
        unread = self.journal.execute(
            "SELECT name, path FROM present WHERE folder = ? AND size = ? AND digest IS NULL",
            key, size,
        ).fetchall()  # fmt: skip
        for name, path in unread:
            self.journal.execute(
                "UPDATE present SET digest = ? WHERE folder = ? AND name = ?",
                _digest(path), key, name,
            )  # fmt: skip
        found = self.journal.execute(
            "SELECT name, ours FROM present WHERE folder = ? AND digest = ? AND size = ? LIMIT 10",
            key, digest, size,
        )  # fmt: skip
        return [(os.fsdecode(name), bool(ours)) for name, ours in found.fetchall()]

    def _has_companions(self, unit: Unit, folder: str, name: str) -> bool:
        """Whether the picture of that name has all that this one has, byte for byte."""
        stem, there = (os.path.splitext(n)[0] for n in (os.fsdecode(unit[0].name), name))  # noqa: PTH122
        for companion in unit[1:]:
            tail = os.fsdecode(companion.name)[len(stem) :]
            row = self.journal.execute(
                "SELECT path FROM present WHERE folder = ? AND name = ? AND size = ?",
                os.fsencode(folder), os.fsencode(there + tail), companion.size,
            ).fetchone()  # fmt: skip
            mine = _digest(os.fsencode(self.journal.source(companion)))
            if row is None or not mine or _digest(row[0]) != mine:
                return False
        return True


def ignores_case(folder: Path) -> bool:
    """Whether a folder's disk takes "A" for "a", found out without writing to it."""
    while not folder.exists() or folder.name == folder.name.swapcase():
        if folder == folder.parent:
            return False
        folder = folder.parent
    try:
        return folder.with_name(folder.name.swapcase()).samefile(folder)
    except OSError:
        return False


def _same_name(path: str) -> bytes:
    return os.fsencode(unicodedata.normalize("NFC", path.casefold()))


def _digest(path: bytes) -> bytes:
    """Returns the digest of a file; b"" where it cannot be read, which is like nothing."""
    try:
        return digest_file(Path(os.fsdecode(path)))
    except OSError:
        return b""
