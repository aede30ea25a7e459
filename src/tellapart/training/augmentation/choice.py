"""Which augmentation suits the classes: a mirrored 'b' is a 'd', a mirrored cat a cat."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

DIGITS = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
TEXT = {"digit", "number", "numeral", "letter", "character", "char", "glyph", "alphabet"}
SIDES = {"left", "right", "links", "rechts", "gauche", "droite", "izquierda", "derecha"} | {
    "sinistra", "destra", "clockwise", "counterclockwise", "anticlockwise",
}  # fmt: skip
SIGNS = {"sign", "yield", "roundabout", "stop", "speed", "limit", "overtaking", "priority"} | {
    "crossing", "turn", "entry", "parking", "kmh",
}  # fmt: skip

MOST = 0.5
"""More than this share of the class names must look alike: a few may do so by chance."""


def choose_augmentation(class_names: Sequence[str]) -> tuple[str, str]:
    """Chooses an augmentation for the classes by their names.

    Returns:
        What `parse_augmentation` reads, and a sentence that says what was chosen and why.
    """
    why = _why_not_to_mirror(class_names)
    if why is None:
        return "light", (
            "Augmentation light: training pictures are mirrored and shifted a little "
            "(--augment none turns it off)."
        )
    return "light,flip=none", (
        f"No mirroring, since {why}; training pictures are shifted a little "
        "(--augment light mirrors them, too; --augment none turns it off)."
    )


def _why_not_to_mirror(class_names: Sequence[str]) -> str | None:
    words = {name: set(re.findall(r"[^\W\d_]+", name.casefold())) for name in class_names}

    def mostly(looks: Callable[[str], bool]) -> bool:
        return sum(map(looks, class_names)) > MOST * len(class_names)

    # One class is enough here: its mirror image belongs to another.
    for name in class_names:
        if words[name] & SIDES:
            return f"the class '{name}' has a side"
    if mostly(lambda name: name.isdecimal() or set() != words[name] <= DIGITS):
        return "the classes look like digits"
    if mostly(lambda name: len(name.strip()) == 1):
        return "the classes look like letters"
    if mostly(lambda name: bool(words[name] & TEXT)):
        return "the classes look like digits or letters"
    if mostly(lambda name: bool(words[name] & SIGNS)):
        return "the classes look like traffic signs"
    return None
