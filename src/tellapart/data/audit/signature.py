"""Signatures: of each picture so much as tells whether another one is a copy of it.

A signature is a thumbnail, the true size and format, and a digest of the pixels: about 1.2 KB,
however large the picture is. Everything that the audit says rests on signatures alone, so that
pictures are decoded once and never held together in memory.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tellapart.data.measure import Measure
from tellapart.decoding import Maker
from tellapart.decoding.maker import Make
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

SIDE = 32
"""Height and width of a thumbnail; the whole picture, squashed."""

CHROMA_SIDE = 8

DRAFT_SIDE = 2 * SIDE
"""JPEG files are decoded to no more detail than antialiased thumbnails take."""

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

_NO_CHROMA = bytes([128]) * (2 * CHROMA_SIDE**2)
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
    small = loaded.image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    if small.mode == "L":
        planes = small.tobytes() + _NO_CHROMA
    else:
        colours = small.convert("YCbCr")
        coarse = colours.reduce(SIDE // CHROMA_SIDE).tobytes()
        planes = colours.tobytes()[::3] + coarse[1::3] + coarse[2::3]
    code = FORMATS.index(loaded.format) + 1 if loaded.format in FORMATS else 0
    facts = _FACTS.pack(loaded.height, loaded.width, code)
    return planes + facts + _pixel_digest(raw, loaded, pixels)


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


def sign_and_decode(spec: Any) -> Make:
    """Returns what makes the bytes of a signature, and of the pixels for a spec behind them.

    A small picture, which is decoded in full for its thumbnail, is decoded once for both.

    Args:
        spec: as `ImageSpec.to_json` wrote it.
    """
    known = ImageSpec.from_json(spec)
    mode = "L" if known.channels == 1 else "RGB"

    def both(raw: Raw, name: str) -> npt.NDArray[np.uint8]:
        loaded = load_image(raw, None, name, draft_size=DRAFT_SIDE)
        whole = loaded.image.size == (loaded.width, loaded.height)
        # `decode` may leave out more detail of a JPEG: it then reads the picture itself.
        drafted = min(loaded.width, loaded.height) >= 2 * draft_size(known)
        content = loaded.image.tobytes()
        if drafted or not whole or loaded.image.mode != mode or known.background != WHITE:
            pixels = decode(raw, known, name).tobytes()
        elif loaded.image.size == (known.width, known.height):
            pixels = content
        else:
            pixels = fit(loaded.image, known).tobytes()
        return np.frombuffer(_sign_loaded(raw, loaded, content) + pixels, np.uint8)

    return both


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
