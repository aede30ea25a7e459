"""Class names: what is allowed, and that no two are easily taken for each other."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from tellapart.data.wording import listed
from tellapart.errors import DataError


def normalised(name: str) -> str:
    """Returns the name in Unicode's composed form (NFC), as most systems but macOS write it."""
    return unicodedata.normalize("NFC", name)


def check_names(names: Iterable[str], location: str) -> None:
    """Checks the class names of a data set.

    Spaces, slashes and emoji are fine: a class name is text, not a path.

    Raises:
        DataError: a name is empty or holds control characters, or two names differ in upper and
            lower case or in their Unicode form only.
    """
    names = list(names)
    bad = sorted(repr(name) for name in names if not name.strip() or not _is_text(name))
    if bad:
        raise DataError(
            f"{location}: class names {', '.join(bad[:10])}: expected text without control "
            "characters. Rename these classes."
        )
    alike: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        alike[normalised(name).casefold()].add(name)
    clashes = [sorted(group) for _, group in sorted(alike.items()) if len(group) > 1]
    if clashes:
        raise DataError(
            f"{location}: classes whose names differ in upper and lower case or in their Unicode "
            f"form only: {'; '.join(listed(group) for group in clashes[:10])}. Some file systems "
            "cannot hold both. Merge them, or rename one."
        )


def check_number(counts: dict[str, int], location: str, remedy: str = "") -> None:
    """Checks that there are at least two classes.

    Raises:
        DataError: there is one class only, which is named.
    """
    if len(counts) == 1:
        ((name, pictures),) = counts.items()
        raise DataError(
            f"{location} holds one class only, '{name}' (pictures: {pictures:,}). A classifier "
            f"needs at least 2 classes.{remedy}"
        )


def _is_text(name: str) -> bool:
    return not any(unicodedata.category(character) == "Cc" for character in name)
