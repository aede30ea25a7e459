"""Reliability diagram: how sure the answers are against how often they are right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from tellapart.evaluation.calibration_error import CalibrationError, ReliabilityBin
from tellapart.evaluation.plots.style import (
    BLUE,
    EMPTY,
    FAINT,
    GRID,
    HEADER,
    INK,
    LABEL,
    MARGIN,
    SMALL,
    TINY,
    VERMILLION,
    Page,
)
from tellapart.evaluation.plots.text import font

_SIDE, _COUNTS = 3.1, 0.55
_LEFT, _BETWEEN = 0.6, 0.95
_TOP = 0.5  # room for a panel's title and the line below it


def plot_reliability(
    before: Sequence[ReliabilityBin],
    after: Sequence[ReliabilityBin],
    path: Path,
    *,
    title: str,
    errors: tuple[CalibrationError | None, CalibrationError | None] = (None, None),
) -> None:
    """Draws two reliability diagrams side by side (DeGroot & Fienberg, 1983).

    A point for each bin, with the 95% interval of its accuracy; below it a bar, as high as the
    share of pictures in it. On the diagonal the probabilities are right; below it the network is
    too sure.

    Args:
        before: of `reliability`, with the network's own probabilities; may be empty.
        after: with calibrated ones; may be empty.
        path: the PNG to write.
        title: one line; shortened in the middle if it is too long.
        errors: the calibration errors of both, where they were measured.

    Raises:
        TellapartError: the file cannot be written.
    """
    draw_reliability(before, after, title, errors).save(path)


def draw_reliability(
    before: Sequence[ReliabilityBin],
    after: Sequence[ReliabilityBin],
    title: str,
    errors: tuple[CalibrationError | None, CalibrationError | None] = (None, None),
) -> Page:
    """Lays out the page of `plot_reliability`."""
    count = sum(one.accuracy.count for one in before)
    page = Page(
        2 * MARGIN + _LEFT + 2 * _SIDE + _BETWEEN + 0.1,
        MARGIN + HEADER + _TOP + _SIDE + 0.12 + _COUNTS + 0.55,
        title,
        f"{count:,} test picture{'s' * (count != 1)}; bars: 95% interval of a bin's accuracy",
    )
    panels = (("Before calibration", before, errors[0], VERMILLION, "s"),
              ("After", after, errors[1], BLUE, "o"))  # fmt: skip
    for column, (name, bins, error, colour, marker) in enumerate(panels):
        left, top = MARGIN + _LEFT + column * (_SIDE + _BETWEEN), MARGIN + HEADER
        page.text(left, top, name, size=LABEL, bold=True)
        page.text(left, top + 0.21, _headline(bins, error), colour=FAINT)
        axes = page.axes(left, top + _TOP, _SIDE, _SIDE)
        _draw_points(axes, bins, colour, marker)
        bars = page.axes(left, top + _TOP + _SIDE + 0.12, _SIDE, _COUNTS)
        _draw_counts(bars, bins, colour)
    return page


def _headline(bins: Sequence[ReliabilityBin], error: CalibrationError | None) -> str:
    if not bins:
        return "no pictures"
    if error is None:
        return "too few pictures for a calibration error"
    return f"calibration error {error.value:.3f} ({error.low:.3f} to {error.high:.3f})"


def _draw_points(axes: Axes, bins: Sequence[ReliabilityBin], colour: str, marker: str) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1], [""] * 6)
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g}%")
    axes.set_ylabel("right answers", font=font(SMALL), color=INK)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.plot([0, 1], [0, 1], ":", color=FAINT, linewidth=1.2)
    axes.text(0.06, 0.13, "as right as sure", font=font(TINY), color=FAINT, rotation=45,
              rotation_mode="anchor")  # fmt: skip
    if not bins:
        axes.set_facecolor(EMPTY)
        return
    confidence = [one.confidence for one in bins]
    accuracy = [one.accuracy.value for one in bins]
    below = [one.accuracy.value - one.accuracy.low for one in bins]
    above = [one.accuracy.high - one.accuracy.value for one in bins]
    axes.errorbar(
        confidence, accuracy, yerr=[below, above], fmt=marker, color=colour, markersize=5,
        elinewidth=1.2, markeredgecolor="white", markeredgewidth=0.6, zorder=3, clip_on=False,
    )  # fmt: skip


def _draw_counts(axes: Axes, bins: Sequence[ReliabilityBin], colour: str) -> None:
    """A bar for each bin, from its lowest to its highest probability."""
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:g}%")
    axes.set_xlabel("top probability", font=font(SMALL), color=INK)
    axes.set_yticks([])
    axes.set_facecolor(EMPTY)
    axes.set_ylabel("pictures", font=font(TINY), color=INK)
    axes.text(
        0.02,
        0.96,
        _bins_in_words(bins),
        transform=axes.transAxes,
        font=font(TINY),
        color=FAINT,
        verticalalignment="top",
    )
    if not bins:
        return
    # As an area: bins hold equally many, but are narrow where most pictures are.
    widths = [max(one.highest - one.lowest, 0.01) for one in bins]
    heights = [one.accuracy.count / width for one, width in zip(bins, widths, strict=True)]
    lefts = [min(one.lowest, 1.0 - width) for one, width in zip(bins, widths, strict=True)]
    axes.bar(lefts, heights, widths, align="edge", color=colour, alpha=0.75, linewidth=0)
    axes.set_ylim(0, max(heights) * 1.05)


def _bins_in_words(bins: Sequence[ReliabilityBin]) -> str:
    if not bins:
        return "nothing to draw"
    sizes = [one.accuracy.count for one in bins]
    least, most = min(sizes), max(sizes)
    each = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    return f"{len(bins)} bin{'s' * (len(bins) != 1)} of {each}"
