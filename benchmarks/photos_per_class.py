"""How many photos a class are enough: accuracy at 5, 10, 20, 40 and 60 of flowers17.

    python benchmarks/photos_per_class.py --runs 5

For each seed a fifth is held out for the test, as `tellapart train` does; of what is left, so many
photos of each class are drawn, and `tellapart train` gets these and the test part, as a folder
with train/ and test/. The features are in the cache after the first run, so that the figure is one
of accuracy, not of time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

import processes
import tellapart
from common import DATA, RESULTS, write_results
from tellapart.data import split
from tellapart.data.audit import SIGNATURES, audit
from tellapart.data.columns import open_column

COUNTS = (5, 10, 20, 40, 60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    dataset = tellapart.load(DATA / "flowers17.zip")
    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["TELLAPART_CACHE"] = str(folder / "cache")
        groups = audit(dataset, open_column(dataset, SIGNATURES)).groups
        for seed in range(arguments.runs):
            parts = split(dataset, seed=seed, validation_split=0, groups=groups)
            order = np.random.default_rng(seed).permutation(parts.train)
            for count in COUNTS:
                chosen = np.concatenate(
                    [
                        order[dataset.labels[order] == label][:count]
                        for label in range(len(dataset.class_names))
                    ]
                )
                photos = folder / f"photos-{seed}-{count}"
                write(dataset, chosen, photos / "train")
                write(dataset, parts.test, photos / "test")
                rows.append({"seed": seed, "photos": count, "accuracy": train(photos, seed)})
                print(rows[-1], flush=True)
    for count in COUNTS:
        values = [row["accuracy"] for row in rows if row["photos"] == count]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f"{count:3} photos a class: mean {statistics.mean(values):.4f}  sd {spread:.4f}")
    write_results(arguments.results / "photos_per_class.csv", rows)


def write(dataset: tellapart.Dataset, indices: npt.NDArray[np.int64], folder: Path) -> None:
    """Writes pictures as files, in a folder per class."""
    for index in indices.tolist():
        name = dataset.class_names[dataset.labels[index]]
        content = dataset.source.read(index)
        assert isinstance(content, bytes)
        file = folder / name / Path(dataset.paths[index]).name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def train(photos: Path, seed: int) -> float:
    command = [sys.executable, "-m", "tellapart", "train", str(photos), "--seed", str(seed)]
    cache = {"TELLAPART_CACHE": os.environ["TELLAPART_CACHE"]}  # of this benchmark alone
    finished = processes.run([*command, "--json", "--out", f"{photos}-run"], cache)
    return float(json.loads(finished.output)["accuracy"]["value"])


if __name__ == "__main__":
    main()
