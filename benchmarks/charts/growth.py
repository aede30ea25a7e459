"""How seconds grow with the number of pictures."""

from __future__ import annotations

from pathlib import Path

from charts.lines import Line, lines_page
from charts.marks import GREEN, ORANGE, PURPLE, SKY
from common import read_csv
from tellapart.evaluation.plots import style

LISTED = (
    ("folder", "list", "list a folder", style.BLUE, "o"),
    ("CSV", "list", "list a CSV", style.VERMILLION, "s"),
    ("folder", "split", "split", GREEN, "D"),
    ("folder", "check", "check", ORANGE, "^"),
)

GROWN = (
    ("train, the whole command", "tellapart train", style.BLUE, "o"),
    ("train: the last epoch", "an epoch of it", SKY, "o"),
    ("train: audit", "its audit", style.VERMILLION, "s"),
    ("alone: look for copies", "look for copies", ORANGE, "s"),
    ("alone: list", "list the archive", style.FAINT, "s"),
    ("evaluate, the whole command", "tellapart evaluate", GREEN, "D"),
    ("predict, the whole command", "tellapart predict", PURPLE, "^"),
)


def draw_loading(results: Path) -> style.Page | None:
    """What listings of up to a million files take."""
    table = results / "loading.csv"
    if not table.exists():
        return None
    rows = read_csv(table)
    lines: list[Line] = []
    for what, stage, words, colour, marker in LISTED:
        points: dict[int, list[float]] = {}
        for row in rows:
            if (row["what"], row["stage"]) == (what, stage):
                points.setdefault(int(row["pictures"]), []).append(float(row["value"]))
        if points:
            lines.append((words, colour, marker, sorted(points.items())))
    return lines_page("Listing many files", [("", lines)], "files")


def draw_growth(results: Path) -> style.Page | None:
    """How the stages of a run grow with the pictures, a panel for each data set."""
    panels = []
    for table in sorted(results.glob("growth_*.csv")):
        rows = read_csv(table)
        lines: list[Line] = []
        for stage, words, colour, marker in GROWN:
            points = [
                (int(row["pictures"]), [float(row[c]) for c in ("lowest", "median", "highest")])
                for row in rows
                if row["stage"] == stage
            ]
            if points:
                lines.append((words, colour, marker, points))
        panels.append((table.stem.removeprefix("growth_"), lines))
    return lines_page("How a run grows", panels, "pictures") if panels else None
