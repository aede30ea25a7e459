"""Training on up to a million pictures: the seconds of each stage, and the memory.

    python benchmarks/million.py --pictures 250000 500000 1000000 --budget 60s

Made-up handwriting: each picture is two of the catalog's 8x8 digits of one class, each shifted on
its own within 16x16 pixels, the brighter pixel of both. A tenth is the test part. They are
written as `.npz` before, and trained on by `tellapart train` with an empty cache. That accuracy is
high says nothing: made of the same few digits, all parts are alike.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

import processes
import tellapart
from common import RESULTS, Row, write_results
from growth import command, exponent

SIDE = 16
PART = 50_000
TEST_SHARE = 10


def write_pictures(count: int, path: Path) -> None:
    """Writes so many pictures as `.npz`, with the names that Keras gives its arrays."""
    rng = np.random.default_rng(count)
    dataset = tellapart.load("digits")
    digits = np.stack([np.asarray(dataset.source.read(i)) for i in range(len(dataset))])
    digits = digits.reshape(-1, 8, 8)
    pixels = np.empty((count, SIDE, SIDE), np.uint8)
    labels = rng.integers(0, 10, count)
    of_class = [np.flatnonzero(dataset.labels == label) for label in range(10)]
    for start in range(0, count, PART):
        own = slice(start, min(start + PART, count))
        for label, among in enumerate(of_class):
            places = start + np.flatnonzero(labels[own] == label)
            pixels[places] = np.maximum(
                shifted(digits[rng.choice(among, len(places))], rng),
                shifted(digits[rng.choice(among, len(places))], rng),
            )
    test = np.arange(count) % TEST_SHARE == 0
    np.savez(
        path,
        x_train=pixels[~test],
        y_train=labels[~test],
        x_test=pixels[test],
        y_test=labels[test],
    )


def shifted(digits: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Puts each (k, 8, 8) picture somewhere into (k, SIDE, SIDE)."""
    result = np.zeros((len(digits), SIDE, SIDE), np.uint8)
    y, x = (rng.integers(0, SIDE - 8 + 1, len(digits))[:, None] + np.arange(8) for _ in range(2))
    result[np.arange(len(digits))[:, None, None], y[:, :, None], x[:, None, :]] = digits
    return result


def measure(data: Path, folder: Path, options: list[str]) -> Row:
    out = folder / "run"
    finished = processes.run(
        command("train", data, "--out", out, "--json", *options),
        {"TELLAPART_CACHE": str(folder / "cache")},
    )
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return {
        **{f"{stage}, s": float(seconds) for stage, seconds in run["stages"].items()},
        "whole command, s": round(finished.seconds, 1),
        "after audit, s": run["seconds_after_audit"],
        "memory, MB": round(finished.peak_bytes / 1e6),
        "epochs": run["training"]["epochs_done"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, nargs="+", default=[250_000, 500_000, 1_000_000])
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    rows: list[Row] = []
    for count in sorted(arguments.pictures):
        with tempfile.TemporaryDirectory() as name:
            data = Path(name) / "made-up.npz"
            write_pictures(count, data)
            rows.append({"pictures": count})
            rows[-1] |= measure(
                data, Path(name), ["--recipe", "fast", "--budget", arguments.budget]
            )
        print(rows[-1], flush=True)
    for one, other in itertools.pairwise(rows):
        for what in list(one)[1:]:
            sizes = (int(one["pictures"]), int(other["pictures"]))
            grew = exponent((sizes[0], float(one[what])), (sizes[1], float(other[what])))
            print(f"{sizes[0]:,} to {sizes[1]:,}: {what}: exponent {grew}")
    write_results(arguments.results / "million.csv", rows)


if __name__ == "__main__":
    main()
