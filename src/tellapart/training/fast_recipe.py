"""The recipe `fast`: from scratch, as good as possible in little time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.models.fast import FAST, SMALLEST_SIDE
from tellapart.training.recipe import (
    AUTO_LABEL_SMOOTHING,
    MAX_BUDGET_EPOCHS,
    Recipe,
    check_options,
    native_size,
    settle_for_the_classes,
)

LARGEST_SIDE = 96
"""`auto` takes this network for pictures of one size, up to so many pixels a side."""

UPDATES = 800
"""Training makes at least so many updates of the weights."""

FEWEST_EPOCHS, MOST_EPOCHS = 5, 60

SMALLEST_BATCH, LARGEST_BATCH = 32, 500

UPDATES_AN_EPOCH = 40
"""A batch is made no larger than leaves so many of them in an epoch."""

MANY_PICTURES = 10_000
"""From so many on, a tenth of the training part is enough to validate on, instead of a fifth."""


def wants_fast(dataset: Dataset, recipe_name: str, model: str | None) -> bool:
    """Whether this network is asked for, or is what `auto` takes for these pictures."""
    if recipe_name == "fast" or (model == FAST and recipe_name == "auto"):
        return model in (None, FAST)
    size = native_size(dataset)
    return (
        recipe_name == "auto"
        and model is None
        and size is not None
        and min(size) >= SMALLEST_SIDE
        and max(size) <= LARGEST_SIDE
    )


def choose_fast_recipe(
    dataset: Dataset, name: str = "auto", *, options: Mapping[str, Any] | None = None
) -> tuple[Recipe, str]:
    """Chooses the settings of a fast training.

    Args:
        dataset: its pictures and classes decide.
        name: "auto" or "fast".
        options: fields of `Recipe` that the user set; None values are ignored.

    Returns:
        The recipe, and sentences that say what was chosen and why.

    Raises:
        UsageError: an unknown option, or a value out of range.
    """
    given = check_options(name, options)
    size = native_size(dataset)
    why = (
        "as asked"
        if size is None or name == FAST or given.get("model")
        else (f"since the pictures are {size[0]}x{size[1]}")
    )
    sentences = [f"Network {FAST}, {why}."]
    given |= settle_for_the_classes(
        dataset, {"augment": "auto", "class_weight": "auto", **given}, sentences
    )
    validation_split = 0.1 if len(dataset) >= MANY_PICTURES else 0.2
    settings: dict[str, Any] = {
        "model": FAST,
        "image_size": size if size is not None and max(size) <= LARGEST_SIDE else (64, 64),
        "channels": max((picture[2] for picture in dataset.sizes), default=3),
        "validation_split": validation_split,
        "loss": "categorical_crossentropy",
        "label_smoothing": AUTO_LABEL_SMOOTHING,
        "optimizer": "conv-muon",
        "schedule": "one-cycle",
        "epochs": FEWEST_EPOCHS,
    }
    if given.get("loss", "categorical_crossentropy") != "categorical_crossentropy":
        settings["label_smoothing"] = 0.0  # integer labels cannot be smoothed
    recipe = Recipe(name=name, **(settings | given))
    trained = max(1.0, len(dataset) * (1 - recipe.test_split) * (1 - recipe.validation_split))
    if "batch_size" not in given:
        batch = max(SMALLEST_BATCH, min(LARGEST_BATCH, int(trained / UPDATES_AN_EPOCH)))
        recipe = replace(recipe, batch_size=batch)
    if "epochs" not in given:
        recipe = replace(recipe, epochs=_epochs(recipe, trained))
    return recipe, " ".join(sentences)


def _epochs(recipe: Recipe, trained: float) -> int:
    if recipe.budget_seconds is not None:
        return MAX_BUDGET_EPOCHS
    epochs = math.ceil(UPDATES / math.ceil(trained / recipe.batch_size))
    return max(FEWEST_EPOCHS, min(MOST_EPOCHS, epochs))
