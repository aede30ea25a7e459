"""Signatures: what of a picture is kept."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data.audit.signature import SIGNATURE, SignAndDecode, format_name, sign
from tellapart.errors import ImageError
from tellapart.images import ImageSpec, Raw
from tests.data.audit.pictures import jpeg, photo


def test_size_format_and_thumbnail(tmp_path: Path) -> None:
    left_half_white = np.zeros((64, 96), np.uint8)
    left_half_white[:, :48] = 255
    path = tmp_path / "named.jpg"
    Image.fromarray(left_half_white).save(path, "PNG")
    row = sign(path)
    assert [int(row[name]) for name in ("height", "width")] == [64, 96]
    assert format_name(int(row["format"])) == "PNG"
    assert (row["grey"][:, :14] == 255).all()  # 32 columns: 16 are white, antialiased between
    assert (row["grey"][:, 18:] == 0).all()
    assert (row["chroma"] == 128).all()


def test_colour_is_kept_apart_from_brightness() -> None:
    # ITU-R 601, red 255: Y 76.2, Cb 128 - 0.1687 * 255 = 85, Cr 128 + 0.5 * 255 = 255
    row = sign(np.full((40, 40, 3), (255, 0, 0), np.uint8))
    assert (row["grey"] == 76).all()
    assert (np.abs(row["chroma"][0].astype(int) - 85) <= 1).all()
    assert (row["chroma"][1] == 255).all()
    assert format_name(int(row["format"])) == ""


def test_the_sizes_are_those_of_the_upright_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    photo(0, (400, 200)).save(stream, "JPEG", exif=exif)
    row = sign(stream.getvalue())
    assert [int(row[name]) for name in ("height", "width")] == [400, 200]


@pytest.mark.parametrize("size", [(40, 30), (800, 600)])
def test_metadata_does_not_change_the_digest_of_the_pixels(size: tuple[int, int]) -> None:
    content = jpeg(photo(1, size))
    comment = b"\xff\xfe\x00\x0bsome text"
    with_comment = content[:2] + comment + content[2:]
    other = jpeg(photo(2, size))
    first, second, third = (sign(raw)["pixels"].tobytes() for raw in (content, with_comment, other))
    assert first == second != third


def test_the_same_pixels_in_other_formats_have_the_same_digest() -> None:
    digests = set()
    for format_ in ("PNG", "BMP", "TIFF"):
        stream = io.BytesIO()
        photo(3).save(stream, format_)
        digests.add(sign(stream.getvalue())["pixels"].tobytes())
    assert len(digests) == 1


@pytest.mark.parametrize("spec", [ImageSpec(28, 28, 1), ImageSpec(24, 24), ImageSpec(20, 24)])
@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1), (24, 24, 3), (20, 24, 3), (200, 9, 3)])
def test_many_at_once_are_the_same(spec: ImageSpec, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, *shape), dtype=np.uint8)
    make = SignAndDecode(spec)
    for raw, row in zip(pixels, make.together(list(pixels), ["x"] * 7), strict=True):
        assert isinstance(row, np.ndarray)
        np.testing.assert_array_equal(row, make(raw, "x"))


def test_of_many_at_once_each_may_fail() -> None:
    raws: list[Raw] = [np.zeros((8, 6, 3), np.uint8), b"%PDF-1.7", jpeg(photo(0))]
    names = ["pixels", "odd.png", "photo.jpg"]
    make = SignAndDecode(ImageSpec(8, 6))
    first, failed, last = make.together(raws, names)
    assert isinstance(failed, ImageError)
    assert str(failed).startswith("odd.png: is a PDF document")
    np.testing.assert_array_equal(first, make(raws[0], "pixels"))
    np.testing.assert_array_equal(last, make(raws[2], "photo.jpg"))


def test_what_cannot_be_decoded() -> None:
    with pytest.raises(ImageError, match="odd.png: is a PDF document"):
        sign(b"%PDF-1.7", "odd.png")


def test_a_signature_stays_small() -> None:
    assert SIGNATURE.itemsize <= 2048
