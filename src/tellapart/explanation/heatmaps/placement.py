"""Where the network's view lies in the picture: what was cropped, padded or squashed, undone.

crop    +--+====+--+    pad    ........     squash   the whole picture is seen,
        |  |seen|  |           +======+              and fills the view
        +--+====+--+           | seen |
                               +======+
                               ........  bars, in the view alone
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tellapart.explanation.heatmaps.grids import Heat, cell_centres, linear_weights
from tellapart.images import ImageSpec


@dataclass(frozen=True)
class Box:
    """A rectangle; all in pixels, right and bottom excluded. They may lie between pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """0 or more."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """0 or more."""
        return self.bottom - self.top


@dataclass(frozen=True)
class Placement:
    """Which part of a picture became which part of the network's view.

    Attributes:
        height: of the upright picture, in pixels.
        width: of the picture.
        seen: what of the picture the network saw.
        view: where in the network's view that is; empty where padding left not a pixel of it.
    """

    height: int
    width: int
    seen: Box
    view: Box


def place(spec: ImageSpec, height: int, width: int) -> Placement:
    """Repeats the geometry of `images.decode`, which is that of Pillow's `fit` and `pad`.

    Args:
        spec: how pictures become the network's view.
        height: of a picture as it is looked at (EXIF orientation applied), in pixels.
        width: of the picture.
    """
    picture, view = Box(0, 0, width, height), Box(0, 0, spec.width, spec.height)
    wide, target = width / height, spec.width / spec.height
    if spec.resize == "squash" or wide == target:
        return Placement(height, width, picture, view)
    if spec.resize == "crop":
        if wide > target:
            seen_width = target * height
            left = (width - seen_width) / 2
            return Placement(height, width, Box(left, 0, left + seen_width, height), view)
        seen_height = width / target
        top = (height - seen_height) / 2
        return Placement(height, width, Box(0, top, width, top + seen_height), view)
    if wide > target:
        rows = round(height / width * spec.width)
        top = round((spec.height - rows) / 2)
        return Placement(height, width, picture, Box(0, top, spec.width, top + rows))
    columns = round(width / height * spec.height)
    left = round((spec.width - columns) / 2)
    return Placement(height, width, picture, Box(left, 0, left + columns, spec.height))


def onto_picture(heat: Heat, placement: Placement, size: tuple[int, int] | None = None) -> Heat:
    """Lays maps of the network's view over the picture.

    Args:
        heat: (..., height, width) float32, as large as the view.
        placement: where the view lies.
        size: height and width to make, in pixels; None: those of the picture.

    Returns:
        (..., *size) float32; NaN where the network saw nothing.
    """
    height, width = size or (placement.height, placement.width)
    seen, view = placement.seen, placement.view
    rows = _places(height, placement.height, (seen.top, seen.bottom), (view.top, view.bottom))
    columns = _places(width, placement.width, (seen.left, seen.right), (view.left, view.right))
    down = _weights(rows, heat.shape[-2])
    across = _weights(columns, heat.shape[-1])
    return np.asarray(down @ heat @ across.T, np.float32)


def _places(
    count: int, side: int, seen: tuple[float, float], view: tuple[float, float]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Where the middles of `count` pixels along a picture lie in the view; NaN: not in it."""
    places = (np.arange(count) + 0.5) * side / count
    share = (places - seen[0]) / (seen[1] - seen[0])
    inside = (share >= 0) & (share <= 1) & (view[1] > view[0])
    found = view[0] + share * (view[1] - view[0])
    # Between the middles of the view's pixels: beyond the last of them lies a bar.
    return np.where(inside, np.clip(found, view[0] + 0.5, view[1] - 0.5), np.nan)


def _weights(places: np.ndarray[tuple[int], np.dtype[np.float64]], side: int) -> Heat:
    weights = linear_weights(np.nan_to_num(places), cell_centres(side, side))
    weights[np.isnan(places)] = np.nan
    return weights.astype(np.float32)
