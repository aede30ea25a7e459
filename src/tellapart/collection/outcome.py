"""What came of a sort or an undo, read from its journal."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.collection.journal import FileState, How, Journal, journal_paths
from tellapart.collection.plan import Plan, Problem, read_plan
from tellapart.collection.undo import judge


@dataclass(frozen=True)
class Sorted:
    """What a sort has done.

    Attributes:
        plan: what it was to do.
        pictures: that are in their folders now.
        companions: that are there with them.
        skipped: files that were left where they are, and why.
    """

    plan: Plan
    pictures: int
    companions: int
    skipped: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {
            "plan": self.plan.to_json(),
            "pictures": self.pictures,
            "companions": self.companions,
            "skipped": [problem.to_json() for problem in self.skipped],
        }


@dataclass(frozen=True)
class UndoPlan:
    """What taking back the last sort would do.

    Attributes:
        folder: the collection's.
        into: the folder that was sorted into.
        how: the files got there.
        started: when that sort was, ISO 8601, UTC.
        files: that are returned, where they were moved, or removed, where they were copied or
            linked.
        unfinished: files that were being sorted when that was ended.
        kept: files that stay where they are, and why.
        earlier: sorts into this folder before that one, which stay.
    """

    folder: Path
    into: Path
    how: How
    started: str
    files: int
    unfinished: int
    kept: tuple[Problem, ...]
    earlier: int

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {
            "folder": str(self.folder),
            "into": str(self.into),
            "how": self.how,
            "started": self.started,
            "files": self.files,
            "unfinished": self.unfinished,
            "kept": [problem.to_json() for problem in self.kept],
            "earlier": self.earlier,
        }


@dataclass(frozen=True)
class Undone:
    """What an undo has done.

    Attributes:
        folder: the collection's.
        into: the folder that was sorted into.
        how: the files got there.
        files: that were returned, or removed.
        renamed: files that came back beside something new, and under which name.
        kept: files that stay where they are, for good, and why.
        failed: files that could not be taken back, and why; the next undo tries them again.
        earlier: sorts into this folder before that one, which the next undo takes back.
    """

    folder: Path
    into: Path
    how: How
    files: int
    renamed: tuple[Problem, ...]
    kept: tuple[Problem, ...]
    failed: tuple[Problem, ...]
    earlier: int

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {
            "folder": str(self.folder),
            "into": str(self.into),
            "how": self.how,
            "files": self.files,
            "renamed": [problem.to_json() for problem in self.renamed],
            "kept": [problem.to_json() for problem in self.kept],
            "failed": [problem.to_json() for problem in self.failed],
            "earlier": self.earlier,
        }


def read_sorted(journal: Journal) -> Sorted:
    """Reads what a sort has done."""
    pictures = journal.count("done", pictures=True)
    return Sorted(
        plan=read_plan(journal),
        pictures=pictures,
        companions=journal.count("done") - pictures,
        skipped=tuple(
            Problem(str(journal.source(entry)), entry.note)
            for entry in journal.entries("skipped", "done")
            if entry.note is not None
        ),
    )


def foresee_undo(journal: Journal) -> UndoPlan:
    """Looks at every file that was sorted, and says what an undo would do."""
    files = 0
    kept = []
    for entry in journal.entries("done", "undoing"):
        verdict = judge(journal, entry)
        if isinstance(verdict, tuple):
            kept.append(Problem(str(journal.target(entry)), verdict[1]))
        else:
            files += 1
    return UndoPlan(
        folder=journal.folder,
        into=journal.into,
        how=journal.how,
        started=journal.about("started"),
        files=files,
        unfinished=journal.count("doing", "copied", "placed"),
        kept=tuple(kept),
        earlier=_earlier(journal),
    )


def read_undone(journal: Journal) -> Undone:
    """Reads what an undo has done."""

    def problems(state: FileState) -> tuple[Problem, ...]:
        return tuple(
            Problem(str(journal.target(entry)), entry.note or "")
            for entry in journal.entries(state)
        )

    return Undone(
        folder=journal.folder,
        into=journal.into,
        how=journal.how,
        files=journal.count("undone"),
        renamed=tuple(
            Problem(str(journal.source(entry)), os.path.basename(os.fsdecode(entry.back)))  # noqa: PTH119
            for entry in journal.entries("undone")
            if entry.back is not None
        ),
        kept=problems("kept"),
        failed=problems("done"),
        earlier=_earlier(journal),
    )


def _earlier(journal: Journal) -> int:
    return len(journal_paths(journal.into)) - 1
