"""Colours on their way to 8 bits of sRGB: profiles, depths, inks, pages. See `test_images`."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.colours import MAX_PROFILE_BYTES
from tellapart.errors import ImageError
from tellapart.images import ImageSpec, decode, load_image
from tests.icc import BLUE, GREEN, RED, cmyk_profile, grey_profile, rgb_profile

SPEC = ImageSpec(2, 2, 3)


def encoded(image: Image.Image, format_: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return stream.getvalue()


def pixel(content: bytes, spec: ImageSpec = SPEC) -> list[int]:
    decoded: list[int] = decode(content, spec)[0, 0].tolist()
    return decoded


def one_colour(mode: str, colour: Any) -> Image.Image:
    return Image.new(mode, (2, 2), colour)


# Light in proportion to the value: 128/255 = 0.50196 of the light. sRGB writes that as
# 1.055 * 0.50196^(1/2.4) - 0.055 = 0.7366, times 255 is 187.8.
HALF = 188


def test_a_profile_brings_colours_to_srgb() -> None:
    content = encoded(one_colour("RGB", (128, 255, 0)), icc_profile=rgb_profile())
    assert np.abs(np.subtract(pixel(content), (HALF, 255, 0))).max() <= 1


def test_a_profile_with_red_and_green_exchanged() -> None:
    swapped = rgb_profile(GREEN, RED, BLUE)
    content = encoded(one_colour("RGB", (255, 0, 0)), icc_profile=swapped)
    assert np.abs(np.subtract(pixel(content), (0, 255, 0))).max() <= 1


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_profiles_are_found_in_every_format_that_has_them(format_: str) -> None:
    image = Image.new("RGB", (16, 16), (128, 128, 128))
    options = {"lossless": True} if format_ == "WEBP" else {}
    content = encoded(image, format_, icc_profile=rgb_profile(), **options)
    assert np.abs(np.subtract(pixel(content), HALF)).max() <= 2


def test_a_grey_profile() -> None:
    content = encoded(one_colour("L", 128), icc_profile=grey_profile())
    assert abs(pixel(content, ImageSpec(2, 2, 1))[0] - HALF) <= 1
    assert load_image(content).image.mode == "L"


def test_a_press_profile() -> None:
    for ink, light in (((0, 0, 0, 0), 255), ((255, 0, 0, 0), 0)):
        image = Image.new("CMYK", (16, 16), ink)
        content = encoded(image, "JPEG", quality=95, icc_profile=cmyk_profile())
        assert np.abs(np.subtract(pixel(content), light)).max() <= 6


def test_transparency_survives_the_profile() -> None:
    image = one_colour("RGBA", (128, 128, 128, 51))  # 20% opaque
    content = encoded(image, icc_profile=rgb_profile())
    # 0.2 * 188 + 0.8 * 255 = 241.6
    assert np.abs(np.subtract(pixel(content), 241.6)).max() <= 1.1
    palette = one_colour("P", 0)
    palette.putpalette([128, 128, 128])
    content = encoded(palette, transparency=0, icc_profile=rgb_profile())
    assert pixel(content) == [255, 255, 255]


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile at all",
        rgb_profile()[:150],
        grey_profile(),  # of other colours than the picture's
        rgb_profile(name="sRGB IEC61966-2.1"),  # it is sRGB already, whatever it holds
        rgb_profile() + bytes(MAX_PROFILE_BYTES),
    ],
    ids=["nonsense", "cut short", "grey", "sRGB", "too large"],
)
def test_profiles_that_are_ignored(profile: bytes) -> None:
    content = encoded(one_colour("RGB", (128, 7, 200)), icc_profile=profile, format_="TIFF")
    assert pixel(content) == [128, 7, 200]


def test_pictures_without_a_profile_do_not_import_colour_management() -> None:
    program = (
        "import sys, io; from PIL import Image; from tellapart.images import ImageSpec, decode\n"
        "stream = io.BytesIO(); Image.new('RGB', (4, 4)).save(stream, 'PNG')\n"
        "decode(stream.getvalue(), ImageSpec(2, 2)); print('PIL.ImageCms' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"False"


# --- Depth --------------------------------------------------------------------------------------


def png(width: int, height: int, depth: int, colour: int, pixels: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(pixels))
    return b"\x89PNG\r\n\x1a\n" + header + body + chunk(b"IEND", b"")


def tiff(width: int, height: int, bits: int, samples: int, pixels: bytes) -> bytes:
    """An uncompressed little-endian TIFF with one strip."""
    offset = 8 + len(pixels)
    widths = struct.pack(f"<{samples}H", *[bits] * samples)
    tags = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, samples, bits), (259, 3, 1, 1),
        (262, 3, 1, 2 if samples == 3 else 1), (273, 4, 1, 8), (277, 3, 1, samples),
        (278, 3, 1, height), (279, 4, 1, len(pixels)),
    ]  # fmt: skip
    place = offset + 2 + 12 * len(tags) + 4
    entries = b"".join(
        struct.pack("<HHII", tag, kind, number, place if number > 2 else value)
        for tag, kind, number, value in tags
    )
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", offset) + pixels + directory + widths


def test_sixteen_bits_of_colour_keep_the_upper_byte() -> None:
    values = (0x12FF, 0x8000, 0xFFFF)
    big = b"\0" + struct.pack(">3H", *values)  # a filter byte, then a row
    assert pixel(png(1, 1, 16, 2, big), ImageSpec(1, 1, 3)) == [0x12, 0x80, 0xFF]
    little = struct.pack("<3H", *values)
    assert pixel(tiff(1, 1, 16, 3, little), ImageSpec(1, 1, 3)) == [0x12, 0x80, 0xFF]


def test_sixteen_bits_of_grey_are_rounded() -> None:
    # 0x12FF = 4863; 4863 / 257 = 18.92
    assert pixel(png(1, 1, 16, 0, b"\0\x12\xff"), ImageSpec(1, 1, 1)) == [19]
    assert pixel(tiff(1, 1, 16, 1, b"\xff\x12"), ImageSpec(1, 1, 1)) == [19]


@pytest.mark.parametrize("value", [0, 200, 70_000])
def test_thirty_two_bits_are_refused_since_nothing_says_what_is_white(value: int) -> None:
    content = tiff(1, 1, 32, 1, struct.pack("<I", value))
    words = "holds 32-bit whole numbers; save it with 8 or 16 bits a channel"
    with pytest.raises(ImageError, match=words):
        decode(content, ImageSpec(1, 1, 1), "cells.tif")
    with pytest.raises(ImageError, match=words):
        decode(Image.open(io.BytesIO(content)), ImageSpec(1, 1, 1))


def test_sixteen_bits_that_pillow_holds_in_thirty_two() -> None:
    # 65535 / 257 = 255; 32896 / 257 = 128; 0x12FF / 257 = 18.92
    deep = Image.fromarray(np.array([[0, 65535, 32896, 0x12FF]], np.int32))
    assert deep.mode == "I"
    assert decode(deep, ImageSpec(1, 4, 1))[0, :, 0].tolist() == [0, 255, 128, 19]


@pytest.mark.parametrize(("lowest", "highest"), [(-1, 65535), (0, 65536)])
def test_whole_numbers_beyond_sixteen_bits_are_refused(lowest: int, highest: int) -> None:
    odd = Image.fromarray(np.array([[lowest, highest]], np.int32))
    words = f"holds whole numbers from {lowest} to {highest:,}; expected 0 to 65,535: save it"
    with pytest.raises(ImageError, match=words):
        decode(odd, ImageSpec(1, 2, 1))


def test_one_and_four_bits() -> None:
    assert pixel(png(1, 1, 1, 0, b"\0\x80"), ImageSpec(1, 1, 1)) == [255]
    assert pixel(png(1, 1, 4, 0, b"\0\x50"), ImageSpec(1, 1, 1)) == [5 * 17]


def test_grey_with_transparency_on_the_background() -> None:
    spec = ImageSpec(1, 1, 3, background=(0, 100, 200))
    # 0.4 * 50 + 0.6 * (0, 100, 200); 102/255 = 0.4
    content = encoded(Image.new("LA", (1, 1), (50, 102)))
    assert pixel(content, spec) == [20, 80, 140]


# --- Kinds of JPEG, several frames --------------------------------------------------------------


def test_ycck() -> None:
    # Pillow writes inverted inks as they are and says so in the Adobe marker: transform 0. With
    # transform 2 the first three are Y, Cb and Cr. Of inks (155, 127, 127, 0) Y is 100 and Cb and
    # Cr are 128, so the paper reflects 255 - 100 = 155 of each colour.
    content = encoded(Image.new("CMYK", (16, 16), (155, 127, 127, 0)), "JPEG", quality=100)
    adobe = content.index(b"Adobe")
    assert content[adobe + 11] == 0
    patched = content[: adobe + 11] + b"\x02" + content[adobe + 12 :]
    assert np.abs(np.subtract(pixel(patched), 155)).max() <= 2


def test_progressive_is_the_same_picture() -> None:
    rows, columns = np.mgrid[0:64, 0:64]
    image = Image.fromarray(np.stack([rows * 4, columns * 4, rows + columns], 2).astype(np.uint8))
    baseline = decode(encoded(image, "JPEG", quality=90), ImageSpec(64, 64))
    progressive = decode(encoded(image, "JPEG", quality=90, progressive=True), ImageSpec(64, 64))
    assert (baseline == progressive).all()


@pytest.mark.parametrize("format_", ["GIF", "PNG", "TIFF", "WEBP"])
def test_the_first_of_several_frames(format_: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    options = {"lossless": True} if format_ == "WEBP" else {}
    content = encoded(frames[0], format_, save_all=True, append_images=frames[1:], **options)
    assert pixel(content) == [255, 0, 0]


def test_the_true_size_and_format_of_a_drafted_picture_on_its_side() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(Image.new("RGB", (800, 400)), "JPEG", exif=exif)
    loaded = load_image(content, draft_size=50)
    assert (loaded.height, loaded.width, loaded.format) == (800, 400, "JPEG")
    assert loaded.image.size == (50, 100)  # 1/8 of it, upright


# --- More pixels than are decoded ---------------------------------------------------------------


def test_four_hundred_megapixels_are_refused_by_their_header() -> None:
    reason = "has more than 178 million pixels, the most that is decoded"
    with pytest.raises(ImageError, match=reason):
        decode(png(20_000, 20_000, 8, 2, b""), SPEC, "wide.png")
    content = bytearray(encoded(Image.new("RGB", (16, 16)), "JPEG"))
    frame = content.index(b"\xff\xc0")  # the start of frame: length, precision, height, width
    content[frame + 5 : frame + 9] = struct.pack(">HH", 20_000, 20_000)
    with pytest.raises(ImageError, match=reason):
        decode(bytes(content), SPEC, "wide.jpg")
