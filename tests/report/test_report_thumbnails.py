"""Pictures in the page: small ones lose no pixel, photos become small."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tellapart.report.thumbnails import Thumbnail, thumbnail

RNG = np.random.default_rng(0)


def opened(shown: Thumbnail) -> Image.Image:
    kind, _, content = shown.uri.partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(content, validate=True)))
    assert kind == f"data:image/{str(image.format).lower()}"
    return image


@pytest.mark.parametrize(("side", "shown"), [(8, 112), (28, 112), (32, 128), (64, 128), (96, 96)])
def test_small_pictures_are_enlarged_by_a_whole_number(side: int, shown: int) -> None:
    pixels = RNG.integers(0, 256, (side, side, 3), dtype=np.uint8)
    found = thumbnail(pixels)
    assert (found.width, found.height, found.pixelated) == (shown, shown, True)
    assert np.array_equal(np.asarray(opened(found)), pixels)


def test_grey_pictures() -> None:
    pixels = RNG.integers(0, 256, (28, 14, 1), dtype=np.uint8)
    found = thumbnail(pixels)
    assert (found.width, found.height) == (56, 112)
    assert opened(found).mode == "L"
    assert np.array_equal(np.asarray(opened(found)), pixels[..., 0])


def test_photos_become_small() -> None:
    pixels = np.full((150, 300, 3), (200, 40, 90), np.uint8)
    found = thumbnail(pixels)
    assert (found.width, found.height, found.pixelated) == (112, 56, False)
    image = opened(found)
    assert (image.format, image.size) == ("JPEG", (112, 56))
    assert np.abs(np.asarray(image).astype(int) - (200, 40, 90)).max() <= 4
