"""Pictures that a run leaves out, in words: what could not be read, or not any more.

They stay where they are, unchanged; `run.json` lists them all.
"""

from __future__ import annotations

from collections.abc import Sequence

from tellapart.data.audit import Audit
from tellapart.data.dataset import Dataset, Excluded
from tellapart.data.wording import SHOWN, count
from tellapart.training.events import Noted, Observer


def unreadable(dataset: Dataset, found: Audit) -> list[Excluded]:
    """Returns what could not be read as it was listed, and what cannot be decoded."""
    undecodable = sorted(found.failures.items())
    return [*dataset.excluded, *(Excluded(dataset.paths[i], why) for i, why in undecodable)]


def say_what_is_unreadable(dataset: Dataset, found: Audit, emit: Observer) -> None:
    """Names them, if there are any."""
    some = unreadable(dataset, found)
    if not some:
        return
    total = len(dataset) + len(dataset.excluded)
    emit(
        Noted(
            f"{len(some):,} of {total:,} pictures cannot be read and are left out:{_named(some)}",
            "warning",
        )
    )


def say_what_is_lost(lost: Sequence[Excluded], emit: Observer) -> None:
    """Names what could be read at first, if there is any."""
    if not lost:
        return
    emit(
        Noted(
            f"{count(len(lost), 'picture')} could be read a moment ago and cannot be read any "
            f"more: left out.{_named(lost)}",
            "warning",
        )
    )


def _named(pictures: Sequence[Excluded]) -> str:
    shown = "".join(f"\n  {item.path}: {item.reason}" for item in pictures[:SHOWN])
    more = len(pictures) - SHOWN
    return shown + (f"\n  and {more:,} more, listed in run.json" if more > 0 else "")
