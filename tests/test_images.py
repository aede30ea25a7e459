"""The one decoding path: formats, orientation, depth, transparency, shape."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tellapart.errors import ImageError, UsageError
from tellapart.images import FORMATS, ImageSpec, decode, picture_size, read_file

SPEC = ImageSpec(4, 6, 3)


def encoded(image: Image.Image, format_: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return stream.getvalue()


def ramp(height: int = 4, width: int = 6) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Every pixel differs: red counts rows, green columns, blue is 9."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 20, columns * 20, np.full_like(rows, 9)], axis=2).astype(np.uint8)


@pytest.mark.parametrize("format_", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_give_the_very_pixels(format_: str) -> None:
    options = {"lossless": True} if format_ == "WEBP" else {}
    content = encoded(Image.fromarray(ramp()), format_, **options)
    assert (decode(content, SPEC) == ramp()).all()
    assert picture_size(content) == (4, 6, 3)


@pytest.mark.parametrize("format_", sorted(FORMATS))
def test_every_allowed_format_decodes(format_: str) -> None:
    grey = Image.new("RGB", (6, 4), (100, 100, 100))
    pixels = decode(encoded(grey, format_), SPEC)
    assert pixels.shape == (4, 6, 3)
    assert np.abs(pixels.astype(int) - 100).max() <= 2


@pytest.mark.parametrize("format_", ["PCX", "PPM", "TGA", "ICO", "DDS", "EPS"])
def test_other_formats_are_refused_whatever_the_name_says(format_: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(Image.new("RGB", (32, 32)), format_))
    with pytest.raises(ImageError, match=r"photo.jpg: is .*expected JPEG, PNG, WEBP"):
        decode(path, SPEC)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_exif_orientations(orientation: int) -> None:
    upright = ramp()
    # How each orientation is stored, by its definition in the EXIF standard (tag 0x0112).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)
    assert (decode(content, SPEC) == upright).all()
    assert picture_size(content) == (4, 6, 3)


def test_sixteen_bits_become_eight_by_257() -> None:
    deep = np.array([[0, 257, 128, 129], [65535, 32896, 32767, 12850]], np.uint16)
    content = encoded(Image.fromarray(deep), "PNG")
    # 129/257 rounds to 1 (128/257 = 0.498 to 0); 32896 = 128*257; 32767/257 = 127.5 - 0.002
    assert decode(content, ImageSpec(2, 4, 1))[:, :, 0].tolist() == [
        [0, 1, 0, 1],
        [255, 128, 127, 50],
    ]


def test_transparency_shows_the_background() -> None:
    half = Image.new("RGBA", (1, 1), (200, 100, 0, 51))  # 51/255 = 20% opaque
    spec = ImageSpec(1, 1, 3, background=(0, 0, 100))
    # 0.2 * (200, 100, 0) + 0.8 * (0, 0, 100)
    assert decode(encoded(half, "PNG"), spec)[0, 0].tolist() == [40, 20, 80]


@pytest.mark.parametrize("mode", ["LA", "P", "RGB", "L"])
def test_transparency_of_every_kind(mode: str) -> None:
    if mode == "LA":
        content = encoded(Image.new("LA", (2, 2), (7, 0)), "PNG")
    else:
        image = Image.new(mode, (2, 2), 0)
        content = encoded(image, "PNG", transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert decode(content, ImageSpec(2, 2, 3)).tolist() == [[[255] * 3] * 2] * 2


def test_cmyk_is_converted() -> None:
    cyan = encoded(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG")
    red, green, blue = decode(cyan, ImageSpec(8, 8, 3))[4, 4].tolist()
    assert red < 30
    assert min(green, blue) > 200


def test_the_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(content, ImageSpec(4, 4, 3))[0, 0].tolist() == [255, 0, 0]


def test_colour_becomes_grey_by_luma() -> None:
    content = encoded(Image.new("RGB", (2, 2), (255, 0, 0)), "PNG")
    # ITU-R 601: 0.299 of red
    assert decode(content, ImageSpec(2, 2, 1))[0, 0, 0] == 76
    grey = encoded(Image.new("L", (2, 2), 9), "PNG")
    assert decode(grey, ImageSpec(2, 2, 3))[0, 0].tolist() == [9, 9, 9]
    assert picture_size(grey) == (2, 2, 1)


def test_width_and_height_are_not_swapped_by_any_rule() -> None:
    content = encoded(Image.fromarray(ramp(40, 60)), "PNG")
    for resize in ("squash", "crop", "pad"):
        assert decode(content, ImageSpec(5, 9, 3, resize)).shape == (5, 9, 3)


def test_crop_keeps_the_middle_and_pad_keeps_everything() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    content = encoded(Image.fromarray(wide), "PNG")
    assert decode(content, ImageSpec(10, 10, 3, "crop")).min() == 255
    padded = decode(content, ImageSpec(30, 30, 3, "pad", background=(1, 2, 3)))
    assert padded[0, 0].tolist() == [1, 2, 3]
    assert padded[29, 29].tolist() == [1, 2, 3]
    assert padded[15, 15].tolist() == [255] * 3
    assert padded[15, 2].tolist() == [0] * 3


def test_resizing_is_antialiased() -> None:
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    shrunk = decode(encoded(Image.fromarray(stripes), "PNG"), ImageSpec(8, 8, 1))
    assert np.abs(shrunk[:, 1:-1].astype(int) - 127).max() <= 10


def test_a_large_jpeg_is_drafted_to_nearly_the_same_pixels() -> None:
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize((1600, 1200))
    spec = ImageSpec(60, 80, 3)
    drafted = decode(encoded(smooth, "JPEG", quality=95), spec).astype(int)
    straight = decode(encoded(smooth, "PNG"), spec).astype(int)
    assert np.abs(drafted - straight).mean() < 1.5


def test_path_bytes_array_and_image_agree(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    image = Image.fromarray(ramp(9, 11))
    image.save(path)
    results = [decode(raw, SPEC) for raw in (path, path.read_bytes(), np.asarray(image), image)]
    assert all((result == results[0]).all() for result in results)
    assert image.size == (11, 9)  # what was passed in is not changed


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"%PDF-1.7 ...", "is a PDF document, not a picture"),
        (b"<html><body>not found", "is a web page"),
        (b"\0\0\0\x20ftypheic0000", "is a HEIC, AVIF or video file; .* Export it as JPEG first"),
        (b"8BPS\0\x01", "is a Photoshop document"),
        (b"hello world", "is not a picture that can be read, or its start is damaged"),
    ],
)
def test_what_is_no_picture_is_named(content: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=f"odd.jpg: .*{reason}") as caught:
        decode(content, SPEC, "odd.jpg")
    assert caught.value.name == "odd.jpg"


def test_a_truncated_file() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = encoded(Image.fromarray(noise), "JPEG")
    with pytest.raises(ImageError, match=r"cut.jpg: is cut short \(truncated\)"):
        decode(content[: len(content) // 2], SPEC, "cut.jpg")


def test_a_picture_that_claims_too_many_pixels_is_refused_unread() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    with pytest.raises(ImageError, match=r"bomb.png: has more than 178 million pixels"):
        decode(bomb, SPEC, "bomb.png")


def test_a_missing_file_a_folder_and_a_pipe(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"absent.png: no such file or directory"):
        decode(tmp_path / "absent.png", SPEC)
    with pytest.raises(ImageError, match="is not a file"):
        decode(tmp_path, SPEC)
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="is not a file"):
        decode(tmp_path / "pipe.jpg", SPEC)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((4, 6, 2), np.uint8), ((4, 6), np.float32), ((0, 6), np.uint8), ((3,), np.uint8)],
)
def test_pixels_of_another_shape_or_type(shape: tuple[int, ...], kind: type) -> None:
    with pytest.raises(ImageError, match="pixels of shape"):
        decode(np.zeros(shape, kind), SPEC)


def test_one_pixel() -> None:
    content = encoded(Image.new("RGB", (1, 1), (5, 6, 7)), "PNG")
    assert decode(content, SPEC).reshape(-1, 3).tolist() == [[5, 6, 7]] * 24


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(FORMATS)),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    st.floats(0, 1),
)
def test_a_mutated_picture_decodes_or_is_an_image_error(
    format_: str, changes: list[tuple[float, int]], keep: float
) -> None:
    content = bytearray(encoded(Image.fromarray(ramp(24, 32)), format_))
    for place, value in changes:
        content[min(int(place * len(content)), len(content) - 1)] = value
    content = content[: max(1, int(keep * len(content)))] if keep < 0.9 else content
    try:
        assert decode(bytes(content), SPEC).shape == (4, 6, 3)
    except ImageError as error:
        assert error.reason


def test_a_spec_round_trips_and_refuses_what_it_does_not_know() -> None:
    spec = ImageSpec(5, 9, 1, "pad", "lanczos", (1, 2, 3))
    assert ImageSpec.from_json(spec.to_json()) == spec
    with pytest.raises(UsageError, match="expected exactly background, channels, height"):
        ImageSpec.from_json(spec.to_json() | {"crop": 1})
    with pytest.raises(UsageError, match="background 'white': expected 3 values"):
        ImageSpec.from_json(spec.to_json() | {"background": "white"})


def test_limits_can_be_raised_and_lowered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.new("L", (40, 30)).save(file)
    monkeypatch.setenv("TELLAPART_MAX_PIXELS", "1199")
    reason = r"has more than 0 million pixels, .* \(TELLAPART_MAX_PIXELS raises it\)"
    for raw in (file, file.read_bytes()):
        with pytest.raises(ImageError, match=reason):
            decode(raw, SPEC)
    monkeypatch.setenv("TELLAPART_MAX_PIXELS", "1200")
    assert decode(file, SPEC).shape == SPEC.shape
    monkeypatch.setenv("TELLAPART_MAX_FILE", str(file.stat().st_size - 1))
    with pytest.raises(ImageError, match=r"most that is opened \(TELLAPART_MAX_FILE raises it\)"):
        decode(file, SPEC)
    monkeypatch.setenv("TELLAPART_MAX_FILE", "some")
    with pytest.raises(UsageError, match="TELLAPART_MAX_FILE=some: expected a number such as"):
        decode(file, SPEC)


def test_pillows_own_limit_is_raised_with_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    Image.new("L", (40, 30)).save(stream, "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)  # Pillow refuses twice as many
    monkeypatch.setenv("TELLAPART_MAX_PIXELS", "900")
    with pytest.raises(ImageError, match="has more than 0 million pixels"):
        decode(stream.getvalue(), SPEC)
    monkeypatch.setenv("TELLAPART_MAX_PIXELS", "1200")
    assert decode(stream.getvalue(), SPEC).shape == SPEC.shape


def test_a_file_is_read_whole_or_not(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"content")
    os.mkfifo(tmp_path / "pipe.png")
    assert read_file(tmp_path / "a.png", "a") == b"content"
    for name, reason in (
        ("b.png", "no such file or directory"),
        ("pipe.png", "is not a file"),
        ("a\0.png", "embedded null byte"),
    ):
        with pytest.raises(ImageError, match=reason):
            read_file(tmp_path / name, name)
