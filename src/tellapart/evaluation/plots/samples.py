"""Sheets of test pictures with their predicted and actual classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tellapart.evaluation.metrics import Labels
from tellapart.evaluation.plots.style import (
    BLUE,
    DPI,
    FAINT,
    HEADER,
    MARGIN,
    SMALL,
    VERMILLION,
    Page,
)
from tellapart.evaluation.plots.text import fit, printable, width
from tellapart.images import Pixels

COLUMNS, ROWS = 6, 6
TILES = COLUMNS * ROWS
"""The most pictures that fit on a sheet."""

# In pixels. 192 is a multiple of 8, 32, 64 and 96: their enlarged pixels are all equally large.
_PICTURE = 192
_FRAME = 5
_BETWEEN = 30
_NARROWEST, _WIDEST = 216, 310  # room for a caption
_GAP = 0.08  # between a predicted class and its probability, in inches
_CAPTION = 66  # two lines and the space to the next row


def choose_samples(
    labels: Labels, predicted: Labels, *, count: int = TILES, seed: int = 0
) -> npt.NDArray[np.intp]:
    """Chooses test pictures to show, fairly: nobody's favourites.

    Systematic sampling: the pictures are put in order by right and wrong, then by class, then at
    random, and every (n / count)-th is taken from a random start. So each picture has the same
    chance, mistakes appear in the share in which they occur (rounded up or down), and the classes
    are spread evenly.

    Args:
        labels: (n,) integers, the actual classes.
        predicted: (n,) integers.
        count: how many to choose; all of them when there are fewer.
        seed: equal seeds choose equally.

    Returns:
        (at most count,) distinct indices, in the order of their actual classes.
    """
    n = len(labels)
    count = min(count, n)
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(n), labels, predicted == labels))
    places = ((np.arange(count) + rng.random()) * n / max(count, 1)).astype(np.intp)
    chosen = order[np.minimum(places, n - 1)]
    return chosen[np.argsort(labels[chosen], kind="stable")]


def plot_samples(
    images: Pixels,
    actual: Sequence[str],
    predicted: Sequence[str],
    probability: Sequence[float],
    path: Path,
    *,
    title: str,
) -> None:
    """Draws test pictures, such as `choose_samples` picks, with predicted and actual classes.

    A right answer has a tick and a thin frame, a wrong one a cross, a thick frame and the actual
    class below ("is dog"), so that nothing depends on seeing colours.

    Args:
        images: (n, height, width, channels) uint8, 1 or 3 channels. Small pictures are enlarged
            pixel by pixel. At most TILES are drawn.
        actual: n class names.
        predicted: n class names.
        probability: n probabilities of the predicted classes.
        path: the PNG to write.
        title: one line; shortened in the middle if it is too long.

    Raises:
        ValueError: images, actual, predicted and probability differ in length.
        TellapartError: the file cannot be written.
    """
    shown = min(len(images), TILES)
    right = sum(a == p for a, p in zip(actual[:shown], predicted[:shown], strict=True))
    subtitle = f"{right} of these {shown} test pictures are recognised"
    draw_sheet(images, actual, predicted, probability, title, subtitle).save(path)


def plot_mistakes(
    images: Pixels,
    actual: Sequence[str],
    predicted: Sequence[str],
    probability: Sequence[float],
    path: Path,
    *,
    title: str,
) -> None:
    """Draws wrong answers, such as `worst_mistakes` finds, as `plot_samples` does.

    Args and errors: see `plot_samples`. Without any mistake the sheet says so.
    """
    subtitle = (
        "the wrong answers that were given with the most confidence"
        if len(images)
        else "no mistakes: every test picture was recognised"
    )
    draw_sheet(images, actual, predicted, probability, title, subtitle).save(path)


def draw_sheet(
    images: Pixels,
    actual: Sequence[str],
    predicted: Sequence[str],
    probability: Sequence[float],
    title: str,
    subtitle: str,
) -> Page:
    """Lays out the page of `plot_samples` and `plot_mistakes`."""
    tiles = list(zip(images, actual, predicted, probability, strict=True))[:TILES]
    captions = [_caption(is_class, said, sure) for _, is_class, said, sure in tiles]
    widest = max((caption.width for caption in captions), default=0) * DPI
    room = round(min(max(widest, _NARROWEST), _WIDEST))
    framed = [
        _framed(image, right=caption.right)
        for image, caption in zip(images, captions, strict=False)
    ]
    photos = images.shape[-1] == 3 and not is_small(images)
    across = (room + _BETWEEN) / DPI
    high = framed[0].shape[0] / DPI if framed else 0.0  # a batch has pictures of one shape
    down = high + _CAPTION / DPI
    page = Page(
        2 * MARGIN + COLUMNS * across - _BETWEEN / DPI,
        2 * MARGIN + HEADER + -(-len(tiles) // COLUMNS) * down,
        title,
        subtitle,
    )
    for i, (picture, caption) in enumerate(zip(framed, captions, strict=True)):
        row, column = divmod(i, COLUMNS)
        left, top = MARGIN + column * across, MARGIN + HEADER + row * down
        page.paste(left, top, picture, photo=photos)
        _write(page, caption, left, top + high + 0.04, room / DPI)
    return page


@dataclass(frozen=True)
class _Caption:
    """What stands below a picture: a mark, the predicted class, its probability, the actual one."""

    mark: str
    said: str
    percent: str
    actual: str
    right: bool

    @property
    def width(self) -> float:
        """What it takes to write it in full, in inches."""
        first = width(self.mark + printable(self.said) + self.percent, SMALL)
        return max(first + _GAP, width(printable(self.actual), SMALL))


def _caption(actual: str, said: str, probability: float) -> _Caption:
    percent = ">99%" if 0.995 <= probability < 1 else f"{probability:.0%}"
    right = actual == said
    return _Caption(
        mark="✓ " if right else "✗ ",
        said=said,
        percent=percent,
        actual="" if right else f"is {actual}",
        right=right,
    )


def _write(page: Page, caption: _Caption, left: float, top: float, room: float) -> None:
    rest = width(caption.mark + caption.percent, SMALL) + _GAP
    name = fit(caption.said, room - rest, SMALL)
    page.text(left, top, caption.mark + name, colour=BLUE if caption.right else VERMILLION)
    after = left + width(caption.mark + name, SMALL) + _GAP
    page.text(after, top, caption.percent, colour=FAINT)
    if caption.actual:
        page.text(left, top + 0.17, fit(caption.actual, room, SMALL))


def _framed(image: Pixels, *, right: bool) -> Pixels:
    """Returns the picture with its frame, (height, width, 3), room for a thick one around it."""
    picture = scaled(image)
    framed = np.full([side + 2 * _FRAME for side in picture.shape[:2]] + [3], 255, dtype=np.uint8)
    colour = tuple(bytes.fromhex((BLUE if right else VERMILLION)[1:]))
    blank = _FRAME - 2 if right else 0
    framed[blank : len(framed) - blank, blank : framed.shape[1] - blank] = colour
    framed[_FRAME:-_FRAME, _FRAME:-_FRAME] = picture
    return framed


def scaled(image: Pixels) -> Pixels:
    """Fits a picture into its square, (height, width, 3): small ones pixel by pixel."""
    longest = max(image.shape[:2])
    height, wide = (max(1, round(side * _PICTURE / longest)) for side in image.shape[:2])
    rule = Image.Resampling.NEAREST if is_small(image) else Image.Resampling.LANCZOS
    colour = np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
    return np.asarray(Image.fromarray(colour).resize((wide, height), rule))


def is_small(images: Pixels) -> bool:
    """Whether pictures are so small that they are shown with their pixels as squares."""
    height, wide = images.shape[-3:-1]
    return bool(3 * max(height, wide) <= _PICTURE)
