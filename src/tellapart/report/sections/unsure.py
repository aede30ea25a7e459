"""When the classifier says "unsure", what that costs, and sets that hold the right class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tellapart.evaluation.conformal import ConformalRule
from tellapart.report.charts.drawing import Chart
from tellapart.report.charts.unsure import curve_points, unsure_curve
from tellapart.report.pictures import NoPictures, Pictures
from tellapart.report.record import AbsentError, RunRecord
from tellapart.report.words import figure, percent, span
from tellapart.results import wilson_interval


def unsure(record: RunRecord, pictures: Pictures | NoPictures) -> dict[str, Any]:
    """Variables of the unsure curve and the prediction sets."""
    found = record.evaluation.get("unsure")
    if not found:
        raise AbsentError('This run has no rule for "unsure": its evaluation.json has none.')
    return {
        "rule": found["rule"],
        "rule_in_words": _in_words(found["rule"]["threshold"], record),
        "answered": _share(found["answered"]),
        "right": _share(found["right"]),
        "curve": _chart(found),
        "novelty": record.evaluation.get("novelty"),
        "unknown": _share(
            ((record.evaluation.get("novelty") or {}).get("unknown")) or {"value": None}
        ),
        "sets": _sets(record),
    }


def _in_words(threshold: float, record: RunRecord) -> str:
    if threshold > 1:
        return "no answer is given: all are unsure"
    given = f"an answer is given from a probability of {figure(threshold)} on"
    if threshold <= 0:
        given = "every answer is given"
    tells = (record.evaluation.get("novelty") or {}).get("rule")
    return given + (", unless the picture is called unknown" if tells else "")


def _share(share: Mapping[str, Any]) -> dict[str, str] | None:
    if share["value"] is None:
        return None
    return {"value": percent(share["value"]), "span": span(share), "count": f"{share['count']:,}"}


def _chart(found: Mapping[str, Any]) -> Chart | str:
    points = curve_points(found["curve"])
    if not points:
        return "There is no curve: the test part has no pictures."
    return unsure_curve(points, found)


def _sets(record: RunRecord) -> list[dict[str, Any]]:
    """Each rule, and what its sets are worth on the test part where all probabilities are known."""
    rules = [ConformalRule.from_json(rule) for rule in record.evaluation.get("sets") or []]
    try:
        found = record.predictions
    except AbsentError:
        found = None
    rows = []
    for rule in rules:
        measured, mean_size = None, None
        if found is not None and found.rows is not None and len(found.names):
            held = rule.sets(found.rows)
            hits = int(held[np.arange(len(held)), found.actual].sum())
            measured = wilson_interval(hits, len(held)).to_json()
            mean_size = float(held.sum() / len(held))
        rows.append(
            {
                "coverage": percent(rule.coverage, 0),
                "from": figure(1 - rule.quantile),
                "fitted_on": f"{rule.fitted_on:,}",
                "all": rule.quantile >= 1,
                "measured": percent(measured["value"]) if measured else "",
                "span": span(measured) if measured else "",
                "size": f"{mean_size:.2f}" if mean_size is not None else "",
                "note": rule.note,
            }
        )
    return rows
