"""The journal of a sort: an SQLite file that knows of each file what was meant and what was done.

    DIR/.tellapart/sort-1.sqlite

Each intent is on the disk before anything is done, and each result after: `synchronous=FULL`.
Write-ahead logging needs one flush a commit where a rollback journal needs two or more; with an
exclusive lock it needs no shared memory, and so works on network disks too.

The plan is rows too, so that a hundred thousand pictures take no more memory than a hundred.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, get_args

from tellapart.collection.placing import fsync_all
from tellapart.errors import SortError, UsageError

FOLDER = ".tellapart"
"""Holds the journals, inside the folder that is sorted into."""

FORMAT_VERSION = 1

How = Literal["copy", "move", "link", "symlink"]

State = Literal["listing", "predicting", "asking", "sorting", "sorted", "undoing"]
"""Of a sort. Up to "asking", no file has been touched."""

FileState = Literal[
    "listed",  # the classifier has not seen it
    "predicted",  # it has, and the place is not chosen yet
    "unreadable",  # it cannot: the file stays, and so do its companions
    "there",  # the same bytes are in their place already
    "planned",
    "doing",  # it was about to be done
    "copied",  # the copy is written, under a temporary name
    "placed",  # the copy has its name; the original is about to go, across disks
    "done",
    "skipped",  # it was not done, and the note says why
    "undoing",  # it was about to be taken back
    "undone",
    "kept",  # it was not taken back, and the note says why
]

PAGE = 500
"""So many rows are in memory at a time."""

_SCHEMA = """
CREATE TABLE sort (
  format INTEGER NOT NULL, state TEXT NOT NULL, folder BLOB NOT NULL, how TEXT NOT NULL,
  keep_folders INTEGER NOT NULL, classifier BLOB NOT NULL, classifier_digest BLOB NOT NULL,
  token TEXT NOT NULL, made_into INTEGER NOT NULL, started TEXT NOT NULL,
  others INTEGER NOT NULL DEFAULT 0, links INTEGER NOT NULL DEFAULT 0,
  destinations INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE classes (position INTEGER PRIMARY KEY, name TEXT NOT NULL, folder TEXT NOT NULL);
CREATE TABLE files (
  id INTEGER PRIMARY KEY, folder BLOB NOT NULL, name BLOB NOT NULL, picture INTEGER,
  size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, atime_ns INTEGER NOT NULL,
  ctime_ns INTEGER NOT NULL, mode INTEGER NOT NULL, inode TEXT NOT NULL, digest BLOB,
  class INTEGER, probability REAL, unsure TEXT, state TEXT NOT NULL, target BLOB, note TEXT,
  made_inode TEXT, made_mtime_ns INTEGER, made_ctime_ns INTEGER, back BLOB,
  UNIQUE (folder, name)
);
CREATE INDEX files_by_picture ON files (picture, id);
CREATE TABLE folders (path BLOB PRIMARY KEY);
CREATE TABLE unlisted (path BLOB NOT NULL, reason TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the collection: a row of `files`.

    Attributes:
        folder: relative to the collection's; "" is that itself.
        picture: the id of the picture that it travels with; a picture's is its own.
        mode: type and permissions, as it was listed; so are size, times and inode.
        inode: "device:inode".
        digest: of the content; None: not read yet.
        class_: position of the class; None: not predicted, or a companion.
        unsure: why the picture gets no answer; None: it does.
        target: relative to the folder that is sorted into.
        made_inode: what was made there; so are its times.
        back: where it came back, relative to the collection's folder, if not to its own place.
    """

    id: int
    folder: bytes
    name: bytes
    picture: int
    size: int
    mtime_ns: int
    atime_ns: int
    ctime_ns: int
    mode: int
    inode: str
    digest: bytes | None
    class_: int | None
    probability: float | None
    unsure: str | None
    state: FileState
    target: bytes | None
    note: str | None
    made_inode: str | None
    made_mtime_ns: int | None
    made_ctime_ns: int | None
    back: bytes | None

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture, not a companion of one."""
        return self.id == self.picture

    @property
    def path(self) -> Path:
        """Relative to the collection's folder."""
        return Path(os.fsdecode(self.folder), os.fsdecode(self.name))

    @property
    def placed(self) -> Path:
        """Where it is to be, relative to the folder that is sorted into."""
        return Path(os.fsdecode(self.target or b""))


_COLUMNS = ", ".join(field.name.rstrip("_") for field in fields(Entry))

Unit = list[Entry]
"""A picture, then its companions."""


class Journal:
    """One sort into one folder.

    Attributes:
        path: of the SQLite file.
        into: the folder that is sorted into.
    """

    def __init__(self, path: Path, into: Path) -> None:
        """Opens a journal that exists; see `create`, `newest`."""
        self.path = path
        self.into = into
        self._database = sqlite3.connect(path, isolation_level=None, timeout=0)
        try:
            for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
                self._database.execute(f"PRAGMA {pragma}")
        except BaseException:
            self._database.close()
            raise

    @classmethod
    def create(
        cls,
        path: Path,
        into: Path,
        *,
        folder: Path,
        how: How,
        keep_folders: bool,
        classifier: Path,
        classifier_digest: bytes,
        classes: Iterable[tuple[str, str]],
        made_into: bool,
    ) -> Journal:
        """Makes the journal of a new sort, whole or not at all.

        Args:
            path: of the file to make.
            into: the folder to sort into.
            folder: the collection's, absolute.
            how: the files get there.
            keep_folders: whether sub-folders are kept.
            classifier: its file.
            classifier_digest: of its content.
            classes: names with their folders, in the classifier's order.
            made_into: whether `into` was made for this.
        """
        if how not in get_args(How):
            raise UsageError(f"how={how!r}: expected one of {', '.join(get_args(How))}.")
        journal = cls(path, into)
        with journal.transaction():
            for statement in _SCHEMA.split(";"):
                journal.execute(statement)
            journal.execute(
                "INSERT INTO sort (format, state, folder, how, keep_folders, classifier, "
                "classifier_digest, token, made_into, started) VALUES (?,?,?,?,?,?,?,?,?,?)",
                FORMAT_VERSION, "listing", os.fsencode(folder), how, keep_folders,
                os.fsencode(classifier), classifier_digest, secrets.token_hex(4), made_into,
                datetime.now(UTC).isoformat(timespec="seconds"),
            )  # fmt: skip
            journal.execute_many(
                "INSERT INTO classes VALUES (?,?,?)",
                # JSON: a name may hold what no text of a database can.
                ((n, json.dumps(name), safe) for n, (name, safe) in enumerate(classes)),
            )
        fsync_all((path.parent, path.parent.parent, path.parent.parent.parent))
        return journal

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; what was not committed is as if it had not been."""
        self._database.close()

    # --- What was asked ------------------------------------------------------------------------

    def about(self, column: str) -> Any:
        """Returns a column of the table `sort`, such as "how"."""
        return self.execute(f"SELECT {column} FROM sort").fetchone()[0]  # noqa: S608 (ours)

    @property
    def state(self) -> State:
        """How far the sort is."""
        state: State = self.about("state")
        return state

    def set_state(self, state: State) -> None:
        """Says how far the sort is."""
        self.execute("UPDATE sort SET state = ?", state)

    @property
    def how(self) -> How:
        """How the files get there."""
        how: How = self.about("how")
        return how

    @property
    def folder(self) -> Path:
        """The collection's folder, absolute."""
        return Path(os.fsdecode(self.about("folder")))

    @property
    def classifier(self) -> Path:
        """The file of the classifier."""
        return Path(os.fsdecode(self.about("classifier")))

    def classes(self) -> list[tuple[str, str]]:
        """Returns the classes' names with their folders, in the classifier's order."""
        rows = self.execute("SELECT name, folder FROM classes ORDER BY position")
        return [(json.loads(name), folder) for name, folder in rows]

    # --- Rows ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written inside is on the disk when the block ends, all of it or nothing."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back already
                self.execute("ROLLBACK")
            raise

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Runs one statement."""
        return self._database.execute(statement, values)

    def execute_many(self, statement: str, rows: Iterable[Any]) -> None:
        """Runs one statement for each row of values."""
        self._database.executemany(statement, rows)

    def update(self, entries: Iterable[Entry]) -> None:
        """Writes what may change of these files, in one transaction."""
        with self.transaction():
            self.execute_many(
                "UPDATE files SET state=?, target=?, note=?, digest=?, made_inode=?, "
                "made_mtime_ns=?, made_ctime_ns=?, back=? WHERE id=?",
                (
                    (e.state, e.target, e.note, e.digest, e.made_inode, e.made_mtime_ns,
                     e.made_ctime_ns, e.back, e.id)
                    for e in entries
                ),
            )  # fmt: skip

    def entries(self, *states: FileState, newest_first: bool = False) -> Iterator[Entry]:
        """Yields the files in these states, units together, a page of them in memory.

        Rows may be changed meanwhile; each is seen once.
        """
        way, order = ("<", "DESC") if newest_first else (">", "ASC")
        last = (2**62, 2**62) if newest_first else (-1, -1)
        marks = ",".join("?" * len(states))
        while True:
            page = self.execute(
                f"SELECT {_COLUMNS} FROM files INDEXED BY files_by_picture "  # noqa: S608 (ours)
                f"WHERE state IN ({marks}) AND (picture, id) {way} (?, ?) "
                f"ORDER BY picture {order}, id {order} LIMIT {PAGE}",
                *states, *last,
            ).fetchall()  # fmt: skip
            if not page:
                return
            yield from (Entry(*row) for row in page)
            last = (page[-1][3], page[-1][0])

    def units(self, *states: FileState, newest_first: bool = False) -> Iterator[Unit]:
        """Yields pictures with their companions, as far as they are in these states."""
        found = self.entries(*states, newest_first=newest_first)
        for _, unit in groupby(found, key=lambda entry: entry.picture):
            yield sorted(unit, key=lambda entry: entry.id)

    def count(self, *states: FileState, pictures: bool = False) -> int:
        """Returns how many files, or pictures alone, are in these states."""
        marks = ",".join("?" * len(states))
        only = "AND id = picture" if pictures else ""
        found = self.execute(
            f"SELECT COUNT(*) FROM files WHERE state IN ({marks}) {only}",  # noqa: S608 (ours)
            *states,
        )
        return int(found.fetchone()[0])

    # --- Paths ---------------------------------------------------------------------------------

    def source(self, entry: Entry) -> Path:
        """Where a file was found."""
        return self.folder_path / entry.path

    def target(self, entry: Entry) -> Path:
        """Where a file is to be, or is."""
        return self.into / entry.placed

    def temporary(self, entry: Entry, folder: Path) -> Path:
        """Where a copy is written before it gets its name, in the same folder."""
        return folder / f".{self.token}-{entry.id}.part"

    @property
    def folder_path(self) -> Path:
        """`folder`, read once."""
        if self._folder is None:
            self._folder = self.folder
        return self._folder

    @property
    def token(self) -> str:
        """Makes the temporary names this sort's own."""
        if self._token is None:
            self._token = self.about("token")
        return self._token

    _folder: Path | None = None
    _token: str | None = None


def journal_paths(into: Path) -> list[Path]:
    """Returns the journals in a folder that was sorted into, the oldest first."""
    try:
        names = [entry.name for entry in (into / FOLDER).iterdir()]
    except OSError:
        return []
    numbered = sorted(
        (int(match[1]), name)
        for name in names
        if (match := re.fullmatch(r"sort-([0-9]+)\.sqlite", name))
    )
    return [into / FOLDER / name for _, name in numbered]


def next_path(into: Path) -> Path:
    """Returns the path of the next sort's journal."""
    paths = journal_paths(into)
    number = int(paths[-1].stem.removeprefix("sort-")) + 1 if paths else 1
    return into / FOLDER / f"sort-{number}.sqlite"


def newest(into: Path) -> Journal | None:
    """Opens the journal of the last sort into a folder; None where there is none.

    Raises:
        SortError: it is of a newer version, or no journal.
    """
    for path in reversed(journal_paths(into)):
        journal = Journal(path, into)
        try:
            made = journal.execute("SELECT 1 FROM sqlite_master WHERE name = 'sort'").fetchone()
            version = journal.about("format") if made else None
        except BaseException:
            journal.close()
            raise
        if version == FORMAT_VERSION:
            return journal
        if version is None:  # killed before its first commit: it has never been one
            remove(journal)
            continue
        journal.close()
        raise SortError(
            f"{path} has the format {version}; this tellapart knows {FORMAT_VERSION}. "
            "Use the tellapart that wrote it."
        )
    return None


def remove(journal: Journal) -> None:
    """Deletes a journal, and its folder if no other is in there."""
    journal.close()
    # The file itself first: it must never be read without what its log still holds. A log alone is
    # passed over by `journal_paths`, and by SQLite when it makes a file of that name.
    for ending in ("", "-wal", "-shm", "-journal"):
        journal.path.with_name(journal.path.name + ending).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        journal.path.parent.rmdir()
