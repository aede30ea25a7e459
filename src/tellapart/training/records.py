"""Observers that write a run's `events.jsonl` and `results.csv`, whole lines, flushed at once."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import IO, Any

from tellapart.files import write_error, write_text
from tellapart.runs import now
from tellapart.training.events import UNRECORDED, EpochEnded, Event, to_json


class EventLog:
    """Appends every event but the fleeting ones to a file of JSON lines, with its time."""

    def __init__(self, path: Path, known: Sequence[Mapping[str, Any]] = ()) -> None:
        """Args are the file, and what it holds already: it is not said twice."""
        self._path = path
        self._known = {_identity(event) for event in known}

    def __call__(self, event: Event) -> None:
        """Writes the event down."""
        if isinstance(event, UNRECORDED) or _identity(to_json(event)) in self._known:
            return
        line = json.dumps(_strict({"time": now()} | to_json(event)), ensure_ascii=False)
        _append(self._path, line + "\n")


def take_up_events(path: Path, epochs: int) -> list[dict[str, Any]]:
    """Takes out of an event log what will happen again, and a last line that is not whole.

    Args:
        path: of the log; it need not be there.
        epochs: so many of them are complete, and stay.

    Returns:
        What is left, a dict an event.
    """
    kept = []
    for event in _whole_events(path):
        again = event.get("event") in _REPEATED
        if again or (event.get("event") == "EpochEnded" and event.get("epoch", 0) > epochs):
            continue
        kept.append(event)
    lines = [json.dumps(event, ensure_ascii=False) + "\n" for event in kept]
    write_text(path, "".join(lines))
    return kept


_REPEATED = ("TrainingEnded", "Exported", "Diagnosed", "RunFinished")
_ONCE = ("RunStarted", "HeadFitted")


def _identity(event: Mapping[str, Any]) -> tuple[str, str]:
    """Equal for events of which one in a log is enough; what is told again may be a new thing."""
    name = str(event.get("event"))
    if name in _ONCE:
        return name, ""
    return name, str(event.get("text")) if name == "Noted" else f"{id(event)}"


def _whole_events(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):  # a line that a killed process has not finished
            event = json.loads(line)
            if isinstance(event, dict):
                yield event


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


def write_results(path: Path, history: Sequence[EpochEnded]) -> None:
    """Writes `results.csv` with just those epochs; without any, takes the file away."""
    path.unlink(missing_ok=True)
    table = ResultsTable(path)
    for event in history:
        table(event)


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
