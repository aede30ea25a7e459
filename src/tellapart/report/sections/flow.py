"""The data flow: the shape of all pictures before and after every layer."""

from __future__ import annotations

from typing import Any

from tellapart.explanation.flow import format_shape
from tellapart.report.pictures import NoPictures, Pictures
from tellapart.report.record import AbsentError, RunRecord


def flow(record: RunRecord, pictures: Pictures | NoPictures) -> dict[str, Any]:
    """Variables of the data-flow table."""
    stages = record.flow["data_flow"]
    if not stages:
        raise AbsentError("There is no data flow: the network has no layers to tell apart.")
    return {
        "images": record.flow["images"],
        "model": record.recipe["model"],
        "parameters": sum(stage["parameters"] for stage in stages),
        "stages": [
            stage
            | {
                "before": format_shape(tuple(stage["before"])),
                "after": format_shape(tuple(stage["after"])),
            }
            for stage in stages
        ],
    }
