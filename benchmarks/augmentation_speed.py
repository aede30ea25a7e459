"""What augmentation costs: processor time of an epoch with it and without, in turns.

    python benchmarks/augmentation_speed.py --augment light strong

`classic-32` at batch 64 on made-up 32x32 colour pictures, through `trainer.fit`, where batches are
made in a thread of their own beside the training step. The first epoch of each compiles, and is
left out. Processor time counts all threads, and does not count what else the machine does.
Beside it, the milliseconds that augmenting one batch takes on its own.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np

from tellapart.data.split import Split
from tellapart.models import registry
from tellapart.training import trainer
from tellapart.training.augmentation import augment, draw, parse_augmentation
from tellapart.training.events import EpochEnded, Event
from tellapart.training.recipe import Recipe

PICTURES, BATCH = 4096, 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--augment", nargs="+", default=["light", "strong"])
    parser.add_argument("--rounds", type=int, default=4)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (PICTURES, 32, 32, 3), np.uint8)
    labels = rng.integers(0, 10, PICTURES)
    variants = ["none", *arguments.augment]
    seconds: dict[str, list[float]] = {how: [] for how in variants}
    for _ in range(arguments.rounds):
        for how in variants:
            seconds[how].append(epoch_seconds(pixels, labels, how))
    steps = PICTURES / BATCH
    for how in variants:
        ratios = [ours / none for ours, none in zip(seconds[how], seconds["none"], strict=True)]
        print(
            f"{how}: {1000 * statistics.median(seconds[how]) / steps:.1f} ms of processor a step, "
            f"{statistics.median(ratios):.2f} times none ({min(ratios):.2f} to "
            f"{max(ratios):.2f}); {batch_milliseconds(pixels, how):.2f} ms to augment a batch"
        )


def epoch_seconds(pixels: Any, labels: Any, how: str) -> float:
    none = np.array([], np.int64)
    recipe = Recipe(
        "auto", "classic-32", (32, 32), 3, 4, BATCH, loss="categorical_crossentropy", augment=how
    )
    trainer.set_seed(0)
    model = registry.build("classic-32", (32, 32, 3), 10).model
    split = Split(np.arange(len(pixels)), none, none, none, 0)
    ends: list[float] = []

    def note(event: Event) -> None:
        if isinstance(event, EpochEnded):
            ends.append(time.process_time())

    trainer.fit(model, pixels, labels, split, recipe, note)
    return statistics.median(np.diff(ends))


def batch_milliseconds(pixels: Any, how: str) -> float:
    spec, times = parse_augmentation(how), []
    for start in range(0, PICTURES, BATCH):
        began = time.perf_counter()
        augment(pixels[start : start + BATCH], spec, draw(0, 0, start, BATCH))
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    main()
