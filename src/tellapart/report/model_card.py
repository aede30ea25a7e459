"""`MODEL_CARD.md`: what a classifier can do and what not, for whoever it is given to.

    write_model_card(RunFolder.open("runs/photos-1"))

The headings are those of Mitchell et al. (2019), "Model Cards for Model Reporting"; the front
matter is Hugging Face's, so that the file can lie beside the classifier on a hub. Every number
comes from the run folder's files. What these cannot know, such as what the classifier is for, is
left open and marked "To fill in". Where the pictures lie on the user's machine is not told.

All words are in the template; here is what is put into them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tellapart import runs
from tellapart.bundle import read_bundle
from tellapart.data.audit.findings import FEW_PICTURES
from tellapart.data.dataset import PARTS, Part
from tellapart.errors import ClassifierFileError
from tellapart.evaluation.metrics import most_confused
from tellapart.files import write_text
from tellapart.report.markdown import markdown_environment
from tellapart.report.record import AbsentError, RunRecord
from tellapart.runs import RunFolder

TEMPLATE = "MODEL_CARD.md.j2"

MIX_UPS = 5
"""So many pairs of classes that are taken for each other are listed."""

MOST_ROWS = 200
"""With more classes, only those with the lowest F1 have a row."""

MOST_NAMES = 20
"""Lists of class names end after so many."""


def write_model_card(folder: RunFolder) -> Path:
    """Writes the run's `MODEL_CARD.md`, in place of one that is there.

    Raises:
        RunError: `run.json` is damaged or of a newer format.
        TellapartError: the file cannot be written.
    """
    path = folder.file(runs.MODEL_CARD)
    write_text(path, model_card(folder))
    return path


def model_card(folder: RunFolder) -> str:
    """Returns the card's text: the same folder gives the same text.

    What is not there, such as in runs of an older version, is said to be missing.

    Raises:
        RunError: `run.json` is damaged or of a newer format.
    """
    record = RunRecord.read(folder)
    template = markdown_environment().get_template(TEMPLATE)
    return template.render(
        run=_run(record),
        data=_data(record),
        network=_network(record),
        classifier=_classifier(record),
        evaluation=_evaluation(record),
        audit=_audit(record),
        max_names=MOST_NAMES,
    )


def _or_why(
    read: Callable[[RunRecord], dict[str, Any]],
) -> Callable[[RunRecord], dict[str, Any]]:
    """Makes a reader answer {"why": a sentence} where a file is not there or damaged."""

    def reader(record: RunRecord) -> dict[str, Any]:
        try:
            return {"why": None, **read(record)}
        except AbsentError as error:
            return {"why": str(error)}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return {"why": f"The run folder is damaged here ({error!r})."}

    return reader


def _run(record: RunRecord) -> dict[str, Any]:
    """How and when the run was made, and what was found wrong with it."""
    info = record.info
    return {
        **_picked(info, "status", "seconds", "backend"),
        "day": str(info.get("started") or "")[:10],
        "machine": _picked(info.get("machine"), "cores", "processor"),
        "versions": _picked(info.get("versions"), "tellapart", "keras"),
        "training": _picked(info.get("training"), "reason", "epochs_done", "best_epoch"),
        "parity": info.get("parity") and _picked(info["parity"], "checked", "max_difference"),
        "diagnosis": _diagnosis(info.get("diagnosis")),
        "overlap": _overlap(info.get("overlap")),
        "overlap_measured": "overlap" in info,
        "asked": _picked(info.get("asked"), "keep_validation", "labels"),
        "resumed": len(info.get("resumed") or ()),
    }


def _diagnosis(found: list[Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
    """What was found; None in runs of a version that did not look."""
    if found is None:
        return None
    return [{"topic": item.get("topic") or "found", "text": item.get("text")} for item in found]


def _overlap(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    without = _interval(found.get("accuracy_without"))
    return {"copies": found.get("copies"), "accuracy_without": without}


@_or_why
def _data(record: RunRecord) -> dict[str, Any]:
    data = record.data
    counts = {name: int(number) for name, number in data["counts"].items()}
    excluded = data.get("excluded") or ()
    return {
        "name": str(data["name"]),
        "fingerprint": data.get("fingerprint"),
        "class_names": record.class_names,
        "parts": _picked(data["parts"], *PARTS),
        "smallest": min(counts.items(), key=lambda item: item[1]),
        "largest": max(counts.items(), key=lambda item: item[1]),
        "left_out": len(excluded),
        "reasons": sorted({str(item["reason"]) for item in excluded}),
    }


@_or_why
def _network(record: RunRecord) -> dict[str, Any]:
    """What was trained, and how."""
    recipe = record.recipe
    transfer, fine_tuned = bool(recipe.get("transfer")), _was_fine_tuned(record)
    return {
        "name": _last_part(str(recipe["model"])),
        "transfer": transfer,
        "fine_tuned": fine_tuned,
        "trained_in_epochs": fine_tuned or not transfer,
        "own_weights": recipe.get("weights") is not None,
        "parameters": _parameters(record),
        "recipe": str(recipe["name"]),
        "optimizer": str(recipe["optimizer"]),
        **_picked(recipe, "seed", "epochs", "batch_size", "label_smoothing"),
        "augment": str(recipe.get("augment", "not known")),
        "class_weight": str(recipe.get("class_weight", "not known")),
        "looks_twice": recipe.get("test_time_augmentation", "none") != "none",
    }


def _last_part(model: str) -> str:
    """The name alone of a network that is a file: where it lies is nobody's business."""
    return re.split(r"[/\\]", model)[-1]


def _was_fine_tuned(record: RunRecord) -> bool:
    """Whether a pretrained network was trained further, and that was kept."""
    if not record.recipe.get("transfer") or not record.recipe.get("epochs"):
        return False
    try:
        said = [event.get("text", "") for event in record.events]
    except AbsentError:
        return False
    return any(text.startswith("Fine-tuning helped: ") for text in said)


def _parameters(record: RunRecord) -> int | None:
    """The number of weights, added up over the layers."""
    try:
        return sum(int(stage["parameters"]) for stage in record.flow["data_flow"])
    except (AbsentError, KeyError, TypeError):
        return None


@_or_why
def _classifier(record: RunRecord) -> dict[str, Any]:
    """What the classifier file says of itself."""
    path = record.folder.path / runs.CLASSIFIER_ONNX
    if not path.is_file():
        raise AbsentError(f"There is no {runs.CLASSIFIER_ONNX} in the run folder.")
    try:
        bundle = read_bundle(path)
    except ClassifierFileError as error:
        raise AbsentError(f"{runs.CLASSIFIER_ONNX} is damaged.") from error
    return {
        "file": path.name,
        "spec": bundle.image_spec,
        "grey": bundle.image_spec.channels == 1,
        "threshold": bundle.threshold,
    }


@_or_why
def _audit(record: RunRecord) -> dict[str, Any]:
    """What the look at the pictures found, and which parts the data had of their own."""
    found = record.audit
    own = {part for by_part in found["classes"].values() for part, n in by_part.items() if n}
    return {
        "pictures": found.get("pictures"),
        "own_parts": sorted(own),
        "findings": [_picked(finding, "text", "remedy") for finding in found["findings"]],
    }


@_or_why
def _evaluation(record: RunRecord) -> dict[str, Any]:
    found = record.evaluation
    rows = [_row(record, place, score) for place, score in enumerate(found["classes"])]
    return {
        "accuracy": _interval(found["accuracy"]),
        "balanced": _measured(found, "balanced_accuracy"),
        "loss": found.get("loss"),
        "rows": _shown_rows(rows),
        "all_rows": len(rows) <= MOST_ROWS,
        "untested": [row["name"] for row in rows if not row["test"]],
        "few": [row for row in rows if 0 < row["test"] < FEW_PICTURES],
        "mix_ups": most_confused(record.confusion, record.class_names, MIX_UPS),
        "calibration": _calibration(found.get("calibration")),
        "unsure": _unsure(found.get("unsure")),
        "novelty": _novelty(found.get("novelty")),
    }


def _row(record: RunRecord, place: int, score: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": score["name"],
        "train": _pictures(record, place, "train"),
        "test": int(score["count"]),
        **{name: _measured(score, name) for name in ("precision", "recall", "f1")},
    }


def _pictures(record: RunRecord, place: int, part: Part) -> int | None:
    """How many pictures of a class are in a part; None: split.csv does not say."""
    try:
        return int(record.counts[place, PARTS.index(part)])
    except AbsentError:
        return None


def _shown_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(rows) <= MOST_ROWS:
        return rows
    measured = [row for row in rows if row["f1"]["value"] is not None]
    return sorted(measured, key=lambda row: float(row["f1"]["value"]))[:MOST_ROWS]


def _calibration(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the probabilities are worth; None in runs of a version that did not measure it."""
    if found is None:
        return None
    after = _picked(found.get("after"), "brier", "count", "error")
    return {
        "notes": found.get("notes") or (),
        **after,
        "error": after["error"] and _interval(after["error"]),
    }


def _unsure(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """When it answers; None in runs of a version that always did."""
    if found is None:
        return None
    return {
        "note": (found.get("rule") or {}).get("note"),
        "answered": _interval(found.get("answered")),
        "right": _interval(found.get("right")),
    }


def _novelty(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Whether pictures of something else are told; None in runs of a version that did not try."""
    if found is None:
        return None
    told = found.get("rule") is not None
    return {"told": told, "unknown": _interval(found.get("unknown")), "note": found.get("note")}


# --- Fields that may be missing -----------------------------------------------------------------


def _picked(found: Mapping[str, Any] | None, *names: str) -> dict[str, Any]:
    """Some fields of an object; None for those that it lacks."""
    return {name: (found or {}).get(name) for name in names}


def _interval(found: Mapping[str, Any] | None) -> dict[str, Any]:
    return _picked(found, "value", "low", "high", "count", "confidence")


def _measured(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A figure with its interval; runs of older versions have the figure alone."""
    return _interval(found.get(f"{name}_interval") or {"value": found.get(name)})
