"""Sorting a collection, from Python: plan it, do it, go on with it, take it back.

    import tellapart as ta

    print(ta.plan_sort("runs/photos-1", "unsorted", into="sorted").pictures)
    ta.sort("runs/photos-1", "unsorted", into="sorted")
    ta.undo_sort("sorted")

The journal in `sorted` remembers what was done; nothing else has to be kept.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tellapart.collection.checks import (
    check_folders,
    digest_of,
    existing_into,
    make_into,
    refuse_unfinished,
    require_folder,
    require_the_same,
)
from tellapart.collection.doing import STOPS, carry_out
from tellapart.collection.folder_names import folder_names
from tellapart.collection.journal import FOLDER, How, Journal, newest, next_path
from tellapart.collection.listing import list_collection
from tellapart.collection.outcome import (
    Sorted,
    Undone,
    UndoPlan,
    foresee_undo,
    read_sorted,
    read_undone,
)
from tellapart.collection.plan import Plan, read_plan
from tellapart.collection.predicting import Predictor, predict
from tellapart.collection.settling import settle
from tellapart.collection.targets import choose_targets
from tellapart.collection.undo import forget, take_back
from tellapart.collection.words import resume_command, shown, undo_command
from tellapart.errors import SortError
from tellapart.files import write_error
from tellapart.folder_lock import lock_folder

OnProgress = Callable[[str, int, int | None], None]
"""Called with what is going on, how much of it is done, and of how much, where that is known."""


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
    collection, target = check_folders(Path(folder), Path(into), how)
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
    collection, target = check_folders(Path(folder), Path(into), how)
    predictor = _load(classifier)
    made = make_into(target)
    with _explaining(target), _locked(target):
        refuse_unfinished(target)
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
    target = existing_into(Path(into))
    with _explaining(target), _locked(target):
        journal = newest(target)
        if journal is None:
            raise SortError(
                f"Nothing was sorted into {shown(target)}: there is nothing to go on with."
            )
        with journal:
            state = journal.state
            if state == "sorted":
                raise SortError(
                    f"The last sort into {shown(target)} has ended; {undo_command(target)} takes "
                    "it back."
                )
            if state == "undoing":
                raise SortError(
                    f"The last sort into {shown(target)} is being taken back; "
                    f"{undo_command(target)} goes on with that."
                )
            require_folder(journal)
            predictor = classifier
            if state in ("listing", "predicting"):
                predictor = predictor or _load(journal.classifier)
                require_the_same(journal, predictor)
            return _go_on(journal, predictor, confirm, on_progress or _silent, batch_size)


def plan_undo(into: str | Path) -> UndoPlan:
    """Says what `undo_sort` would do. Nothing is changed.

    Raises:
        SortError: see `undo_sort`.
    """
    target = existing_into(Path(into))
    with _explaining(target), _locked(target), _newest_to_undo(target) as journal:
        return foresee_undo(journal)


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
    target = existing_into(Path(into))
    with _explaining(target), _locked(target), _newest_to_undo(target) as journal:
        if confirm is not None:
            confirm(foresee_undo(journal))
        try:
            take_back(journal, on_progress or _silent)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{journal.count('undone', 'kept'):,} files are taken back; {undo_command(target)} "
                "goes on."
            ) from None
        undone = read_undone(journal)
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
        ails = _ails(error)
        if not ails:
            raise
        with contextlib.suppress(OSError, sqlite3.Error):
            settle(journal)  # what is half written takes room
        raise SortError(f"The disk of {shown(journal.into)} {ails} {_how_far(journal)}") from error
    journal.set_state("sorted")
    done = read_sorted(journal)
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
    total = done + rest
    said = f"{done:,} of {total:,} files are sorted" if total else "Nothing is sorted yet"
    return f"{said}; {resume_command(into)} goes on, {undo_command(into)} takes it back."


# --- The stages of an undo ----------------------------------------------------------------------


@contextlib.contextmanager
def _newest_to_undo(into: Path) -> Iterator[Journal]:
    journal = newest(into)
    if journal is None:
        with contextlib.suppress(OSError):  # an undo that was killed as its very last step
            (into / FOLDER).rmdir()
        raise SortError(f"Nothing was sorted into {shown(into)}: there is nothing to take back.")
    with journal:
        if journal.state not in ("listing", "predicting", "asking"):
            require_folder(journal)
        yield journal


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
        classifier_digest=digest_of(predictor),
        classes=zip(names, folder_names(names), strict=True),
        made_into=made,
    )


@contextlib.contextmanager
def _locked(into: Path) -> Iterator[None]:
    try:
        lock = lock_folder(into)
    except BlockingIOError:
        raise SortError(
            f"Another process is sorting into {shown(into)}, or takes a sort back. Wait until "
            "it has ended."
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
    except (OSError, sqlite3.Error) as error:
        if ails := _ails(error):
            raise SortError(f"The disk of {shown(into)} {ails}") from error
        if isinstance(error, sqlite3.Error):
            raise SortError(
                f"The journal in {shown(into / FOLDER)} cannot be used: {error}."
            ) from error
        if error.filename:
            raise write_error(Path(shown(Path(os.fsdecode(error.filename)))), error) from error
        raise


def _ails(error: OSError | sqlite3.Error) -> str:
    """Says what ails a disk, and what to do; "" where it is something else."""
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return "can no longer be written to. Mend that first."
    if isinstance(error, OSError):
        full = error.errno in STOPS
    else:
        full = getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
    return "is full. Free some space first." if full else ""


def _silent(what: str, done: int, total: int | None) -> None:
    """Says nothing."""
