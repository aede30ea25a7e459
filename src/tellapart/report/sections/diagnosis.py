"""What the training's figures say in words, and what to do about it."""

from __future__ import annotations

from typing import Any

from tellapart.report.pictures import NoPictures, Pictures
from tellapart.report.record import AbsentError, RunRecord


def diagnosis(record: RunRecord, pictures: Pictures | NoPictures) -> dict[str, Any]:
    """Variables of the diagnosis and of the run's notes."""
    return {"found": record.info.get("diagnosis"), "notes": _notes(record)}


def _notes(record: RunRecord) -> list[dict[str, Any]]:
    """What the run said along the way, warnings first."""
    try:
        events = record.events
    except AbsentError as reason:
        return [{"level": "note", "text": str(reason)}]
    notes = [event for event in events if event.get("event") == "Noted"]
    return sorted(notes, key=lambda note: note.get("level") != "warning")
