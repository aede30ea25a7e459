"""kill -9 while a collection is sorted, gone on with and taken back.

    python tests/reliability/sort_kills.py --count 200 --files 10000

A process sorts made-up files, or takes a sort back, and is killed at a random moment; the next one
goes on. After every kill: each content is on the disk, whole; nothing that was there before has
changed; no file under a name of its own is torn. After every undo: names, bytes, times to the
nanosecond and permissions are what they were. Any failure is printed, and the exit code is 1.

The collection has names that are taken, twins, companions and folders. No network is loaded: the
class of a file follows from its bytes, and all the rest is the code that `tellapart sort` runs.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tellapart.collection.content import digest_file
from tellapart.collection.journal import FOLDER, How, journal_paths, newest
from tellapart.collection.sort import resume_sort, sort, undo_sort
from tellapart.errors import SortError
from tellapart.images import Raw
from tellapart.results import FailedPrediction, Prediction

HOWS: tuple[How, ...] = ("copy", "move", "link", "symlink")

IN_A_ROW = 8
"""So often one sort or undo is killed before it may end."""

NAMES = ("cat", "dog", "unsure", "a/b")


class ByTheBytes:
    """Answers by the first byte of a file, and reads it as a classifier does."""

    class_names: tuple[str, ...] = NAMES
    path = Path(__file__)

    def predict_stream(
        self,
        pictures: Iterable[tuple[str, Callable[[], Raw]]],
        /,
        *,
        batch_size: int = 32,
        isolated: bool = False,
    ) -> Iterator[Prediction | FailedPrediction]:
        for name, read in pictures:
            content = read()
            if not isinstance(content, bytes):
                yield FailedPrediction(name, "cannot be read")
                continue
            probabilities = np.full(len(NAMES), 0.1, np.float32)
            probabilities[content[0] % len(NAMES)] = 0.7
            threshold = 0.9 if content[1] % 10 == 0 else 0.0
            yield Prediction.of(name, probabilities, NAMES, threshold=threshold)


@dataclass
class Figures:
    """What was done to it, and what came of it."""

    kills: int = 0
    sorts: int = 0
    undone: int = 0
    files: int = 0
    seconds: float = 0.0
    during: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        during = ", ".join(f"{name} {number}" for name, number in sorted(self.during.items()))
        return (
            f"{self.kills} kills of {self.files:,} files in {self.seconds:.0f} s ({during}); "
            f"{self.sorts} sorts, {self.undone} undone; {len(self.failures)} failures"
        )


# --- The collection, and what must stay true of it ----------------------------------------------

Snapshot = dict[str, tuple[bytes, int, int, int]]
"""Of each file: digest, mode, last change and last access in nanoseconds."""


def make_collection(root: Path, files: int, seed: int) -> None:
    """Writes photos/, and sorted/ with names that the photos will ask for."""
    rng = random.Random(seed)
    for number in range(files):
        folder = root / "photos" / f"{number % 7}" / f"{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{number // 21:04}.{'cr2' if number % 9 == 8 else 'jpg'}"
        if number % 9 == 8:  # beside the picture of the same stem, if there is one
            path = path.with_name(f"{max(number // 21 - 1, 0):04}.cr2")
        size = rng.randrange(2, 3000) if number % 50 else 200_000
        content = rng.randbytes(size) if number % 20 else bytes([1, 1]) * 50  # some are twins
        _write(path, content, rng)
    for name in ("cat/0000.jpg", "dog/0001.jpg", "unsure/0002.jpg", "cat/notes.txt"):
        path = root / "sorted" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, b"here before " + name.encode(), rng)


def _write(path: Path, content: bytes, rng: random.Random) -> None:
    path.write_bytes(content)
    path.chmod(rng.choice((0o644, 0o600, 0o444)))
    # The access after the change: else reading would update it, as systems do.
    changed = 10**18 + rng.randrange(10**17)
    os.utime(path, ns=(changed + rng.randrange(10**9), changed))


def snapshot(folder: Path) -> Snapshot:
    """Looks at all files, links apart, without leaving a trace."""
    found: Snapshot = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or _is_ours(path.relative_to(folder)):
            continue
        status = path.stat()
        found[path.relative_to(folder).as_posix()] = (
            digest_file(path), status.st_mode, status.st_mtime_ns, status.st_atime_ns,
        )  # fmt: skip
    return found


def _is_ours(path: Path) -> bool:
    return path.parts[0] == FOLDER or path.suffix == ".part"


def leftovers(root: Path) -> list[str]:
    """What an undo should not have left: temporary files, journals, links, folders of ours."""
    found = [path for path in root.rglob("*") if path.is_symlink() or path.suffix == ".part"]
    found += (root / "sorted" / FOLDER).rglob("*")
    found += (
        path for path in (root / "sorted").rglob("*") if path.is_dir() and not any(path.iterdir())
    )
    return [str(path.relative_to(root)) for path in found]


@dataclass(frozen=True)
class Truth:
    """What was there before the first sort."""

    photos: Snapshot
    there: Snapshot

    def broken(self, root: Path, how: How) -> list[str]:
        """What is wrong in the middle of things."""
        photos, there = snapshot(root / "photos"), snapshot(root / "sorted")
        ours = {name: seen for name, seen in there.items() if name not in self.there}
        wrong = [
            f"{name} in sorted/ was changed" for name in self.there
            if there.get(name) != self.there[name]
        ]  # fmt: skip
        digests = {seen[0] for seen in (*photos.values(), *ours.values())}
        known = {seen[0] for seen in self.photos.values()}
        wrong += [f"the content of {name} is lost" for name, seen in self.photos.items()
                  if seen[0] not in digests]  # fmt: skip
        wrong += [f"{name} is torn" for name, seen in (*ours.items(), *photos.items())
                  if seen[0] not in known]  # fmt: skip
        wrong += [f"{name} in photos/ was changed" for name, seen in photos.items()
                  if seen != self.photos.get(name)]  # fmt: skip
        if how != "move" and len(photos) != len(self.photos):
            wrong.append("files of photos/ are missing")
        return wrong

    def not_restored(self, root: Path) -> list[str]:
        """What is wrong after an undo."""
        wrong = [f"{name} was left" for name in leftovers(root)]
        for name, before in (("photos", self.photos), ("sorted", self.there)):
            after = snapshot(root / name)
            wrong += [f"{name}/{path} is not as it was" for path in {*before, *after}
                      if before.get(path) != after.get(path)]  # fmt: skip
        return wrong

    def not_sorted(self, root: Path, how: How) -> list[str]:
        """What is wrong after a sort."""
        if how == "symlink":
            links = [path for path in (root / "sorted").rglob("*") if path.is_symlink()]
            digests = {digest_file(path.resolve()) for path in links}
        else:
            digests = {seen[0] for seen in snapshot(root / "sorted").values()}
        pictures = {name: seen[0] for name, seen in self.photos.items() if name.endswith(".jpg")}
        wrong = [f"{name} is not sorted" for name, seen in pictures.items() if seen not in digests]
        wrong += [str(path) for path in root.rglob("*.part")]
        if how == "move":
            wrong += [f"{path} has not moved" for path in (root / "photos").rglob("*.jpg")]
        return wrong


# --- One process, and its end -------------------------------------------------------------------


def work(root: Path, task: str, how: How) -> None:
    """What a process does until it is killed: sorts, or goes on with it; or takes it back."""
    into = root / "sorted"
    print("ready", flush=True)
    if task == "undo":
        try:
            undone = undo_sort(into)
        except SortError as error:
            if "there is nothing to take back" not in str(error):
                raise
            return  # killed between its end and the process's
        assert not undone.kept, undone.kept
        assert not undone.failed, undone.failed
        return
    journal = newest(into)
    unfinished = False
    if journal is not None:
        with journal:
            unfinished = journal.state != "sorted"
        if not unfinished:
            return
    done = (
        resume_sort(into, classifier=ByTheBytes())
        if unfinished
        else sort(ByTheBytes(), root / "photos", into=into, how=how)
    )
    assert not done.skipped, done.skipped


def run_and_kill(root: Path, task: str, how: How, seconds: float | None) -> tuple[bool, str]:
    """Runs one process and kills it after so long, if it has not ended; returns whether, and why.

    None: it is let alone.
    """
    with subprocess.Popen(
        [sys.executable, __file__, "--work", task, "--how", how, "--root", str(root)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        try:
            _, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return process.returncode == -signal.SIGKILL, ""
    return False, errors if process.returncode else ""


def state_of(root: Path) -> str:
    """What was going on, read from a copy of the journal, so that ours stays as it was left."""
    paths = journal_paths(root / "sorted")
    if not paths:
        return "no journal"
    with tempfile.TemporaryDirectory() as folder:
        for path in paths[-1].parent.glob(paths[-1].name + "*"):
            shutil.copy(path, folder)
        database = sqlite3.connect(Path(folder) / paths[-1].name)
        try:
            return str(database.execute("SELECT state FROM sort").fetchone()[0])
        except sqlite3.Error:
            return "no journal"
        finally:
            database.close()


def run_kills(
    root: Path, *, kills: int, files: int, seed: int, hows: tuple[How, ...] = HOWS
) -> Figures:
    """Sorts and takes back, again and again, until so many processes were killed."""
    rng = random.Random(seed)
    make_collection(root, files, seed)
    truth = Truth(snapshot(root / "photos"), snapshot(root / "sorted"))
    figures = Figures(files=len(truth.photos))
    started = time.monotonic()
    takes: dict[tuple[str, str], float] = {}  # seconds, of a process that is let alone
    turn = 0
    while figures.kills < kills and not figures.failures:
        how = hows[turn % len(hows)]
        turn += 1
        for task in ("sort", "undo"):
            in_a_row = 0
            while not figures.failures:
                most = takes.get((task, how))
                if figures.kills >= kills or in_a_row >= IN_A_ROW:
                    most = None
                before = time.monotonic()
                killed, error = run_and_kill(
                    root, task, how, None if most is None else rng.uniform(0.0, most)
                )
                if error:
                    figures.failures.append(f"{task} {how}: {error}")
                if not killed:
                    takes.setdefault((task, how), (time.monotonic() - before) / 2)
                    break
                figures.kills += 1
                in_a_row += 1
                figures.during[f"{how}: {state_of(root)}"] += 1
                figures.failures += (f"{task} {how}: {it}" for it in truth.broken(root, how))
                if task == "sort" and rng.random() < 0.2:
                    break  # taken back unfinished
            else:
                break
            if figures.failures:
                break
            if task == "undo":
                figures.undone += 1
                figures.failures += (f"undo {how}: {it}" for it in truth.not_restored(root))
            elif not killed:
                figures.sorts += 1
                figures.failures += (f"sort {how}: {it}" for it in truth.not_sorted(root, how))
    figures.seconds = time.monotonic() - started
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=200, help="kills")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--how", choices=HOWS, help="only this one")
    parser.add_argument("--root", type=Path, help="where to make the collection")
    parser.add_argument("--work", choices=("sort", "undo"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(asked.root, asked.work, asked.how)
        return 0
    with tempfile.TemporaryDirectory(dir=asked.root) as folder:
        figures = run_kills(
            Path(folder), kills=asked.count, files=asked.files, seed=asked.seed,
            hows=(asked.how,) if asked.how else HOWS,
        )  # fmt: skip
    print(figures)
    for failure in figures.failures[:20]:
        print(f"  {failure}")
    return 1 if figures.failures else 0


if __name__ == "__main__":
    sys.exit(main())
