"""The page that `tellapart explain` draws: the picture, and the maps over it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tellapart.evaluation.plots.style import DPI, FAINT, HEADER, MARGIN, SMALL, TITLE, Page
from tellapart.evaluation.plots.text import fit
from tellapart.explanation.heatmaps.grids import Heat
from tellapart.explanation.heatmaps.overlay import colour_bar, heat_overlay
from tellapart.explanation.heatmaps.picture import ClassMap, Explanation
from tellapart.images import Pixels

METHODS = {
    "rise": "RISE: what raises the class when it is seen, through 200 random masks",
    "hires-cam": "HiResCAM: where the last layer with a sense of place speaks for the class",
    "occlusion": "occlusion: what lowers the class when it is covered, in 7x7 places",
}
"""What each method shows, for the line below the title."""

_NARROWEST = 400  # of a panel, in pixels: room for a line of text
_SMALL = 384  # a picture that is smaller on both sides is enlarged
_THINNEST = 12
_GAP = 24
_CAPTION = 0.85  # in inches
_FOOT = 0.75


def draw_page(explanation: Explanation) -> Page:
    """Lays out the page.

    A picture is shown with its own pixels, as far as `Explanation` has them; small ones are
    enlarged, and very narrow ones drawn wide enough to be seen.
    """
    shown = _enlarged_size(explanation.pixels.shape[0], explanation.pixels.shape[1])
    picture = _resized(explanation.pixels, shown)
    panels = [picture] + [
        heat_overlay(picture, _resized_heat(item.heat, shown)) for item in explanation.maps
    ]
    height, width = picture.shape[:2]
    room = max(width, _NARROWEST)
    page = Page(
        2 * MARGIN + (3 * room + 2 * _GAP) / DPI,
        2 * MARGIN + HEADER + height / DPI + _CAPTION + _FOOT,
        Path(explanation.prediction.source).name or "picture",
        METHODS[explanation.method],
    )
    top = MARGIN + HEADER
    below = top + height / DPI + 0.08
    for place, panel in enumerate(panels):
        left = MARGIN + place * (room + _GAP) / DPI
        page.paste(left, top, panel, photo=True)
        heading, *lines = _caption(explanation, place)
        heading = fit(heading, room / DPI, TITLE - 2, bold=True)
        page.text(left, below, heading, size=TITLE - 2, bold=True)
        for number, line in enumerate(lines):
            words = fit(line, room / DPI, SMALL)
            page.text(left, below + 0.24 + 0.18 * number, words, colour=FAINT)
    _draw_foot(page, below + _CAPTION, explanation)
    return page


def save_page(explanation: Explanation, path: Path) -> None:
    """Writes the page as PNG, atomically.

    Raises:
        TellapartError: the file cannot be written.
    """
    draw_page(explanation).save(path)


def _caption(explanation: Explanation, place: int) -> list[str]:
    """A heading and lines below it."""
    if place == 0:
        height, width = explanation.placement.height, explanation.placement.width
        return ["the picture", f"{width}x{height} pixels"]
    item = explanation.maps[place - 1]
    kind = "the answer" if place == 1 else "for comparison"
    heading = f"{item.label} ({format_probability(item.probability)})"
    if item.focus is None:
        return [heading, kind, describe(item)]
    return [heading, f"{kind}; strongest: {item.focus.where}", item.focus.shares]


def describe(item: ClassMap) -> str:
    """Says in words where the weight of a map lies."""
    return "nothing in it speaks for this class" if item.focus is None else str(item.focus)


def format_probability(probability: float) -> str:
    """Writes 0.934 as "93%", and what is not quite 100% or 0% as ">99%" and "<1%"."""
    if 0.995 <= probability < 1:
        return ">99%"
    return "<1%" if 0 < probability < 0.005 else f"{probability:.0%}"


def _draw_foot(page: Page, top: float, explanation: Explanation) -> None:
    bar = colour_bar(18, 240)
    page.text(MARGIN, top, "weak")
    page.paste(MARGIN + 0.45, top + 0.01, bar)
    page.text(MARGIN + 0.45 + 240 / DPI + 0.08, top, "strong, each map by itself")
    room = page.width - 2 * MARGIN
    lines = [
        "Coloured: what speaks for the class that is named below, to this network. A map says "
        "where, not what or why.",
    ]
    if any(np.isnan(item.heat).any() for item in explanation.maps):
        lines.append("Pale: cut off before the network sees the picture.")
    for number, line in enumerate(lines, start=1):
        page.text(MARGIN, top + 0.06 + 0.2 * number, fit(line, room, SMALL), colour=FAINT)


def _enlarged_size(height: int, width: int) -> tuple[int, int]:
    times = max(1, -(-_SMALL // max(height, width)))
    return max(height * times, _THINNEST), max(width * times, _THINNEST)


def _resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    if pixels.shape[:2] == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling.NEAREST))


def _resized_heat(heat: Heat, size: tuple[int, int]) -> Heat:
    """Every pixel of the picture keeps its own number, as it keeps its colour."""
    return np.asarray(Image.fromarray(heat).resize(size[::-1], Image.Resampling.NEAREST))
