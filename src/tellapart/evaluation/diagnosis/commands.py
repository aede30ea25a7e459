"""The command that trains again with some options changed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from tellapart.data.dataset import UNASSIGNED, Dataset, Source
from tellapart.evaluation.diagnosis.facts import TrainingFacts
from tellapart.models.backbones import is_backbone
from tellapart.models.classic import CLASSIC
from tellapart.models.fast import WIDTHS
from tellapart.training.recipe import choose_recipe
from tellapart.training.transfer_recipe import choose_transfer_recipe

Remedies = tuple[tuple[str, str], ...]

ARRAYS = "arrays"
"""What `Dataset.location` says of pictures that are in no file."""

OWN_NETWORK = "mynet.py:build"
"""The README's example of a network in a file; it has a `keras.layers.Dropout`."""

_OF_THE_NETWORK = (
    "model", "weights", "image_size", "channels", "resize", "interpolation", "rescale", "epochs",
    "batch_size", "learning_rate", "optimizer", "schedule", "loss", "label_smoothing", "augment",
    "test_time_augmentation", "validation_split", "early_stopping", "restore_best_weights",
)  # fmt: skip
"""What was set for one network and need not suit another."""


def train_again(facts: TrainingFacts, **changes: Any) -> str:
    """Returns the line that repeats a training, but for some options.

    Args:
        facts: of the training.
        **changes: options by their names in `ta.train`; None: without that option.

    Returns:
        A `tellapart train` line, quoted for a shell; a `ta.train` call for data or a network that
        only Python has.
    """
    options = {**_given(facts), **changes}
    options = {k: v for k, v in options.items() if v is not None and v is not False}
    model = options.get("model")
    if facts.data == ARRAYS or not (model is None or _is_named(str(model))):
        return _python_call(facts.data, options)
    # A path that begins with a hyphen would be taken for an option.
    words = ["tellapart", "train", f"./{facts.data}" if facts.data[:1] == "-" else facts.data]
    for name, value in options.items():
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            words.append(_word(name, value))
    return shlex.join(words)


def transfer_instead(facts: TrainingFacts) -> str:
    """Returns the line that trains on a pretrained network's features instead."""
    return train_again(facts, **dict.fromkeys(_OF_THE_NETWORK), recipe="transfer")


def check_data(facts: TrainingFacts) -> Remedies:
    """The remedy of looking at the pictures and their labels; none for arrays."""
    if facts.data == ARRAYS:
        return ()
    words = "Look at the pictures and their labels, with a sheet of the copies"
    return ((words, shlex.join(["tellapart", "check", facts.data, "--sheet", "copies.png"])),)


def is_classic(facts: TrainingFacts) -> bool:
    """Whether the network is one of the three classic ones, which have no dropout."""
    return facts.recipe["model"] in CLASSIC


def _given(facts: TrainingFacts) -> Mapping[str, Any]:
    """What the user asked for, or else what leads to the same recipe."""
    if facts.asked is None:
        return _found_by_trying(facts)
    return {k: v for k, v in facts.asked.items() if (k, v) != ("recipe", "auto")}


def _found_by_trying(facts: TrainingFacts) -> dict[str, Any]:
    """The options without which the recipe would have come out otherwise."""
    recipe = dict(facts.recipe)
    name, transfer, budget = (recipe.pop(k) for k in ("name", "transfer", "budget_seconds"))
    found: dict[str, Any] = {} if name == "auto" else {"recipe": name}
    # Which pictures `auto` saw is not known here, so what it chose by their size is said.
    found["model"] = recipe["model"]
    if not transfer:
        found["image_size"] = recipe["image_size"]
    choose = choose_transfer_recipe if transfer else choose_recipe
    options = {
        "model": recipe["model"],
        "image_size": tuple(recipe["image_size"]),
        "budget_seconds": budget,
    }
    if transfer:
        options |= {"image_size": None, "epochs": recipe["epochs"]}
        found |= {"epochs": recipe["epochs"]} if recipe["epochs"] else {}
    data = _stand_in(facts)
    # More than once: some are chosen by others, such as the epochs by the batch size.
    while different := _differences(recipe, choose(data, name, options=options)[0].to_json()):
        options |= different
        found |= different
    return found if budget is None else found | {"budget": f"{budget:g}s"}


def _differences(wanted: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What has a value that the other lacks; what it has none of cannot be asked for."""
    return {k: v for k, v in wanted.items() if v is not None and v != chosen[k]}


def _stand_in(facts: TrainingFacts) -> Dataset:
    """A data set with the same classes and numbers, for what is chosen by them."""
    counts, (height, width) = np.array(facts.counts), facts.recipe["image_size"]
    return Dataset(
        name="",
        location="",
        class_names=facts.class_names,
        paths=cast("Any", range(counts.sum())),
        labels=np.repeat(np.arange(len(counts)), counts),
        parts=np.full(counts.sum(), UNASSIGNED, np.int8),
        source=cast("Source", None),  # nobody asks for a picture
        sizes=((height, width, facts.recipe["channels"]),),
    )


def _python_call(data: str, options: Mapping[str, Any]) -> str:
    words = ["(x, y)" if data == ARRAYS else repr(data)]
    for name, value in options.items():
        if name == "model" and not _is_named(str(value)):
            words.append("model=model")
        else:
            words.append(f"{name}={tuple(value) if isinstance(value, list) else value!r}")
    return f"ta.train({', '.join(words)})"


def _is_named(model: str) -> bool:
    """Whether a command line can name the network."""
    return (
        model in (*CLASSIC, *WIDTHS)
        or is_backbone(model)
        or ".py:" in model
        or model.endswith(".keras")
    )  # as `models.registry.resolve` has it


def _word(name: str, value: Any) -> str:
    if name == "image_size":
        height, width = value
        return str(height) if height == width else f"{height}x{width}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
