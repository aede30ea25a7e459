"""Pictures as data URIs: small ones pixel by pixel as PNG, photos as small JPEG."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from tellapart.images import Pixels

SHOWN_SIDE = 112
"""The longest side of a picture in a list, in CSS pixels."""

PIXELATED_SIDE = 96
"""Up to so many pixels a side a picture is shown with its pixels as squares, none of them lost."""

JPEG_QUALITY = 75


@dataclass(frozen=True)
class Thumbnail:
    """A picture that a page holds.

    Attributes:
        uri: "data:image/...;base64,...".
        width: to show it with, in CSS pixels.
        height: likewise.
        pixelated: whether its pixels are to be seen as squares.
    """

    uri: str
    width: int
    height: int
    pixelated: bool


def thumbnail(pixels: Pixels, side: int = SHOWN_SIDE) -> Thumbnail:
    """Encodes a picture.

    Args:
        pixels: (height, width, 1 or 3) uint8.
        side: the longest side to show it with. Small pictures are enlarged by a whole number.
    """
    height, width = pixels.shape[:2]
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    if max(height, width) <= PIXELATED_SIDE:
        times = max(1, round(side / max(height, width)))
        return Thumbnail(image_uri(image), width * times, height * times, pixelated=True)
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    return Thumbnail(image_uri(image, "JPEG"), image.width, image.height, pixelated=False)


def image_uri(image: Image.Image, kind: Literal["PNG", "JPEG"] = "PNG") -> str:
    """Encodes a Pillow image as a data URI."""
    stream = io.BytesIO()
    image.save(stream, kind, **({"quality": JPEG_QUALITY} if kind == "JPEG" else {}))
    encoded = base64.b64encode(stream.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{encoded}"
