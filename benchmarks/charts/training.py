"""How fast networks are trained, and where the time goes."""

from __future__ import annotations

import statistics
from pathlib import Path

from charts.bars import bars_page
from charts.marks import GREEN, ORANGE, PURPLE
from common import read_csv
from tellapart.evaluation.plots import style

TRAINERS = {
    "ours": ("tellapart", style.BLUE),
    "keras": ("plain Keras", style.VERMILLION),
    "keras, oneDNN": ("plain Keras, oneDNN", ORANGE),
    "keras, bfloat16": ("plain Keras", PURPLE),
    "pytorch": ("plain PyTorch", GREEN),
    "pytorch, float32": ("PyTorch, float32", ORANGE),
}


def draw_training_speed(results: Path) -> style.Page | None:
    """Images a second of each network, a panel each, since they differ tenfold."""
    table = results / "training_speed.csv"
    if not table.exists():
        return None
    rows = read_csv(table)
    panels = []
    for network in dict.fromkeys(row["network"] for row in rows):
        own = [row for row in rows if row["network"] == network]
        bars = []
        for who in dict.fromkeys(row["who"] for row in own):
            runs = [row for row in own if row["who"] == who]
            words, colour = TRAINERS[who]
            if runs[0]["bfloat16"] == "1":
                words += ", bfloat16"
            share = statistics.median(float(row["share_of_peak"]) for row in runs)
            values = [float(row["images_per_second"]) for row in runs]
            bars.append((words, colour, values, f"{share:.0%} of the peak"))
        panels.append((f"{network}, batches of {own[0]['batch_size']}", "images/s", bars))
    return bars_page(
        "Training speed",
        "in an epoch, without compilation and validation; medians, lines from lowest to highest",
        panels,
    )  # fmt: skip


def draw_profile(results: Path) -> style.Page | None:
    """The parts of an epoch, of each network."""
    table = results / "profile.csv"
    if not table.exists():
        return None
    rows = [row for row in read_csv(table) if not row["part"].startswith(("an epoch", "beside"))]
    panels = []
    for network in dict.fromkeys(row["network"] for row in rows):
        parts: dict[str, list[float]] = {}
        for row in rows:
            if row["network"] == network:
                parts.setdefault(row["part"], []).append(float(row["microseconds_per_picture"]))
        ordered = sorted(parts.items(), key=lambda part: -statistics.median(part[1]))
        bars = [(part, colour_of(part), values, "") for part, values in ordered]
        panels.append((network, "µs a picture that is trained on", bars))
    return bars_page(
        "Where an epoch's time goes",
        "blue: convolutions; orange: other operations; grey: none. Validation comes on top",
        panels,
    )  # fmt: skip


def colour_of(part: str) -> str:
    if part.startswith("convolutions"):
        return style.BLUE
    beside = ("waiting", "TensorFlow", "Python", "validation")
    return style.FAINT if part.startswith(beside) else ORANGE
