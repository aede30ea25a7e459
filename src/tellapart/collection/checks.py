"""What is looked at before a sort or an undo begins, and what is said where it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from tellapart.collection.content import digest_file
from tellapart.collection.journal import How, Journal, newest
from tellapart.collection.plan import existing
from tellapart.collection.predicting import Predictor
from tellapart.collection.words import resume_command, shown, undo_command
from tellapart.errors import DataError, SortError, UsageError
from tellapart.files import similar_path, write_error


def check_folders(folder: Path, into: Path, how: str) -> tuple[Path, Path]:
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


def digest_of(predictor: Predictor) -> bytes:
    """Returns the digest of a classifier's file; b"" for one that comes from none."""
    try:
        return digest_file(predictor.path.resolve())
    except OSError:  # one that comes from no file
        return b""


def require_the_same(journal: Journal, predictor: Predictor) -> None:
    """Raises SortError if the classifier is not the one that the sort was begun with."""
    if digest_of(predictor) != journal.about("classifier_digest"):
        raise SortError(
            f"{shown(journal.classifier)} is no longer the classifier that the sort into "
            f"{shown(journal.into)} was begun with. "
            f"{undo_command(journal.into)} ends that sort; then begin anew."
        )


def require_folder(journal: Journal) -> None:
    """Raises SortError if the collection's folder is not there: its disk may be missing."""
    if not journal.folder.is_dir():
        raise SortError(
            f"The folder {shown(journal.folder)}, which was sorted into {shown(journal.into)}, is "
            "not there. Connect its disk, or make the folder again if you have deleted it."
        )


def make_into(into: Path) -> bool:
    """Makes the folder to sort into; returns whether it had to be made."""
    try:
        into.mkdir()
    except FileExistsError:
        return False
    except OSError as error:
        raise write_error(Path(shown(into)), error) from error
    return True


def existing_into(into: Path) -> Path:
    """Returns the folder that was sorted into, without links."""
    if not into.is_dir():
        raise SortError(f"There is no folder {into}.{similar_path(into)}")
    return into.resolve()


def refuse_unfinished(into: Path) -> None:
    """Raises SortError if the last sort into a folder has not ended."""
    journal = newest(into)
    if journal is None:
        return
    with journal:
        if journal.state == "undoing":
            raise SortError(
                f"The last sort into {shown(into)} is being taken back. {undo_command(into)} "
                "goes on with that."
            )
        if journal.state != "sorted":
            raise SortError(
                f"The last sort into {shown(into)} has not ended. {resume_command(into)} goes "
                f"on with it, {undo_command(into)} takes it back."
            )
