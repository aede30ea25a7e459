"""From a picture file to pixels: the one path that training, prediction and tests share.

`ImageSpec` says what a network sees; `decode` makes it so. What is trained is what is deployed
because every caller decodes here, and because the spec travels inside the classifier file.
"""

from __future__ import annotations

import io
import stat
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from tellapart.errors import ImageError, UsageError

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

MAX_FILE_BYTES = 512 * 2**20
"""A larger file is refused before it is opened."""

_KNOWN_CONTENT = {
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript document",
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

    Whatever the spec: EXIF orientation is applied, of an animation the first frame is taken, and
    16 bits a channel become 8 by rounding value / 257.
    """

    height: int
    width: int
    channels: int = 3
    resize: Resize = "squash"
    interpolation: Interpolation = "bilinear"
    background: tuple[int, int, int] = (255, 255, 255)

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
    name = name or (str(raw) if isinstance(raw, Path) else "picture")
    try:
        image = _open(raw, name)
        # JPEG can leave out detail while it decodes. Twice the target keeps the antialiasing.
        image.draft(None, (2 * max(spec.shape[:2]),) * 2)
        image.load()
        image = ImageOps.exif_transpose(image)
        return _fit(_to_mode(image, spec, name), spec)
    except ImageError:
        raise
    except Exception as error:  # decoders raise almost anything on damaged input
        raise ImageError(name, _reason(error)) from error


def picture_size(raw: Raw, name: str = "") -> tuple[int, int, int]:
    """Reads a picture's header: height and width as it is looked at, and 1 or 3 channels.

    Raises:
        ImageError: see `decode`.
    """
    name = name or (str(raw) if isinstance(raw, Path) else "picture")
    try:
        image = _open(raw, name)
        width, height = image.size
        # Of a PNG, Pillow looks for EXIF behind the pixels and decodes them all on the way.
        exif = image.getexif() if image.format != "PNG" or "exif" in image.info else {}
        if exif.get(0x0112, 1) >= 5:  # the orientations that lie on their side
            width, height = height, width
        grey = image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")
        return height, width, 1 if grey else 3
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(name, _reason(error)) from error


def _open(raw: Raw, name: str) -> Image.Image:
    if isinstance(raw, Image.Image):
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
    if size > MAX_FILE_BYTES:
        raise ImageError(name, f"the file is larger than {MAX_FILE_BYTES // 2**20} MiB")
    try:
        return Image.open(raw if isinstance(raw, Path) else io.BytesIO(raw), formats=FORMATS)
    except UnidentifiedImageError:
        raise ImageError(name, _describe_content(raw)) from None


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


def _to_mode(image: Image.Image, spec: ImageSpec, name: str) -> Image.Image:
    mode = "L" if spec.channels == 1 else "RGB"
    if image.mode == mode and not image.has_transparency_data:
        return image
    if image.mode == "F":
        raise ImageError(name, "holds floating-point pixels; save it with 8 or 16 bits a channel")
    if image.mode.startswith("I"):
        deep = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        image = Image.fromarray(((deep + 128) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        canvas = Image.new("RGBA", image.size, (*spec.background, 255))
        image = Image.alpha_composite(canvas, image)
    return image.convert(mode)


def _fit(image: Image.Image, spec: ImageSpec) -> Pixels:
    size = (spec.width, spec.height)
    if image.size != size:
        resampling = Image.Resampling[spec.interpolation.upper()]
        if spec.resize == "squash":
            image = image.resize(size, resampling)
        elif spec.resize == "crop":
            image = ImageOps.fit(image, size, resampling)
        else:
            bars = spec.background if spec.channels == 3 else _luma(spec.background)
            image = ImageOps.pad(image, size, resampling, color=bars)
    return np.array(image, dtype=np.uint8).reshape(spec.shape)


def _luma(colour: tuple[int, int, int]) -> int:
    pixel = Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0))
    return int(pixel)  # type: ignore[arg-type]  # one number in mode "L"


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
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        return f"has more than {limit} million pixels, the most that is decoded"
    if isinstance(error, MemoryError):
        return "does not fit into memory"
    if isinstance(error, OSError):
        if error.strerror:  # from the operating system: not found, no permission, ...
            return error.strerror[:1].lower() + error.strerror[1:]
        if "truncated" in str(error):
            return "is cut short (truncated)"
    return f"is damaged ({error or type(error).__name__})"
