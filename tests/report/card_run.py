"""A made-up run folder in which no number occurs twice, so that each is known by its value."""

from __future__ import annotations

import copy
import csv
import json
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from tellapart.images import ImageSpec
from tellapart.runs import RunFolder
from tests.tiny_classifier import save_classifier

Documents = dict[str, Any]
"""What the files of a run hold, by name."""

CLASSES = ("ant", "bee", "cat")


def make_documents(names: Sequence[str] = CLASSES) -> Documents:
    """What a finished run of such classes leaves behind; its shares are all different."""
    shares = (number % 10_007 / 10_007 for number in count(1009, 13))  # a prime: all different
    wholes = count(1201, 7)

    def interval() -> dict[str, float]:
        ends = {name: next(shares) for name in ("value", "low", "high")}
        return ends | {"count": next(wholes), "confidence": next(shares)}

    return {
        "run.json": {
            "format_version": 1,
            "status": "finished",
            "started": "2026-03-04T05:06:07+00:00",
            "recipe": {
                "name": "auto",
                "model": "classic-wide",
                "epochs": next(wholes),
                "batch_size": next(wholes),
                "label_smoothing": next(shares),
                "optimizer": "adam",
                "augment": "light",
                "class_weight": "none",
                "transfer": False,
                "weights": None,
                "seed": next(wholes),
            },
            "asked": {"recipe": "auto"},
            "data": {
                "name": "insects",
                "location": "/home/somebody/insects",
                "fingerprint": "feedface",
                "class_names": list(names),
                "counts": {name: next(wholes) for name in names},
                "parts": {
                    part: next(wholes) for part in ("train", "validation", "calibration", "test")
                },
                "ignored": next(wholes),
                "excluded": [{"path": "home/secret.jpg", "reason": "is cut short"}],
            },
            "machine": {"cores": next(wholes), "processor": "Abacus", "python": "three"},
            "versions": {"tellapart": "a.b.c", "keras": "d.e.f"},
            "backend": "tensorflow",
            "accuracy": interval(),
            "overlap": {"copies": next(wholes), "accuracy_without": interval()},
            "parity": {"checked": next(wholes), "max_difference": 3.21e-07},
            "training": {
                "reason": "stopped early",
                "epochs_done": next(wholes),
                "best_epoch": next(wholes),
                "seconds": 765.4,
            },
            "seconds": 876.5,
            "diagnosis": [
                {"topic": "overfitting", "level": "warning", "text": "It began in epoch 987654.",
                 "remedies": [{"words": "Again", "command": "tellapart train /home/somebody"}]}
            ],
        },
        "evaluation.json": {
            "accuracy": interval(),
            "balanced_accuracy": next(shares),
            "balanced_accuracy_interval": interval(),
            "loss": next(shares),
            "class_names": list(names),
            "classes": [_class_score(name, shares, wholes, interval) for name in names],
            "confusion_matrix": [[next(wholes) for _ in names] for _ in names],
            "top_mistakes": [{"source": "home/other.jpg", "probability": next(shares)}],
            "unreadable": [],
            "calibration": {
                "temperature": next(shares),
                "fitted_on": next(wholes),
                "fitted_part": "validation part",
                "before": _calibration(shares, wholes),
                "after": _calibration(shares, wholes),
                "notes": ["Fitted on 87654 pictures.", "Hardly better than 7.654."],
            },
            "unsure": {
                "rule": {"threshold": next(shares), "note": "Answers from 0.87654 on are right."},
                "answered": interval(),
                "right": interval(),
                "curve": {"threshold": [next(shares)], "count": next(wholes)},
            },
            "novelty": {
                "rule": {"threshold": next(shares), "kept": next(shares), "note": "Stranger."},
                "unknown": interval(),
                "note": "Stranger than 54.321% of the known.",
            },
            "sets": [{"coverage": next(shares), "quantile": next(shares), "note": "Sets."}],
        },
        "audit.json": {
            "data": "/home/somebody/insects",
            "pictures": next(wholes),
            "unreadable": next(wholes),
            "ignored": next(wholes),
            "classes": {name: {"unassigned": next(wholes)} for name in names},
            "findings": [
                {"topic": "copies", "level": "note", "text": "6543 pictures are copies.",
                 "remedy": "They stay together.", "items": ["home/a.jpg = home/b.jpg"]}
            ],
            "pairs": [],
        },
        "trace.json": {
            "images": next(wholes),
            "data_flow": [{"name": "one", "parameters": next(wholes)},
                          {"name": "two", "parameters": next(wholes)}],
        },
        "split.csv": {
            name: {"train": number + 2, "validation": 1, "test": 3}
            for number, name in enumerate(names)
        },
        "events.jsonl": [],
        "classifier.onnx": {"height": 23, "width": 29, "channels": 3, "threshold": next(shares)},
    }  # fmt: skip


def _class_score(
    name: str, shares: Iterator[float], wholes: Iterator[int], interval: Any
) -> dict[str, Any]:
    figures = ("precision", "recall", "f1")
    return (
        {"name": name, "count": next(wholes), "predicted": next(wholes)}
        | {figure: next(shares) for figure in figures}
        | {f"{figure}_interval": interval() for figure in figures}
    )


def _calibration(shares: Iterator[float], wholes: Iterator[int]) -> dict[str, Any]:
    error = {name: next(shares) for name in ("value", "low", "high", "plain")}
    return {
        "error": error | {"bins": next(wholes), "count": next(wholes)},
        "log_loss": next(shares),
        "brier": next(shares),
        "count": next(wholes),
    }


def write_run(path: Path, documents: Documents) -> RunFolder:
    """Writes a folder with these files; those of before that are not among them go."""
    path.mkdir(exist_ok=True)
    for old in path.iterdir():
        old.unlink()
    for name, document in documents.items():
        write_file(path / name, document, names=documents["run.json"]["data"]["class_names"])
    return RunFolder(path)


def write_file(path: Path, document: Any, *, names: Sequence[str]) -> None:
    """Writes one file of a run."""
    if path.suffix == ".json":
        path.write_text(json.dumps(document), encoding="utf-8")
    elif path.suffix == ".jsonl":
        text = "".join(json.dumps(event) + "\n" for event in document)
        path.write_text(text, encoding="utf-8")
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            rows = csv.writer(stream, lineterminator="\n")
            rows.writerow(("path", "label", "part"))
            for name, parts in document.items():
                for part, pictures in parts.items():
                    rows.writerows((f"{n}.png", name, part) for n in range(pictures))
    else:
        spec = ImageSpec(document["height"], document["width"], document["channels"])
        rule = {"threshold": document["threshold"]}
        save_classifier(path, class_names=tuple(names), image_spec=spec, unsure=rule)


def changed(documents: Documents, path: Sequence[Any], value: Any) -> Documents:
    """The documents with another value at a place."""
    result = copy.deepcopy(documents)
    _at(result, path[:-1])[path[-1]] = value
    return result


def removed(documents: Documents, path: Sequence[Any]) -> Documents:
    """The documents without a field."""
    result = copy.deepcopy(documents)
    del _at(result, path[:-1])[path[-1]]
    return result


def _at(value: Any, path: Sequence[Any]) -> Any:
    for key in path:
        value = value[key]
    return value


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value that holds no others, with its place."""
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else None
    )
    if pairs is None:
        yield path, value
        return
    for key, item in pairs:
        yield from leaves(item, (*path, key))
