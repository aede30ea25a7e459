"""Run folders as a training leaves them, made in a moment: by its own writers, without a network.

The classifier file is the real one of `tests.tiny_classifier`, so that heat maps can be drawn.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tellapart import runs
from tellapart.data import load
from tellapart.data.dataset import PARTS, Dataset
from tellapart.data.split import Split, write_split_csv
from tellapart.evaluation.metrics import evaluate
from tellapart.evaluation.predictions import write_predictions_csv
from tellapart.evaluation.trust import establish_trust
from tellapart.files import write_json
from tellapart.report.pictures import Pictures
from tellapart.runs import RunFolder
from tellapart.training.events import EpochEnded, HeadFitted, Noted
from tellapart.training.recipe import Recipe
from tellapart.training.records import EventLog, ResultsTable
from tests.tiny_classifier import PURE, SPEC, save_classifier

COLOURS = ("blue", "green", "red")
TRAIN = 6
"""Training pictures of each class."""

HISTORY = (
    (2.25, 0.25, 1.5, 0.5),
    (1.25, 0.5, 1.0, 0.625),
    (0.75, 0.75, 1.125, 0.6875),
)
"""loss, accuracy, val_loss, val_accuracy of three epochs."""

FLOW = {
    "images": 66,
    "data_flow": [
        {
            "name": "input", "kind": "Input", "before": [66, 6, 8, 3], "after": [66, 6, 8, 3],
            "parameters": 0, "counted": "", "does": "The pixels", "example": "144 numbers",
        },
        {
            "name": "output", "kind": "Dense", "before": [66, 3], "after": [66, 3],
            "parameters": 12, "counted": "3x3 + 3", "does": "One score a class", "example": "",
        },
    ],
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Made:
    """A run folder and what is in it.

    Attributes:
        folder: of the run.
        dataset: training pictures, then test pictures.
        pictures: of the test part.
        probabilities: (n, classes) of the test part, as the network gave them.
        labels: (n,) of the test part.
        names: of the test pictures.
    """

    folder: RunFolder
    dataset: Dataset
    pictures: Pictures
    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    names: list[str]

    def read(self, name: str) -> Any:
        """The JSON of one of the run's files."""
        return json.loads((self.folder.path / name).read_text(encoding="utf-8"))

    def change(self, name: str, **fields: Any) -> None:
        """Gives some fields of one of the run's JSON files other values."""
        write_json(self.folder.path / name, self.read(name) | fields)


def make_run(
    path: Path,
    *,
    class_names: Sequence[str] = COLOURS,
    counts: Sequence[int] | None = None,
    paths: Sequence[str] | None = None,
    probabilities: npt.NDArray[np.floating[Any]] | None = None,
    unseen: int = 60,
    history: Sequence[tuple[float, ...]] = HISTORY,
    **info: Any,
) -> Made:
    """Makes a run folder.

    Args:
        path: of the folder.
        class_names: at least two.
        counts: test pictures of each class; None: 16 each.
        paths: of the test pictures; None: the numbers of arrays.
        probabilities: of the test part, as the network gives them; None: right in most cases.
        unseen: how many pictures to calibrate on.
        history: see `HISTORY`; none: a head on frozen features.
        **info: other values of `run.json`.
    """
    classes = len(class_names)
    counts = [16] * classes if counts is None else list(counts)
    labels = np.repeat(np.arange(classes), counts)
    dataset = _dataset(class_names, labels, paths)
    test = np.arange(TRAIN * classes, len(dataset))
    if probabilities is None:
        probabilities = guess(labels, classes)
    probabilities = probabilities.astype(np.float32)
    names = [dataset.paths[i] for i in test.tolist()]
    folder = RunFolder.create("run", out=path)
    held_out = np.arange(unseen) % classes
    trust = establish_trust(
        guess(held_out, classes, seed=1), held_out, "validation part", probabilities, labels
    )
    evaluation = evaluate(
        trust.probabilities, labels, class_names=class_names, sources=names, mistakes=50
    )
    write_json(folder.file(runs.EVALUATION_JSON), evaluation.to_json() | trust.to_json())
    write_predictions_csv(
        folder.file(runs.PREDICTIONS_CSV),
        trust.probabilities,
        labels,
        class_names=class_names,
        sources=names,
    )
    none = np.zeros(0, np.int64)
    split = Split(np.arange(TRAIN * classes), none, none, test, 0, ())
    write_split_csv(folder.file(runs.SPLIT_CSV), dataset, split)
    write_json(folder.file(runs.TRACE_JSON), FLOW)
    write_json(
        folder.file(runs.PREDICTION_TRACE_JSON),
        prediction_trace(class_names, names[0] if names else "-"),
    )
    write_json(folder.file(runs.AUDIT_JSON), _audit(dataset))
    _write_training(folder, history, classes)
    save_classifier(folder.path / runs.CLASSIFIER_ONNX, class_names=tuple(class_names))
    folder.write_info(
        _info(dataset, split, history) | {"accuracy": evaluation.accuracy.to_json()} | info
    )
    pixels = np.stack([np.asarray(dataset.source.read(i)) for i in range(len(dataset))])
    pictures = Pictures.of(dataset, pixels, test)
    return Made(folder, dataset, pictures, probabilities, labels, names)


def guess(
    labels: npt.NDArray[np.integer[Any]], classes: int, *, seed: int = 0
) -> npt.NDArray[np.float32]:
    """Probabilities that are right in most cases."""
    logits = np.random.default_rng(seed).normal(size=(len(labels), classes))
    logits[np.arange(len(labels)), labels] += 2.5
    powers = np.exp(logits)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def prediction_trace(class_names: Sequence[str], name: str) -> dict[str, Any]:
    """A prediction trace with a convolution and a pooling window, as docs/trace.md has it."""
    figures = {
        "minimum": 0.0, "mean": 0.25, "maximum": 0.75, "zeros": 0.5, "channels": 4,
        "dead_channels": 1, "not_finite": 0,
    }  # fmt: skip
    stages = [
        _stage("input", "Input", [1, 6, 8, 3], [1, 6, 8, 3], figures, []),
        _stage(
            "conv", "Conv2D", [1, 6, 8, 3], [1, 6, 8, 4], figures,
            [{"channel": 2, "low": 0.0, "high": 0.75, "strength": 0.2, "height": 6, "width": 8,
              "png": _png(np.arange(48).reshape(6, 8) * 5)}],
        ),
        _stage("output", "Dense", [1, 4], [1, len(class_names)], figures, []),
    ]  # fmt: skip
    rest = 0.25 / (len(class_names) - 1)
    return {
        "format_version": 1,
        "model": "tiny",
        "picture": {"name": name, "height": 6, "width": 8, "channels": 3,
                    "png": _png(np.full((6, 8, 3), 90))},
        "stages": stages,
        "blocks": [
            {"name": stage["name"], "first": place, "last": place,
             "rectified": place if stage["kind"] == "Conv2D" else None,
             "parameters": stage["parameters"], "does": stage["does"]}
            for place, stage in enumerate(stages)
        ],
        "convolution": {
            "layer": "conv", "filter": 2, "row": 1, "column": 3, "rows": [1, 2],
            "columns": [3, 4], "channel": 0, "window": [[0.5, 1.0], [0.25, 0.0]],
            "weights": [[0.5, 0.25], [1.0, -3.0]], "products": [[0.25, 0.25], [0.25, -0.0]],
            "channel_sums": [0.75], "bias": -0.125, "total": 0.625, "activation": "relu",
            "result": 0.625, "then": [],
        },
        "pooling": {
            "layer": "pool", "takes": "mean", "channel": 1, "row": 0, "column": 0, "rows": [0, 1],
            "columns": [0, 1], "window": [[0.25, 0.5], [0.75, 1.0]], "result": 0.625,
        },
        "answer": {
            "layer": "output", "temperature": 1.25, "largest_logit": 2.0, "sum": 1.5,
            "classes": [
                {"index": place, "name": class_name, "logit": 2.0 - place, "exponential": 0.5,
                 "probability": 0.75 if place == 0 else rest}
                for place, class_name in enumerate(class_names)
            ],
        },
        "notes": [],
    }  # fmt: skip


def _stage(
    name: str, kind: str, before: list[int], after: list[int], figures: Any, maps: list[Any]
) -> dict[str, Any]:
    return {
        "name": name, "kind": kind, "before": before, "after": after, "parameters": 12,
        "counted": "", "does": f"What {name} does", "example": "", "activations": figures,
        "maps": maps,
    }  # fmt: skip


def _png(values: npt.NDArray[Any]) -> str:
    stream = io.BytesIO()
    Image.fromarray(values.astype(np.uint8)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def _dataset(
    class_names: Sequence[str], labels: npt.NDArray[np.int64], paths: Sequence[str] | None
) -> Dataset:
    classes = len(class_names)
    y = np.concatenate([np.repeat(np.arange(classes), TRAIN), labels])
    rng = np.random.default_rng(0)
    x = rng.integers(0, 60, (len(y), *SPEC.shape), dtype=np.uint8)
    for place, name in enumerate(class_names):
        x[y == place] += np.array(PURE.get(name, (90, 90, 90)), np.uint8) // 2
    dataset = load((x, y), class_names=list(class_names), name="colours")
    assert dataset.class_names == tuple(class_names), "name classes in sorted order"
    if paths is not None:
        dataset = replace(dataset, paths=[*dataset.paths[: TRAIN * classes], *paths])
    return dataset


def _audit(dataset: Dataset) -> dict[str, Any]:
    return {
        "data": dataset.location,
        "pictures": len(dataset),
        "unreadable": 0,
        "ignored": 0,
        "classes": {
            name: {"unassigned": number} for name, number in dataset.count_by_class().items()
        },
        "findings": [],
        "pairs": [],
    }


def _write_training(folder: RunFolder, history: Sequence[tuple[float, ...]], classes: int) -> None:
    log, table = (
        EventLog(folder.file(runs.EVENTS_JSONL)),
        ResultsTable(folder.file(runs.RESULTS_CSV)),
    )
    log(Noted("Trained `gently`."))
    for epoch, (loss, accuracy, val_loss, val_accuracy) in enumerate(history, start=1):
        table(
            EpochEnded(
                epoch=epoch,
                epochs=len(history),
                loss=loss,
                accuracy=accuracy,
                val_loss=val_loss,
                val_accuracy=val_accuracy,
                learning_rate=0.001,
                seconds=1.0,
                images_per_second=100.0,
            )
        )
    if not history:
        log(HeadFitted(TRAIN * classes, 0.5, 0.875, None, 1.5))


def _info(dataset: Dataset, split: Split, history: Sequence[tuple[float, ...]]) -> dict[str, Any]:
    recipe = Recipe("auto", "classic-32", (6, 8), 3, len(history), transfer=not history)
    return {
        "status": "finished",
        "started": "2026-11-25T10:00:00+00:00",
        "ended": "2026-11-25T10:00:20+00:00",
        "recipe": recipe.to_json(),
        "asked": {"recipe": "auto", "epochs": 3},
        "data": {
            "name": dataset.name,
            "location": "photos/",
            "fingerprint": "ab" * 32,
            "key": dataset.source.key,
            "class_names": list(dataset.class_names),
            "counts": dataset.count_by_class(),
            "parts": {part: len(split.part(part)) for part in PARTS},
            "ignored": 0,
            "excluded": [],
        },
        "machine": {"system": "Linux", "machine": "x86_64", "processor": "Abacus", "cores": 2,
                    "python": "3.11.7"},
        "versions": {"tellapart": "0.1.0", "keras": "3.15.1"},
        "backend": "tensorflow",
        "overlap": None,
        "parity": {"checked": 48, "max_difference": 4e-7},
        "training": {"reason": "finished", "epochs_done": len(history), "best_epoch": None,
                     "seconds": 12.5},
        "diagnosis": [],
        "seconds": 20.25,
    }  # fmt: skip
