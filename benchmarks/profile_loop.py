"""Where an epoch's time goes: batches, convolutions, optimizer, Python, validation.

    python benchmarks/profile_loop.py --rounds 3
    python benchmarks/profile_loop.py --networks fast

Pictures of noise of CIFAR-10's size, trained on as `trainer.fit` does, with the settings of the
recipes `classic` (classic-32) and `fast`, augmentation included. The first epoch compiles and does
not count; the next is timed as it is; the one after it is recorded by TensorFlow's profiler, whose
file names every operation with its beginning and end on each thread.

Every instant of the recorded epoch counts for one thing alone: for the operations that run in it,
in equal shares where two do; otherwise for a batch that is waited for; otherwise, while Python is
in a call of the compiled step, for TensorFlow between two operations; and otherwise for Python
between two calls. So the parts add up to the epoch. Batches are made beside it, in threads of their
own: what that takes is timed apart, gathering and augmentation, and is no part of the sum.
Validation is timed apart too.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from common import RESULTS, Row, write_results
from tellapart.data.split import Split
from tellapart.models import registry
from tellapart.models.backend import import_keras
from tellapart.training import trainer
from tellapart.training.batches import Batches
from tellapart.training.recipe import CONV_MUON, Recipe

SHAPE, CLASSES = (32, 32, 3), 10

RECIPES = {
    "classic-32": Recipe(
        name="classic",
        model="classic-32",
        image_size=SHAPE[:2],
        channels=SHAPE[2],
        epochs=1,
        batch_size=64,
        loss="categorical_crossentropy",
    ),
    "fast": Recipe(
        name="fast",
        model="fast",
        image_size=SHAPE[:2],
        channels=SHAPE[2],
        epochs=1,
        batch_size=500,
        loss="categorical_crossentropy",
        optimizer=CONV_MUON,
        label_smoothing=0.1,
        augment="light",
    ),
}

WAITING = "waiting for a batch"
BETWEEN = "TensorFlow, between two operations"
PYTHON = "Python, between two calls"
OTHER = "other operations"

KINDS = (
    ("convolutions, gradient of the weights", ("Conv2DBackpropFilter",)),
    ("convolutions, gradient of the maps", ("Conv2DBackpropInput",)),
    ("convolutions, forward", ("Conv2D",)),
    ("optimizer", ("/adam/", "/conv_muon/")),
    ("normalisation", ("BatchNorm", "/norm_")),
    ("pooling", ("MaxPool", "/pool_", "/means_")),
    ("activations and biases", ("Relu", "BiasAdd")),
    ("dense layers", ("MatMul", "/dense_", "/output_")),
    ("loss and metrics", ("crossentropy", "/loss", "compute_loss", "/metrics", "ArgMax")),
)
"""What an operation is for, by its type or by the scope in its name; the first that fits."""


@dataclass(frozen=True)
class Span:
    """Something that took from `start` to `end`, in seconds of the profiler's clock."""

    start: float
    end: float
    part: str


def kind_of(operation: str) -> str:
    """What an operation is for.

    Args:
        operation: "scope/name:Type", as the profiler has it.
    """
    for kind, words in KINDS:
        if any(word in f"/{operation}" for word in words):
            return kind
    return OTHER


def read_spans(folder: Path) -> tuple[list[Span], list[Span], list[Span]]:
    """Reads what the profiler wrote: operations, waits for a batch, and calls of the step."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    (file,) = folder.rglob("*.xplane.pb")
    space = xplane_pb2.XSpace()
    space.ParseFromString(file.read_bytes())
    operations, waits, calls = [], [], []
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                start = line.timestamp_ns / 1e9 + event.offset_ps / 1e12
                end = start + event.duration_ps / 1e12
                if line.name.startswith("tf_Compute") and is_operation(name):
                    operations.append(Span(start, end, kind_of(name)))
                elif name.startswith("IteratorGetNext"):
                    waits.append(Span(start, end, WAITING))
                elif name == "TFE_Py_ExecuteCancelable":
                    calls.append(Span(start, end, BETWEEN))
    return operations, waits, calls


def is_operation(name: str) -> bool:
    """Whether an event is one operation, and not what calls others."""
    kind = name.rpartition(":")[2]
    callers = ("While", "If", "Case", "PartitionedCall", "StatefulPartitionedCall")
    return ":" in name and "::" not in name and kind not in callers


def share_out(layers: Iterable[list[Span]], start: float, end: float) -> dict[str, float]:
    """Seconds of each part, every instant given to the first layer that has a span in it.

    Spans of one layer that run at the same time get equal shares of it; what no layer covers
    counts for PYTHON.
    """
    changes: list[tuple[float, int, str, int]] = []
    for depth, spans in enumerate(layers):
        for span in spans:
            if span.start < span.end:
                changes.append((span.start, depth, span.part, 1))
                changes.append((span.end, depth, span.part, -1))
    running: list[dict[str, int]] = [defaultdict(int) for _ in range(3)]
    seconds: dict[str, float] = defaultdict(float)
    now = start
    for moment, depth, part, change in [*sorted(changes), (end, 0, OTHER, 0)]:
        until = min(max(moment, start), end)
        first = next((own for own in running if any(own.values())), {PYTHON: 1})
        total = sum(first.values())
        for own, number in first.items():
            seconds[own] += (until - now) * number / total
        now = until
        running[depth][part] += change
    return {part: took for part, took in seconds.items() if took}


def measure(name: str, pictures: int) -> Iterator[tuple[str, float]]:
    """Yields each part of an epoch and its seconds."""
    import tensorflow as tf

    model, train, validation = prepare(name, pictures)
    model.fit(train.for_keras(), epochs=1, shuffle=False, verbose=0)
    yield "an epoch, as it is", timed_epoch(model, train)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        recorded = timed_epoch(model, train)
        tf.profiler.experimental.stop()
        operations, waits, calls = read_spans(Path(folder))
    yield "an epoch, recorded", recorded
    end = max(span.end for span in calls)
    parts = share_out((operations, waits, calls), end - recorded, end)
    yield from sorted(parts.items(), key=lambda part: -part[1])
    yield "beside: gathering", timed_batches(replace(train, augmentation=None))
    yield "beside: gathering and augmentation", timed_batches(train)
    model.evaluate(validation.for_keras(), verbose=0)  # compiles
    began = time.perf_counter()
    model.evaluate(validation.for_keras(), verbose=0)
    yield f"validation, {len(validation.indices):,} pictures", time.perf_counter() - began


def prepare(name: str, pictures: int) -> tuple[Any, Batches, Batches]:
    """A compiled network that `trainer.fit` has trained for an epoch, and its batches."""
    recipe, rng = RECIPES[name], np.random.default_rng(0)
    count = pictures * 5 // 4
    pixels = rng.integers(0, 256, (count, *SHAPE), np.uint8)
    labels = rng.integers(0, CLASSES, count)
    none = np.zeros(0, np.int64)
    parts = Split(np.arange(pictures), np.arange(pictures, count), none, none, 0)
    trainer.set_seed(0)
    network = registry.build(name, SHAPE, CLASSES)
    model = network.model
    if network.twin is not None:
        network.twin.prepare(pixels[:1000])
        model = network.twin.model
    trainer.fit(model, pixels, labels, parts, recipe, lambda event: None)
    return model, *trainer.make_batches(pixels, labels, parts, recipe, CLASSES)


def timed_epoch(model: Any, train: Batches) -> float:
    began = time.perf_counter()
    model.fit(train.for_keras(), epochs=1, shuffle=False, verbose=0)
    return time.perf_counter() - began


def timed_batches(batches: Batches) -> float:
    """What an epoch's batches take where nothing else runs."""
    began = time.perf_counter()
    for start in range(0, len(batches.indices), batches.batch_size):
        batches.take(1, start)
    return time.perf_counter() - began


def report(rows: list[Row]) -> None:
    print(f"{'network':12}{'part':40}{'seconds':>9}{'share':>8}{'us a picture':>14}")
    for name, part in dict.fromkeys((str(row["network"]), str(row["part"])) for row in rows):
        own = [row for row in rows if (row["network"], row["part"]) == (name, part)]
        seconds, share, each = (
            statistics.median(float(row[column]) for row in own)
            for column in ("seconds", "share", "microseconds_per_picture")
        )
        print(f"{name:12}{part:40}{seconds:9.3f}{share:8.1%}{each:14.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--pictures", type=int, default=20_000, help="in an epoch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    rows: list[Row] = []
    for turn in range(arguments.rounds):
        for name in arguments.networks:
            found = list(measure(name, arguments.pictures))
            whole = dict(found)["an epoch, recorded"]
            rows += [
                {
                    "network": name,
                    "round": turn,
                    "part": part,
                    "seconds": round(seconds, 4),
                    "share": round(seconds / whole, 4),
                    "microseconds_per_picture": round(1e6 * seconds / arguments.pictures, 2),
                }
                for part, seconds in found
            ]
            import_keras().backend.clear_session()
    report(rows)
    write_results(arguments.results / "profile.csv", rows)


if __name__ == "__main__":
    main()
