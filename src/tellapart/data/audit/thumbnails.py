"""Thumbnails of pictures: luma, and coarse chroma behind it.

The whole picture is squashed to SIDE x SIDE. The bytes are SIDE * SIDE of luma (ITU-R 601), then
CHROMA_SIDE * CHROMA_SIDE each of Cb and Cr, 128 where the picture is grey.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 32
"""Height and width of a thumbnail."""

CHROMA_SIDE = 8

Planes = npt.NDArray[np.uint8]

_NO_CHROMA = bytes([128]) * (2 * CHROMA_SIDE**2)


def thumbnail(image: Image.Image) -> bytes:
    """Makes the thumbnail of a picture of mode "L" or "RGB"."""
    small = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    if small.mode == "L":
        return small.tobytes() + _NO_CHROMA
    colours = small.convert("YCbCr")
    coarse = colours.reduce(SIDE // CHROMA_SIDE).tobytes()
    return colours.tobytes()[::3] + coarse[1::3] + coarse[2::3]


def thumbnails(pixels: npt.NDArray[np.uint8]) -> tuple[Planes, Planes]:
    """Makes what `thumbnail` makes of each of several square pictures of one size, to the bit.

    Below each other they are one picture, which is made narrower; then on their sides, again.
    Pillow, too, takes one direction after the other, and rounds in between; of pictures that are
    not square it may take the other one first.

    Args:
        pixels: (k, side, side, 1 or 3) uint8.

    Returns:
        (k, SIDE, SIDE) luma and (k, 2, CHROMA_SIDE, CHROMA_SIDE) chroma, uint8.
    """
    count, *_, channels = pixels.shape
    small = _narrowed(_narrowed(pixels).swapaxes(1, 2)).swapaxes(1, 2)
    if channels == 1:
        return small[..., 0], np.full((count, 2, CHROMA_SIDE, CHROMA_SIDE), 128, np.uint8)
    colours = _pile(small).convert("YCbCr")
    luma = np.asarray(colours).reshape(count, SIDE, SIDE, 3)[..., 0]
    coarse = np.asarray(colours.reduce(SIDE // CHROMA_SIDE))
    chroma = coarse.reshape(count, CHROMA_SIDE, CHROMA_SIDE, 3)[..., 1:]
    return luma, chroma.transpose(0, 3, 1, 2)


def _narrowed(pixels: npt.NDArray[np.uint8]) -> Planes:
    """Brings (k, height, width, channels) to a width of SIDE."""
    count, height, _, channels = pixels.shape
    narrow = _pile(pixels).resize((SIDE, count * height), Image.Resampling.BILINEAR)
    return np.asarray(narrow).reshape(count, height, SIDE, channels)


def _pile(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    """One picture of (k, height, width, channels), below each other."""
    _, _, width, channels = pixels.shape
    rows = np.ascontiguousarray(pixels).reshape(-1, width, channels)
    return Image.fromarray(rows[..., 0] if channels == 1 else rows)
