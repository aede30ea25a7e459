"""Whether the classic networks learn as much in bfloat16 as in float32, and how much sooner.

    python benchmarks/precision.py mnist --runs 5
    python benchmarks/precision.py cifar10 --runs 3

The textbook's recipe, in turns in either precision, from the same first weights, in the same order
of the pictures. Accuracy is that on a fifth of the training part, which was held out: the test part
is not looked at. In both it is of the network in float32, which is what a run saves. Where the
processor has no instructions for bfloat16 it is slower in it, and a run does not use it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import tellapart
from common import DATA, RESULTS, Row, spread, write_results
from fast_choices import divide
from tellapart.data.dataset import Dataset
from tellapart.data.store import open_store
from tellapart.models.backend import import_keras
from tellapart.models.classic import build_classic
from tellapart.models.precision import MIXED, SINGLE
from tellapart.training import trainer
from tellapart.training.recipe import choose_recipe


def measure(dataset: Dataset, dtype: str, seed: int) -> Row:
    recipe, _ = choose_recipe(dataset, "classic", options={"seed": seed})
    pixels = open_store(dataset, recipe.image_spec).pixels
    parts = divide(dataset)
    trainer.set_seed(seed)
    classes = len(dataset.class_names)
    model = build_classic(recipe.model, recipe.image_spec.shape, classes)
    trained = build_classic(recipe.model, recipe.image_spec.shape, classes, dtype=dtype)
    trained.set_weights(model.get_weights())
    history = trainer.fit(trained, pixels, dataset.labels, parts, recipe, lambda event: None)
    model.set_weights(trained.get_weights())
    held_out = parts.validation
    answers = trainer.predict(model, pixels, held_out)
    import_keras().backend.clear_session()
    return {
        "network": recipe.model,
        "epochs": recipe.epochs,
        "seed": seed,
        "precision": dtype,
        "accuracy": round(float(np.mean(answers.argmax(axis=1) == dataset.labels[held_out])), 4),
        "seconds": round(history.end.seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=("mnist", "cifar10"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    dataset = tellapart.load(DATA / f"{arguments.data}.tar.gz")
    rows: list[Row] = []
    for seed in range(arguments.runs):
        for dtype in (SINGLE, MIXED):
            rows.append(measure(dataset, dtype, seed))
            print(rows[-1], flush=True)
    for dtype in (SINGLE, MIXED):
        for column in ("accuracy", "seconds"):
            values = [float(row[column]) for row in rows if row["precision"] == dtype]
            print(f"{dtype:15} {column:9} {spread(values)}")
    write_results(arguments.results / f"precision_{arguments.data}.csv", rows)


if __name__ == "__main__":
    main()
