"""Thumbnails, of one picture and of many at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tellapart.data.audit.thumbnails import CHROMA_SIDE, SIDE, thumbnail, thumbnails


def test_of_one_colour() -> None:
    red = Image.new("RGB", (5, 7), (255, 0, 0))
    # ITU-R 601: Y = 0.299 R; Cb = 128 - 0.1687 R, cut off; Cr = 128 + 0.5 R.
    planes = [(76, SIDE**2), (84, CHROMA_SIDE**2), (255, CHROMA_SIDE**2)]
    assert thumbnail(red) == b"".join(bytes([value]) * count for value, count in planes)
    grey = Image.new("L", (7, 5), 9)
    assert thumbnail(grey) == bytes([9]) * SIDE**2 + bytes([128]) * (2 * CHROMA_SIDE**2)


@settings(deadline=None)
@given(
    side=st.integers(1, 130),
    channels=st.sampled_from([1, 3]),
    count=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_many_at_once_are_the_same(side: int, channels: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Few values, extreme ones among them: what is rounded in between would show.
    values = np.array([0, 1, 127, 128, 254, 255, *rng.integers(0, 256, 4)], np.uint8)
    pixels = rng.choice(values, size=(count, side, side, channels))
    luma, chroma = thumbnails(pixels)
    for place, own in enumerate(pixels):
        image = Image.fromarray(own[..., 0] if channels == 1 else own)
        assert luma[place].tobytes() + chroma[place].tobytes() == thumbnail(image)
