"""The data: how many pictures, in which parts, and what the audit found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tellapart import runs
from tellapart.report.charts.counts import class_counts
from tellapart.report.charts.drawing import Chart
from tellapart.report.pictures import NoPictures, Pictures
from tellapart.report.record import AbsentError, RunRecord
from tellapart.report.sections.result import overlap_in_words

ITEMS = 50
"""So many pictures of a finding are listed; audit.json has all of them."""

_USES = {
    "train": "set the weights",
    "validation": "watch the training, and choose by",
    "calibration": "calibrate the probabilities",
    "test": "measure, once: the figures on this page",
}


def data(record: RunRecord, pictures: Pictures | NoPictures) -> dict[str, Any]:
    """Variables of the audit."""
    about = record.data
    overlap = record.info.get("overlap")
    return {
        "name": about["name"],
        "location": about["location"],
        "classes": len(about["class_names"]),
        "parts": [
            (part, about["parts"].get(part, 0), use)
            for part, use in _USES.items()
            if about["parts"].get(part) or part in ("train", "test")
        ],
        "total": sum(about["parts"].values()),
        "ignored": about.get("ignored", 0),
        "excluded": about.get("excluded") or [],
        "excluded_shown": (about.get("excluded") or [])[:ITEMS],
        "chart_of_classes": _chart(record),
        "findings": _findings(record),
        "overlap": overlap_in_words(overlap) if overlap else "",
        "items": ITEMS,
    }


def _chart(record: RunRecord) -> Chart | str:
    try:
        counts = record.counts
    except AbsentError as reason:
        return f"The classes cannot be drawn. {reason}"
    if not counts.any():
        return f"The classes cannot be drawn: {runs.SPLIT_CSV} assigns no picture to a part."
    return class_counts(record.class_names, counts)


def _findings(record: RunRecord) -> list[Mapping[str, Any]] | str:
    """What the audit found, the most important first; a sentence where it found nothing."""
    try:
        found = record.audit["findings"]
    except AbsentError as reason:
        return f"What the audit found is not known. {reason}"
    if not found:
        return (
            "Nothing was found: no unreadable files, no copies, no uneven classes, no odd pictures."
        )
    return list(found)
