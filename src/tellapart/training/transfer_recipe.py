"""When to transfer a pretrained network, and with what settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.errors import UsageError
from tellapart.models.backbones import (
    DEFAULT_BACKBONE,
    backbone_names,
    get_backbone,
    is_backbone,
    refuse_missing,
)
from tellapart.training.augmentation import choose_augmentation, parse_augmentation
from tellapart.training.recipe import Recipe, check_options, settle_class_weight

PHOTO_SIDE = 64
"""`auto` transfers where the shorter side of most pictures has at least so many pixels: networks
pretrained on photos see little in smaller ones."""

FINE_TUNING_BATCH = 32
FINE_TUNING_RATE = 1e-4
"""Of Adam; a tenth of what it takes from scratch, as the weights are nearly right."""

MAX_FINE_TUNING_EPOCHS = 20
"""The most that a budget buys."""

VALIDATION_SPLIT = 0.15
"""Set apart where fine-tuning has to prove that it helps."""

FINE_TUNING_FROM_SECONDS = 90.0
"""A smaller budget leaves no room to train the network itself on a laptop."""


def wants_transfer(dataset: Dataset, recipe_name: str, model: str | None) -> bool:
    """Whether a pretrained network is asked for, or is what `auto` takes for these pictures.

    Raises:
        UsageError: recipe and model contradict each other.
    """
    if model is not None and is_backbone(model):
        if recipe_name == "classic":
            raise UsageError(
                f"The recipe classic trains from scratch, and {model} is a pretrained network. "
                "Leave out --recipe, or name another --model."
            )
        return True
    if recipe_name == "transfer":
        if model is not None:
            refuse_missing(model)
            raise UsageError(
                f"The recipe transfer needs a pretrained network, and '{model}' is not one. "
                f"Expected one of {', '.join(backbone_names())}, or leave out --model."
            )
        return True
    return recipe_name == "auto" and model is None and _photo_side(dataset) >= PHOTO_SIDE


def choose_transfer_recipe(
    dataset: Dataset, name: str = "auto", *, options: Mapping[str, Any] | None = None
) -> tuple[Recipe, str]:
    """Chooses the settings of a transfer.

    Args:
        dataset: its pictures and classes decide.
        name: "auto" or "transfer".
        options: fields of `Recipe` that the user set; None values are ignored.

    Returns:
        The recipe, and sentences that say what was chosen and why.

    Raises:
        UsageError: an unknown option, or a value out of range.
    """
    given = check_options(name, options)
    if given.get("channels", 3) != 3:
        raise UsageError(
            f"{given['channels']} channels: a pretrained network looks at 3, and grey pictures are "
            "made so by themselves. Leave out --channels, or train from scratch with "
            "--recipe fast."
        )
    backbone = get_backbone(given.pop("model", DEFAULT_BACKBONE), weights=given.get("weights"))
    why = (
        "as asked"
        if name == "transfer" or (options or {}).get("model")
        else f"since these are photos, of about {_photo_side(dataset):,.0f} pixels a side"
    )
    sentences = [
        f"Transfer of {backbone.name}, {why}: the features that it learned on a million photos, "
        "and a linear head that is fitted to these pictures."
    ]
    budget = given.get("budget_seconds")
    tunes = bool(given.get("epochs")) or (
        budget is not None and budget >= FINE_TUNING_FROM_SECONDS and "epochs" not in given
    )
    given |= settle_class_weight(dataset, {"class_weight": "auto", **given}, sentences)
    given["augment"] = _augment(dataset, given.get("augment"), sentences, tunes=tunes)
    settings: dict[str, Any] = {
        "model": backbone.name,
        "image_size": backbone.image_size,
        "channels": 3,
        "resize": "crop",  # measured: docs/transfer.md
        "epochs": MAX_FINE_TUNING_EPOCHS if tunes else 0,
        "batch_size": FINE_TUNING_BATCH,
        "learning_rate": FINE_TUNING_RATE,
        "validation_split": VALIDATION_SPLIT if tunes else 0.0,
    }
    return Recipe(name=name, transfer=True, **(settings | given)), " ".join(sentences)


def _augment(dataset: Dataset, asked: str | None, sentences: list[str], *, tunes: bool) -> str:
    """What fine-tuning augments with; the head alone sees each picture as it is."""
    if asked not in (None, "auto"):
        parse_augmentation(asked)  # a slip of the pen shows, used or not
    if not tunes:
        if asked not in (None, "auto", "none"):
            sentences.append(
                "Augmentation is for training the network itself, which is not asked for: add "
                "--epochs 5 or a --budget."
            )
        return "none"
    if asked not in (None, "auto"):
        return asked
    chosen, why = choose_augmentation(dataset.class_names)
    sentences.append(why)
    return chosen


def _photo_side(dataset: Dataset) -> float:
    """The shorter side of the middle one of the sampled pictures, in pixels."""
    return float(np.median([min(height, width) for height, width, _ in dataset.sizes]))
