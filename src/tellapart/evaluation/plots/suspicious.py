"""A sheet of suspicious labels: each picture with the label it has and the one suggested."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.errors import ImageError
from tellapart.evaluation.plots.samples import scaled
from tellapart.evaluation.plots.style import (
    BLUE,
    DPI,
    FAINT,
    HEADER,
    MARGIN,
    SMALL,
    TINY,
    VERMILLION,
    Page,
)
from tellapart.evaluation.plots.text import fit, width
from tellapart.evaluation.suspicious import Suspicion
from tellapart.images import Pixels, load_image

COLUMNS, ROWS = 6, 6
MOST = COLUMNS * ROWS
"""The most that are shown."""

_PICTURE = 192  # pixels, what `scaled` fits pictures into
_BETWEEN = 30
_CAPTION = 84  # three lines and the space to the next row


def plot_suspicious(dataset: Dataset, suspicions: Sequence[Suspicion], path: Path) -> int:
    """Draws the most suspicious labels as PNG; returns how many it shows.

    Args:
        dataset: the pictures.
        suspicions: the most suspicious first; at most MOST are drawn.
        path: the PNG to write.

    Raises:
        TellapartError: the file cannot be written.
    """
    draw_suspicious(dataset, suspicions).save(path)
    return min(len(suspicions), MOST)


def draw_suspicious(dataset: Dataset, suspicions: Sequence[Suspicion]) -> Page:
    """Lays out the page of `plot_suspicious`."""
    shown = suspicions[:MOST]
    across, down = (_PICTURE + _BETWEEN) / DPI, (_PICTURE + _CAPTION) / DPI
    words = f"{len(shown):,} of {len(suspicions):,}, the most suspicious first"
    page = Page(
        2 * MARGIN + COLUMNS * across - _BETWEEN / DPI,
        2 * MARGIN + HEADER + -(-len(shown) // COLUMNS) * down,
        f"Suspicious labels in {dataset.name}",
        words if shown else "none was found",
    )
    for place, suspicion in enumerate(shown):
        row, column = divmod(place, COLUMNS)
        left, top = MARGIN + column * across, MARGIN + HEADER + row * down
        page.paste(left, top, _thumbnail(dataset, suspicion.index), photo=True)
        _write(page, dataset, suspicion, left, top + _PICTURE / DPI + 0.05)
    return page


def _write(page: Page, dataset: Dataset, suspicion: Suspicion, left: float, top: float) -> None:
    names, room = dataset.class_names, _PICTURE / DPI
    given = _fit("labelled ", names[suspicion.given], "")
    page.text(left, top, given, colour=VERMILLION)
    page.text(left, top + 0.16, _fit("rather ", names[suspicion.suggested], "?"), colour=BLUE)
    name = fit(dataset.paths[suspicion.index], room, TINY)
    page.text(left, top + 0.33, name, size=TINY, colour=FAINT)


def _fit(before: str, name: str, after: str) -> str:
    """Returns the words, the name shortened where they are too long."""
    return before + fit(name, _PICTURE / DPI - width(before + after, SMALL), SMALL) + after


def _thumbnail(dataset: Dataset, index: int) -> Pixels:
    """Returns a picture in its square, (_PICTURE, _PICTURE, 3); grey where it has vanished."""
    square = np.full((_PICTURE, _PICTURE, 3), 255, np.uint8)
    try:
        raw = dataset.source.read(index)
        image = load_image(raw, "RGB", dataset.paths[index], draft_size=_PICTURE).image
    except ImageError:
        square[:] = 200
        return square
    picture = scaled(np.asarray(image))
    top, left = ((_PICTURE - side) // 2 for side in picture.shape[:2])
    square[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return square
