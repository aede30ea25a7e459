"""What is in the collection's folder: its pictures, and the companions that go with them.

Nothing is opened. Hidden files and folders are passed over; links are counted and not followed, as
they may lead out of the folder or around in it; so are other files. A folder that was sorted into
is left out, the one that is sorted into now among them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tellapart.collection.companions import companion_of
from tellapart.collection.content import identity
from tellapart.collection.journal import FOLDER, Journal
from tellapart.images import EXTENSIONS

_PICTURE, _COMPANION = 0, 1

_LISTED = """
CREATE TEMP TABLE listed (
  folder BLOB, name BLOB, kind INTEGER, whole BLOB, stem BLOB, size INTEGER, mtime_ns INTEGER,
  atime_ns INTEGER, ctime_ns INTEGER, mode INTEGER, inode TEXT
)
"""

_COLUMNS = "folder, name, size, mtime_ns, atime_ns, ctime_ns, mode, inode"

# Where a JPEG and a PNG have one stem, the JPEG gets what belongs to the stem.
_OWNERS = """
CREATE TEMP TABLE owners AS
  SELECT files.folder, listed.stem, files.id,
    lower(CAST(files.name AS TEXT)) NOT GLOB '*.jp*g' AS last
  FROM files JOIN listed ON files.folder = listed.folder AND files.name = listed.name
"""

_COMPANIONS = f"""
INSERT INTO files ({_COLUMNS}, state, picture)
SELECT * FROM (
  SELECT {_COLUMNS}, 'listed', coalesce(
    (SELECT id FROM files f WHERE f.folder = listed.folder AND f.name = listed.whole),
    (SELECT id FROM owners o WHERE o.folder = listed.folder AND o.stem = listed.stem
     ORDER BY last, id LIMIT 1)
  ) AS owner
  FROM listed WHERE kind = {_COMPANION} ORDER BY folder, name
) WHERE owner IS NOT NULL
"""  # noqa: S608 (nobody else's words)


def list_collection(journal: Journal, on_progress: Callable[[str, int, int | None], None]) -> None:
    """Writes the pictures of a folder and their companions into the journal, all or nothing."""
    with journal.transaction():
        for table in ("listed", "owners"):
            journal.execute(f"DROP TABLE IF EXISTS temp.{table}")
        journal.execute(_LISTED)
        walk = _Walk(journal, on_progress)
        journal.execute_many(f"INSERT INTO listed VALUES ({','.join('?' * 11)})", walk.rows())  # noqa: S608
        journal.execute(
            f"INSERT INTO files ({_COLUMNS}, state) SELECT {_COLUMNS}, 'listed' FROM listed "  # noqa: S608
            f"WHERE kind = {_PICTURE} ORDER BY folder, name"
        )
        journal.execute("UPDATE files SET picture = id")
        journal.execute(_OWNERS)
        journal.execute("CREATE INDEX temp.owners_by_stem ON owners (folder, stem)")
        taken = journal.execute(_COMPANIONS).rowcount
        journal.execute_many("INSERT INTO unlisted VALUES (?,?)", walk.unlisted)
        journal.execute(
            "UPDATE sort SET others = ?, links = ?, destinations = ?",
            walk.others + walk.companions - taken, walk.links, walk.destinations,
        )  # fmt: skip
        journal.set_state("predicting")
    for table in ("listed", "owners"):
        journal.execute(f"DROP TABLE IF EXISTS temp.{table}")


class _Walk:
    """Goes through a folder and those in it, and counts what is none of its business."""

    def __init__(
        self, journal: Journal, on_progress: Callable[[str, int, int | None], None]
    ) -> None:
        self.root = journal.folder
        self.into = _identity(journal.into)
        self.on_progress = on_progress
        self.unlisted: list[tuple[bytes, str]] = []
        self.pictures = self.companions = self.others = self.links = self.destinations = 0

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yields a row for each picture, and for each file that may be a companion of one."""
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(self.root / folder) as entries:
                    for entry in entries:
                        path = f"{folder}/{entry.name}" if folder else entry.name
                        if self._is_folder(entry):
                            folders.append(path)
                        elif row := self._row(folder, entry):
                            yield row
            except OSError as error:
                reason = f"the folder cannot be listed ({error.strerror})"
                self.unlisted.append((os.fsencode(folder), reason))

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        if entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False):
            return False
        path = Path(entry.path)
        if _identity(path) == self.into or (path / FOLDER).is_dir():
            self.destinations += 1
            return False
        return True

    def _row(self, folder: str, entry: os.DirEntry[str]) -> tuple[object, ...] | None:
        name = entry.name
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # it has just vanished
            return None
        if entry.is_symlink():
            self.links += 1
            return None
        if name.startswith(".") or not entry.is_file(follow_symlinks=False):
            self.others += not entry.is_dir(follow_symlinks=False)
            return None
        ending = os.path.splitext(name)[1].lower()  # noqa: PTH122 (100,000 times)
        if ending in EXTENSIONS:
            kind, owner = _PICTURE, ("", name[: -len(ending)])
            self.pictures += 1
            if self.pictures % 1000 == 0:
                self.on_progress("Listing", self.pictures, None)
        elif found := companion_of(name):
            kind, owner = _COMPANION, found
            self.companions += 1
        else:
            self.others += 1
            return None
        return (
            os.fsencode(folder), os.fsencode(name), kind, *map(os.fsencode, owner),
            status.st_size, status.st_mtime_ns, status.st_atime_ns, status.st_ctime_ns,
            status.st_mode, identity(status),
        )  # fmt: skip


def _identity(folder: Path) -> str | None:
    try:
        return identity(folder.stat())
    except OSError:
        return None
