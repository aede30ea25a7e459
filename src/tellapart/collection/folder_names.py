"""Folders for classes: whatever a class is called, its folder is one, beside the others.

A class name is other people's words: `../photos`, `CON` or an empty name must make a harmless
folder on every system, and `Cat` and `cat` two, also where a disk takes them for one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from tellapart.collection.suffixes import cut, with_suffix

UNSURE = "unsure"
"""The folder of the pictures that get no answer."""

MOST_BYTES = 200
"""File systems take 255 bytes; some are left for a suffix."""

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\ud800-\udfff]')

_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices, whatever follows a dot."""


def folder_names(class_names: Iterable[str]) -> list[str]:
    """Returns a folder name for each class, no two alike and none called "unsure".

    Names that are safe as they are stay as they are; of two that would share a folder, the second
    gets a suffix, as in "cat (2)".
    """
    names = list(class_names)
    safe = [safe_name(name) for name in names]
    taken = {_key(UNSURE)}
    chosen: dict[int, str] = {}
    # First those that are safe already: "a_b" keeps its name though "a/b" comes before it.
    for place in sorted(range(len(names)), key=lambda place: safe[place] != names[place]):
        number = 1
        while _key(folder := with_suffix(safe[place], number)) in taken:
            number += 1
        taken.add(_key(folder))
        chosen[place] = folder
    return [chosen[place] for place in range(len(names))]


def safe_name(name: str) -> str:
    """Returns a name that is one folder on every system, not hidden and not too long."""
    safe = _UNSAFE.sub("_", unicodedata.normalize("NFC", name)).strip()
    safe = cut(safe, MOST_BYTES).rstrip(". ")  # Windows drops dots and spaces at the end
    if safe.startswith("."):
        safe = "_" + safe.lstrip(".")
    return f"{safe}_" if not safe or _RESERVED.fullmatch(safe) else safe


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())
