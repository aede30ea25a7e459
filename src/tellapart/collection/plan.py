"""What a sort would do, in numbers and examples, before anything is done."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.collection.folder_names import UNSURE
from tellapart.collection.journal import How, Journal
from tellapart.collection.targets import IN_PLACE, THERE, TWICE

EXAMPLES = 3


@dataclass(frozen=True)
class Problem:
    """A file that was left alone or not taken back, and why."""

    path: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """Returns path and reason."""
        return {"path": self.path, "reason": self.reason}


@dataclass(frozen=True)
class Group:
    """The pictures of one target folder.

    Attributes:
        label: the class; None: the unsure ones.
        folder: its name, below the folder that is sorted into.
        pictures: how many.
        examples: some of them, relative to the collection's folder.
    """

    label: str | None
    folder: str
    pictures: int
    examples: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {
            "class": self.label,
            "folder": self.folder,
            "pictures": self.pictures,
            "examples": list(self.examples),
        }


@dataclass(frozen=True)
class Plan:
    """What a sort would do.

    Attributes:
        folder: the collection's.
        into: the folder that is sorted into.
        how: the files get there.
        groups: a class a group, in the classifier's order, and the unsure ones last.
        companions: files that go with their pictures.
        renamed: pictures that get a suffix, because their name is taken.
        there: pictures whose bytes are in their place already.
        in_place: pictures that are themselves in their place already.
        twice: pictures whose bytes another one of the collection has; not stored again, or, where
            they are moved, moved like the others.
        unreadable: pictures that cannot be predicted, and folders that cannot be listed.
        others: files that are neither pictures nor go with one.
        links: symbolic links, which are not followed.
        destinations: folders that are left out because something was sorted into them.
        bytes: that are copied; 0 where nothing is.
        free_bytes: on the disk of `into`.
    """

    folder: Path
    into: Path
    how: How
    groups: tuple[Group, ...]
    companions: int
    renamed: int
    there: int
    in_place: int
    twice: int
    unreadable: tuple[Problem, ...]
    others: int
    links: int
    destinations: int
    bytes: int
    free_bytes: int

    @property
    def pictures(self) -> int:
        """The pictures that are to be sorted."""
        return sum(group.pictures for group in self.groups)

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {
            "folder": str(self.folder),
            "into": str(self.into),
            "how": self.how,
            "pictures": self.pictures,
            "groups": [group.to_json() for group in self.groups],
            "companions": self.companions,
            "renamed": self.renamed,
            "there": self.there,
            "in_place": self.in_place,
            "twice": self.twice,
            "unreadable": [problem.to_json() for problem in self.unreadable],
            "others": self.others,
            "links": self.links,
            "destinations": self.destinations,
            "bytes": self.bytes,
            "free_bytes": self.free_bytes,
        }


def read_plan(journal: Journal) -> Plan:
    """Reads the plan of a sort from its journal."""
    others, links, destinations = journal.execute(
        "SELECT others, links, destinations FROM sort"
    ).fetchone()
    how = journal.how
    return Plan(
        folder=journal.folder,
        into=journal.into,
        how=how,
        groups=tuple(_groups(journal)),
        companions=_number(journal, "id != picture AND target IS NOT NULL"),
        renamed=_renamed(journal),
        there=_with_note(journal, THERE),
        in_place=_with_note(journal, IN_PLACE),
        twice=_moved_twice(journal) if how == "move" else _with_note(journal, TWICE),
        unreadable=tuple(unreadable(journal)),
        others=others + _number(journal, "id != picture AND state = 'listed'"),
        links=links,
        destinations=destinations,
        bytes=_bytes_to_write(journal, how),
        free_bytes=_free_bytes(journal.into),
    )


def unreadable(journal: Journal) -> list[Problem]:
    """Returns the folders that cannot be listed and the pictures that cannot be predicted."""
    found = [
        Problem(str(journal.folder / os.fsdecode(path)), reason)
        for path, reason in journal.execute("SELECT path, reason FROM unlisted ORDER BY path")
    ]
    found += (
        Problem(str(journal.source(entry)), entry.note or "")
        for entry in journal.entries("unreadable")
    )
    return found


def _groups(journal: Journal) -> list[Group]:
    """Counts the pictures of all classes, with the first of each, in one pass over the files."""
    counts: dict[int, int] = {}
    examples: dict[int, list[str]] = {}
    rows = journal.execute(
        "SELECT place, pictures, folder, name FROM ("  # noqa: S608 (nobody else's words)
        f"  SELECT {_GROUP} AS place, folder, name, id,"
        f"    COUNT(*) OVER (PARTITION BY {_GROUP}) AS pictures,"
        f"    ROW_NUMBER() OVER (PARTITION BY {_GROUP} ORDER BY id) AS number"
        "  FROM files WHERE id = picture AND class IS NOT NULL AND state != 'there'"
        f") WHERE number <= {EXAMPLES} ORDER BY id"
    )
    for place, pictures, folder, name in rows:
        counts[place] = pictures
        path = Path(os.fsdecode(folder), os.fsdecode(name))
        examples.setdefault(place, []).append(str(path))
    named: list[tuple[str | None, str]] = [*journal.classes(), (None, UNSURE)]
    places = [*range(len(named) - 1), -1]
    return [
        Group(label, folder, counts.get(place, 0), tuple(examples.get(place, ())))
        for place, (label, folder) in zip(places, named, strict=True)
    ]


_GROUP = "CASE WHEN unsure IS NULL THEN class ELSE -1 END"


def _number(journal: Journal, condition: str) -> int:
    found = journal.execute(f"SELECT COUNT(*) FROM files WHERE {condition}")  # noqa: S608
    return int(found.fetchone()[0])


def _with_note(journal: Journal, note: str) -> int:
    found = journal.execute(
        "SELECT COUNT(*) FROM files WHERE id = picture AND state = 'there' AND note = ?", note
    )
    return int(found.fetchone()[0])


def _renamed(journal: Journal) -> int:
    # The target ends in the name, unless there is a suffix in it.
    return _number(
        journal,
        "id = picture AND target IS NOT NULL "
        "AND substr(target, length(target) - length(name) + 1) != name",
    )


def _moved_twice(journal: Journal) -> int:
    found = journal.execute(
        "SELECT COUNT(*) - COUNT(DISTINCT hex(digest) || class || (unsure IS NULL)) FROM files "
        "WHERE id = picture AND target IS NOT NULL"
    )
    return int(found.fetchone()[0])


def _bytes_to_write(journal: Journal, how: How) -> int:
    if how in ("link", "symlink") or (how == "move" and _same_disk(journal.folder, journal.into)):
        return 0
    found = journal.execute("SELECT TOTAL(size) FROM files WHERE target IS NOT NULL")
    return int(found.fetchone()[0])


def _same_disk(folder: Path, into: Path) -> bool:
    return folder.stat().st_dev == existing(into).stat().st_dev


def _free_bytes(into: Path) -> int:
    return shutil.disk_usage(existing(into)).free


def existing(path: Path) -> Path:
    """Returns the path, or the folder above it that there is."""
    while not path.exists():
        path = path.parent
    return path
