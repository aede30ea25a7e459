"""The recipe `fast`: from scratch, as good as possible in little time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.data.wording import count
from tellapart.errors import UsageError
from tellapart.models.fast import FAST, WIDTHS
from tellapart.training.augmentation import parse_augmentation
from tellapart.training.recipe import (
    AUTO_LABEL_SMOOTHING,
    CONV_MUON,
    MAX_BUDGET_EPOCHS,
    MUON_LEARNING_RATE,
    Recipe,
    TestTimeAugmentation,
    check_options,
    expect_training,
    native_size,
    settle_for_the_classes,
)

LARGEST_SIDE = 96
"""Pictures of one size, up to so many pixels a side, are taken as they are."""

UPDATES = 800
"""Training makes at least so many updates of the weights."""

FEWEST_EPOCHS, MOST_EPOCHS = 5, 60

SMALLEST_BATCH, LARGEST_BATCH = 32, 500

UPDATES_AN_EPOCH = 80
"""A batch is made no larger than leaves so many of them in an epoch: half as many take nearly twice
the time for a few tenths of a point (docs/fast.md)."""

FEW_TIMES = 4
"""A training picture that is seen less often than that is learned better as it is: nothing is
learned by heart so soon. Measured on validation parts of CIFAR-10 and MNIST (docs/fast.md)."""

SMALLEST_SIDE_OF_AUTO = 16
"""Of smaller pictures, `auto` takes a classic network, which is as good there and sooner done."""

MANY_PICTURES = 10_000
"""From so many on, a tenth of the training part is enough to validate on, instead of a fifth."""


def wants_fast(dataset: Dataset, recipe_name: str, model: str | None) -> bool:
    """Whether this network is asked for, or is what `auto` takes for these pictures.

    Raises:
        UsageError: recipe and model contradict each other.
    """
    if recipe_name == FAST and model not in (None, *WIDTHS):
        raise UsageError(
            f"The recipe {FAST} is for the networks {', '.join(WIDTHS)}, and '{model}' is another "
            "one. Leave out --recipe or --model."
        )
    if recipe_name != "auto" or model is not None:
        return recipe_name == FAST or (recipe_name == "auto" and model in WIDTHS)
    size = native_size(dataset)
    return size is None or min(size) >= SMALLEST_SIDE_OF_AUTO


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
    sentences = [f"Network {given.get('model', FAST)}, {_why(name, given, size)}."]
    if "learning_rate" in given and "optimizer" not in given:
        sentences.append(
            f"The learning rate is for {CONV_MUON}, which takes {MUON_LEARNING_RATE:g} by itself."
        )
    epochs = given.get("epochs")
    if leaves_augmentation_open(given) and isinstance(epochs, int) and epochs < FEW_TIMES:
        given["augment"] = "none"
        sentences.append(no_augmentation(f"in {count(epochs, 'epoch')}"))
    given |= settle_for_the_classes(
        dataset, {"augment": "auto", "class_weight": "auto", **given}, sentences
    )
    looks, why = _test_time_augmentation(given)
    if why:
        sentences.append(why)
    validation_split = 0.1 if len(dataset) >= MANY_PICTURES else 0.2
    settings: dict[str, Any] = {
        "model": FAST,
        "image_size": size if size is not None and max(size) <= LARGEST_SIDE else (64, 64),
        "channels": max((picture[2] for picture in dataset.sizes), default=3),
        "validation_split": validation_split,
        "loss": "categorical_crossentropy",
        "label_smoothing": AUTO_LABEL_SMOOTHING,
        "test_time_augmentation": looks,
        "optimizer": CONV_MUON,
        "schedule": "one-cycle",
        "epochs": FEWEST_EPOCHS,
    }
    if given.get("loss", "categorical_crossentropy") != "categorical_crossentropy":
        settings["label_smoothing"] = 0.0  # integer labels cannot be smoothed
    recipe = Recipe(name=name, **(settings | given))
    trained = expect_training(dataset, recipe)
    if "batch_size" not in given:
        batch = max(SMALLEST_BATCH, min(LARGEST_BATCH, int(trained / UPDATES_AN_EPOCH)))
        recipe = replace(recipe, batch_size=batch)
    if "epochs" not in given:
        recipe = replace(recipe, epochs=_epochs(recipe, trained))
    return recipe, " ".join(sentences)


def leaves_augmentation_open(options: Mapping[str, Any]) -> bool:
    """Whether the user left it to us to augment or not."""
    return options.get("augment") in (None, "auto")


def no_augmentation(when: str) -> str:
    """The sentence that says why there is none, where pictures are seen less than `FEW_TIMES`."""
    return (
        f"No augmentation: {when}, each training picture is seen less than {FEW_TIMES} times, too "
        "seldom to be learned by heart (--augment asks for it all the same)."
    )


def _test_time_augmentation(given: Mapping[str, Any]) -> tuple[TestTimeAugmentation, str]:
    """What is chosen, and why: mirror images help where the network has learned from them."""
    mirrors = parse_augmentation(given["augment"]).flip in ("horizontal", "both")
    if not mirrors or "test_time_augmentation" in given:
        return "none", ""
    return "flip", (
        "Each picture will be classified together with its mirror image "
        "(--test-time-augmentation none: by itself, in half the time)."
    )


def _why(name: str, given: Mapping[str, Any], size: tuple[int, int] | None) -> str:
    if name == FAST or "model" in given:
        return "as asked"
    if size is None:
        return "since the pictures are small and differ in size"
    return f"since the pictures are {size[0]}x{size[1]}"


def _epochs(recipe: Recipe, trained: float) -> int:
    if recipe.budget_seconds is not None:
        return MAX_BUDGET_EPOCHS
    epochs = math.ceil(UPDATES / math.ceil(trained / recipe.batch_size))
    return max(FEWEST_EPOCHS, min(MOST_EPOCHS, epochs))
