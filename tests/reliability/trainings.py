"""Trainings in processes of their own, and what two runs must have in common."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

RECIPES: dict[str, list[str]] = {
    "classic": ["digits", "--recipe", "classic", "--epochs", "30"],
    "fast": ["digits", "--recipe", "fast", "--epochs", "8"],
    "transfer": ["digits", "--recipe", "transfer", "--image-size", "32"],
    "fine-tune": [
        "digits", "--recipe", "transfer", "--image-size", "32", "--epochs", "5",
        "--learning-rate", "0.001",
    ],
    "own": [
        "digits", "--model", "{folder}/own.py:build", "--epochs", "20", "--augment",
        "shift=0.1",
    ],
}  # fmt: skip
"""Small trainings on scikit-learn's digits, by what is trained."""

OWN_MODEL = """
import keras

def build(input_shape, classes):
    return keras.Sequential([
        keras.Input(input_shape),
        keras.layers.RandomTranslation(0.1, 0.1),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.SpatialDropout2D(0.1),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(classes, activation="softmax"),
    ])
"""

TIMES = ("seconds", "images_per_second")


class Training:
    """A `tellapart train` that runs in a folder of its own.

    Attributes:
        run: the run folder.
    """

    def __init__(
        self,
        folder: Path,
        arguments: Sequence[str],
        run: Path,
        *,
        every: float | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Args are, at last: seconds between two checkpoints, and more of the environment."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "own.py").write_text(OWN_MODEL)
        self.run = run
        self._log = (folder / f"{'-'.join(run.parts[-2:])}.log").open("a+")
        interval = {} if every is None else {"TELLAPART_CHECKPOINT_SECONDS": str(every)}
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "tellapart", "train",
                *(argument.replace("{folder}", str(folder)) for argument in arguments),
            ],
            cwd=folder,
            env=os.environ | {"TELLAPART_CACHE": str(folder / "cache")} | interval
            | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )  # fmt: skip

    def end(self, *, within_seconds: float = 600) -> int:
        """Waits for its end; returns the exit code."""
        code = self.process.wait(within_seconds)
        self._log.close()
        return code

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Ends it by a signal; says whether it was still there."""
        alive = self.process.poll() is None
        if alive:
            self.process.send_signal(number)
        self.end()
        return alive

    @property
    def words(self) -> str:
        """All that was said, by every process of that run."""
        return Path(self._log.name).read_text(errors="replace")


def begin(folder: Path, recipe: str, run: str, *, seed: int = 0, **options: Any) -> Training:
    """Begins a training of `RECIPES`."""
    arguments = [*RECIPES[recipe], "--seed", str(seed), "--out", run]
    return Training(folder, arguments, folder / run, **options)


def go_on(folder: Path, run: str, **options: Any) -> Training:
    """Resumes it."""
    return Training(folder, ["--resume", run], folder / run, **options)


def must_end(training: Training) -> None:
    """Waits; raises what was said where it failed."""
    code = training.end()
    if code:
        raise AssertionError(f"{training.run} ended with {code}:\n{training.words[-3000:]}")


def differences(one: Path, other: Path) -> list[str]:
    """What differs of two runs, times and dates aside."""
    found = []
    for name, read in (
        ("model.keras", _weights),
        ("results.csv", _rows),
        ("predictions.csv", _text),
        ("evaluation.json", _text),
        ("split.csv", _text),
        ("trace.json", _text),
        ("epochs of events.jsonl", _epochs),
    ):
        ours, theirs = read(one / name.split()[-1]), read(other / name.split()[-1])
        if ours != theirs:
            found.append(name)
    return found


def read_info(run: Path) -> dict[str, Any]:
    """Returns `run.json`; an empty object where there is none."""
    path = run / "run.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def wait_for(condition: Any, training: Training, seconds: float = 120) -> bool:
    """Waits until something holds; false where the process ended before."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        if training.process.poll() is not None:
            return False
        time.sleep(0.02)
    raise AssertionError(f"nothing happened in {seconds:.0f} s:\n{training.words[-3000:]}")


def _weights(path: Path) -> list[tuple[str, bytes]]:
    """Names and bytes of all arrays."""
    found: list[tuple[str, bytes]] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found.append((name, np.asarray(item).tobytes()))

    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content, "r") as file:
        file.visititems(visit)
    assert found
    return sorted(found)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as stream:
        return [
            {name: value for name, value in row.items() if name not in TIMES}
            for row in csv.DictReader(stream)
        ]


def _text(path: Path) -> str:
    return path.read_text()


def _epochs(path: Path) -> list[dict[str, Any]]:
    """The epochs as the log has them, each once; and every line can be read."""
    events = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        {name: value for name, value in event.items() if name not in (*TIMES, "time")}
        for event in events
        if event["event"] in ("RunStarted", "EpochEnded", "HeadFitted", "RunFinished")
        for event in [{k: v for k, v in event.items() if k != "path"}]
    ]


def try_recipes(
    about: str | None,
    one: Callable[..., tuple[Counter[str], list[str]]],
    recipes: Sequence[str],
    *,
    count: int,
    what: str,
) -> None:
    """The script of a row: shares `count` among the recipes, prints a line for each, and exits.

    Args:
        about: the script's own words.
        one: takes a folder, a recipe, how many, and a seed; returns outcomes and problems.
        recipes: their names.
        count: in all, unless asked otherwise.
        what: is counted.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--count", type=int, default=count, help=f"{what}, in all")
    parser.add_argument("--recipe", choices=recipes, help="only that one")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    chosen = [options.recipe] if options.recipe else list(recipes)
    failed = 0
    for number, recipe in enumerate(chosen):
        share = options.count // len(chosen) + (number < options.count % len(chosen))
        with tempfile.TemporaryDirectory() as folder:
            found, problems = one(Path(folder), recipe, share, seed=options.seed)
        how = ", ".join(f"{times} {words}" for words, times in sorted(found.items()))
        line = f"{recipe:10} {found.total()} {what} ({how}): {len(problems)} problems"
        print("\n  ".join([line, *problems]), flush=True)
        failed += len(problems)
    sys.exit(1 if failed else 0)
