"""What the settings of the recipe `fast` rest on: validation accuracy, one setting changed a time.

    python benchmarks/fast_choices.py cifar10 --epochs 3 --seeds 0 1
    python benchmarks/fast_choices.py mnist --epochs 1 --only "as it is" "batch 250"
    python benchmarks/fast_choices.py cifar10 --seconds 18 --only "as it is" "fast-narrow"

A fifth of the training part is validated on, the same one for every row; the test part is not
touched. Seconds are of training, the compilation of the network included: with `--seconds` as many
updates are made as fit, the learning rate annealed by then. "both views" is the accuracy of the
trained network when it looks at each picture and at its mirror image.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import tellapart
from common import DATA, RESULTS, write_results
from tellapart.data.dataset import PARTS, Dataset
from tellapart.data.split import Split
from tellapart.data.store import open_store
from tellapart.models import fast, registry
from tellapart.models.backend import import_keras
from tellapart.models.fast import FAST, FAST_NARROW, FAST_WIDE
from tellapart.models.mirror_image import with_mirror_image
from tellapart.models.precision import SINGLE
from tellapart.training import muon, trainer
from tellapart.training.fast_recipe import choose_fast_recipe
from tellapart.training.recipe import Recipe

VALIDATION = 0.2

Change = Callable[[Recipe], Recipe]


def option(**changes: object) -> Change:
    return lambda recipe: replace(recipe, **changes)  # type: ignore[arg-type]


def same(recipe: Recipe) -> Recipe:
    return recipe


VARIANTS: dict[str, tuple[dict[str, object], Change]] = {
    "as it is": ({}, same),
    FAST_NARROW: ({}, option(model=FAST_NARROW)),
    FAST_WIDE: ({}, option(model=FAST_WIDE)),
    "light, erase": ({}, option(augment="light,erase=0.5")),
    "light, colour": ({}, option(augment="light,colour=0.3")),
    "narrow, light": ({}, option(model=FAST_NARROW, augment="light")),
    "narrow, flip": ({}, option(model=FAST_NARROW, augment="flip")),
    "narrow, none": ({}, option(model=FAST_NARROW, augment="none")),
    "narrow, none, 24 filters": (
        {"MOST_FILTERS": {2: 24, 4: 48}}, option(model=FAST_NARROW, augment="none"),
    ),
    "narrow, none, momentum 0.6": (
        {"MOMENTUM": {FAST_NARROW: 0.6}}, option(model=FAST_NARROW, augment="none"),
    ),
    "momentum 0.8": ({"MOMENTUM": {FAST: 0.8}}, same),
    "24 filters": ({"MOST_FILTERS": {2: 24, 4: 48}}, same),
    "widths 32, 64, 64": ({"WIDTHS": {FAST: (32, 64, 64)}}, same),
    "widths 32, 96, 192": ({"WIDTHS": {FAST: (32, 96, 192)}}, same),
    "widths 64, 256, 256": ({"WIDTHS": {FAST: (64, 256, 256)}}, same),
    "widths 64, 128, 128": ({"WIDTHS": {FAST: (64, 128, 128)}}, same),
    "whitening 4x4, stride 2": ({"LARGEST_UNHALVED": 1}, same),
    "single precision": ({"training_dtype": lambda: SINGLE}, same),
    "learning rate 0.06": ({}, option(learning_rate=0.06)),
    "learning rate 0.24": ({}, option(learning_rate=0.24)),
    "batch 250": ({}, option(batch_size=250)),
    "batch 1000": ({}, option(batch_size=1000)),
    "constant learning rate": ({}, option(schedule="constant")),
    "adam": ({}, option(optimizer="adam")),
    "sgd 0.1": ({}, option(optimizer="sgd", learning_rate=0.1)),
    "no label smoothing": ({}, option(label_smoothing=0.0)),
}  # fmt: skip


def divide(dataset: Dataset) -> Split:
    train = np.flatnonzero(dataset.parts == PARTS.index("train"))
    order = np.random.default_rng(1234).permutation(train)
    held_out = round(VALIDATION * len(train))
    none = np.zeros(0, np.int64)
    return Split(np.sort(order[held_out:]), np.sort(order[:held_out]), none, none, 1234, ())


def measure(
    dataset: Dataset, parts: Split, name: str, training: dict[str, float], seed: int
) -> dict[str, object]:
    """`training` is of `epochs` or `budget_seconds`."""
    constants, change = dict(VARIANTS[name][0]), VARIANTS[name][1]
    momentum: Any = constants.pop("MOMENTUM", {})
    recipe, _ = choose_fast_recipe(dataset, "fast", options={**training, "seed": seed})
    recipe = change(recipe)
    pixels = open_store(dataset, recipe.image_spec).pixels
    patched: dict[str, Any] = {"WIDTHS": fast.WIDTHS, **constants}  # one at the least is wanted
    with mock.patch.multiple(fast, **patched):
        trainer.set_seed(seed)
        built = registry.build(
            recipe.model, recipe.image_spec.shape, len(dataset.class_names), seed=seed
        )
    twin = built.twin
    assert twin is not None
    twin.prepare(pixels[parts.train[:: max(1, len(parts.train) // 3000)]])
    with mock.patch.dict(muon.MOMENTUM, momentum):
        history = trainer.fit(twin.model, pixels, dataset.labels, parts, recipe, lambda event: None)
    last = history.epochs[-1]
    both = with_mirror_image(built).model
    both.set_weights(twin.model.get_weights())
    answers = trainer.predict(both, pixels, parts.validation).argmax(axis=1)
    import_keras().backend.clear_session()
    return {
        "variant": name,
        "epochs": len(history.epochs),
        "pictures": len(parts.train),
        "seed": seed,
        "val_accuracy": last.val_accuracy,
        "val_loss": last.val_loss,
        "both_views": float(np.mean(answers == dataset.labels[parts.validation])),
        "seconds": round(history.end.seconds, 1),
        "weights": twin.model.count_params(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=("mnist", "cifar10"))
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=int, default=3)
    length.add_argument("--seconds", type=float)
    parser.add_argument("--pictures", type=int, help="of the training part; the first, shuffled")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    dataset = tellapart.load(DATA / f"{arguments.data}.tar.gz")
    parts = divide(dataset)
    if arguments.pictures:
        shuffled = np.random.default_rng(0).permutation(parts.train)
        parts = replace(parts, train=np.sort(shuffled[: arguments.pictures]))
    training = {"epochs": arguments.epochs}
    if arguments.seconds:
        training = {"budget_seconds": arguments.seconds}
    rows = []
    for seed in arguments.seeds:
        for name in arguments.only:
            rows.append(measure(dataset, parts, name, training, seed))
            print(rows[-1], flush=True)
    for name in arguments.only:
        found = [row for row in rows if row["variant"] == name]
        accuracies, both, seconds = (
            [float(str(row[column])) for row in found]
            for column in ("val_accuracy", "both_views", "seconds")
        )
        print(
            f"{name:26} {statistics.mean(accuracies):.4f} "
            f"({min(accuracies):.4f} to {max(accuracies):.4f})  {statistics.mean(seconds):.1f} s  "
            f"both views {statistics.mean(both):.4f} ({min(both):.4f} to {max(both):.4f})"
        )
    length_of_it = f"_{arguments.seconds:g}s" if arguments.seconds else ""
    write_results(arguments.results / f"fast_choices_{arguments.data}{length_of_it}.csv", rows)


if __name__ == "__main__":
    main()
