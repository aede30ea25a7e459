"""Observers that write a run's `events.jsonl` and `results.csv`, whole lines, flushed at once."""

from __future__ import annotations

import csv
import json
import math
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import IO, Any

from tellapart.files import write_error
from tellapart.runs import now
from tellapart.training.events import UNRECORDED, EpochEnded, Event, to_json


class EventLog:
    """Appends every event but the fleeting ones to a file of JSON lines, with its time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, event: Event) -> None:
        """Writes the event down."""
        if not isinstance(event, UNRECORDED):
            line = json.dumps(_strict({"time": now()} | to_json(event)), ensure_ascii=False)
            _append(self._path, line + "\n")


class ResultsTable:
    """Appends a row an epoch to a CSV file."""

    COLUMNS = tuple(field.name for field in fields(EpochEnded) if field.name != "epochs")

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, event: Event) -> None:
        """Writes the row of an epoch that ended."""
        if isinstance(event, EpochEnded):
            rows = [] if self._path.exists() else [",".join(self.COLUMNS)]
            values = asdict(event)
            rows.append(",".join(_cell(values[column]) for column in self.COLUMNS))
            _append(self._path, "".join(f"{row}\n" for row in rows))


def read_results(path: Path) -> list[dict[str, float]]:
    """Reads `results.csv`: a row an epoch; what was not measured is left out.

    A run without epochs, such as a head on frozen features, has no such file, and no rows.
    """
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            {key: float(value) for key, value in row.items() if value}
            for row in csv.DictReader(stream)
        ]


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            stream.write(text)
            _flush(stream)
    except OSError as error:
        raise write_error(path, error) from error


def _flush(stream: IO[str]) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _cell(value: float | int | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _strict(value: Any) -> Any:
    """JSON has no NaN: a loss that is none becomes null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return value
