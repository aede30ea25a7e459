"""A disk that is full, or cannot be written any more, at a random moment of a training.

    python tests/reliability/full_disk.py --count 30

Runs are made on a small disk of their own (tmpfs, which needs the right to mount), and at a random
moment the rest of it is filled, or it is made read-only. Expected: the process ends with a message
that names a file and says what to do, or goes on where only a checkpoint could not be written;
`run.json` can be read; and once there is space again, the run is resumed and ends as one that was
never disturbed.
"""

from __future__ import annotations

import contextlib
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.reliability.trainings import (
    Training,
    begin,
    differences,
    go_on,
    must_end,
    read_info,
    try_recipes,
    wait_for,
)

MEBIBYTES = 64
FAULTS = ("full", "read-only")
DISTURBED_RECIPES = ("classic", "own", "transfer")


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mounts a small disk while the block runs.

    Raises:
        PermissionError: this process may not mount.
    """
    disk = folder / "disk"
    disk.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={MEBIBYTES}m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise PermissionError("a small disk cannot be mounted by this user")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def disturb(
    folder: Path, recipe: str, count: int, *, seed: int = 0
) -> tuple[Counter[str], list[str]]:
    """Disturbs so many trainings; returns how they ended, and what went wrong."""
    chance = random.Random(f"{recipe} {seed}")
    began = time.monotonic()
    must_end(begin(folder, recipe, "straight"))
    seconds = time.monotonic() - began
    ended: Counter[str] = Counter()
    problems: list[str] = []
    for number in range(count):
        fault = FAULTS[number % 3 == 2]
        with small_disk(folder / f"case-{number}") as disk:
            run = disk / "run"
            training = begin(folder, recipe, str(run), every=0.2)
            wait_for(lambda run=run: (run / "run.json").exists(), training)
            time.sleep(chance.uniform(0, seconds * 0.75))
            how, said = _break(training, disk, fault)
            ended[how] += 1
            problems += [f"{recipe} {number} ({fault}): {what}" for what in said]
            problems += _mended(folder, run, f"{recipe} {number} ({fault})")
    return ended, problems


def _break(training: Training, disk: Path, fault: str) -> tuple[str, list[str]]:
    """Breaks the disk, waits for the process and mends the disk; says how it ended."""
    if fault == "full":
        _fill(disk, training)
    else:
        _remount(disk, "ro", training)
    code = training.end()
    (disk / "filler").unlink(missing_ok=True) if fault == "full" else _remount(disk, "rw", None)
    words = training.words
    if code == 0:
        return ("went on" if "No checkpoint: " in words else "was done already"), []
    problems = []
    if code != 1:
        problems.append(f"ended with {code}")
    if "Traceback" in words:
        problems.append(f"a traceback: {words[-1500:]}")
    if not re.search(
        r"(disk is full|read-only|MiB free)[^\n]*(Free some|Name a folder)",
        words.replace("\n", " "),
    ):
        problems.append(f"nothing that says what to do: {words[-600:]}")
    return "ended with a message", problems


def _fill(disk: Path, training: Training) -> None:
    """Takes what is left, and what becomes free, until the process ends."""
    with (disk / "filler").open("wb", buffering=0) as stream:
        while training.process.poll() is None:
            with contextlib.suppress(OSError):
                while stream.write(bytes(2**16)):
                    pass
            time.sleep(0.005)


def _remount(disk: Path, mode: str, training: Training | None) -> None:
    """A disk on which a file is being written cannot be made read-only: it is tried again."""
    while training is None or training.process.poll() is None:
        command = ["mount", "-o", f"remount,{mode}", str(disk)]
        if not subprocess.run(command, capture_output=True, check=False).returncode:
            return
        time.sleep(0.002)


def _mended(folder: Path, run: Path, name: str) -> list[str]:
    """Resumes what is left; says what is not as it should be."""
    if not (run / "run.json").exists():  # it had not begun, and the folder was taken back
        return [f"{name}: left {sorted(run.iterdir())}"] if run.exists() else []
    if "seconds_after_audit" not in read_info(run):
        try:
            must_end(go_on(folder, str(run)))
        except AssertionError as error:
            return [f"{name}: {error}"]
    left = [path.name for path in run.rglob("*") if ".tmp" in path.name]
    return [
        *(f"{name}: {what} differs" for what in differences(folder / "straight", run)),
        *(f"{name}: {file} is left" for file in left),
    ]


def main() -> None:
    """Prints a line a recipe; exits with 1 on any failure."""
    try_recipes(__doc__, disturb, DISTURBED_RECIPES, count=30, what="broken disks")


if __name__ == "__main__":
    main()
