"""Made-up photos, each unlike the others, and ways to copy them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageOps

from tellapart.data.audit.signature import SIGNATURE, sign


def photo(seed: int, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """Soft colours at several scales, as in a photo; `size` is (width, height)."""
    rng = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0], 3))
    for cells, weight in ((3, 1.0), (7, 0.5), (20, 0.25)):
        coarse = rng.integers(0, 256, (cells, cells, 3)).astype(np.uint8)
        total += weight * np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))
    return Image.fromarray((total / 1.75).astype(np.uint8))


def jpeg(image: Image.Image, quality: int = 80) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def altered(image: Image.Image, how: str) -> bytes:
    """A copy: "saved", "small", "large", "cropped", "brighter", "darker", "mirrored"."""
    width, height = image.size
    match how:
        case "small":
            image = image.resize((width // 2, height // 2))
        case "large":
            image = image.resize((width * 3 // 2, height * 3 // 2))
        case "cropped":  # 5% of each side: 1% left, 4% right, 3% above, 2% below
            image = image.crop(
                (
                    round(width * 0.01),
                    round(height * 0.03),
                    round(width * 0.96),
                    round(height * 0.98),
                )
            )
        case "brighter":
            image = ImageEnhance.Brightness(image).enhance(1.2)
        case "darker":
            image = ImageEnhance.Brightness(image).enhance(0.8)
        case "mirrored":
            image = ImageOps.mirror(image)
    return jpeg(image, quality=50)


COPIES = ("saved", "small", "large", "cropped", "brighter", "darker", "mirrored")


def signatures(*contents: bytes) -> npt.NDArray[Any]:
    """(n,) SIGNATURE."""
    return np.array([sign(content) for content in contents], SIGNATURE)
