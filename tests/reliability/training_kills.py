"""`kill -9` at random moments of a training, and again of what resumes it.

    python tests/reliability/training_kills.py --count 100

Expected: every resume goes on, no completed checkpoint is lost, and the final run is that of a
training that was never interrupted: weights and predictions bit for bit, the same rows, figures
and parts. A third of the kills are anywhere between the start of the process and its end, the
others while it trains. Before every second resume of a transfer, the kept features are thrown away.
"""

from __future__ import annotations

import random
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tellapart.training.checkpoint import read_checkpoint
from tellapart.training.records import read_results
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

KILLED_RECIPES = ("classic", "fast", "transfer", "fine-tune", "own")

KILLS_A_RUN = 5

NO_FOLDER, WHOLE = "no folder yet", "whole"

SECONDS_BETWEEN_CHECKPOINTS = 0.2


def kill_and_resume(
    folder: Path, recipe: str, count: int, *, seed: int = 0, kills_a_run: int = KILLS_A_RUN
) -> tuple[Counter[str], list[str]]:
    """Kills so many processes; returns where they were, and what went wrong."""
    chance = random.Random(f"{recipe} {seed}")
    began = time.monotonic()
    must_end(begin(folder, recipe, "straight"))
    seconds = time.monotonic() - began
    # The first epoch compiles before there is a checkpoint.
    training_seconds = sum(row["seconds"] for row in _epochs_but_first(folder / "straight"))
    hit: Counter[str] = Counter()
    problems: list[str] = []
    runs = 0
    while hit.total() < count:
        runs += 1
        name = f"killed-{runs}"
        training = begin(folder, recipe, name, every=SECONDS_BETWEEN_CHECKPOINTS)
        newest = (0, 0)
        for _ in range(min(kills_a_run, count - hit.total())):
            where = _kill(training, chance, seconds, training_seconds)
            if where == WHOLE:  # too late: there was nothing to interrupt
                break
            hit[where] += 1
            newest, lost = _check_folder(folder / name, newest)
            problems += [f"{recipe} {name}: {what}" for what in lost]
            if where == NO_FOLDER:  # nothing to resume
                training = begin(folder, recipe, name, every=SECONDS_BETWEEN_CHECKPOINTS)
                continue
            if recipe in ("transfer", "fine-tune") and chance.random() < 0.5:
                shutil.rmtree(folder / "cache", ignore_errors=True)
            training = go_on(folder, name, every=SECONDS_BETWEEN_CHECKPOINTS)
        try:
            if where_it_was(folder / name) != WHOLE:
                must_end(training)
        except AssertionError as error:
            problems.append(str(error))
            continue
        differing = differences(folder / "straight", folder / name)
        problems += [f"{recipe} {name}: {what} differs" for what in differing]
        if (folder / name / "checkpoints").exists():
            problems.append(f"{recipe} {name}: checkpoints are left")
    return hit, problems


def _epochs_but_first(run: Path) -> list[dict[str, float]]:
    return read_results(run / "results.csv")[1:]


def _kill(
    training: Training, chance: random.Random, seconds: float, training_seconds: float
) -> str:
    """Kills a process at a random moment; says where it was."""
    if chance.random() < 0.3 or not training_seconds:
        deadline = time.monotonic() + chance.uniform(0, seconds)
    else:
        before = _checkpoints(training.run)[-1:]
        wait_for(lambda: _checkpoints(training.run)[-1:] != before, training)
        deadline = time.monotonic() + chance.uniform(0, training_seconds)
    while time.monotonic() < deadline and training.process.poll() is None:
        time.sleep(0.01)
    training.kill()
    return where_it_was(training.run)


def where_it_was(run: Path) -> str:
    """How far a killed process had come."""
    info = read_info(run)
    if not info:
        return NO_FOLDER
    if "seconds_after_audit" in info:
        return WHOLE
    if "data" not in info:
        return "preparing"
    events = (run / "events.jsonl").read_text() if (run / "events.jsonl").exists() else ""
    if "TrainingEnded" in events:
        return "after training"
    paths = _checkpoints(run)
    if not paths:
        return "before a checkpoint"
    return "within an epoch" if read_checkpoint(paths[-1]).step else "between epochs"


def _checkpoints(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").glob("[0-9]*.npz"))


def _check_folder(run: Path, before: tuple[int, int]) -> tuple[tuple[int, int], list[str]]:
    """The newest checkpoint must be readable, and not be behind the one that was there before."""
    paths = _checkpoints(run)
    problems = []
    if len(paths) > 3:
        problems.append(f"{len(paths)} checkpoints are kept")
    if not paths:
        whole = "seconds_after_audit" in read_info(run)
        return before, [] if before == (0, 0) or whole else ["checkpoints were lost"]
    newest = read_checkpoint(paths[-1])
    at = (newest.epoch, newest.step)
    if at < before:
        problems.append(f"a checkpoint at {before} was lost, the newest is at {at}")
    return at, problems


def main() -> None:
    """Prints a line a recipe; exits with 1 on any failure."""
    try_recipes(__doc__, kill_and_resume, KILLED_RECIPES, count=100, what="kills")


if __name__ == "__main__":
    main()
