"""Runs that take a second, and what they leave behind."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import tellapart as ta


def train_quickly(data: Any, out: Path, **options: Any) -> ta.Run:
    settings: dict[str, Any] = {"epochs": 1, "batch_size": 8, "observers": []}
    return ta.train(data, out=out, **(settings | options))


def read_json(run: ta.Run, name: str) -> Any:
    return json.loads((run.path / name).read_text(encoding="utf-8"))


def rows_of(run: ta.Run, name: str) -> list[dict[str, str]]:
    with (run.path / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
