"""The classic recipes against the same in plain Keras, whole commands, in turns.

    python benchmarks/classic_recipes.py mnist --runs 3
    python benchmarks/classic_recipes.py cifar10 --runs 1

Both read `<data>.tar.gz` (60,000 or 70,000 encoded files). Ours looks for copies, trains,
evaluates, exports, proves the export equal, draws the plots. Theirs (opponents/plain_keras.py)
trains and evaluates; with --arrays it finds the pictures decoded already, in one array file. Both
start from nothing: Python's and TensorFlow's own start are counted. Ours has an empty cache in
each run, or with --warm from the second run on what the first one kept.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import tellapart
from common import DATA, OPPONENTS, RESULTS, write_results
from tellapart.data.store import open_store
from tellapart.images import ImageSpec

SHAPES = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3)}


def write_arrays(name: str, path: Path) -> None:
    """Decodes the archive into the array file that the opponent reads; not counted."""
    dataset = tellapart.load(DATA / f"{name}.tar.gz")
    store = open_store(dataset, ImageSpec(*SHAPES[name]))
    parts = {"train": 0, "test": 3}  # places in tellapart.data.dataset.PARTS
    arrays: dict[str, Any] = {}
    for part, code in parts.items():
        rows = np.flatnonzero(dataset.parts == code)
        pixels = store.pixels[rows]
        arrays[f"x_{part}"] = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
        arrays[f"y_{part}"] = dataset.labels[rows]
    np.savez(path, **arrays)


def run_ours(name: str, seed: int, folder: Path) -> dict[str, float]:
    command = [
        sys.executable, "-m", "tellapart", "train", str(DATA / f"{name}.tar.gz"),
        "--recipe", "classic", "--seed", str(seed), "--json", "--out", str(folder / f"run-{seed}"),
    ]  # fmt: skip
    seconds, output = timed(command, folder)
    result = json.loads(output)
    return {
        "seconds": seconds,
        "test_accuracy": result["accuracy"]["value"],
        "training_accuracy": result["history"][-1]["accuracy"],
        "fit_seconds": sum(row["seconds"] for row in result["history"]),
    }


def run_theirs(given: Path, seed: int, folder: Path) -> dict[str, float]:
    script = OPPONENTS / "plain_keras.py"
    seconds, output = timed([sys.executable, str(script), str(given), str(seed)], folder)

    def number(pattern: str) -> float:
        found = re.search(pattern, output)
        assert found, output
        return float(found[1])

    return {
        "seconds": seconds,
        "test_accuracy": number(r"test accuracy ([\d.]+)"),
        "training_accuracy": number(r"training accuracy ([\d.]+)"),
        "fit_seconds": number(r"fit ([\d.]+) s"),
    }


def timed(command: list[str], folder: Path) -> tuple[float, str]:
    environment = os.environ | {"TELLAPART_CACHE": str(folder / "cache")}
    began = time.monotonic()
    finished = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return time.monotonic() - began, finished.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=sorted(SHAPES))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--arrays", action="store_true", help="decode for the opponent first")
    parser.add_argument("--warm", action="store_true", help="keep our cache between runs")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = DATA / f"{arguments.data}.tar.gz"
        if arguments.arrays:
            given = folder / f"{arguments.data}.npz"
            write_arrays(arguments.data, given)
        for seed in range(arguments.runs):
            if not arguments.warm:
                shutil.rmtree(folder / "cache", ignore_errors=True)
            for who in ("tellapart", "plain keras"):
                figures = (
                    run_ours(arguments.data, seed, folder)
                    if who == "tellapart"
                    else run_theirs(given, seed, folder)
                )
                rows.append({"who": who, "seed": seed, **figures})
                print(rows[-1], flush=True)
    ratios = [
        float(ours["seconds"]) / float(theirs["seconds"])  # type: ignore[arg-type]
        for ours, theirs in zip(rows[::2], rows[1::2], strict=True)
    ]
    print(
        f"time, ours / theirs: median {statistics.median(ratios):.2f}, "
        f"{min(ratios):.2f} to {max(ratios):.2f} over {len(ratios)} pairs"
    )
    write_results(arguments.results / f"classic_recipes_{arguments.data}.csv", rows)


if __name__ == "__main__":
    main()
