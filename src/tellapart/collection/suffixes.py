"""Names that are free: `picture.jpg`, then `picture (2).jpg`, its companions alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

MOST_BYTES = 255
"""What file systems take of a name."""


def with_suffix(stem: str, number: int) -> str:
    """Returns "name", or "name (2)" from the second on."""
    return stem if number == 1 else f"{stem} ({number})"


def suffixed(names: Sequence[str], stem: str, number: int) -> list[str]:
    """Returns the names of a picture and its companions with the same suffix.

    Args:
        names: all begin with `stem`: "a.jpg", "a.xmp", "a.jpg.xmp".
        stem: the picture's name without its ending, "a".
        number: 1 leaves the names as they are; 2 makes "a (2).jpg", "a (2).xmp", "a (2).jpg.xmp".
    """
    if number == 1:
        return list(names)
    tails = [name[len(stem) :] for name in names]
    longest = max(len(os.fsencode(tail)) for tail in tails)
    suffix = with_suffix("", number)
    kept = cut(stem, max(1, MOST_BYTES - longest - len(suffix)))
    return [f"{kept}{suffix}{tail}" for tail in tails]


def free_names(
    names: Sequence[str], stem: str, is_taken: Callable[[str], bool], *, start: int = 1
) -> tuple[list[str], int]:
    """Returns the first names with a suffix of which none is taken, and the suffix's number."""
    number = start
    while any(map(is_taken, free := suffixed(names, stem, number))):
        number += 1
    return free, number


def cut(text: str, most_bytes: int) -> str:
    """Returns the beginning of a text, whole characters, in at most so many bytes."""
    while len(text.encode("utf-8", "surrogatepass")) > most_bytes:
        text = text[:-1]
    return text
