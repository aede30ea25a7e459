"""Sorting a collection, from Python: plan it, do it, go on with it, take it back.

    import tellapart as ta

    print(ta.plan_sort("runs/photos-1", "unsorted", into="sorted").pictures)
    ta.sort("runs/photos-1", "unsorted", into="sorted")
    ta.undo_sort("sorted")

The journal in `sorted` remembers what was done; nothing else has to be kept.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from tellapart.collection.content import digest_file
from tellapart.collection.doing import STOPS, carry_out
from tellapart.collection.folder_names import folder_names
from tellapart.collection.journal import FOLDER, How, Journal, newest, next_path
from tellapart.collection.listing import list_collection
from tellapart.collection.plan import Plan, Problem, existing, read_plan
from tellapart.collection.predicting import Predictor, predict
from tellapart.collection.settling import settle
from tellapart.collection.targets import choose_targets
from tellapart.collection.undo import forget, judge, take_back
from tellapart.errors import DataError, SortError, UsageError
from tellapart.files import similar_path, write_error
from tellapart.folder_lock import lock_folder

OnProgress = Callable[[str, int, int | None], None]
"""Called with what is going on, how much of it is done, and of how much, where that is known."""


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


def plan_sort(
    classifier: str | Path | Predictor,
    folder: str | Path,
    *,
    into: str | Path,
    how: How = "copy",
    keep_folders: bool = False,
    batch_size: int = 32,
    on_progress: OnProgress | None = None,
) -> Plan:
    """Says what `sort` would do with the same arguments. Nothing is written but temporary files.

    Raises:
        TellapartError: see `sort`.
    """
    collection, target = _check_folders(Path(folder), Path(into), how)
    predictor = _load(classifier)
    with tempfile.TemporaryDirectory(prefix="tellapart-") as temporary, _explaining(target):
        path = Path(temporary) / "sort-1.sqlite"
        with _create(path, target, collection, how, keep_folders, predictor, made=False) as journal:
            _make_plan(journal, predictor, on_progress or _silent, batch_size)
            return read_plan(journal)


def sort(
    classifier: str | Path | Predictor,
    folder: str | Path,
    *,
    into: str | Path,
    how: How = "copy",
    keep_folders: bool = False,
    batch_size: int = 32,
    confirm: Callable[[Plan], None] | None = None,
    on_progress: OnProgress | None = None,
) -> Sorted:
    """Sorts the pictures of a folder into a folder for each class, and one for the unsure ones.

    Nothing is ever replaced, and everything can be taken back: see `undo_sort`. A picture that
    cannot be read stays where it is, and so does one that has changed since the plan was made.

    Args:
        classifier: a run folder, a classifier file, or a `Classifier`.
        folder: the collection; with all folders in it, links apart.
        into: made if it does not exist; the folder that holds it must.
        how: "copy", "move", "link" (hard links) or "symlink" (symbolic links).
        keep_folders: whether the folders of the collection are kept below those of the classes.
        batch_size: pictures that are predicted at a time.
        confirm: called with the plan before anything is done; whatever it raises ends the sort,
            as if it had not been begun.
        on_progress: called with what is going on ("Listing", "Predicting", "Planning",
            "Sorting"), how much is done, and of how much.

    Raises:
        UsageError: the folders or `how` cannot be used.
        DataError: there is no such folder.
        SortError: an earlier sort into the folder has not ended, another process sorts into it,
            or the disk is full.
        ClassifierFileError: the classifier cannot be loaded.
        KeyboardInterrupt: with words about how to go on or take it back.
    """
    collection, target = _check_folders(Path(folder), Path(into), how)
    predictor = _load(classifier)
    made = _make_into(target)
    with _explaining(target), _locked(target):
        _refuse_unfinished(target)
        (target / FOLDER).mkdir(exist_ok=True)
        journal = _create(
            next_path(target), target, collection, how, keep_folders, predictor, made=made
        )
        with journal:
            return _go_on(journal, predictor, confirm, on_progress or _silent, batch_size)


def resume_sort(
    into: str | Path,
    *,
    classifier: Predictor | None = None,
    batch_size: int = 32,
    confirm: Callable[[Plan], None] | None = None,
    on_progress: OnProgress | None = None,
) -> Sorted:
    """Goes on with the sort into a folder that was killed, stopped, or ran out of disk.

    Args:
        into: the folder that is sorted into.
        classifier: the one it was begun with, loaded; None: it is loaded if it is needed.
        batch_size: pictures that are predicted at a time.
        confirm: as for `sort`; not called where it has said yes already.
        on_progress: as for `sort`.

    Raises:
        SortError: there is nothing to go on with, or see `sort`.
    """
    target = _existing_into(Path(into))
    with _explaining(target), _locked(target):
        journal = newest(target)
        if journal is None:
            raise SortError(f"Nothing was sorted into {target}: there is nothing to go on with.")
        with journal:
            state = journal.state
            if state == "sorted":
                raise SortError(
                    f"The last sort into {target} has ended; {_undo(target)} takes it back."
                )
            if state == "undoing":
                raise SortError(
                    f"The last sort into {target} is being taken back; {_undo(target)} goes on "
                    "with that."
                )
            _require_folder(journal)
            predictor = classifier
            if state in ("listing", "predicting"):
                predictor = predictor or _load(journal.classifier)
                _require_the_same(journal, predictor)
            return _go_on(journal, predictor, confirm, on_progress or _silent, batch_size)


def plan_undo(into: str | Path) -> UndoPlan:
    """Says what `undo_sort` would do. Nothing is changed.

    Raises:
        SortError: see `undo_sort`.
    """
    target = _existing_into(Path(into))
    with _explaining(target), _locked(target), _newest_to_undo(target) as journal:
        return _plan_undo(journal)


def undo_sort(
    into: str | Path,
    *,
    confirm: Callable[[UndoPlan], None] | None = None,
    on_progress: OnProgress | None = None,
) -> Undone:
    """Takes back the last sort into a folder, finished or not.

    What was moved returns to its place with its name, times and permissions; what was copied or
    linked is removed, if it is unchanged and its original is still there; folders that were made
    and are empty go, and so does the journal. An undo that is killed is gone on with by the next.

    Args:
        into: the folder that was sorted into.
        confirm: called with the plan before anything is done; whatever it raises ends the undo.
        on_progress: called with "Taking back", how many files are done, and of how many.

    Raises:
        SortError: nothing was sorted into the folder, the collection's folder is not there, or
            another process works on it.
        KeyboardInterrupt: with words about how to go on.
    """
    target = _existing_into(Path(into))
    with _explaining(target), _locked(target), _newest_to_undo(target) as journal:
        if confirm is not None:
            confirm(_plan_undo(journal))
        try:
            take_back(journal, on_progress or _silent)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{journal.count('undone', 'kept'):,} files are taken back; {_undo(target)} "
                "goes on."
            ) from None
        undone = _read_undone(journal)
        if not undone.failed:
            forget(journal)
        return undone


# --- The stages of a sort -----------------------------------------------------------------------


def _make_plan(
    journal: Journal, predictor: Predictor | None, on_progress: OnProgress, batch_size: int
) -> None:
    if journal.state == "listing":
        list_collection(journal, on_progress)
    if journal.state == "predicting":
        assert predictor is not None  # noqa: S101 (loaded for these two)
        predict(journal, predictor, on_progress, batch_size=batch_size)
        choose_targets(journal, on_progress)


def _go_on(
    journal: Journal,
    predictor: Predictor | None,
    confirm: Callable[[Plan], None] | None,
    on_progress: OnProgress,
    batch_size: int,
) -> Sorted:
    try:
        _make_plan(journal, predictor, on_progress, batch_size)
        if journal.state == "asking":
            _ask(journal, confirm)
            journal.set_state("sorting")
        carry_out(journal, on_progress)
    except KeyboardInterrupt as interrupt:
        if interrupt.args:
            raise  # it has its words
        with contextlib.suppress(OSError, sqlite3.Error):
            settle(journal)
        raise KeyboardInterrupt(_how_far(journal)) from None
    except (OSError, sqlite3.Error) as error:
        if not _is_full(error):
            raise
        with contextlib.suppress(OSError, sqlite3.Error):
            settle(journal)  # what is half written takes room
        raise SortError(
            f"The disk of {journal.into} is full. {_how_far(journal)} Free some space first."
        ) from error
    journal.set_state("sorted")
    done = _read_sorted(journal)
    if not done.pictures and not done.companions:
        forget(journal)  # there is nothing to take back
    return done


def _ask(journal: Journal, confirm: Callable[[Plan], None] | None) -> None:
    if confirm is None:
        return
    try:
        confirm(read_plan(journal))
    except BaseException as refusal:
        forget(journal)
        if isinstance(refusal, KeyboardInterrupt):
            raise KeyboardInterrupt("Nothing was done.") from None
        raise


def _how_far(journal: Journal) -> str:
    into = journal.into
    try:
        done, rest = journal.count("done", "skipped"), journal.count("planned", "doing", "copied")
    except sqlite3.Error:
        done = rest = 0
    said = f"{done:,} of {done + rest:,} files are sorted" if rest else "Nothing is sorted yet"
    return f"{said}; `tellapart sort --resume {into}` goes on, {_undo(into)} takes it back."


def _read_sorted(journal: Journal) -> Sorted:
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


# --- The stages of an undo ----------------------------------------------------------------------


@contextlib.contextmanager
def _newest_to_undo(into: Path) -> Iterator[Journal]:
    journal = newest(into)
    if journal is None:
        raise SortError(f"Nothing was sorted into {into}: there is nothing to take back.")
    with journal:
        if journal.state not in ("listing", "predicting", "asking"):
            _require_folder(journal)
        yield journal


def _plan_undo(journal: Journal) -> UndoPlan:
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


def _read_undone(journal: Journal) -> Undone:
    def problems(state: Any) -> tuple[Problem, ...]:
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
    from tellapart.collection.journal import journal_paths

    return len(journal_paths(journal.into)) - 1


# --- What is checked first ----------------------------------------------------------------------


def _check_folders(folder: Path, into: Path, how: str) -> tuple[Path, Path]:
    """Returns both without links, so that they mean the same from everywhere."""
    if how not in get_args(How):
        raise UsageError(f"how={how!r}: expected one of {', '.join(get_args(How))}.")
    if not folder.is_dir():
        if folder.exists():
            raise UsageError(f"{folder} is a file. Name the folder that is to be sorted.")
        raise DataError(f"There is no folder {folder}.{similar_path(folder)}")
    if into.exists() and not into.is_dir():
        raise UsageError(f"{into} is a file. Name a folder to sort into.")
    if not into.resolve().parent.is_dir():
        raise UsageError(
            f"There is no folder {into.parent} to make {into.name} in. Make it first, or name "
            "another."
        )
    collection, target = folder.resolve(), into.resolve()
    if collection == target or (target.exists() and target.samefile(collection)):
        raise UsageError(
            f"{folder} cannot be sorted into itself. Name another folder, such as "
            f"{folder / 'sorted'}."
        )
    if how == "link" and existing(target).stat().st_dev != collection.stat().st_dev:
        raise UsageError(
            f"Hard links cannot lead to another disk: {folder} and {into} are on two. Link with "
            "--symlink, or copy."
        )
    return collection, target


def _load(classifier: str | Path | Predictor) -> Predictor:
    if isinstance(classifier, str | Path):
        from tellapart.classifier import Classifier

        return Classifier.load(classifier)
    return classifier


def _create(
    path: Path,
    into: Path,
    folder: Path,
    how: How,
    keep_folders: bool,
    predictor: Predictor,
    *,
    made: bool,
) -> Journal:
    names = predictor.class_names
    return Journal.create(
        path,
        into,
        folder=folder,
        how=how,
        keep_folders=keep_folders,
        classifier=predictor.path.resolve(),
        classifier_digest=_digest_of(predictor),
        classes=zip(names, folder_names(names), strict=True),
        made_into=made,
    )


def _digest_of(predictor: Predictor) -> bytes:
    try:
        return digest_file(predictor.path.resolve())
    except OSError:  # one that comes from no file
        return b""


def _require_the_same(journal: Journal, predictor: Predictor) -> None:
    if _digest_of(predictor) != journal.about("classifier_digest"):
        raise SortError(
            f"{journal.classifier} is no longer the classifier that the sort into {journal.into} "
            f"was begun with. {_undo(journal.into)} ends that sort; then begin anew."
        )


def _require_folder(journal: Journal) -> None:
    if not journal.folder.is_dir():
        raise SortError(
            f"The folder {journal.folder}, which was sorted into {journal.into}, is not there. "
            "Connect its disk, or make the folder again if you have deleted it."
        )


def _make_into(into: Path) -> bool:
    try:
        into.mkdir()
    except FileExistsError:
        return False
    except OSError as error:
        raise write_error(into, error) from error
    return True


def _existing_into(into: Path) -> Path:
    if not into.is_dir():
        raise SortError(f"There is no folder {into}.{similar_path(into)}")
    return into.resolve()


def _refuse_unfinished(into: Path) -> None:
    journal = newest(into)
    if journal is None:
        return
    with journal:
        if journal.state == "undoing":
            raise SortError(
                f"The last sort into {into} is being taken back. {_undo(into)} goes on with that."
            )
        if journal.state != "sorted":
            raise SortError(
                f"The last sort into {into} has not ended. `tellapart sort --resume {into}` goes "
                f"on with it, {_undo(into)} takes it back."
            )


@contextlib.contextmanager
def _locked(into: Path) -> Iterator[None]:
    try:
        lock = lock_folder(into)
    except BlockingIOError:
        raise SortError(
            f"Another process is sorting into {into}, or takes a sort back. Wait until it has "
            "ended."
        ) from None
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


@contextlib.contextmanager
def _explaining(into: Path) -> Iterator[None]:
    """Says what a failing disk or journal means."""
    try:
        yield
    except sqlite3.Error as error:
        raise SortError(f"The journal in {into / FOLDER} cannot be used: {error}.") from error
    except OSError as error:
        if error.filename is not None and not isinstance(error, BlockingIOError):
            raise write_error(Path(os.fsdecode(error.filename)), error) from error
        raise


def _is_full(error: OSError | sqlite3.Error) -> bool:
    if isinstance(error, OSError):
        return error.errno in STOPS
    return getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"


def _undo(into: Path) -> str:
    return f"`tellapart undo {into}`"


def _silent(what: str, done: int, total: int | None) -> None:
    """Says nothing."""
