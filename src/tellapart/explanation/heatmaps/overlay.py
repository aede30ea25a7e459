"""A map laid over a picture in colours.

The picture becomes grey and the map takes the colours of viridis (Smith and van der Walt, 2015),
even steps for the eye and told apart with every kind of colour vision. Where the map is weak it is
transparent, so that the picture is seen as it is.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from tellapart.explanation.heatmaps.grids import Heat
from tellapart.images import Pixels

MOST_OPAQUE = 0.72
"""How much of the picture the strongest colour hides: its outlines have to stay visible."""

UNSEEN_PALENESS = 0.75
"""What the network did not see is so much nearer to white."""


def heat_overlay(pixels: Pixels, heat: Heat) -> Pixels:
    """Lays a map over a picture.

    Args:
        pixels: (height, width, 3) uint8.
        heat: (height, width) float32, 0 to 1; NaN: not seen by the network, drawn pale.

    Returns:
        (height, width, 3) uint8.

    Raises:
        ValueError: the two differ in size.
    """
    if pixels.shape != (*heat.shape, 3):
        raise ValueError(f"pixels {pixels.shape} and heat {heat.shape}: expected one size")
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)  # luma, ITU-R 601
    known = np.clip(np.nan_to_num(heat), 0, 1)
    opacity = (MOST_OPAQUE * _ease(known))[..., np.newaxis]
    colours = _colours()[np.rint(known * 255).astype(np.uint8)]
    drawn = grey[..., np.newaxis] * (1 - opacity) + colours * opacity
    pale = 255 - (255 - grey[..., np.newaxis]) * (1 - UNSEEN_PALENESS)
    shown = np.where(np.isnan(heat)[..., np.newaxis], pale, drawn)
    return np.asarray(np.rint(shown), np.uint8)


def colour_bar(height: int, width: int) -> Pixels:
    """Draws the colours from weak (left) to strong, as they look over a grey of 128.

    Returns:
        (height, width, 3) uint8.
    """
    heat = np.broadcast_to(np.linspace(0, 1, width, dtype=np.float32), (height, width))
    return heat_overlay(np.full((height, width, 3), 128, np.uint8), heat)


def _ease(heat: Heat) -> Heat:
    """Rises quickly, so that middling places have their colour, and smoothly from 0."""
    return np.asarray(1 - (1 - heat) ** 2, np.float32)


@cache
def _colours() -> npt.NDArray[np.float32]:
    from matplotlib import colormaps

    return np.asarray(colormaps["viridis"](np.arange(256))[:, :3] * 255, np.float32)
