"""The price of being sure: accuracy against the share of pictures that is answered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from tellapart.evaluation.plots.style import (
    BLUE,
    EMPTY,
    FAINT,
    GRID,
    HEADER,
    INK,
    MARGIN,
    SMALL,
    VERMILLION,
    Page,
)
from tellapart.evaluation.plots.text import font
from tellapart.evaluation.selective import RiskCoverage, UnsureRule
from tellapart.results import wilson_interval

_WIDTH, _HEIGHT = 6.2, 3.2
_LEFT, _RIGHT = 0.6, 0.3
_MOST_POINTS = 400


def plot_unsure(curve: RiskCoverage, rule: UnsureRule | None, path: Path, *, title: str) -> None:
    """Draws the accuracy of the surest 1%, 2%, ... 100% of the pictures, and where the rule stops.

    Around the curve lies its 95% Wilson interval at each share; across it the promise.

    Args:
        curve: of `risk_coverage`, on the test part, with calibrated probabilities.
        rule: whose threshold is marked; None: none.
        path: the PNG to write.
        title: one line; shortened in the middle if it is too long.

    Raises:
        TellapartError: the file cannot be written.
    """
    draw_unsure(curve, rule, title).save(path)


def draw_unsure(curve: RiskCoverage, rule: UnsureRule | None, title: str) -> Page:
    """Lays out the page of `plot_unsure`."""
    page = Page(
        2 * MARGIN + _LEFT + _WIDTH + _RIGHT,
        MARGIN + HEADER + _HEIGHT + 0.75,
        title,
        _subtitle(curve, rule),
    )
    axes = page.axes(MARGIN + _LEFT, MARGIN + HEADER, _WIDTH, _HEIGHT)
    axes.set_xlim(0, 1.01)
    axes.set_xlabel("share of the pictures that is answered, the surest first",
                    font=font(SMALL), color=INK)  # fmt: skip
    axes.set_ylabel("right among them", font=font(SMALL), color=INK)
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:g}%")
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g}%")
    if not curve.count:
        axes.set_facecolor(EMPTY)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(
            0.5,
            0.5,
            "nothing to draw",
            transform=axes.transAxes,
            font=font(SMALL),
            color=FAINT,
            horizontalalignment="center",
        )
        return page
    lowest = _draw_curve(axes, curve)
    axes.set_ylim(lowest - 0.05 * (1 - lowest) - 0.002, 1 + 0.03 * (1 - lowest) + 0.002)
    if rule is not None:
        _draw_promise(axes, rule)
        _mark_threshold(axes, curve, rule)
    return page


def _subtitle(curve: RiskCoverage, rule: UnsureRule | None) -> str:
    if not curve.count:
        return "no test pictures"
    text = f"{curve.count:,} test picture{'s' * (curve.count != 1)}, with the 95% interval"
    if rule is None:
        return text
    place = _place(curve, rule)
    if place is None:
        return f"{text}; ★ the rule answers none of them"
    point = f"{curve.answered[place]:.1%} answered, {curve.accuracy[place]:.1%} of these rightly"
    return f"{text}; ★ the rule: {point}"


def _draw_curve(axes: Axes, curve: RiskCoverage) -> float:
    """Draws curve and interval; returns the lowest accuracy that must be seen."""
    shown = np.unique(np.linspace(0, len(curve.answered) - 1, _MOST_POINTS).round().astype(int))
    sizes = np.rint(curve.answered[shown] * curve.count).astype(int)
    right = np.rint(curve.accuracy[shown] * sizes).astype(int)
    ends = [wilson_interval(int(k), int(n)) for k, n in zip(right, sizes, strict=True)]
    x, y = curve.answered[shown], curve.accuracy[shown]
    axes.fill_between(
        x, [end.low for end in ends], [end.high for end in ends], color=BLUE, alpha=0.15,
        linewidth=0,
    )  # fmt: skip
    axes.plot(x, y, "-", color=BLUE, linewidth=2, marker="o" if len(x) < 10 else "", markersize=5)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    # The first few pictures have intervals as wide as the page; they need not be seen whole.
    steady = [end.low for end, size in zip(ends, sizes, strict=True) if size >= min(30, sizes[-1])]
    return float(min(*y, *steady))


def _draw_promise(axes: Axes, rule: UnsureRule) -> None:
    low, _ = axes.get_ylim()
    if rule.promise < low:
        return
    axes.axhline(rule.promise, color=VERMILLION, linewidth=1.4, linestyle="--", zorder=2)
    promise = f"{100 * rule.promise:.4g}%"
    axes.annotate(
        f"the promise: {promise}" if rule.proven else f"{promise}, not proven",
        (1.0, rule.promise),
        xytext=(0, 3),
        textcoords="offset points",
        font=font(SMALL),
        color=VERMILLION,
        horizontalalignment="right",
    )


def _mark_threshold(axes: Axes, curve: RiskCoverage, rule: UnsureRule) -> None:
    place = _place(curve, rule)
    if place is None:
        return
    x, y = curve.answered[place], curve.accuracy[place]
    axes.axvline(x, color=FAINT, linewidth=1, linestyle=":", zorder=1)
    axes.plot(x, y, "*", markersize=16, color=INK, markeredgecolor="white", zorder=5, clip_on=False)


def _place(curve: RiskCoverage, rule: UnsureRule) -> int | None:
    """The last point of the curve that the rule answers."""
    answered = int((curve.threshold >= rule.threshold).sum())
    return answered - 1 if answered else None
