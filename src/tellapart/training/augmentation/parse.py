"""What `--augment` says: `none`, `light`, `strong`, or a list such as `flip,shift=0.1,mixup`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tellapart.errors import UsageError, did_you_mean
from tellapart.training.augmentation.spec import RANGES, Augmentation, Flip

MAX_LENGTH = 500
"""Of the text, in characters; every operation in Keras's words takes less than half of it."""

PRESETS: dict[str, Augmentation] = {
    "none": Augmentation(),
    "light": Augmentation(flip="horizontal", shift=0.1),
    "strong": Augmentation(
        flip="horizontal", shift=0.1, rotate=15.0, zoom=0.2, colour=0.3, erase=0.25
    ),
}
"""Chosen on validation parts; docs/augmentation.md has the figures."""

USUAL: dict[str, Any] = {
    "flip": "horizontal",
    "shift": 0.1,
    "rotate": 15.0,
    "zoom": 0.2,
    "crop": 0.8,
    "colour": 0.3,
    "erase": 0.25,
    "mixup": 0.2,
    "cutmix": 1.0,
}
"""The strength of an operation that is named without one."""


def parse_augmentation(text: object) -> Augmentation:
    """Reads `none`, `light`, `strong`, or a comma-separated list of operations.

    An operation is a field of `Augmentation`, with a strength after "=" or its usual one. A list
    may begin with a preset, which the rest changes: `light,flip=none`. The names of Keras's layers
    are understood, with Keras's meaning of the number: `RandomRotation=0.1` is a tenth of a turn.

    Raises:
        UsageError: an unknown or repeated operation, or a strength out of range; all together.
    """
    if not isinstance(text, str):
        raise UsageError(f"Augmentation {text!r}: expected text, such as 'flip,shift=0.1'.")
    if len(text) > MAX_LENGTH:
        raise UsageError(
            f"Augmentation of {len(text):,} characters: expected at most {MAX_LENGTH}, such as "
            "'flip,shift=0.1'."
        )
    items = [item.strip() for item in text.split(",")]
    start = PRESETS.get(items[0].lower())
    chosen: dict[str, Any] = {}
    problems: list[str] = []
    for item in items if start is None else items[1:]:
        try:
            name, strength = _operation(item)
        except ValueError as error:
            problems.append(str(error))
            continue
        if name in chosen:
            problems.append(f"'{name}' is named twice")
        chosen[name] = strength
    if problems:
        raise UsageError(f"Augmentation '{text}': " + "; ".join(problems) + ".")
    return replace(start or Augmentation(), **chosen)


def _operation(item: str) -> tuple[str, Any]:
    """Returns the field of `Augmentation` and its value that "name" or "name=value" stands for."""
    given, equals, value = (part.strip() for part in item.partition("="))
    name, usual, in_our_units = _NAMES.get(given.lower(), ("", None, float))
    if not name:
        if given.lower() in PRESETS:
            raise ValueError(f"'{given}' stands first in a list, or alone")
        hint = did_you_mean(given, [*USUAL, *_KERAS, *PRESETS])
        if hint:
            hint = f" (d{hint.removeprefix(' D')})"
        raise ValueError(f"unknown operation '{given}'{hint}, expected {', '.join(USUAL)}")
    return name, _strength(name, value.lower(), in_our_units) if equals else usual


def _strength(name: str, value: str, in_our_units: Callable[[float], float]) -> Any:
    """Reads what stands after "="."""
    try:
        strength: Any = _FLIPS[value] if name == "flip" else in_our_units(float(value))
    except (KeyError, ValueError):
        strength = value
    if not RANGES[name].holds(strength):
        raise ValueError(f"{name} is {value!r}, expected {RANGES[name].words}")
    return strength


_FLIPS: Mapping[str, Flip] = {
    "none": "none",
    "horizontal": "horizontal",
    "vertical": "vertical",
    "both": "both",
    "horizontal_and_vertical": "both",
}

_KERAS: Mapping[str, tuple[str, Any, Callable[[float], float]]] = {
    "RandomFlip": ("flip", "both", float),
    "RandomTranslation": ("shift", USUAL["shift"], float),
    "RandomRotation": ("rotate", USUAL["rotate"], lambda turns: 360 * turns),
    "RandomZoom": ("zoom", USUAL["zoom"], float),
    "RandomColorJitter": ("colour", USUAL["colour"], float),
    "RandomErasing": ("erase", USUAL["erase"], float),
    "MixUp": ("mixup", USUAL["mixup"], float),
    "CutMix": ("cutmix", USUAL["cutmix"], float),
}
"""Keras's layers: our operation, its usual strength, and how to come from Keras's unit to ours."""

_NAMES: Mapping[str, tuple[str, Any, Callable[[float], float]]] = {
    **{layer.lower(): meaning for layer, meaning in _KERAS.items()},
    **{name: (name, usual, float) for name, usual in USUAL.items()},
    "color": ("colour", USUAL["colour"], float),
}
