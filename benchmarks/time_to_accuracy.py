"""The recipe `fast` and a textbook script in plain Keras: equal time, and time to equal accuracy.

    python benchmarks/time_to_accuracy.py cifar10 --runs 3
    python benchmarks/time_to_accuracy.py mnist --runs 3
    python benchmarks/time_to_accuracy.py fashion-mnist --runs 3

For each seed in turn: opponents/plain_keras.py as it is; `tellapart train --recipe fast --epochs 1`
("short"), which is to be at least as good; and `tellapart train --recipe fast --budget B` ("equal
time") with B so that the whole command takes no longer than the whole script did. All read the same
`.tar.gz`, or for Fashion-MNIST (on which nothing was tuned) the same `.npz`, made before from the
catalog's; our cache is empty in every run. "fit" is training alone, the compilation of the network
included. The test part is evaluated once a run, by either; no setting was chosen by it.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

import processes
import tellapart
from common import DATA, OPPONENTS, RESULTS, Row, write_results
from tellapart.data.dataset import PARTS


def run_ours(data: Path, seed: int, options: list[str]) -> tuple[Row, float]:
    """Returns the row, and the seconds that a budget does not count: start and audit."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "run"
        command = [
            sys.executable, "-m", "tellapart", "train", str(data), "--recipe", "fast",
            "--seed", str(seed), "--json", "--out", str(out), *options,
        ]  # fmt: skip
        finished = processes.run(command, {"TELLAPART_CACHE": f"{name}/cache"})
        run = json.loads((out / "run.json").read_text())
    row: Row = {
        "seconds": finished.seconds,
        "fit_seconds": run["training"]["seconds"],
        "test_accuracy": run["accuracy"]["value"],
        "peak_mb": finished.peak_bytes / 1e6,
    }
    return row, finished.seconds - run["seconds_after_audit"]


def run_theirs(data: Path, seed: int) -> Row:
    script = OPPONENTS / "plain_keras.py"
    finished = processes.run([sys.executable, str(script), str(data), str(seed)])

    def number(pattern: str) -> float:
        found = re.search(pattern, finished.output)
        assert found, finished.output
        return float(found[1])

    return {
        "seconds": finished.seconds,
        "fit_seconds": number(r"fit ([\d.]+) s"),
        "test_accuracy": number(r"test accuracy ([\d.]+)"),
        "peak_mb": finished.peak_bytes / 1e6,
    }


def report(rows: list[Row]) -> None:
    for who in dict.fromkeys(str(row["who"]) for row in rows):
        for name in ("seconds", "fit_seconds", "test_accuracy", "peak_mb"):
            values = [float(row[name]) for row in rows if row["who"] == who]
            print(
                f"{who:12} {name:14} median {statistics.median(values):9.4f}  "
                f"{min(values):.4f} to {max(values):.4f}  ({len(values)} runs)"
            )
    for name in ("seconds", "fit_seconds"):
        pairs = [
            float(theirs[name]) / float(ours[name])
            for theirs, ours in zip(rows[::3], rows[1::3], strict=True)
        ]
        shown = ", ".join(f"{pair:.1f}" for pair in pairs)
        print(f"plain keras / short, {name}: {shown}")


def main() -> None:
    parser = argparse.ArgumentParser(description="The recipe fast against the textbook's script.")
    parser.add_argument("data", choices=("mnist", "cifar10", "fashion-mnist"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = DATA / f"{arguments.data}.tar.gz"
        if not data.exists():
            data = write_arrays(arguments.data, Path(folder))
        rows = measure(data, arguments.runs)
    report(rows)
    write_results(arguments.results / f"time_to_accuracy_{arguments.data}.csv", rows)


def write_arrays(name: str, folder: Path) -> Path:
    """Writes a data set of the catalog as `.npz`, for the script and for us."""
    dataset = tellapart.load(name)
    pixels = np.stack([np.asarray(dataset.source.read(i)) for i in range(len(dataset))])
    test = dataset.parts == PARTS.index("test")
    path = folder / f"{name}.npz"
    np.savez(
        path,
        x_train=pixels[~test],
        y_train=dataset.labels[~test],
        x_test=pixels[test],
        y_test=dataset.labels[test],
    )
    return path


def measure(data: Path, runs: int) -> list[Row]:
    rows: list[Row] = []

    def add(who: str, seed: int, row: Row) -> None:
        rows.append({"who": who, "seed": seed, **row})
        print(rows[-1], flush=True)

    for seed in range(runs):
        theirs = run_theirs(data, seed)
        add("plain keras", seed, theirs)
        short, beside = run_ours(data, seed, ["--epochs", "1"])
        add("short", seed, short)
        budget = float(theirs["seconds"]) - beside
        equal, _ = run_ours(data, seed, ["--budget", f"{budget:.1f}s"])
        add("equal time", seed, equal)
    return rows


if __name__ == "__main__":
    main()
