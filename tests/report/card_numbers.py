"""Where the numbers of a model card come from: an account apart from the card's own code."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from tellapart.bundle import read_bundle
from tellapart.runs import RunFolder
from tests.report.card_run import leaves

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)*(?:e[-+]\d+)?%?")


def numbers(text: str) -> list[str]:
    """All numbers of a text, as they are written; "1,797" is one, and so is "3.15.1"."""
    return [found.rstrip(",") for found in NUMBER.findall(text)]


def written(value: float) -> set[str]:
    """Every way in which a card may write a number."""
    if not math.isfinite(value):
        return set()
    ways = {f"{value:,.0f}" if float(value).is_integer() else "", f"{value:.3g}", f"{value:,.1f}"}
    if 0 <= value <= 1:
        ways |= {f"{value:.0%}"} | {f"{value:.{digits}f}" for digits in range(3, 16)}
    return ways


def unsourced(card: str, folder: RunFolder) -> list[str]:
    """The numbers of a card that are in no file of the run."""
    known = {way for value in _values(folder) for way in written(value)}
    known |= {number for text in _texts(folder) for number in numbers(text)}
    return [number for number in numbers(card) if number not in known]


def _documents(folder: RunFolder) -> Iterator[Any]:
    for name in ("run.json", "evaluation.json", "audit.json", "trace.json"):
        path = folder.path / name
        if path.is_file():
            yield json.loads(path.read_text(encoding="utf-8"))


def _values(folder: RunFolder) -> Iterator[float]:
    for document in _documents(folder):
        for _, value in leaves(document):
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield value
        yield sum(stage["parameters"] for stage in document.get("data_flow", []))
        data = document.get("data")
        if isinstance(data, dict):
            yield len(data["class_names"])
            yield len(data["excluded"])
    split = folder.path / "split.csv"
    if split.is_file():
        rows = [line.rsplit(",", 2)[1:] for line in split.read_text("utf-8").splitlines()]
        yield from (rows.count([name, "train"]) for name in {row[0] for row in rows})
    classifier = folder.path / "classifier.onnx"
    if classifier.is_file():
        bundle = read_bundle(classifier)
        yield from (bundle.image_spec.height, bundle.image_spec.width, bundle.threshold)


def _texts(folder: RunFolder) -> Iterator[str]:
    for document in _documents(folder):
        yield from (value for _, value in leaves(document) if isinstance(value, str))
