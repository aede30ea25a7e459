"""From a picture file to pixels: the one path that training, prediction and tests share.

`ImageSpec` says what a network sees; `decode` makes it so. What is trained is what is deployed
because every caller decodes here, and because the spec travels inside the classifier file.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from tellapart.colours import is_grey, luma, refuse_32_bits, to_mode
from tellapart.errors import ImageError, UsageError
from tellapart.limits import MAX_FILE_BYTES, MAX_PIXELS

Pixels = npt.NDArray[np.uint8]
"""A picture, (height, width, channels) uint8, or a batch of them, (n, height, width, channels)."""

Raw = bytes | Path | npt.NDArray[Any] | Image.Image
"""A picture before it is decoded: an encoded file's content, its path, pixels, a Pillow image."""

Resize = Literal["crop", "pad", "squash"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
"""The only formats that are ever decoded, whatever a file's name says."""

EXTENSIONS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp")
)
"""Names that end so are taken for pictures when a folder or an archive is listed."""

DECODING = 3
"""Raised when `decode` makes other pixels of the same picture; what is kept of them is then stale.

1: as first published. 2: colours are brought to sRGB where a picture has an ICC profile.
3: whole numbers that are no 16 bits are refused.
"""

LARGE_PIXELS = 40_000_000
"""Pictures with more are decoded one at a time: each takes up to 19 bytes a pixel meanwhile."""

WHITE = (255, 255, 255)

_KNOWN_CONTENT = {
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript document",
    b"\xc5\xd0\xd3\xc6": "a PostScript document",
    b"8BPS": "a Photoshop document",
    b"PK\x03\x04": "a zip archive or office document",
    b"\x1f\x8b": "a gzip archive",
    b"<svg": "an SVG drawing",
    b"<htm": "a web page",
    b"<!do": "a web page",
    b"<!DO": "a web page",
    b"<?xm": "an XML document",
}


@dataclass(frozen=True)
class ImageSpec:
    """What a network sees of a picture file.

    Attributes:
        height: in pixels.
        width: in pixels.
        channels: 1 (grey, ITU-R 601 luma) or 3 (red, green, blue).
        resize: how a picture of another shape is made to fit: "squash" ignores its aspect ratio
            (as Keras does by default), "crop" keeps it and cuts what sticks out on both sides,
            "pad" keeps it and adds bars of `background`.
        interpolation: the resampling filter; all but "nearest" are antialiased.
        background: red, green, blue behind transparent pixels and in padded bars.

    Whatever the spec: EXIF orientation is applied, colours are brought to sRGB where the picture
    has an ICC profile, and of an animation the first frame is taken. 16 bits a channel become 8:
    in grey pictures by rounding value / 257, in colour by the upper byte, as Pillow's decoders do.
    """

    height: int
    width: int
    channels: int = 3
    resize: Resize = "squash"
    interpolation: Interpolation = "bilinear"
    background: tuple[int, int, int] = WHITE

    def __post_init__(self) -> None:
        for axis in ("height", "width"):
            size = getattr(self, axis)
            if not isinstance(size, int) or not 1 <= size <= 4096:
                raise UsageError(f"Image {axis} {size!r}: expected a whole number from 1 to 4096.")
        if self.channels not in (1, 3):
            raise UsageError(f"Image channels {self.channels!r}: expected 1 (grey) or 3 (colour).")
        for name, known in (("resize", Resize), ("interpolation", Interpolation)):
            if getattr(self, name) not in get_args(known):
                raise UsageError(
                    f"Image {name} {getattr(self, name)!r}: expected one of "
                    f"{', '.join(get_args(known))}."
                )
        if len(self.background) != 3 or not all(
            isinstance(value, int) and 0 <= value <= 255 for value in self.background
        ):
            raise UsageError(f"Image background {self.background!r}: expected 3 values, 0 to 255.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return (self.height, self.width, self.channels)

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name, for the classifier file and `run.json`."""
        return asdict(self) | {"background": list(self.background)}

    @classmethod
    def from_json(cls, value: Any) -> ImageSpec:
        """Reads what `to_json` wrote.

        Raises:
            UsageError: a field is missing, unknown or out of range.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(value, dict) or set(value) != names:
            raise UsageError(f"Image spec {value!r}: expected exactly {', '.join(sorted(names))}.")
        background = value["background"]
        if not isinstance(background, list):
            raise UsageError(f"Image background {background!r}: expected 3 values, 0 to 255.")
        return cls(**(value | {"background": tuple(background)}))


def decode(raw: Raw, spec: ImageSpec, name: str = "") -> Pixels:
    """Decodes, orients, converts and resizes one picture.

    Args:
        raw: the file's bytes or path, pixels as (height, width) or (height, width, channels)
            uint8 with 1, 3 or 4 channels, or a Pillow image.
        spec: what to make of it.
        name: what errors call the picture; a path names itself.

    Returns:
        `spec.shape` uint8 pixels, writable.

    Raises:
        ImageError: the picture is not of an allowed format, damaged, or too large.
    """
    name = _name(raw, name)
    mode: Literal["L", "RGB"] = "L" if spec.channels == 1 else "RGB"
    with _translated_errors(name):
        opened, size = _open_drafted(raw, name, draft_size(spec))
        with _alone_if_large(opened, name):
            return fit(_load(opened, size, mode, name, spec.background).image, spec)


def draft_size(spec: ImageSpec) -> int:
    """Returns how many pixels a side of a JPEG are decoded at the least, if it has them."""
    return 2 * max(spec.shape[:2])  # twice the target keeps the antialiasing


@dataclass(frozen=True, eq=False)
class Loaded:
    """A decoded picture.

    Attributes:
        image: Pillow's, upright, in mode "L" or "RGB".
        height: of the picture in pixels, upright; `image` is smaller where detail was left out.
        width: of the picture.
        format: what the content is, one of `FORMATS`, whatever the name says; None: pixels.
    """

    image: Image.Image
    height: int
    width: int
    format: str | None


def load_image(
    raw: Raw,
    mode: Literal["L", "RGB"] | None = None,
    name: str = "",
    *,
    background: tuple[int, int, int] = WHITE,
    draft_size: int | None = None,
) -> Loaded:
    """Decodes and orients one picture, and brings its colours to 8 bits of sRGB.

    Args:
        raw: see `decode`.
        mode: Pillow's: "L" (grey) or "RGB"; None keeps a grey picture grey and makes all others
            RGB.
        name: what errors call the picture; a path names itself.
        background: red, green, blue behind transparent pixels.
        draft_size: a JPEG may leave out detail while it decodes, as long as each side keeps so
            many pixels or all it has: much faster.

    Raises:
        ImageError: the picture is not of an allowed format, damaged, or too large.
    """
    name = _name(raw, name)
    with _translated_errors(name):
        opened, size = _open_drafted(raw, name, draft_size)
        with _alone_if_large(opened, name):
            return _load(opened, size, mode, name, background)


class LargeImageError(ImageError):
    """A picture of more than `LARGE_PIXELS`, while these are refused."""


@contextlib.contextmanager
def refusing_large() -> Iterator[None]:
    """Inside, a picture that is to be decoded alone raises LargeImageError.

    For a process that is one of several, and cannot know what the others decode.
    """
    token = _refuses_large.set(True)
    try:
        yield
    finally:
        _refuses_large.reset(token)


_refuses_large = ContextVar("refuses_large", default=False)
_one_large_at_a_time = threading.Lock()


@contextlib.contextmanager
def _alone_if_large(opened: Image.Image, name: str) -> Iterator[None]:
    if opened.width * opened.height <= LARGE_PIXELS:
        yield
    elif _refuses_large.get():
        raise LargeImageError(name, f"has more than {LARGE_PIXELS // 10**6} million pixels")
    else:
        with _one_large_at_a_time:
            yield


def _open_drafted(
    raw: Raw, name: str, draft_size: int | None
) -> tuple[Image.Image, tuple[int, int]]:
    """Opens a picture, its pixels not decoded yet; see `load_image`. Returns its full size too."""
    opened = _open(raw, name)
    size = opened.size
    if draft_size is not None:
        opened.draft(None, (draft_size, draft_size))
    return opened, size


def _load(
    opened: Image.Image,
    size: tuple[int, int],
    mode: Literal["L", "RGB"] | None,
    name: str,
    background: tuple[int, int, int],
) -> Loaded:
    width, height = size
    opened.load()
    if _lies_on_its_side(opened):
        width, height = height, width
    ImageOps.exif_transpose(opened, in_place=True)  # a second copy may take gigabytes
    return Loaded(to_mode(opened, mode, background, name), height, width, opened.format)


def picture_size(raw: Raw, name: str = "") -> tuple[int, int, int]:
    """Reads a picture's header: height and width as it is looked at, and 1 or 3 channels.

    Raises:
        ImageError: see `decode`.
    """
    name = _name(raw, name)
    with _translated_errors(name):
        image = _open(raw, name)
        width, height = image.size
        # Of a PNG, Pillow looks for EXIF behind the pixels and decodes them all on the way.
        if (image.format != "PNG" or "exif" in image.info) and _lies_on_its_side(image):
            width, height = height, width
        return height, width, 1 if is_grey(image) else 3


def _lies_on_its_side(image: Image.Image) -> bool:
    return bool(image.getexif().get(0x0112, 1) >= 5)  # the orientations that swap the sides


def _name(raw: Raw, name: str) -> str:
    return name or (str(raw) if isinstance(raw, Path) else "picture")


@contextlib.contextmanager
def _translated_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (ImageError, UsageError):
        raise
    except Exception as error:  # decoders raise almost anything on damaged input
        raise ImageError(name, _reason(error)) from error


def _open(raw: Raw, name: str) -> Image.Image:
    if isinstance(raw, Image.Image):
        refuse_32_bits(raw, name)
        return raw.copy()
    if isinstance(raw, np.ndarray):
        return _from_array(raw, name)
    if isinstance(raw, Path):
        status = raw.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(name, "is not a file")
        size = status.st_size
    else:
        size = len(raw)
    if size == 0:
        raise ImageError(name, "the file is empty")
    refuse_large_file(size, name)
    limit = _allow(MAX_PIXELS.value)
    try:
        opened = Image.open(raw if isinstance(raw, Path) else io.BytesIO(raw), formats=FORMATS)
    except UnidentifiedImageError:
        raise ImageError(name, _describe_content(raw)) from None
    if opened.width * opened.height > limit:
        opened.close()
        raise ImageError(name, _too_many_pixels(limit))
    refuse_32_bits(opened, name)
    return opened


def refuse_large_file(size: int, name: str) -> None:
    """Raises ImageError where a picture's file is larger than `MAX_FILE_BYTES`."""
    limit = MAX_FILE_BYTES.value
    if size > limit:
        raise ImageError(
            name,
            f"the file is larger than {limit // 2**20} MiB, the most that is opened "
            f"({MAX_FILE_BYTES.variable} raises it)",
        )


def read_file(path: Path, name: str) -> bytes:
    """Reads a picture's file.

    Raises:
        ImageError: it is something else than a file, too large, or cannot be read.
    """
    # O_NONBLOCK: a pipe that waits under a picture's name must not stop us.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(path, flags), "rb", buffering=0) as stream:  # noqa: PTH123
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ImageError(name, "is not a file")
            refuse_large_file(status.st_size, name)
            return stream.readall()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ImageError(name, _reason(error)) from error


def _allow(pixels: int) -> int:
    """Raises Pillow's own limit, which is the whole process's, where a user has raised ours."""
    if Image.MAX_IMAGE_PIXELS is not None and pixels > 2 * Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = pixels
    return pixels


def _too_many_pixels(limit: int) -> str:
    return (
        f"has more than {limit // 10**6} million pixels, the most that is decoded "
        f"({MAX_PIXELS.variable} raises it)"
    )


def _from_array(pixels: npt.NDArray[Any], name: str) -> Image.Image:
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.dtype != np.uint8 or not (
        pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    ):
        raise ImageError(
            name,
            f"pixels of shape {pixels.shape} and type {pixels.dtype}: expected "
            "(height, width) or (height, width, 1, 3 or 4) uint8",
        )
    if 0 in pixels.shape:
        raise ImageError(name, f"pixels of shape {pixels.shape}: there is not a single pixel")
    return Image.fromarray(np.ascontiguousarray(pixels))


def fit(image: Image.Image, spec: ImageSpec) -> Pixels:
    """Brings a decoded picture, in the mode of the spec's channels, to the spec's size."""
    size = (spec.width, spec.height)
    if image.size != size:
        resampling = Image.Resampling[spec.interpolation.upper()]
        if spec.resize == "squash":
            image = image.resize(size, resampling)
        elif spec.resize == "crop":
            image = ImageOps.fit(image, size, resampling)
        else:
            bars = spec.background if spec.channels == 3 else luma(spec.background)
            image = ImageOps.pad(image, size, resampling, color=bars)
    return np.array(image, dtype=np.uint8).reshape(spec.shape)


def _describe_content(raw: bytes | Path) -> str:
    if isinstance(raw, Path):
        with raw.open("rb") as stream:
            head = stream.read(64)
    else:
        head = raw[:64]
    accepted = f"expected {', '.join(FORMATS)}"
    if head[4:8] == b"ftyp":
        return f"is a HEIC, AVIF or video file; {accepted}. Export it as JPEG first"
    for magic, what in _KNOWN_CONTENT.items():
        if head.lstrip().startswith(magic):
            return f"is {what}, not a picture; {accepted}"
    return f"is not a picture that can be read, or its start is damaged; {accepted}"


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return _too_many_pixels(MAX_PIXELS.value)
    if isinstance(error, MemoryError):
        return "does not fit into memory"
    if isinstance(error, OSError):
        if error.strerror:  # from the operating system: not found, no permission, ...
            return error.strerror[:1].lower() + error.strerror[1:]
        if "truncated" in str(error):
            return "is cut short (truncated)"
    return f"is damaged ({error or type(error).__name__})"
