"""Each class: what is recognised of it, and what is taken for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tellapart.data.wording import listed
from tellapart.report.pictures import NoPictures, Pictures
from tellapart.report.record import AbsentError, RunRecord
from tellapart.report.words import percent, span

FIGURES = ("precision", "recall", "f1")


def classes(record: RunRecord, pictures: Pictures | NoPictures) -> dict[str, Any]:
    """Variables of the table of classes."""
    rows = record.evaluation["classes"]
    if not any(row["count"] for row in rows):
        raise AbsentError("There is no table of classes: the test part has no pictures.")
    return {"rows": [_row(row) for row in rows], "sentences": _missing(rows)}


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "count": row["count"],
        "predicted": row["predicted"],
        "figures": [_figure(row[name], row.get(f"{name}_interval")) for name in FIGURES],
    }


def _figure(value: float | None, interval: Mapping[str, Any] | None) -> dict[str, Any]:
    known = interval is not None and interval["low"] is not None
    return {
        "value": value,
        "words": percent(value),
        "interval": span(interval) if known else "",
        # In units of a drawing 100 wide.
        "low": round(100 * interval["low"], 1) if interval is not None and known else None,
        "high": round(100 * interval["high"], 1) if interval is not None and known else None,
        "place": None if value is None else round(100 * value, 1),
    }


def _missing(rows: list[Mapping[str, Any]]) -> list[str]:
    """Says of which classes nothing is known, and which are never the answer."""
    untested = [row["name"] for row in rows if not row["count"]]
    never = [row["name"] for row in rows if row["count"] and not row["predicted"]]
    sentences = []
    if untested:
        one = len(untested) == 1
        sentences.append(
            f"{'Class' if one else 'Classes'} {listed(untested)} {'has' if one else 'have'} no "
            f"test pictures: how well {'it is' if one else 'they are'} recognised is not known."
        )
    if never:
        one = len(never) == 1
        sentences.append(
            f"{'Class' if one else 'Classes'} {listed(never)} {'is' if one else 'are'} never the "
            f"answer, so {'it has' if one else 'they have'} no precision."
        )
    return sentences
