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

from tellapart.collection.content import digest_file, identity, regular
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
    if how == "link" and _same_inode(target, entry.inode) and _same_inode(source, entry.inode):
        return made(entry, target, "done")
    if how == "symlink" and leads_to(target, source):
        return made(entry, target, "done")
    return replace(entry, state="planned")  # of a copy: its name cannot have been given yet


def _settle_copy(journal: Journal, entry: Entry) -> Entry:
    target = journal.target(entry)
    waits = os.path.lexists(journal.temporary(entry, target.parent))
    if not (
        _same_inode(target, entry.made_inode) or (not waits and is_what_was_made(target, entry))
    ):
        return replace(entry, state="planned", made_inode=None)
    if journal.how == "copy":
        return made(entry, target, "done")
    fsync(target.parent)
    return remove_original(journal, made(entry, target, "placed"))


def _settle_move(journal: Journal, entry: Entry) -> Entry:
    source, target = journal.source(entry), journal.target(entry)
    there = regular(target)
    if _same_inode(source, entry.inode):
        if there is not None and identity(there) == entry.inode and there.st_nlink > 1:
            source.unlink()  # where renaming is linking: both names are there for a moment
            return made(entry, target, "done")
        return replace(entry, state="planned")
    if (
        there is not None
        and there.st_size == entry.size
        and (identity(there) == entry.inode or there.st_mtime_ns == entry.mtime_ns)
    ):  # some disks number files anew when they are mounted
        return made(entry, target, "done")
    return replace(entry, state="planned")  # if it has vanished, that will be found


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
    if not is_unchanged(status, entry):
        return replace(entry, state="done", note=LEFT)
    try:
        source.unlink()
    except OSError as error:
        if is_what_was_made(target, entry):
            target.unlink()
        return replace(entry, state="skipped", note=reason(error))
    return replace(entry, state="done")


def is_unchanged(status: os.stat_result, entry: Entry) -> bool:
    """Whether a file is as it was listed, by size, time and place on the disk."""
    return (status.st_size, status.st_mtime_ns, identity(status)) == (
        entry.size, entry.mtime_ns, entry.inode,
    )  # fmt: skip


def is_what_was_made(path: Path, entry: Entry) -> bool:
    """Whether what is there holds the bytes that were written or moved there."""
    status = regular(path)
    if status is None or status.st_size != entry.size:
        return False
    if (identity(status), status.st_mtime_ns, status.st_ctime_ns) == (
        entry.made_inode, entry.made_mtime_ns, entry.made_ctime_ns,
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


def _same_inode(path: Path, inode: str | None) -> bool:
    status = regular(path)
    return status is not None and identity(status) == inode
