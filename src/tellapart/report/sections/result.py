"""The headline: the accuracy with its interval, what it was measured on, and what to know first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tellapart import runs
from tellapart.report.charts.drawing import Chart
from tellapart.report.charts.interval import interval_line
from tellapart.report.pictures import NoPictures, Pictures
from tellapart.report.record import AbsentError, RunRecord
from tellapart.report.words import count, duration, figure, percent, size, span


@dataclass(frozen=True)
class Fact:
    """A figure of the run.

    Attributes:
        name: what it is.
        value: in words.
        about: what it means, in a few words.
    """

    name: str
    value: str
    about: str


@dataclass(frozen=True)
class Alert:
    """What the reader should know before believing the headline.

    Attributes:
        level: "warning" or "note".
        text: in sentences.
        section: where more is said; "" for nowhere.
    """

    level: str
    text: str
    section: str = ""


def result(record: RunRecord, pictures: Pictures | NoPictures) -> dict[str, Any]:
    """Variables of the headline."""
    return {
        "headline": _headline(record),
        "facts": _facts(record),
        "alerts": [*_how_it_ended(record), *_warnings(record)],
        "pictures": pictures.reason if isinstance(pictures, NoPictures) else "",
    }


def guessing(record: RunRecord) -> float | None:
    """What always answering the most frequent class of the test part would reach."""
    counts = record.confusion.sum(axis=1)
    return float(counts.max() / counts.sum()) if counts.sum() else None


def _headline(record: RunRecord) -> dict[str, Any] | str:
    """Accuracy, words and chart; a sentence where nothing was measured."""
    try:
        accuracy = record.evaluation["accuracy"]
    except AbsentError as reason:
        return f"There is no accuracy. {reason}"
    if accuracy["value"] is None:
        return "There is no accuracy: the test part has no pictures."
    right, total = int(record.confusion.trace()), int(record.confusion.sum())
    chart: Chart = interval_line(accuracy, guessing=guessing(record))
    return {
        "value": percent(accuracy["value"]),
        "interval": span(accuracy),
        "confidence": f"{accuracy['confidence']:.0%}",
        "right": f"{right:,}",
        "wrong": f"{total - right:,}",
        "total": count(total, "picture"),
        "origin": test_origin(record),
        "chart": chart,
    }


def test_origin(record: RunRecord) -> str:
    """Says where the test pictures come from, as the rest of "measured on n pictures ..."."""
    try:
        classes = record.audit["classes"]
    except AbsentError:
        return "of the test part, which was kept from training"
    parts = {part for counts in classes.values() for part, number in counts.items() if number}
    if "test" in parts:
        return "of the data's own test part, which was kept from training"
    asked = record.info.get("asked") or {}
    if "validation" in parts and not asked.get("keep_validation"):
        return (
            "of the data's own validation part, which is the test part here because there is no "
            "other; it was kept from training"
        )
    share = record.recipe.get("test_split")
    of_each = f"{percent(share, 0)} of each class" if share else "some of each class"
    return (
        f"that were set apart before training: {of_each}, chosen at random (seed "
        f"{record.recipe.get('seed')}), copies of one picture kept together"
    )


def _facts(record: RunRecord) -> list[Fact]:
    found = []
    try:
        found += _measured(record.evaluation)
        share = guessing(record)
        if share is not None:
            about = "what always answering the most frequent class would reach"
            found.append(Fact("Guessing", percent(share), about))
    except AbsentError:
        pass  # the headline says so
    training = record.info.get("training") or {}
    if training.get("seconds") is not None:
        cores = (record.info.get("machine") or {}).get("cores")
        about = f"on {count(cores, 'processor core')}" if cores else ""
        whole = record.info.get("seconds")
        if whole is not None:
            about += f"{'; ' if about else ''}the whole run {duration(whole)}"
        found.append(Fact("Training", duration(training["seconds"]), about))
    classifier = record.folder.path / runs.CLASSIFIER_ONNX
    if classifier.is_file():
        about = f"{runs.CLASSIFIER_ONNX}, one file, used without TensorFlow"
        found.append(Fact("Classifier", size(classifier.stat().st_size), about))
    return found


def _measured(evaluation: Mapping[str, Any]) -> list[Fact]:
    found = []
    balanced = evaluation.get("balanced_accuracy_interval")
    if balanced:
        about = f"{span(balanced)}; the mean over the classes of what is recognised of each"
        found.append(Fact("Balanced accuracy", percent(balanced["value"]), about))
    loss = "cross-entropy in nats, lower is better"
    found.append(Fact("Log loss", figure(evaluation.get("loss")), loss))
    calibration = evaluation.get("calibration")
    if calibration:
        error = calibration["after"]["error"]
        about = (
            f"{percent(error['low'])} to {percent(error['high'])}; how far probabilities are from "
            "the share of right answers"
            if error
            else "too few test pictures to measure it"
        )
        found.append(Fact("Calibration error", percent(error and error["value"]), about))
    unsure = evaluation.get("unsure")
    if unsure and unsure["answered"]["value"] is not None:
        answered, right = unsure["answered"]["value"], unsure["right"]["value"]
        words = [f"{percent(right)} of these rightly"] if right is not None else []
        words += ["the rest is “unsure”"] if answered < 1 else []
        found.append(Fact("Answered", percent(answered), "; ".join(words)))
    return found


def _how_it_ended(record: RunRecord) -> list[Alert]:
    status = record.info.get("status")
    if status == "failed":
        error = record.info.get("error") or "no reason was written down"
        return [Alert("warning", f"The run failed: {error}")]
    if status == "running":
        return [Alert("warning", "The run has not ended, or was stopped from outside.")]
    if status == "stopped":
        return [Alert("warning", "The run was stopped, and can be resumed.")]
    if status == "interrupted":
        text = "Training was interrupted; the best weights up to then were kept."
        if "accuracy" not in record.info:
            text = "The run was interrupted before anything was measured."
        return [Alert("warning", text, "training")]
    return []


def _warnings(record: RunRecord) -> list[Alert]:
    found = []
    overlap = record.info.get("overlap")
    if overlap:
        found.append(Alert("warning", overlap_in_words(overlap), "data"))
    found += [
        Alert("warning", item["text"], "diagnosis")
        for item in record.info.get("diagnosis") or []
        if item["level"] == "warning"
    ]
    try:
        findings = record.audit["findings"]
    except AbsentError:
        return found
    found += [
        Alert("warning", item["text"], "data")
        for item in findings
        if item["level"] == "warning"
        and not (overlap and item["topic"] == "copies across parts")  # said above, with its effect
    ]
    return found


def overlap_in_words(overlap: Mapping[str, Any]) -> str:
    """Says how many test pictures have copies in training, and the accuracy without them."""
    copies, without = overlap["copies"], overlap["accuracy_without"]
    have = "1 test picture has a copy" if copies == 1 else f"{copies:,} test pictures have copies"
    if without["value"] is None:
        return f"{have} in the training data: no other test picture is left to measure on."
    return (
        f"{have} in the training data. Without {'it' if copies == 1 else 'them'} the accuracy is "
        f"{percent(without['value'])} ({without['confidence']:.0%} interval {span(without)}) on "
        f"{count(without['count'], 'picture')}."
    )
