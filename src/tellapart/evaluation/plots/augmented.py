"""A sheet of training pictures, each as it is and as some epochs saw it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tellapart.evaluation.metrics import Labels
from tellapart.evaluation.plots.samples import is_small, scaled
from tellapart.evaluation.plots.style import DPI, FAINT, HEADER, MARGIN, SMALL, Page
from tellapart.evaluation.plots.text import fit
from tellapart.images import Pixels
from tellapart.training.batches import Batches

ROWS, COLUMNS = 6, 7
"""The most pictures, and the most columns: the picture itself and six epochs."""

_HEADINGS = 0.28  # room above the first row, in inches
_CAPTION = 0.26  # room below each row
_BETWEEN, _APART = 0.08, 0.24  # between two epochs, and beside the picture itself


def plot_augmented(
    train: Batches, class_names: Sequence[str], path: Path, *, title: str, subtitle: str
) -> None:
    """Draws a few training pictures as they are, and as the first epochs see them.

    Args:
        train: what training draws its batches from; the sheet shows what it really sees.
        class_names: of the labels.
        path: the PNG to write.
        title: one line; shortened in the middle if it is too long.
        subtitle: one line, such as what is done to the pictures.

    Raises:
        ValueError: there are no pictures.
        TellapartError: the file cannot be written.
    """
    chosen = spread(train.labels[train.indices], ROWS)
    rows = train.indices[chosen]
    epochs = range(1, COLUMNS)
    seen = np.stack([[train.seen(row, epoch - 1) for epoch in epochs] for row in rows.tolist()])
    names = [class_names[label] for label in train.labels[rows]]
    images = np.asarray(train.pixels[rows])
    draw_augmented(images, seen, names, epochs, title, subtitle).save(path)


def spread(labels: Labels, count: int) -> npt.NDArray[np.intp]:
    """Chooses up to `count` places, spread evenly over the classes and the pictures of each."""
    order = np.argsort(labels, kind="stable")
    return order[np.unique(np.linspace(0, len(labels) - 1, count).astype(np.intp))]


def draw_augmented(
    images: Pixels,
    augmented: Pixels,
    class_names: Sequence[str],
    epochs: Sequence[int],
    title: str,
    subtitle: str,
) -> Page:
    """Lays out the page of `plot_augmented`.

    Args:
        images: (n, height, width, channels) uint8, 1 or 3 channels; at most ROWS are drawn.
        augmented: (n, epochs, height, width, channels) uint8.
        class_names: n names, of the pictures' classes.
        epochs: their numbers, from 1; at most COLUMNS - 1 are drawn.
        title: one line.
        subtitle: one line.

    Raises:
        ValueError: there is no picture, or the lengths do not fit each other.
    """
    if not len(images) or augmented.shape != (len(class_names), len(epochs), *images.shape[1:]):
        raise ValueError(
            f"pictures of shape {images.shape}, {len(class_names)} class names, {len(epochs)} "
            f"epochs and augmented pictures of shape {augmented.shape}: expected one name and one "
            "row a picture, and one column an epoch"
        )
    high, wide = (side / DPI for side in scaled(images[0]).shape[:2])
    columns = min(len(epochs) + 1, COLUMNS)
    rows = min(len(images), ROWS)
    lefts = [
        MARGIN + column * (wide + _BETWEEN) + (column > 0) * _APART for column in range(columns)
    ]
    page = Page(
        lefts[-1] + wide + MARGIN,
        2 * MARGIN + HEADER + _HEADINGS + rows * (high + _CAPTION),
        title,
        subtitle,
    )
    headings = ["as it is", *(f"epoch {epoch}" for epoch in epochs)]
    for left, heading in zip(lefts, headings, strict=False):
        page.text(left, MARGIN + HEADER, fit(heading, wide, SMALL), colour=FAINT)
    photo = images.shape[-1] == 3 and not is_small(images)
    for row, name in enumerate(class_names[:rows]):
        top = MARGIN + HEADER + _HEADINGS + row * (high + _CAPTION)
        for left, picture in zip(lefts, [images[row], *augmented[row]], strict=False):
            page.paste(left, top, scaled(picture), photo=photo)
        page.text(MARGIN, top + high + 0.04, fit(name, page.width - 2 * MARGIN, SMALL))
    return page
