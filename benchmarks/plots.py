"""Draws a picture of each result, from the tables in results/.

    python benchmarks/plots.py
    python benchmarks/plots.py --results FOLDER

Writes time_to_accuracy.png, training_speed.png, profile.png, prediction.png, loading.png and
growth.png beside the tables; a picture whose table is missing is left out.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from PIL import Image

from common import RESULTS, read_csv
from tellapart.evaluation.plots import style
from tellapart.evaluation.plots.text import font, width

GREEN, ORANGE, SKY, PURPLE = "#009E73", "#E69F00", "#56B4E9", "#CC79A7"
"""With those of `style`, the colours of Okabe and Ito."""

COLOURS = 128
"""Of a picture that is kept: flat ones and the edges of letters need no more, and half as many
bytes."""

Table = list[dict[str, str]]

# --- Time to accuracy ---------------------------------------------------------------------------

CONTENDERS = {
    "plain keras": ("plain Keras", style.VERMILLION, "s"),
    "plain pytorch": ("plain PyTorch", GREEN, "D"),
    "short": ("tellapart, a short budget", SKY, "^"),
    "equal time": ("in Keras's time", style.BLUE, "o"),
    "tellapart": ("photos", style.BLUE, "s"),
}

SHOWN_ACCURACIES = (
    0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.6, 0.7, 0.97, 0.93, 0.85, 0.75, 0.3, 0.4,
)  # fmt: skip
"""Marks of an axis; the first ones matter most, where there is no room for all."""

COLUMN, ROW = 3.75, 2.9
"""Inches from one panel of a page to the next."""


def draw_time_to_accuracy(results: Path) -> style.Page | None:
    """Test accuracy against the seconds of the whole command, a point a run."""
    names = ("cifar10", "mnist", "fashion-mnist", "flowers17")
    tables = {name: results / f"time_to_accuracy_{name}.csv" for name in names}
    tables = {name: table for name, table in tables.items() if table.exists()}
    if not tables:
        return None
    rows = -(-len(tables) // 2)
    page = style.Page(
        2 * COLUMN + 0.3, ROW * rows + 1.15, "Test accuracy and what it took",
        "whole commands, a point a run; up is right more often, left is sooner",
    )  # fmt: skip
    present: list[str] = []
    for place, (name, table) in enumerate(tables.items()):
        left, top = 0.8 + COLUMN * (place % 2), 1.6 + ROW * (place // 2)
        page.text(left, top - 0.25, name, size=style.LABEL, bold=True)
        axes = page.axes(left, top, COLUMN - 0.95, ROW - 0.95)
        runs = read_csv(table)
        draw_runs(axes, runs)
        curve = table.with_stem(f"{table.stem}_epochs")
        epochs = read_csv(curve) if curve.exists() else []
        draw_epochs(axes, epochs)
        finish_accuracy(axes, [*runs, *epochs])
        present += [row["who"] for row in runs]
    left = style.MARGIN
    for who in (who for who in CONTENDERS if who in present):
        words, colour, marker = CONTENDERS[who]
        left = key(page, left, 0.9, words, colour, marker)
    return page


def draw_runs(axes: Axes, runs: Table) -> None:
    for who in dict.fromkeys(row["who"] for row in runs):
        own = [row for row in runs if row["who"] == who]
        seconds, accuracies = (
            [float(row[column]) for row in own] for column in ("seconds", "test_accuracy")
        )
        _, colour, marker = CONTENDERS[who]
        axes.plot(
            seconds, accuracies, marker, color=colour, markersize=7.5, markeredgecolor="white",
            clip_on=False, zorder=5,
        )  # fmt: skip


def draw_epochs(axes: Axes, epochs: Table) -> None:
    """The accuracy after each epoch of the script."""
    for seed in dict.fromkeys(row["seed"] for row in epochs):
        own = [row for row in epochs if row["seed"] == seed]
        seconds, accuracies = (
            [float(row[column]) for row in own] for column in ("seconds", "test_accuracy")
        )
        axes.plot(seconds, accuracies, ".-", color=style.VERMILLION, linewidth=1, markersize=4)


def finish_accuracy(axes: Axes, rows: Table) -> None:
    """An axis on which halving the errors is the same step everywhere."""
    axes.set_yscale("function", functions=(_of_errors, _of_errors_back))
    accuracies = [float(row["test_accuracy"]) for row in rows]
    lowest = max(0.0, 1 - 1.35 * (1 - min(accuracies)))
    highest = 1 - (1 - max(accuracies)) / 1.35
    axes.set_ylim(lowest, highest)
    axes.set_xlim(0, 1.06 * max(float(row["seconds"]) for row in rows))
    axes.yaxis.set_major_locator(FixedLocator(marks(lowest, highest)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g}%"))
    label(axes.xaxis, "seconds, whole command")
    grid(axes)


def marks(lowest: float, highest: float) -> list[float]:
    """The accuracies that are written beside an axis, no two too close to be read."""
    apart = float(_of_errors(highest) - _of_errors(lowest)) / 11
    found: list[float] = []
    for accuracy in SHOWN_ACCURACIES:
        if lowest <= accuracy <= highest and all(
            abs(_of_errors(accuracy) - _of_errors(other)) >= apart for other in found
        ):
            found.append(accuracy)
    return sorted(found)


def _of_errors(accuracy: Any) -> Any:
    return -np.log(np.maximum(1 - np.asarray(accuracy), 1e-6))


def _of_errors_back(value: Any) -> Any:
    return 1 - np.exp(-np.asarray(value))


# --- Training speed -----------------------------------------------------------------------------

TRAINERS = {
    "ours": ("tellapart", style.BLUE),
    "keras": ("plain Keras", style.VERMILLION),
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


# --- Prediction ---------------------------------------------------------------------------------

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


# --- Where an epoch goes ------------------------------------------------------------------------


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


# --- Loading and growth -------------------------------------------------------------------------

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

Line = tuple[str, str, str, list[tuple[int, list[float]]]]


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


# --- What they are made of ----------------------------------------------------------------------

Bar = tuple[str, str, list[float], str]
"""Words, colour, what the runs gave, and more words."""


def bars_page(
    title: str, subtitle: str, panels: Sequence[tuple[str, str, list[Bar]]]
) -> style.Page:
    """A page of horizontal bars, a panel below the other, each with a scale of its own.

    Args:
        title: of the page.
        subtitle: the line below it.
        panels: a title, a unit, and bars.
    """
    height, gap, left, right = 0.27, 0.55, 2.85, 1.95
    heights = [height * len(bars) for _, _, bars in panels]
    page = style.Page(8.2, 1.05 + sum(heights) + gap * len(panels), title, subtitle)
    top = 1.2
    for (name, unit, bars), own in zip(panels, heights, strict=True):
        page.text(style.MARGIN, top - 0.24, name, size=style.LABEL, bold=True)
        page.text(left, top - 0.22, unit, size=style.SMALL, colour=style.FAINT)
        axes = page.axes(left, top, page.width - left - right, own)
        draw_bars(axes, bars)
        top += own + gap
    return page


def draw_bars(axes: Axes, bars: list[Bar]) -> None:
    most = max(max(values) for _, _, values, _ in bars)
    axes.set_xlim(0, most)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks(range(len(bars)), [words for words, _, _, _ in bars])
    for place, (_, colour, values, more) in enumerate(bars):
        middle = statistics.median(values)
        axes.barh(place, middle, 0.7, color=colour)
        if len(values) > 1:
            axes.plot([min(values), max(values)], [place] * 2, color=style.INK, linewidth=1.2,
                      clip_on=False)  # fmt: skip
        words = shown(middle) + (f"  {more}" if more else "")
        axes.annotate(words, (max(middle, *values) if len(values) > 1 else middle, place),
                      xytext=(5, 0), textcoords="offset points", verticalalignment="center",
                      font=font(style.SMALL), color=style.INK, annotation_clip=False)  # fmt: skip


def lines_page(title: str, panels: Sequence[tuple[str, list[Line]]], counted: str) -> style.Page:
    """A page of seconds against a number, both on scales of powers; medians, lowest to highest."""
    wide, high = 3.0, 3.3
    across = wide + 2.5
    page = style.Page(
        0.85 + across * len(panels), high + 1.85, title,
        "medians, lowest to highest; along grey lines, time grows as the number",
    )  # fmt: skip
    for place, (name, lines) in enumerate(panels):
        left = 0.85 + across * place
        if name:
            page.text(left, 0.95, name, size=style.LABEL, bold=True)
        axes = page.axes(left, 1.2, wide, high)
        draw_lines(axes, lines)
        label(axes.xaxis, counted)
        label(axes.yaxis, "seconds")
    return page


def draw_lines(axes: Axes, lines: list[Line]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    sizes = sorted({size for _, _, _, points in lines for size, _ in points})
    ends = []
    for words, colour, marker, points in lines:
        middles = [statistics.median(values) for _, values in points]
        own = [size for size, _ in points]
        axes.plot(own, middles, marker=marker, color=colour, linewidth=1.8, markersize=5,
                  markeredgecolor="white", clip_on=False, zorder=4)  # fmt: skip
        for size, values in points:
            axes.plot([size] * 2, [min(values), max(values)], color=colour, linewidth=1.2)
        ends.append((middles[-1], words, colour))
    lowest, highest = axes.get_ylim()
    for times in 4.0 ** np.arange(-12, 12):
        axes.plot(sizes, [times * size / sizes[0] for size in sizes], color=style.GRID,
                  linewidth=0.8, zorder=1)  # fmt: skip
    axes.set_ylim(lowest, highest)
    axes.set_xlim(sizes[0] / 1.05, sizes[-1] * 1.05)
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.0f}"))
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    name_ends(axes, sizes[-1], ends)


def name_ends(axes: Axes, size: int, ends: list[tuple[float, str, str]]) -> None:
    """Writes the names of lines beside their ends, far enough apart to be read."""
    lowest, highest = np.log(axes.get_ylim())
    apart, place = (highest - lowest) / 17, -np.inf
    for seconds, words, colour in sorted(ends):
        place = max(np.log(seconds), place + apart)
        axes.annotate(
            f"{words}  {shown(seconds)} s",
            (size, seconds),
            xytext=(1.1, (place - lowest) / (highest - lowest)),
            textcoords="axes fraction",
            verticalalignment="center",
            font=font(style.SMALL),
            color=style.INK,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-", "color": colour, "linewidth": 0.8, "relpos": (0, 0.5),
                "shrinkA": 2, "shrinkB": 4,
            },
        )  # fmt: skip


def shown(value: float) -> str:
    """A number with two or three digits that count, and all of those before the point."""
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.3g}"


def key(page: style.Page, left: float, top: float, words: str, colour: str, marker: str) -> float:
    """Explains a marker on the page; returns where the next explanation begins."""
    axes = page.axes(left, top - 0.03, 0.15, 0.15)
    axes.set_axis_off()
    axes.plot([0], [0], marker, color=colour, markersize=7)
    page.text(left + 0.22, top - 0.02, words)
    return left + 0.55 + width(words, style.SMALL)


def label(axis: Any, words: str) -> None:
    axis.set_label_text(words, font=font(style.SMALL), color=style.FAINT)


def grid(axes: Axes) -> None:
    axes.grid(color=style.GRID, linewidth=0.8)
    axes.set_axisbelow(True)


PICTURES: dict[str, Callable[[Path], style.Page | None]] = {
    "time_to_accuracy": draw_time_to_accuracy,
    "training_speed": draw_training_speed,
    "profile": draw_profile,
    "prediction": draw_prediction,
    "loading": draw_loading,
    "growth": draw_growth,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    for name, draw in PICTURES.items():
        page = draw(arguments.results)
        path = arguments.results / f"{name}.png"
        if page is None:
            print(f"{path.name}: no table to draw")
            continue
        page.save(path)
        Image.open(path).quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
