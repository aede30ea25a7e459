"""What was worked out by hand, drawn: the numbers of a window, and the sum below them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from tellapart.evaluation.plots.style import (
    BLUE,
    FAINT,
    LABEL,
    MARGIN,
    SMALL,
    TINY,
    VERMILLION,
    Page,
)
from tellapart.evaluation.plots.text import fit, font, width
from tellapart.explanation.prediction.text import decimals, place, pooling_in_words
from tellapart.explanation.prediction.trace import PredictionTrace
from tellapart.explanation.prediction.worked_convolution import WorkedConvolution
from tellapart.explanation.prediction.worked_pooling import WorkedPooling
from tellapart.explanation.prediction.worked_softmax import Numbers

# In inches.
_LINE = 0.19
_HEADING = 0.34
_CELL_HEIGHT = 0.27
_LARGEST_GRID = 3.0
_BETWEEN = 0.45
_READABLE = 0.36  # a narrower cell has no room for its number
_LEFT = MARGIN
_SUM = 6.5  # the most room for the words of the calculation

_SIGNED = LinearSegmentedColormap.from_list("signed", [VERMILLION, "#FFFFFF", BLUE])
"""From negative to positive, white for 0."""


def worked_height(trace: PredictionTrace) -> float:
    """How many inches `draw_worked` needs."""
    height = 0.0
    if trace.convolution is not None:
        lines = len(trace.convolution.sum_in_words())
        height += _HEADING + 0.45 + _grid_height(trace.convolution.window) + lines * _LINE + 0.4
    if trace.pooling is not None:
        lines = len(pooling_in_words(trace.pooling))
        height += _HEADING + 0.2 + _grid_height(trace.pooling.window) + lines * _LINE + 0.3
    return height


def draw_worked(page: Page, trace: PredictionTrace, top: float) -> None:
    """Draws the convolution and the pooling window that a trace has worked out.

    Args:
        page: what to draw on.
        trace: whose numbers.
        top: inches from the upper edge of the page.
    """
    if trace.convolution is not None:
        top = _draw_convolution(page, trace.convolution, top)
    if trace.pooling is not None:
        _draw_pooling(page, trace.pooling, top)


def _draw_convolution(page: Page, worked: WorkedConvolution, top: float) -> float:
    room = page.width - 2 * MARGIN
    heading = f"One answer of '{worked.layer}' worked out"
    page.text(_LEFT, top, fit(heading, room, LABEL, bold=True), size=LABEL, bold=True)
    channels = len(worked.channel_sums)
    where = (
        f"Filter {worked.filter} at row {worked.row}, column {worked.column}, all counted from 0. "
        f"It looks at {place(worked.rows, worked.columns)}"
        + (f"; channel {worked.channel} of {channels} in full" if channels > 1 else "")
    )
    page.text(_LEFT, top + 0.24, fit(where, room, SMALL), colour=FAINT)
    top += _HEADING + 0.2
    tables = (("what it sees", worked.window), ("× weights", worked.weights))
    left = _LEFT
    for words, table in (*tables, ("= products", worked.products)):
        page.text(left, top, words, size=TINY, colour=FAINT)
        left += _draw_grid(page, table, left, top + 0.18) + _BETWEEN
    top += 0.18 + _grid_height(worked.window) + 0.12
    return _draw_sum(page, worked.sum_in_words(), top) + 0.25


def _draw_pooling(page: Page, worked: WorkedPooling, top: float) -> None:
    room = page.width - 2 * MARGIN
    heading = f"One window of '{worked.layer}' worked out"
    page.text(_LEFT, top, fit(heading, room, LABEL, bold=True), size=LABEL, bold=True)
    where = (
        f"Channel {worked.channel}, answer at row {worked.row}, column {worked.column}: "
        f"{place(worked.rows, worked.columns)} of the input"
    )
    page.text(_LEFT, top + 0.24, fit(where, room, SMALL), colour=FAINT)
    top += _HEADING + 0.2
    _draw_grid(page, worked.window, _LEFT, top)
    _draw_sum(page, pooling_in_words(worked), top + _grid_height(worked.window) + 0.12)


def _draw_sum(page: Page, steps: Sequence[tuple[str, float]], top: float) -> float:
    said = [fit(words, _SUM, SMALL) for words, _ in steps]
    right = _LEFT + max(width(words, SMALL) for words in said) + 1.1
    for words, (_, value) in zip(said, steps, strict=True):
        page.text(_LEFT, top, words)
        page.text(right, top, decimals(value), align="right")
        top += _LINE
    return top


def _draw_grid(page: Page, table: Numbers, left: float, top: float) -> float:
    """Draws a table of numbers, blue above 0 and red below; returns its width."""
    rows, columns = table.shape
    cell = _cell_width(columns)
    axes = page.axes(left, top, cell * columns, _grid_height(table))
    largest = float(np.abs(table).max(initial=0.0)) or 1.0
    # Twice the range, so that dark numbers can be read on the strongest colours.
    axes.imshow(table, cmap=_SIGNED, vmin=-1.8 * largest, vmax=1.8 * largest, aspect="auto")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(FAINT)
    axes.spines[:].set_linewidth(0.5)
    if cell >= _READABLE:
        digits, size = (4, SMALL) if cell >= 0.6 else (2, TINY)
        for row in range(rows):
            for column in range(columns):
                axes.text(
                    column,
                    row,
                    f"{table[row, column]:.{digits}f}",
                    font=font(size),
                    horizontalalignment="center",
                    verticalalignment="center",
                )
    return float(cell * columns)


def _cell_width(columns: int) -> float:
    return min(0.72, _LARGEST_GRID / columns)


def _grid_height(table: Numbers) -> float:
    rows, columns = table.shape
    tall = _CELL_HEIGHT if _cell_width(columns) >= _READABLE else _cell_width(columns)
    return float(rows * tall)
