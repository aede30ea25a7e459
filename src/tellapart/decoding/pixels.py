"""Pictures to pixels, in the decoding processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.decoding.maker import Make, Maker
from tellapart.decoding.pool import make_rows
from tellapart.errors import ImageError
from tellapart.images import ImageSpec, Pixels, Raw, decode, read_file

TOGETHER_BYTES = 32 * 2**20
"""Encoded pictures are handed on when they have so many bytes together."""


def pixel_maker(spec: ImageSpec) -> Maker:
    """What makes the pixels, here or in a decoding process."""
    arguments = {"spec": spec.to_json()}
    return Maker(f"{__name__}:make_pixels", arguments, spec.shape, np.uint8)


def make_pixels(spec: Any) -> Make:
    """Returns `decode` for a spec as `ImageSpec.to_json` wrote it."""
    known = ImageSpec.from_json(spec)

    def pixels(raw: Raw, name: str) -> Pixels:
        if isinstance(raw, np.ndarray) and raw.dtype == np.uint8:
            shaped = raw if raw.ndim == 3 else raw[:, :, np.newaxis]
            if shaped.shape == known.shape:
                return shaped  # `decode` would change nothing
        return decode(raw, known, name)

    return pixels


def decode_apart(
    raws: Sequence[Raw | ImageError], names: Sequence[str], spec: ImageSpec
) -> list[Pixels | str]:
    """Does what `decode` does, so that a file that makes the decoder crash or hang costs itself.

    Args:
        raws: n pictures, or why one cannot be had. Files and their content are decoded in other
            processes, pixels here.
        names: n names, for errors.
        spec: what to make of them.

    Returns:
        For each picture its pixels, or why there are none.

    Raises:
        TellapartError: decoding processes cannot be started.
    """
    made: dict[int, Pixels | str] = {}
    waiting: dict[int, bytes] = {}

    def send() -> None:
        named = [names[place] for place in waiting]
        rows = make_rows(pixel_maker(spec), list(waiting.values()), named)
        made.update(zip(waiting, rows, strict=True))
        waiting.clear()

    for place, (raw, name) in enumerate(zip(raws, names, strict=True)):
        try:
            if isinstance(raw, ImageError):
                raise raw
            if isinstance(raw, bytes | Path):
                waiting[place] = read_file(raw, name) if isinstance(raw, Path) else raw
            else:
                made[place] = decode(raw, spec, name)
        except ImageError as error:
            made[place] = error.reason
        if sum(map(len, waiting.values())) >= TOGETHER_BYTES:
            send()
    if waiting:
        send()
    return [made[place] for place in range(len(names))]
