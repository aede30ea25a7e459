"""How to get the same run again, and what it was made with."""

from __future__ import annotations

import shlex
from typing import Any

from tellapart import runs
from tellapart.evaluation.diagnosis import gather_facts
from tellapart.evaluation.diagnosis.commands import train_again
from tellapart.report.pictures import NoPictures, Pictures
from tellapart.report.record import RunRecord
from tellapart.report.words import count, duration

_FILES = (
    (runs.CLASSIFIER_ONNX, "the classifier, for use"),
    (runs.MODEL_KERAS, "the trained network, for Keras"),
    (runs.RUN_JSON, "everything that decided the run"),
    (runs.EVALUATION_JSON, "the figures of this page"),
    (runs.PREDICTIONS_CSV, "what was said of every test picture"),
    (runs.SPLIT_CSV, "which picture is in which part"),
    (runs.RESULTS_CSV, "a row an epoch"),
    (runs.AUDIT_JSON, "what the audit found"),
    (runs.TRACE_JSON, "the data flow"),
    (runs.PREDICTION_TRACE_JSON, "the picture that was followed"),
    (runs.EVENTS_JSONL, "what happened, with the time"),
    (runs.MODEL_CARD, "what the classifier can do and what not, to go with it"),
    (f"{runs.PLOTS}/", "curves, confusion, samples and mistakes as pictures"),
)


def reproduce(record: RunRecord, pictures: Pictures | NoPictures) -> dict[str, Any]:
    """Variables of how to reproduce the run."""
    info, recipe = record.info, record.recipe
    machine = info.get("machine") or {}
    return {
        "command_line": train_again(gather_facts(info, [], None)),
        "redraw": shlex.join(["tellapart", "report", str(record.folder.path)]),
        "facts": [
            ("Data", f"{record.data['name']}, from {record.data['location']}"),
            ("Fingerprint of the data", record.data["fingerprint"]),
            ("Seed", str(recipe["seed"])),
            ("Started", info.get("started") or ""),
            ("Ended", info.get("ended") or ""),
            ("Took", duration(info.get("seconds"))),
            (
                "Of that",
                ", ".join(
                    f"{stage} {duration(seconds)}"
                    for stage, seconds in (info.get("stages") or {}).items()
                    if stage != "report"  # it is still being drawn
                ),
            ),
            ("Processor", machine.get("processor") or ""),
            ("Cores", str(machine.get("cores") or "")),
            ("System", f"{machine.get('system') or ''} {machine.get('machine') or ''}".strip()),
            ("Python", machine.get("python") or ""),
            ("Backend of Keras", info.get("backend") or ""),
        ],
        "versions": sorted((info.get("versions") or {}).items()),
        "recipe": sorted(
            (name, "x".join(map(str, value)) if isinstance(value, list) else str(value))
            for name, value in recipe.items()
            if value is not None
        ),
        "repeats": _repeats(record),
        "parity": _parity(info.get("parity")),
        "files": [(name, about) for name, about in _FILES if (record.folder.path / name).exists()],
    }


def _repeats(record: RunRecord) -> str:
    if record.recipe.get("budget_seconds"):
        return "A run with a budget ends by the clock, and does not repeat bit for bit."
    return (
        "The same data, seed, versions and machine give the same split, weights and figures. "
        "Another processor, number of cores or version may round differently."
    )


def _parity(parity: dict[str, Any] | None) -> str:
    if not parity:
        return ""
    return (
        f"The classifier file was proven equal to the trained network on "
        f"{count(parity['checked'], 'raw test picture')}: the largest difference of a probability "
        f"is {parity['max_difference']:.1g}."
    )
