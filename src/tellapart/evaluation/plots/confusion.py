"""The confusion matrix: which class is taken for which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes

from tellapart.evaluation.metrics import most_confused
from tellapart.evaluation.plots.style import (
    DPI,
    EMPTY,
    FAINT,
    HEADER,
    INK,
    LABEL,
    LITERAL,
    MARGIN,
    SMALL,
    TINY,
    Page,
)
from tellapart.evaluation.plots.text import fit, font, printable, width
from tellapart.results import Evaluation

_SHADES = colormaps["Blues"].with_extremes(bad=EMPTY)
_COUNTED = 25  # with more classes a cell has no room for its count, and mix-ups are listed
_NAMED = 50  # with more classes not every row is named
_SIDE = 960  # pixels of a matrix with more classes than that
_LINE = 23 / DPI  # inches between two names
_AXIS_NAME = 0.3
_BAR_GAP, _BAR_WIDTH, _BAR_WORDS = 0.2, 0.14, 0.7
_LIST_GAP, _LIST_WIDTH, _LIST_LINE = 0.15, 3.5, 0.23
_ARROW = " → "


@dataclass(frozen=True)
class _Layout:
    """Where everything goes, in inches.

    Attributes:
        cell: side of a cell; whole pixels where it can be, so that all cells look alike.
        step: every `step`-th class is named.
        names: those names, printable and short enough.
        size: of the names, in points.
        rotation: of the names below the matrix, in degrees.
        name_width: room beside the matrix for the names.
        name_height: room below it.
        side: of the matrix.
    """

    cell: float
    step: int
    names: list[str]
    size: float
    rotation: int
    name_width: float
    name_height: float
    side: float


def plot_confusion(evaluation: Evaluation, path: Path, *, title: str) -> None:
    """Draws the confusion matrix, each row shaded by shares of its actual class.

    Up to 25 classes have counts in their cells (and percents, up to 12). With more classes the
    shading follows the square root of the share, so that rare mix-ups can be seen at all, and the
    most frequent mix-ups are listed beside the matrix. With more than 50 not every class is named.

    Args:
        evaluation: any number of classes; a class without test pictures has a grey row.
        path: the PNG to write.
        title: one line; shortened in the middle if it is too long.

    Raises:
        TellapartError: the file cannot be written.
    """
    draw_confusion(evaluation, title).save(path)


def draw_confusion(evaluation: Evaluation, title: str) -> Page:
    """Lays out the page of `plot_confusion`."""
    layout = _lay_out(evaluation.class_names)
    listed = len(evaluation.class_names) > _COUNTED
    left, top = MARGIN + _AXIS_NAME + layout.name_width, MARGIN + HEADER
    bar = left + layout.side + _BAR_GAP
    right = bar + _BAR_WIDTH + _BAR_WORDS + (_LIST_GAP + _LIST_WIDTH if listed else 0)
    page = Page(
        max(right + MARGIN, 6.6),
        top + layout.side + layout.name_height + _AXIS_NAME + MARGIN,
        title,
        _subtitle(evaluation),
    )
    axes = page.axes(left, top, layout.side, layout.side)
    _draw_matrix(axes, evaluation.confusion, layout)
    _name_classes(axes, layout)
    centre = left + layout.side / 2
    below = top + layout.side + layout.name_height
    page.text(centre, below + 0.08, "predicted class", size=LABEL, align="center")
    page.text(MARGIN, top + layout.side / 2, "actual class", size=LABEL, rotation=90)
    height = min(layout.side, 3.0)
    _draw_scale(page.axes(bar, top, _BAR_WIDTH, height), square_root=listed)
    page.text(
        bar + _BAR_WIDTH + 0.48,
        top + height / 2,
        "share of the actual class",
        size=TINY,
        colour=FAINT,
        rotation=90,
    )
    if listed:
        _list_mix_ups(page, evaluation, right - _LIST_WIDTH, top, layout.side)
    return page


def _lay_out(class_names: Sequence[str]) -> _Layout:
    count = len(class_names)
    cell = next((size for most, size in _CELLS if count <= most), _SIDE / DPI / count)
    if cell * DPI >= 1:
        cell = round(cell * DPI) / DPI
    size = SMALL if count <= _COUNTED else TINY
    step = math.ceil(_LINE / cell - 0.01)
    longest = 2.6 if count <= _COUNTED else 1.8
    names = [fit(name, longest, size) for name in class_names[::step]]
    widest = max((width(name, size) for name in names), default=0)
    if widest <= cell * step - 0.08:
        rotation, height = 0, 0.2
    elif count <= _COUNTED:
        rotation, height = 45, 0.71 * widest + 0.2
    else:
        rotation, height = 90, widest + 0.1
    return _Layout(cell, step, names, size, rotation, widest + 0.1, height, cell * count)


_CELLS = ((2, 1.1), (4, 0.9), (7, 0.72), (12, 0.64), (_COUNTED, 0.44), (_NAMED, _LINE))
"""Up to so many classes, the side of a cell in inches."""


def _subtitle(evaluation: Evaluation) -> str:
    accuracy = evaluation.accuracy
    if not accuracy.count:
        return "not measured: there are no pictures"
    words = (
        f"accuracy {accuracy.value:.1%} ({accuracy.confidence:.0%} interval {accuracy.low:.1%}"
        f" to {accuracy.high:.1%}) on {accuracy.count:,} pictures"
    )
    if not evaluation.confusion.sum(axis=1).all():
        words += "; grey: no test pictures"
    return words


def _shares(confusion: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Shares of the actual class, (classes, classes); NaN in rows without pictures."""
    counts = confusion.sum(axis=1, keepdims=True)
    shares = np.full(confusion.shape, np.nan)
    np.divide(confusion, counts, out=shares, where=counts > 0)
    return shares


def _draw_matrix(axes: Axes, confusion: npt.NDArray[np.int64], layout: _Layout) -> None:
    count = len(confusion)
    shares = _shares(confusion)
    shades = shares if count <= _COUNTED else np.sqrt(shares)
    axes.imshow(
        shades, cmap=_SHADES, vmin=0, vmax=1, interpolation="nearest", aspect="auto", origin="upper"
    )
    if count > _COUNTED:
        axes.spines[:].set(visible=True, color=FAINT, linewidth=0.8)
        return
    between = np.arange(1, count) - 0.5
    axes.hlines(between, -0.5, count - 0.5, color="white", linewidth=1.5)
    axes.vlines(between, -0.5, count - 0.5, color="white", linewidth=1.5)
    roomy = layout.cell > 0.5
    size = LABEL if roomy else TINY
    for row, column in np.argwhere(confusion):
        words = _short_count(int(confusion[row, column]), layout.cell - 0.06, size)
        place: dict[str, Any] = {
            "color": "white" if shades[row, column] > 0.65 else INK,
            "horizontalalignment": "center",
            "verticalalignment": "center",
        }
        axes.text(column, row - roomy * 0.07 / layout.cell, words, font=font(size), **place)
        if roomy:
            percent = _percent(shares[row, column])
            axes.text(column, row + 0.13 / layout.cell, percent, font=font(TINY), **place)


def _short_count(count: int, room: float, size: float) -> str:
    words = f"{count:,}"
    return words if width(words, size) <= room else f"{count / 1000:,.0f}k"


def _percent(share: float) -> str:
    """Whole percents that say 0% and 100% only where it is none and all."""
    if 0 < share < 0.01:
        return "<1%"
    return f"{share:.0%}" if share == 1 else f"{min(share, 0.99):.0%}"


def _name_classes(axes: Axes, layout: _Layout) -> None:
    places = [layout.step * i for i in range(len(layout.names))]
    words = {"font": font(layout.size), "color": INK, **LITERAL}
    axes.set_yticks(places, layout.names, **words)
    slanted = layout.rotation == 45
    axes.set_xticks(
        places,
        layout.names,
        rotation=layout.rotation,
        rotation_mode="anchor" if slanted else "default",
        horizontalalignment="right" if slanted else "center",
        **words,
    )


def _draw_scale(axes: Axes, *, square_root: bool) -> None:
    """A bar that says which shade is which share."""
    axes.imshow(
        np.linspace(0, 1, 256)[:, np.newaxis],
        cmap=_SHADES,
        aspect="auto",
        origin="lower",
        extent=(0, 1, 0, 1),
    )
    shares = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 1) if square_root else (0, 0.25, 0.5, 0.75, 1)
    places = [math.sqrt(share) if square_root else share for share in shares]
    axes.set_xticks([])
    axes.set_yticks(places, [f"{share:.0%}" for share in shares], font=font(TINY), color=FAINT)
    axes.yaxis.tick_right()


def _list_mix_ups(
    page: Page, evaluation: Evaluation, left: float, top: float, height: float
) -> None:
    page.text(left, top, "Most frequent mix-ups", size=LABEL, bold=True)
    page.text(left, top + 0.2, "actual → predicted class", size=TINY, colour=FAINT)
    lines = int((height - 0.5) / _LIST_LINE)
    names, confusion = evaluation.class_names, evaluation.confusion
    pairs = most_confused(confusion, names, lines)
    counts = dict(zip(names, confusion.sum(axis=1).tolist(), strict=True))
    room = _LIST_WIDTH - max(width(f"{n:,} of {n:,}", TINY) for n in counts.values()) - 0.15
    # Names that do not fit beside each other stand below each other, so that they stay apart.
    whole = [_ARROW.join(map(printable, pair[:2])) for pair in pairs]
    height_in_lines = 1 if all(width(words, TINY) <= room for words in whole) else 2
    for i, (actual, predicted, pictures) in enumerate(pairs[: lines // height_in_lines]):
        below = top + 0.5 + i * _LIST_LINE * height_in_lines
        if height_in_lines == 1:
            page.text(left, below, whole[i], size=TINY)
        else:
            page.text(left, below, fit(actual, room, TINY), size=TINY)
            words = fit(_ARROW.lstrip() + predicted, room, TINY)
            page.text(left + 0.1, below + 0.16, words, size=TINY)
        share = f"{pictures:,} of {counts[actual]:,}"
        page.text(left + _LIST_WIDTH, below, share, size=TINY, align="right", colour=FAINT)
    if not pairs and evaluation.accuracy.count:
        page.text(left, top + 0.5, "none: every picture was recognised", size=TINY)
