"""What became of files that were being sorted when the process ended, told from the disk itself.

The journal knows what was meant; each step leaves something by which it is recognised. A copy has
the inode that was written down before it got its name; a moved file has its own. What was begun
and did not get its name is removed, and begun anew: until then nothing but a temporary file of
ours has been made.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

from tellapart.collection.content import digest_file, exists, identity, regular, same_inode
from tellapart.collection.journal import PAGE, Entry, FileState, Journal
from tellapart.collection.placing import fsync

VANISHED = "it is no longer there"
LEFT = "its original has changed while it was moved, and was left where it is"


def settle(journal: Journal) -> None:
    """Brings every file that was being sorted into a state that is true."""
    settled: list[Entry] = []
    for entry in journal.entries("doing", "copied", "placed"):
        target = journal.target(entry)
        settled.append(_settle(journal, entry))
        journal.temporary(entry, target.parent).unlink(missing_ok=True)
        if len(settled) >= PAGE:
            journal.update(settled)
            settled.clear()
    if settled:
        journal.update(settled)


def _settle(journal: Journal, entry: Entry) -> Entry:
    how = journal.how
    if entry.state in ("copied", "placed"):
        return _settle_copy(journal, entry)
    if how == "move":
        return _settle_move(journal, entry)
    target, source = journal.target(entry), journal.source(entry)
    if how == "link" and _is_one_file(regular(source), regular(target)):
        return made(entry, target, "done")
    if how == "symlink" and leads_to(target, source):
        return made(entry, target, "done")
    return replace(entry, state="planned")  # of a copy: its name cannot have been given yet


def _settle_copy(journal: Journal, entry: Entry) -> Entry:
    target = journal.target(entry)
    if not _has_its_name(target, journal.temporary(entry, target.parent), entry):
        return replace(entry, state="planned", made_inode=None)
    if journal.how == "copy":
        return made(entry, target, "done")
    fsync(target.parent)
    return remove_original(journal, made(entry, target, "placed"))


def _has_its_name(target: Path, temporary: Path, entry: Entry) -> bool:
    """Whether a copy that was written has got its name."""
    status = regular(target)
    if status is not None and same_inode(status, entry.made_inode):
        return True
    # Some disks number files anew when they are mounted: there the bytes tell.
    return not exists(temporary) and is_what_was_made(target, entry)


def _settle_move(journal: Journal, entry: Entry) -> Entry:
    target = journal.target(entry)
    here, there = regular(journal.source(entry)), regular(target)
    if _is_one_file(here, there):
        journal.source(entry).unlink()  # where renaming is linking, both names are there for once
        return made(entry, target, "done")
    if here is not None and is_unchanged(here, entry):
        return replace(entry, state="planned")
    if there is not None and is_unchanged(there, entry):
        return made(entry, target, "done")
    return replace(entry, state="planned")  # if it has vanished, that will be found


def _is_one_file(here: os.stat_result | None, there: os.stat_result | None) -> bool:
    """Whether two names are there of one file: not one name, reached in two ways."""
    if here is None or there is None:
        return False
    return os.path.samestat(here, there) and there.st_nlink > 1


def made(entry: Entry, target: Path, state: FileState) -> Entry:
    """Notes by what a file that got its name is recognised."""
    status = target.lstat()
    return replace(
        entry,
        state=state,
        made_inode=identity(status),
        made_mtime_ns=status.st_mtime_ns,
        made_ctime_ns=status.st_ctime_ns,
    )


def remove_original(journal: Journal, entry: Entry) -> Entry:
    """Ends a move to another disk: the copy is there, and the original goes.

    One that has changed since it was copied stays. One that cannot be removed stays too, and then
    the copy goes.
    """
    source, target = journal.source(entry), journal.target(entry)
    status = regular(source)
    if status is None:
        return replace(entry, state="done")
    same = status.st_ctime_ns == entry.ctime_ns or has_digest(source, entry.digest)
    if not (is_unchanged(status, entry) and same):
        return replace(entry, state="done", note=LEFT)
    try:
        source.unlink()
    except OSError as error:
        if is_what_was_made(target, entry):
            target.unlink()
        return replace(entry, state="skipped", note=reason(error))
    return replace(entry, state="done")


def is_unchanged(status: os.stat_result, entry: Entry) -> bool:
    """Whether a file is as it was listed, by its size and the time of its last change."""
    return (status.st_size, status.st_mtime_ns) == (entry.size, entry.mtime_ns)


def is_what_was_made(path: Path, entry: Entry) -> bool:
    """Whether what is there holds the bytes that were written or moved there."""
    status = regular(path)
    if status is None or status.st_size != entry.size:
        return False
    if same_inode(status, entry.made_inode) and (status.st_mtime_ns, status.st_ctime_ns) == (
        entry.made_mtime_ns, entry.made_ctime_ns,
    ):  # fmt: skip
        return True
    return has_digest(path, entry.digest)


def has_digest(path: Path, digest: bytes | None) -> bool:
    """Whether a file holds the bytes with this digest."""
    with contextlib.suppress(OSError):
        return digest is not None and digest_file(path) == digest
    return False


def leads_to(link: Path, source: Path) -> bool:
    """Whether something is the symbolic link to a file that is made here."""
    try:
        return os.readlink(link) == str(source)  # noqa: PTH115 (a Path would be tidied up)
    except OSError:
        return False


def reason(error: OSError) -> str:
    """Returns what ails a file, in the system's words."""
    words = error.strerror or str(error)
    return words[:1].lower() + words[1:]
