"""Signatures: of each picture so much as tells whether another one is a copy of it.

A signature is a thumbnail, the true size and format, and a digest of the pixels: about 1.2 KB,
however large the picture is. Everything that the audit says rests on signatures alone, so that
pictures are decoded once and never held together in memory.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.data.audit.thumbnails import CHROMA_SIDE, SIDE, thumbnail, thumbnails
from tellapart.data.measure import Measure
from tellapart.decoding import Maker
from tellapart.decoding.maker import Make, make_row
from tellapart.errors import ImageError
from tellapart.images import (
    DECODING,
    FORMATS,
    WHITE,
    ImageSpec,
    Loaded,
    Raw,
    decode,
    draft_size,
    fit,
    load_image,
)

DRAFT_SIDE = 2 * SIDE
"""JPEG files are decoded to no more detail than antialiased thumbnails take."""

TOGETHER_SIDE = 128
"""Of pixels of up to so many a side, thumbnails are made of many at once."""

SIGNATURE = np.dtype(
    [
        ("grey", np.uint8, (SIDE, SIDE)),  # ITU-R 601 luma
        ("chroma", np.uint8, (2, CHROMA_SIDE, CHROMA_SIDE)),  # Cb and Cr; 128 where it is grey
        ("height", np.uint32),
        ("width", np.uint32),
        ("format", np.uint8),  # FORMATS[format - 1]; 0: pixels, not a file
        ("pixels", np.uint8, (16,)),  # BLAKE2b; equal digests are equal pixels
    ]
)
"""One row a picture. Sizes are those of the upright picture."""

_FACTS = struct.Struct("=IIB")  # height, width, format


def sign(raw: Raw, name: str = "") -> npt.NDArray[Any]:
    """Makes the signature of a picture.

    Args:
        raw: see `images.decode`.
        name: what errors call the picture.

    Returns:
        A scalar array of dtype SIGNATURE.

    Raises:
        ImageError: the picture cannot be decoded.
    """
    loaded = load_image(raw, None, name, draft_size=DRAFT_SIDE)
    signed = _sign_loaded(raw, loaded, loaded.image.tobytes())
    return np.frombuffer(signed, SIGNATURE).reshape(())


def _sign_loaded(raw: Raw, loaded: Loaded, pixels: bytes) -> bytes:
    """Returns the bytes of a SIGNATURE: put together from Pillow's, without an array for each."""
    code = FORMATS.index(loaded.format) + 1 if loaded.format in FORMATS else 0
    facts = _FACTS.pack(loaded.height, loaded.width, code)
    return thumbnail(loaded.image) + facts + _pixel_digest(raw, loaded, pixels)


def signing() -> Make:
    """Returns `sign`; for decoding processes."""
    return sign


SIGNATURES = Measure(
    kind="signatures",
    about={"version": 1, "decoding": DECODING, "fields": str(SIGNATURE.descr)},
    shape=(),
    dtype=SIGNATURE,
    maker=Maker(f"{__name__}:signing", {}, (), SIGNATURE),
)


class SignAndDecode:
    """Makes the bytes of a signature, and of the pixels for a spec behind them.

    A small picture, which is decoded in full for its thumbnail, is decoded once for both.
    """

    def __init__(self, spec: ImageSpec) -> None:
        self._spec = spec
        self._mode = "L" if spec.channels == 1 else "RGB"

    def __call__(self, raw: Raw, name: str) -> npt.NDArray[np.uint8]:
        """Returns (n,) uint8.

        Raises:
            ImageError: the picture cannot be decoded.
        """
        spec = self._spec
        loaded = load_image(raw, None, name, draft_size=DRAFT_SIDE)
        whole = loaded.image.size == (loaded.width, loaded.height)
        # `decode` may leave out more detail of a JPEG: it then reads the picture itself.
        drafted = min(loaded.width, loaded.height) >= 2 * draft_size(spec)
        content = loaded.image.tobytes()
        if drafted or not whole or loaded.image.mode != self._mode or spec.background != WHITE:
            pixels = decode(raw, spec, name).tobytes()
        elif loaded.image.size == (spec.width, spec.height):
            pixels = content
        else:
            pixels = fit(loaded.image, spec).tobytes()
        return np.frombuffer(_sign_loaded(raw, loaded, content) + pixels, np.uint8)

    def together(
        self, raws: Sequence[Raw], names: Sequence[str]
    ) -> Sequence[npt.NDArray[np.uint8] | ImageError]:
        """Does what `make_each` does: of small, square pixels of the spec's size in one go.

        For a picture of 28x28, that is a quarter of the work: the rest was Python's.
        """
        shape = self._spec.shape
        ready = [
            raw.reshape(shape)
            for raw in raws
            if isinstance(raw, np.ndarray) and self._is_ready(raw)
        ]
        if len(ready) < len(raws):
            return [make_row(self, raw, name) for raw, name in zip(raws, names, strict=True)]
        return list(self._rows(np.stack(ready)))

    def _is_ready(self, pixels: npt.NDArray[Any]) -> bool:
        """Whether pixels, small and square, are those that are to be behind the signature."""
        shape = self._spec.shape
        fits = pixels.shape == shape or (*pixels.shape, 1) == shape
        small = shape[0] == shape[1] <= TOGETHER_SIDE
        return fits and small and pixels.dtype == np.uint8

    def _rows(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Returns a row for each of (k, height, width, channels)."""
        _, height, width, _ = pixels.shape
        start = hashlib.blake2b(f"{self._mode} {width} {height}".encode(), digest_size=16)

        def digest(content: npt.NDArray[np.uint8]) -> bytes:
            own = start.copy()
            own.update(content.data)
            return own.digest()

        flat = pixels.reshape(len(pixels), -1)
        rows = np.zeros(len(pixels), SIGNATURE)
        rows["grey"], rows["chroma"] = thumbnails(pixels)
        rows["height"], rows["width"] = height, width
        rows["pixels"] = np.frombuffer(b"".join(map(digest, flat)), np.uint8).reshape(-1, 16)
        return np.concatenate([rows.view(np.uint8).reshape(len(rows), -1), flat], axis=1)


def sign_and_decode(spec: Any) -> Make:
    """Returns `SignAndDecode`; for decoding processes.

    Args:
        spec: as `ImageSpec.to_json` wrote it.
    """
    return SignAndDecode(ImageSpec.from_json(spec))


def joint_maker(spec: ImageSpec) -> Maker:
    """What makes signature and pixels together; see `columns.make_together`."""
    size = SIGNATURE.itemsize + int(np.prod(spec.shape))
    arguments = {"spec": spec.to_json()}
    return Maker(f"{__name__}:sign_and_decode", arguments, (size,), np.uint8)


def format_name(code: int) -> str:
    """Returns the name of the `format` of a signature, "" for pixels that were no file."""
    return FORMATS[code - 1] if code else ""


def _pixel_digest(raw: Raw, loaded: Loaded, pixels: bytes) -> bytes:
    """Digests what decides the pixels: the pixels, or where they were drafted, how they are coded.

    So a JPEG that differs in nothing but its metadata has the same digest.
    """
    digest = hashlib.blake2b(digest_size=16)
    image = loaded.image
    digest.update(f"{image.mode} {loaded.width} {loaded.height}".encode())
    digest.update(pixels)  # drafted ones show the orientation and the colour profile
    if image.size != (loaded.width, loaded.height):
        for part in _coded(raw.read_bytes() if isinstance(raw, Path) else raw):
            digest.update(part)
    return digest.digest()


def _coded(jpeg: Any) -> list[memoryview]:
    """Returns the segments of a JPEG file without its metadata (APP0 to APP15, comments)."""
    content = memoryview(jpeg)
    parts = []
    place = 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if marker == 0xDA:  # the scan, and all that follows
            break
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if not 0xE0 <= marker <= 0xEF and marker != 0xFE:
            parts.append(content[place:end])
        place = end
    return [*parts, content[place:]]
