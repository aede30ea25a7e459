"""Decoding a picture in another process: a decoder that crashes or hangs costs that picture alone.

Else a sort would be killed by such a picture, and killed again each time that it goes on.
"""

from __future__ import annotations

from tellapart.data.decoding import make_rows
from tellapart.data.store import pixel_maker
from tellapart.errors import ImageError
from tellapart.images import ImageSpec, Pixels


def decode_apart(content: bytes, spec: ImageSpec, name: str) -> Pixels:
    """Decodes one picture in a process of its own.

    Args:
        content: of its file.
        spec: what to make of it.
        name: what errors call it.

    Returns:
        `spec.shape` uint8, just as `images.decode`.

    Raises:
        ImageError: see `images.decode`; or the decoder crashes or hangs.
    """
    (row,) = make_rows(pixel_maker(spec), [content], [name])
    if isinstance(row, str):
        raise ImageError(name, row)
    return row
