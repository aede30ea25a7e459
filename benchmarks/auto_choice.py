"""From how many pictures on the recipe `fast` beats a classic network, by size and number.

    python benchmarks/auto_choice.py digits mnist cifar10 --seeds 0 1

For each data set and seed, 500 pictures of each class of its own training part (of digits, a fifth)
are held out to compare by, and so many of the others are trained on, once with each network and
the settings that `auto` has for it. The data's own test part is not touched. Seconds are of
training, the compilation of the network included; each training is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

import processes
import tellapart
from common import DATA, RESULTS, Row, write_results
from tellapart.data.dataset import PARTS, Dataset
from tellapart.data.store import open_store
from tellapart.images import ImageSpec
from tellapart.training.recipe import choose_recipe

COUNTS = (20, 100, 500, 2_500)
"""Pictures of each class to train on, validation included."""

HELD_OUT = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="digits, or an archive's name, such as mnist")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    rows: list[Row] = []
    for name in arguments.data:
        archive = DATA / f"{name}.tar.gz"
        dataset = tellapart.load(archive if archive.exists() else name)
        for seed in arguments.seeds:
            for count in arguments.counts:
                rows += compare(dataset, name, seed, count)
    write_results(arguments.results / "auto_choice.csv", rows)


def compare(dataset: Dataset, name: str, seed: int, count: int) -> list[Row]:
    train, held_out = draw(dataset, seed, count)
    rows: list[Row] = []
    if train is None:
        return rows
    classic, _ = choose_recipe(dataset)
    pixels = open_store(dataset, ImageSpec(*classic.image_size, classic.channels)).pixels
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / f"{name}.npz"
        np.savez(
            arrays,
            x_train=pixels[train],
            y_train=dataset.labels[train],
            x_test=pixels[held_out],
            y_test=dataset.labels[held_out],
        )
        for model in (classic.model, "fast"):
            rows.append({"data": name, "seed": seed, "a class": count, "model": model})
            rows[-1] |= measure(arrays, model, seed, Path(folder))
            print(rows[-1], flush=True)
    return rows


def draw(
    dataset: Dataset, seed: int, count: int
) -> tuple[npt.NDArray[np.int64] | None, npt.NDArray[np.int64]]:
    """Draws `count` pictures of each class to train on, and those to compare by."""
    test = PARTS.index("test")
    order = np.random.default_rng(seed).permutation(np.flatnonzero(dataset.parts != test))
    train, held_out = [], []
    for label in range(len(dataset.class_names)):
        own = order[dataset.labels[order] == label]
        compared = min(HELD_OUT, len(own) // 5)
        held_out.append(own[:compared])
        train.append(own[compared:][:count])
        if len(train[-1]) < count:
            return None, own[:0]
    return np.concatenate(train), np.concatenate(held_out)


def measure(arrays: Path, model: str, seed: int, folder: Path) -> Row:
    out = folder / model
    command = [
        sys.executable, "-m", "tellapart", "train", str(arrays), "--model", model,
        "--seed", str(seed), "--json", "--out", str(out),
    ]  # fmt: skip
    processes.run(command, {"TELLAPART_CACHE": str(folder / "cache")})
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return {
        "fit_seconds": run["training"]["seconds"],
        "epochs": run["recipe"]["epochs"],
        "accuracy": run["accuracy"]["value"],
    }


if __name__ == "__main__":
    main()
