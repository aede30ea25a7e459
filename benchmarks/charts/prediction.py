"""How fast pictures are predicted."""

from __future__ import annotations

from pathlib import Path

from charts.bars import bars_page
from charts.marks import ORANGE, SKY
from common import read_csv
from tellapart.evaluation.plots import style

PREDICTORS = {
    "ours": ("tellapart", style.BLUE),
    "ours, int8": ("tellapart, 8-bit", SKY),
    "tellapart predict": ("tellapart", style.BLUE),
    "keras": ("Keras, by its guide", style.VERMILLION),
    "keras, tuned": ("Keras, tuned", ORANGE),
    "import tensorflow": ("import tensorflow", style.VERMILLION),
}

MEASURES = {
    "files, images/s": ("photos from files", "images/s, more is better"),
    "arrays, images/s": ("photos in memory", "images/s, more is better"),
    "one, median ms": ("one photo from its file", "ms, less is better"),
    "memory, MB": ("memory, photos from files", "MB, less is better"),
    "start, seconds": ("a whole process for one photo", "s, less is better"),
}


def draw_prediction(results: Path) -> style.Page | None:
    """A panel for each thing that was measured."""
    table = results / "prediction.csv"
    if not table.exists():
        return None
    rows = read_csv(table)
    panels = []
    for measure, (title, unit) in MEASURES.items():
        own = [row for row in rows if row["measure"] == measure]
        bars = []
        for who in dict.fromkeys(row["who"] for row in own):
            values = [float(row["value"]) for row in own if row["who"] == who]
            bars.append((*PREDICTORS[who], values, ""))
        if bars:
            panels.append((title, unit, bars))
    return bars_page(
        "Prediction",
        "photos of 500 pixels, EfficientNet-Lite0 at 224; medians, lines from lowest to highest",
        panels,
    )  # fmt: skip
