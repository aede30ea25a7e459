"""A sort and its undo, killed before each of their steps in turn.

    python tests/reliability/sort_steps.py --every 1

Where `sort_kills.py` kills at random moments, this one counts: a child process ends itself, as
`kill -9` would, right before the n-th thing that it does to the disk or to the journal, for every
n there is; the parent looks at what is left, goes on, takes it back (killed in the same way), and
compares. With --every 7, every seventh step is taken, from a different first one for each way.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tellapart.collection import placing
from tellapart.collection.journal import How, Journal, newest
from tellapart.collection.sort import resume_sort, sort, undo_sort
from tellapart.errors import SortError

sys.path.insert(0, str(Path(__file__).parents[2]))  # where it is run as a script

from tests.reliability.sort_kills import (
    HOWS,
    ByTheBytes,
    Truth,
    make_collection,
    snapshot,
)

ENDED = 86
"""The exit code of a child that has met its step."""

FILES = 12

STEPS: tuple[tuple[Any, str], ...] = (
    (Journal, "execute"),
    (placing, "_rename"),
    (placing, "_write_all"),
    (os, "link"),
    (os, "open"),
    (os, "fsync"),
    (os, "utime"),
    (Path, "unlink"),
    (Path, "mkdir"),
    (Path, "rmdir"),
    (Path, "chmod"),
    (Path, "symlink_to"),
)
"""All that changes the disk, and every statement of the journal, reading ones among them."""


def die_before(step: int) -> None:
    """Lets this process end right before the n-th step from now on."""
    left = step

    def count(do: Callable[..., Any]) -> Callable[..., Any]:
        def do_or_die(*args: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os._exit(ENDED)
            return do(*args, **options)

        return do_or_die

    for owner, name in STEPS:
        setattr(owner, name, count(getattr(owner, name)))


def refuse_renames() -> None:
    """Makes two file systems of one: a move is then a copy."""
    rename = placing._rename

    def refuse(source: Path, target: Path) -> None:
        if source.parent != target.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    setattr(placing, "_rename", refuse)  # noqa: B010 (for the type checker)


def in_a_child(step: int, task: Callable[[], object], *, across: bool) -> bool:
    """Runs a task in a child that dies before its n-th step; returns whether it met that."""
    child = os.fork()
    if child == 0:
        try:
            if across:
                refuse_renames()
            die_before(step)
            task()
        except BaseException as error:
            print(f"step {step}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, ENDED):
        raise AssertionError(f"step {step} ended with exit code {code}")
    return code == ENDED


def try_step(root: Path, how: How, step: int, *, across: bool) -> tuple[bool, list[str]]:
    """Kills a sort before a step and then its undo before the same one; returns what was wrong.

    Returns too whether there was such a step, in either.
    """
    make_collection(root, FILES, seed=3)
    photos, into = root / "photos", root / "sorted"
    truth = Truth(snapshot(photos), snapshot(into))

    def begin() -> object:
        return sort(ByTheBytes(), photos, into=into, how=how)

    def go_on() -> object:
        journal = newest(into)
        if journal is None:
            return begin()
        with journal:
            ended = journal.state == "sorted"
        return None if ended else resume_sort(into, classifier=ByTheBytes())

    def take_back() -> None:
        try:
            undo_sort(into)
        except SortError as error:
            if "there is nothing to take back" not in str(error):
                raise

    met = in_a_child(step, begin, across=across)
    wrong = truth.broken(root, how)
    if step % 2 or not met:
        in_a_child(0, go_on, across=across)
        wrong += truth.not_sorted(root, how)
    met |= in_a_child(step, take_back, across=across)
    wrong += truth.broken(root, how)
    in_a_child(0, take_back, across=across)
    return met, wrong + truth.not_restored(root)


def try_all(*, every: int = 1, hows: tuple[How, ...] = HOWS) -> tuple[int, list[str]]:
    """Tries every n-th step of every way; returns how many, and what was wrong."""
    ways = [(how, False) for how in hows] + [(how, True) for how in hows if how == "move"]
    tried, failures = 0, []
    for place, (how, across) in enumerate(ways):
        step, met = 1 + place % every, True
        while met:
            with tempfile.TemporaryDirectory() as folder:
                met, wrong = try_step(Path(folder), how, step, across=across)
            name = f"{how}{' across disks' * across}, step {step}"
            failures += [f"{name}: {it}" for it in wrong]
            tried += met
            step += every
    return tried, failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th step")
    parser.add_argument("--how", choices=HOWS, help="only this way")
    asked = parser.parse_args()
    tried, failures = try_all(every=asked.every, hows=(asked.how,) if asked.how else HOWS)
    print(f"{tried} steps of {FILES} files, each killed once; {len(failures)} failures")
    for failure in failures[:20]:
        print(f"  {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
