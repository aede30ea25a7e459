"""Calibration: whether probabilities mean what they say, before and after the temperature."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.errors import TellapartError
from tellapart.evaluation.calibration import apply_temperature
from tellapart.evaluation.calibration_error import ReliabilityBin, reliability
from tellapart.report.charts.drawing import Chart
from tellapart.report.charts.reliability import lowest, reliability_diagram
from tellapart.report.pictures import NoPictures, Pictures
from tellapart.report.record import AbsentError, RunRecord
from tellapart.report.words import figure, percent


def calibration(record: RunRecord, pictures: Pictures | NoPictures) -> dict[str, Any]:
    """Variables of the reliability diagrams."""
    found = record.evaluation.get("calibration")
    if not found:
        raise AbsentError("This run was not calibrated: its evaluation.json says nothing of it.")
    if not found["after"]["count"]:
        raise AbsentError("There is no reliability diagram: the test part has no pictures.")
    return {
        "charts": _charts(record, found["temperature"]),
        "notes": found["notes"],
        "rows": [
            (
                name,
                percent(found[key]["error"] and found[key]["error"]["value"]),
                _span(found[key]["error"]),
                figure(found[key]["log_loss"]),
                figure(found[key]["brier"]),
            )
            for name, key in (("before", "before"), ("after calibration", "after"))
        ],
        "count": found["after"]["count"],
    }


def _charts(record: RunRecord, temperature: float) -> list[Chart | str]:
    try:
        before, after = _bins(record, temperature)
    except (AbsentError, TellapartError) as reason:
        return [f"There is no reliability diagram. {reason}"]
    low = lowest((*before, *after))
    charts: list[Chart | str] = [
        "How it was before calibration cannot be drawn: with so many classes predictions.csv has "
        "the top probabilities alone."
    ]
    if before:
        charts = [
            reliability_diagram(
                before, low=low, title="Before calibration", look="second", shape="square"
            )
        ]
    return [
        *charts,
        reliability_diagram(
            after, low=low, title="After calibration", look="first", shape="circle"
        ),
    ]


def _bins(
    record: RunRecord, temperature: float
) -> tuple[tuple[ReliabilityBin, ...], tuple[ReliabilityBin, ...]]:
    """The bins before, none where that is not known, and after."""
    found = record.predictions
    right = found.actual == found.predicted
    after = _bins_of(found.probability, right)
    if found.rows is None:
        return (), after
    # The logits were divided by the temperature; multiplied by it they are the network's own.
    own = apply_temperature(found.rows, 1 / temperature)
    return _bins_of(own[np.arange(len(own)), found.predicted], right), after


def _bins_of(
    top: npt.NDArray[np.floating[Any]], right: npt.NDArray[np.bool_]
) -> tuple[ReliabilityBin, ...]:
    """Bins of top probabilities, which are all that `reliability` looks at.

    The rest of each is shared out among so many other classes that none comes near the top.
    """
    if not np.isfinite(top).all():
        bad = int(np.count_nonzero(~np.isfinite(top)))
        raise AbsentError(f"{bad:,} of {len(top):,} probabilities are not numbers.")
    classes = 2 + int(1 / max(float(top.min()), 1e-4))
    rows = np.repeat(((1 - top) / (classes - 1))[:, np.newaxis], classes, axis=1)
    rows[:, 0] = top
    return reliability(rows, np.where(right, 0, 1))


def _span(error: dict[str, Any] | None) -> str:
    return "" if error is None else f"{percent(error['low'])} to {percent(error['high'])}"
