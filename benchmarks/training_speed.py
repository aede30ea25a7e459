"""Training images a second: `trainer.fit`, plain Keras and plain PyTorch, in turns.

    python benchmarks/training_speed.py --rounds 3 --torch-python PATH
    python benchmarks/training_speed.py --networks classic-32

Pictures of noise in memory, batches as in the recipes, no validation. Ours trains on uint8 as a run
does. Plain Keras, by opponents/keras_speed.py, gets float32 arrays in 0..1, as in
opponents/plain_keras.py, and the same layers without the one that scales; for `fast`, the same
network in Keras's own layers, in single precision, with Adam. TensorFlow is left as it comes.
Where it comes without oneDNN, which ours asks for, plain Keras gets another turn with it, and where
the processor multiplies in bfloat16, as ours then does, the classic networks one in that, for
whoever knows environment variables and dtype policies. PyTorch trains the classic networks, by
opponents/pytorch_speed.py: at its best settings, in bfloat16 where the processor multiplies that,
and the same in single precision. Each opponent has a process of its own. No picture is augmented.
Each training is a fresh one: its first epoch compiles and is left out, the others are timed from
the end of one epoch to the end of the next.

The share of the peak is the floating-point operations of the training over those of a product of
two large float32 matrices on all cores, in this process, the best of several in each round. A layer
takes 2 for each multiplication of a picture's forward pass (convolutions and dense layers alone),
and three times as many in training, forward and backward; a layer that is not trained takes them
once. The share of what multiplies in bfloat16, ours and PyTorch's best, is of the peak of that.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

import processes
import pytorch_process
from common import OPPONENTS, RESULTS, Row, spread, write_results
from tellapart.data.split import Split
from tellapart.models import registry
from tellapart.models.backend import import_keras
from tellapart.models.fast import FAST
from tellapart.models.precision import MIXED, SINGLE, multiplies_bfloat16
from tellapart.models.speed import operations_per_second, training_operations
from tellapart.tensorflow_variables import ONEDNN
from tellapart.training import trainer
from tellapart.training.events import EpochEnded, Event
from tellapart.training.recipe import CONV_MUON, Recipe

CLASSES = 10
EPOCHS = 3
PEAK_SIDE, PEAK_TRIES = 3072, 5

Found = dict[str, Any]
"""What a script of opponents/ has measured."""


@dataclass(frozen=True)
class Training:
    """How a network is trained here.

    Attributes:
        shape: height, width and channels of the pictures.
        pictures: in an epoch; of the classic networks enough for as many updates a call as in a
            run.
    """

    shape: tuple[int, int, int]
    pictures: int
    batch_size: int
    loss: Any = "sparse_categorical_crossentropy"
    optimizer: str = "adam"


TRAININGS = {
    "classic-28": Training((28, 28, 1), 20_480, 32),
    "classic-32": Training((32, 32, 3), 20_480, 64, "categorical_crossentropy"),
    "classic-64": Training((64, 64, 3), 10_240, 32),
    FAST: Training((32, 32, 3), 10_000, 500, "categorical_crossentropy", CONV_MUON),
}


def images_per_second(pictures: int, ends: list[float]) -> float:
    """Of epochs that ended at these times; the first one, which compiles, does not count."""
    return pictures * (len(ends) - 1) / (ends[-1] - ends[0])


def train_ours(name: str, training: Training, pixels: Any, labels: Any) -> tuple[float, float]:
    """Returns images a second, and operations a picture."""
    recipe = Recipe(
        name="fast" if name == FAST else "classic",
        model=name,
        image_size=training.shape[:2],
        channels=training.shape[2],
        epochs=EPOCHS,
        batch_size=training.batch_size,
        loss=training.loss,
        optimizer=training.optimizer,
    )
    trainer.set_seed(0)
    network = registry.build(name, training.shape, CLASSES)
    model = network.model
    if network.twin is not None:
        network.twin.prepare(pixels[:1000])
        model = network.twin.model
    none = np.zeros(0, np.int64)
    ends: list[float] = []

    def note(event: Event) -> None:
        if isinstance(event, EpochEnded):
            ends.append(time.perf_counter())

    trainer.fit(
        model, pixels, labels, Split(np.arange(len(pixels)), none, none, none, 0), recipe, note
    )
    return images_per_second(training.pictures, ends), float(training_operations(model))


def train_keras(name: str, training: Training, turn: int, dtype: str, told: bool) -> Found:
    """What opponents/keras_speed.py measured, where TensorFlow is told to use oneDNN or is not."""
    command = [
        sys.executable, str(OPPONENTS / "keras_speed.py"), name, str(training.pictures),
        "--epochs", str(EPOCHS), "--dtype", dtype, "--seed", str(turn),
    ]  # fmt: skip
    finished = processes.run(command, {ONEDNN: "1"} if told else None)
    return cast("Found", json.loads(finished.output.splitlines()[-1]))


def train_pytorch(python: Path, name: str, training: Training) -> Found:
    """What opponents/pytorch_speed.py measured: images a second of "best" and "float32"."""
    finished = pytorch_process.run(
        python, "pytorch_speed.py", name, training.pictures, "--epochs", EPOCHS
    )
    return cast("Found", json.loads(finished.output.splitlines()[-1]))


def measure(name: str, turn: int, torch_python: Path | None) -> Iterator[Row]:
    """Trains a network by each contender once: a row for each."""
    training = TRAININGS[name]
    rng = np.random.default_rng(turn)
    pixels = rng.integers(0, 256, (training.pictures, *training.shape), np.uint8)
    labels = rng.integers(0, CLASSES, training.pictures)
    peaks = {False: operations_per_second("float32", side=PEAK_SIDE, tries=PEAK_TRIES)}
    if multiplies_bfloat16():
        peaks[True] = operations_per_second("bfloat16", side=PEAK_SIDE, tries=PEAK_TRIES)
    ours, each = train_ours(name, training, pixels, labels)
    import_keras().backend.clear_session()

    def row(who: str, images_per_second: float, bfloat16: bool) -> Row:
        return {
            "network": name,
            "round": turn,
            "who": who,
            "batch_size": training.batch_size,
            "bfloat16": int(bfloat16),
            "images_per_second": round(images_per_second),
            "ours_to_theirs": round(ours / images_per_second, 3),
            "megaflops_per_image": round(each / 1e6, 2),
            "peak_gigaflops": round(peaks[bfloat16] / 1e9, 1),
            "share_of_peak": round(images_per_second * each / peaks[bfloat16], 3),
        }

    yield row("ours", ours, multiplies_bfloat16())
    plain = train_keras(name, training, turn, SINGLE, told=False)
    yield row("keras", plain["images_per_second"], False)
    if not plain["onednn"]:
        told = train_keras(name, training, turn, SINGLE, told=True)
        yield row("keras, oneDNN", told["images_per_second"], False)
    if name != FAST and multiplies_bfloat16():
        mixed = train_keras(name, training, turn, MIXED, told=True)
        yield row("keras, bfloat16", mixed["images_per_second"], True)
    if torch_python and name != FAST:
        found = train_pytorch(torch_python, name, training)
        for setting, who in (("best", "pytorch"), ("float32", "pytorch, float32")):
            best = found[setting]
            yield row(who, best["images_per_second"], bool(best["bfloat16"]))


def report(rows: list[Row]) -> None:
    for name, who in dict.fromkeys((row["network"], row["who"]) for row in rows):
        for column in ("images_per_second", "ours_to_theirs", "peak_gigaflops", "share_of_peak"):
            values = [float(r[column]) for r in rows if (r["network"], r["who"]) == (name, who)]
            print(f"{name:11} {who:16} {column:18} {spread(values)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=TRAININGS, default=list(TRAININGS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    pytorch_process.add_option(parser)
    arguments = parser.parse_args()
    torch = pytorch_process.find_version(arguments.torch_python)
    rows: list[Row] = []
    for turn in range(arguments.rounds):
        for name in arguments.networks:
            for row in measure(name, turn, arguments.torch_python):
                rows.append(row)
                print(row, flush=True)
    report(rows)
    write_results(arguments.results / "training_speed.csv", rows, **torch)


if __name__ == "__main__":
    main()
