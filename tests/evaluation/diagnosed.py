"""Written-out trainings for the tests of the diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tellapart.evaluation.diagnosis import Diagnosis, TrainingFacts, diagnose
from tellapart.training.recipe import Recipe

NAMES = ("cat", "dog")


def recipe(**changes: Any) -> dict[str, Any]:
    """What `classic` chooses for 32x32 pictures, but for the changes."""
    options: dict[str, Any] = {
        "name": "classic",
        "model": "classic-32",
        "image_size": (32, 32),
        "channels": 3,
        "epochs": 15,
        "batch_size": 64,
        "loss": "categorical_crossentropy",
    }
    return Recipe(**(options | changes)).to_json()


def rows(
    loss: Sequence[float],
    val_loss: Sequence[float] | None = None,
    *,
    accuracy: float | Sequence[float] = 0.9,
    val_accuracy: float | Sequence[float] = 0.9,
) -> tuple[dict[str, float], ...]:
    """A history; one accuracy stands for every epoch."""
    epochs = len(loss)
    table = {
        "epoch": [float(number) for number in range(1, epochs + 1)],
        "loss": list(loss),
        "accuracy": [accuracy] * epochs if isinstance(accuracy, float) else list(accuracy),
    }
    if val_loss is not None:
        same = isinstance(val_accuracy, float)
        table["val_loss"] = list(val_loss)
        table["val_accuracy"] = [val_accuracy] * epochs if same else list(val_accuracy)  # type: ignore[arg-type, list-item]
    return tuple(
        dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)
    )


def facts(**changes: Any) -> TrainingFacts:
    """1,200 pictures of two classes, and a training that ended well: nothing to say."""
    fields: dict[str, Any] = {
        "data": "photos/",
        "class_names": NAMES,
        "recipe": recipe(),
        "parts": {"train": 800, "validation": 200, "calibration": 0, "test": 400},
        "counts": (700, 700),
        "history": rows([0.5, 0.3, 0.25, 0.24], [0.5, 0.28, 0.279, 0.278]),
        "confusion": [[180, 20], [20, 180]],
    }
    fields |= changes
    if fields["confusion"] is not None:
        fields["confusion"] = np.array(fields["confusion"], np.int64)
    return TrainingFacts(**fields)


def found(**changes: Any) -> dict[str, Diagnosis]:
    """What is found in `facts(**changes)`, by topic."""
    return {diagnosis.topic: diagnosis for diagnosis in diagnose(facts(**changes))}
