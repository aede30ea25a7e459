"""The training: its curves, or what took the place of epochs."""

from __future__ import annotations

from typing import Any

from tellapart.explanation.training import training_trace
from tellapart.report.charts.curves import curve_table, curves
from tellapart.report.pictures import NoPictures, Pictures
from tellapart.report.record import AbsentError, RunRecord
from tellapart.report.words import count, duration, percent

_REASONS = {
    "finished": "all epochs were done",
    "stopped early": "stopped early, since validation no longer gained",
    "interrupted": "interrupted with Ctrl-C",
}


def training(record: RunRecord, pictures: Pictures | NoPictures) -> dict[str, Any]:
    """Variables of the curves."""
    history = record.history
    if not history:
        sentences = [*_without_epochs(record), *_resumed(record)]
        return {"charts": [], "table": None, "sentences": sentences}
    observations = training_trace(history, classes=len(record.class_names))
    return {
        "charts": [curves(history, "accuracy"), curves(history, "loss")],
        "table": curve_table(history, [seen.observation for seen in observations]),
        "sentences": [_end(record), *_resumed(record), *_about_loss(record)],
    }


def _end(record: RunRecord) -> str:
    recipe, ended = record.recipe, record.info.get("training")
    if not ended:
        return f"{count(len(record.history), 'epoch')} were written down before the run ended."
    reason = _REASONS.get(ended["reason"], ended["reason"])
    if ended["reason"] == "finished" and ended["epochs_done"] < recipe["epochs"]:
        reason = "then its time was up"
    best = ended.get("best_epoch")
    kept = f"the weights of epoch {best} are kept" if best else "the weights of the last are kept"
    partly = " and a part of the next" if len(record.history) > ended["epochs_done"] else ""
    return (
        f"{recipe['model']}: {count(ended['epochs_done'], 'epoch')} of {recipe['epochs']}{partly} "
        f"in {duration(ended['seconds'])} ({reason}); {kept}."
    )


def _resumed(record: RunRecord) -> list[str]:
    times = record.info.get("resumed") or []
    if not times:
        return []
    last = times[-1]
    where = f"after {count(last['epoch'], 'epoch')}"
    if last["step"]:
        where += f" and {count(last['step'], 'update')}"
    return [
        f"The run was cut off and resumed {count(len(times), 'time')}, the last time on "
        f"{str(last['time'])[:10]} {where}."
    ]


def _about_loss(record: RunRecord) -> list[str]:
    sentences = [
        "Training figures are means over an epoch while the weights were changing; validation is "
        "measured after it, which is why it can be ahead."
    ]
    if record.recipe.get("augment") not in (None, "none"):
        sentences.append(
            f"Training pictures were augmented ({record.recipe['augment']}), those of validation "
            "not."
        )
    if record.recipe.get("test_time_augmentation", "none") != "none":
        sentences.append(
            "Here, and in what is said of epochs, the network looks at each picture alone. What "
            "was measured after training is of one that looks at the mirror image, too "
            "(test-time augmentation)."
        )
    if record.recipe.get("label_smoothing"):
        sentences.append(
            f"The losses include label smoothing of {record.recipe['label_smoothing']:g}, the log "
            "loss of the test part does not."
        )
    return sentences


def _without_epochs(record: RunRecord) -> list[str]:
    """Says why there are no curves, and what was done instead."""
    if not record.recipe.get("transfer"):
        return ["There are no curves: no epoch was finished."]
    sentences = [
        f"There are no curves: a linear head was fitted in one go to the features of "
        f"{record.recipe['model']}, a network that was pretrained on other pictures and stayed as "
        "it was, so there were no epochs."
    ]
    try:
        fitted = [event for event in record.events if event.get("event") == "HeadFitted"]
    except AbsentError:
        fitted = []
    for event in fitted[-1:]:
        sentences.append(
            f"It learned from {count(event['pictures'], 'picture')} in "
            f"{duration(event['seconds'])}, their features included; the inverse of its penalty is "
            f"C = {event['strength']:.3g}."
        )
        for name, words in (
            ("cross_validated_accuracy", "Cross-validated accuracy on the training part"),
            ("val_accuracy", "Accuracy on the validation part"),
        ):
            if event.get(name) is not None:
                sentences.append(f"{words}: {percent(event[name])}.")
    return sentences
