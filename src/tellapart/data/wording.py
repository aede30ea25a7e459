"""How the errors and notes of this package list and count things."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 10
"""Of a list of problems, so many are spelt out; the others are counted."""


def count(number: int, noun: str, plural: str = "") -> str:
    """Returns "1 picture", "2 pictures", "60,000 pictures"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def size(number: int) -> str:
    """Returns "1.5 GB", "176.7 MB", of bytes."""
    return f"{number / 10**9:.1f} GB" if number >= 10**9 else f"{number / 10**6:,.1f} MB"


def listed(items: Sequence[str], total: int | None = None) -> str:
    """Returns "'a', 'b' and 12 more" on one line."""
    shown = ", ".join(f"'{item}'" for item in items[:SHOWN])
    return shown + _rest(items, total)


def bullets(items: Sequence[str], total: int | None = None) -> str:
    """Returns the items below each other, the first ten and a count of the rest."""
    shown = "".join(f"\n  {item}" for item in items[:SHOWN])
    rest = _rest(items, total)
    return shown + (f"\n  {rest.strip()}" if rest else "")


def printable(name: str) -> str:
    """Returns a file name that can be printed, whatever bytes it is made of.

    Python stands undecodable bytes in for by lone surrogates, which no UTF-8 file or terminal
    takes; they become backslash escapes.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode(errors="backslashreplace").decode()
    return name


def _rest(items: Sequence[str], total: int | None) -> str:
    more = (len(items) if total is None else total) - min(len(items), SHOWN)
    return f" and {more:,} more" if more > 0 else ""
