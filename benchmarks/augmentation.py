"""Validation accuracy with and without augmentation: what `auto` chooses by. No test part is used.

    python benchmarks/augmentation.py digits --augment none shift=0.1 --seeds 0 1 2
    python benchmarks/augmentation.py flowers17.zip --augment none light strong
    python benchmarks/augmentation.py cifar10.tar.gz --pictures 5000 --augment none light
    python benchmarks/augmentation.py cifar10.tar.gz --pictures 5000 --uneven 30 \
        --class-weight none balanced

A row a run goes to stdout as CSV, in turns: all variants with one seed, then with the next.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

import tellapart as ta
from tellapart.data import open_store, split
from tellapart.data.split import Split
from tellapart.evaluation import evaluate
from tellapart.models import registry
from tellapart.training import trainer
from tellapart.training.recipe import Recipe, choose_recipe

COLUMNS = (
    "data", "model", "trained_on", "epochs", "augment", "class_weight", "seed",
    "accuracy", "val_loss", "balanced_accuracy", "seconds",
)  # fmt: skip


def main() -> None:
    arguments = parse_arguments()
    dataset = ta.load(arguments.data)
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(COLUMNS)
    for seed, augment, weight in itertools.product(
        arguments.seeds, arguments.augment, arguments.class_weight
    ):
        options = {"augment": augment, "class_weight": weight, "epochs": arguments.epochs}
        recipe, _ = choose_recipe(dataset, "auto", options={**options, "seed": seed})
        store = open_store(dataset, recipe.image_spec)
        parts = split(dataset, seed=seed, exclude=store.failures)
        parts = thinned(parts, dataset.labels, arguments.pictures, arguments.uneven)
        if arguments.epochs is None and arguments.pictures:
            # As for a data set of that size.
            recipe = replace(recipe, epochs=max(1, 1000 * recipe.batch_size // len(parts.train)))
        row = measure(store.pixels, dataset.labels, parts, recipe, dataset.class_names)
        setting = [dataset.name, recipe.model, len(parts.train), recipe.epochs]
        out.writerow([*setting, augment, weight, seed, *row])
        sys.stdout.flush()


def measure(
    pixels: Any,
    labels: npt.NDArray[np.int64],
    parts: Split,
    recipe: Recipe,
    names: tuple[str, ...],
) -> list[str]:
    """Trains, and measures the last weights on the validation part."""
    trainer.set_seed(recipe.seed)
    model = registry.build(recipe.model, recipe.image_spec.shape, len(names)).model
    history = trainer.fit(model, pixels, labels, parts, recipe, lambda event: None)
    probabilities = trainer.predict(model, pixels, parts.validation)
    found = evaluate(
        probabilities,
        labels[parts.validation],
        class_names=names,
        sources=[str(i) for i in parts.validation],
    )
    return [
        f"{found.accuracy.value:.4f}",
        f"{found.loss:.4f}",
        f"{found.balanced_accuracy:.4f}",
        f"{history.end.seconds:.1f}",
    ]


def thinned(
    parts: Split, labels: npt.NDArray[np.int64], pictures: int | None, uneven: float
) -> Split:
    """Keeps so many pictures in all, 80% to train on; the classes' sizes fall geometrically.

    Validation stays even, so that its accuracy is its balanced accuracy.
    """
    rng = np.random.default_rng(parts.seed)
    train, validation = rng.permutation(parts.train), parts.validation
    if pictures is not None:
        train = train[: round(0.8 * pictures)]
        validation = np.sort(rng.permutation(validation)[: pictures - len(train)])
    classes = int(labels.max()) + 1
    share = uneven ** -(np.arange(classes) / max(classes - 1, 1))
    kept = [
        rows[: max(2, round(share[k] * len(rows)))]
        for k in range(classes)
        for rows in [train[labels[train] == k]]
    ]
    return replace(parts, train=np.sort(np.concatenate(kept)), validation=validation)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--augment", nargs="+", default=["none"])
    parser.add_argument("--class-weight", nargs="+", default=["none"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--pictures", type=int, help="train and validate on so many of them")
    parser.add_argument("--uneven", type=float, default=1.0, help="largest class to smallest")
    return parser.parse_args()


if __name__ == "__main__":
    main()
