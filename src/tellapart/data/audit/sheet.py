"""A sheet of copies: both pictures of each pair side by side, to judge with one's own eyes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tellapart.data.audit.copies import KINDS
from tellapart.data.audit.findings import Audit
from tellapart.data.audit.search import Indices
from tellapart.data.dataset import PARTS, UNASSIGNED, Dataset
from tellapart.errors import ImageError
from tellapart.images import Pixels, load_image

if TYPE_CHECKING:  # it needs matplotlib
    from tellapart.evaluation.plots.style import Page

PAIRS = 40
"""The most that are shown."""

COLUMNS = 4

_PICTURE = 150  # pixels
_GAP = 6
_BETWEEN = 36
_CAPTION = 82  # four lines


def worst_pairs(audit: Audit, limit: int = PAIRS) -> Indices:
    """Chooses the pairs to show: across classes, then across parts, then the least similar.

    Returns:
        (at most `limit`,) positions in `audit.copies.first`.
    """
    copies, dataset = audit.copies, audit.dataset
    labels_differ = dataset.labels[copies.first] != dataset.labels[copies.second]
    parts_differ = dataset.parts[copies.first] != dataset.parts[copies.second]
    order = np.lexsort((copies.similarities, ~parts_differ, ~labels_differ))
    return order[:limit]


def draw_pairs(audit: Audit, path: Path) -> int:
    """Draws the sheet as PNG and returns how many pairs it shows.

    Raises:
        TellapartError: the file cannot be written.
    """
    from tellapart.evaluation.plots.style import DPI, HEADER, MARGIN, Page

    chosen = worst_pairs(audit)
    total = len(audit.copies.first)
    across, down = (2 * _PICTURE + _GAP + _BETWEEN) / DPI, (_PICTURE + _CAPTION) / DPI
    columns = max(1, min(COLUMNS, len(chosen)))
    page = Page(
        2 * MARGIN + columns * across - _BETWEEN / DPI,
        2 * MARGIN + HEADER + -(-len(chosen) // columns) * down,
        f"Copies in {audit.dataset.name}",
        f"{len(chosen):,} of {total:,} pairs; other class, other part and least alike first"
        if total
        else "no copies were found",
    )
    for place, pair in enumerate(chosen.tolist()):
        row, column = divmod(place, columns)
        _draw_pair(page, audit, pair, MARGIN + column * across, MARGIN + HEADER + row * down)
    page.save(path)
    return len(chosen)


def _draw_pair(page: Page, audit: Audit, pair: int, left: float, top: float) -> None:
    from tellapart.evaluation.plots.style import DPI, FAINT, SMALL, TINY, VERMILLION
    from tellapart.evaluation.plots.text import fit

    copies, dataset = audit.copies, audit.dataset
    both = (int(copies.first[pair]), int(copies.second[pair]))
    room = _PICTURE / DPI
    words = f"{KINDS[copies.kinds[pair]]}, {copies.similarities[pair]:.3f}"
    page.text(left, top + room + 0.03, words, size=SMALL)
    other_class = dataset.labels[both[0]] != dataset.labels[both[1]]
    for side, index in enumerate(both):
        start = left + side * (_PICTURE + _GAP) / DPI
        page.paste(start, top, _thumbnail(dataset, index), photo=True)
        page.text(
            start,
            top + room + 0.2,
            fit(_place(dataset, index), room, TINY),
            size=TINY,
            colour=VERMILLION if other_class else FAINT,
        )
        name = dataset.paths[index].rpartition("/")[2]
        page.text(start, top + room + 0.34, fit(name, room, TINY), size=TINY, colour=FAINT)


def _place(dataset: Dataset, index: int) -> str:
    name, part = dataset.class_names[dataset.labels[index]], int(dataset.parts[index])
    return name if part == UNASSIGNED else f"{PARTS[part]}: {name}"


def _thumbnail(dataset: Dataset, index: int) -> Pixels:
    """Returns a picture in its square, (_PICTURE, _PICTURE, 3); grey where it has vanished."""
    square = Image.new("RGB", (_PICTURE, _PICTURE), "white")
    try:
        raw = dataset.source.read(index)
        image = load_image(raw, "RGB", dataset.paths[index], draft_size=_PICTURE).image
    except ImageError:
        return np.full((_PICTURE, _PICTURE, 3), 200, np.uint8)
    scale = _PICTURE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    rule = Image.Resampling.NEAREST if scale >= 3 else Image.Resampling.LANCZOS
    square.paste(image.resize(size, rule), ((_PICTURE - size[0]) // 2, (_PICTURE - size[1]) // 2))
    return np.asarray(square)
