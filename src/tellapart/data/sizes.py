"""How large the pictures of a data set are, from the headers of a sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tellapart.data.dataset import Source
from tellapart.data.wording import bullets
from tellapart.errors import DataError, ImageError
from tellapart.images import picture_size

Size = tuple[int, int, int]
"""Height, width, channels."""

SAMPLE = 200
"""So many pictures, evenly spread, are looked at."""

SAMPLE_BYTES = 64 * 2**20
"""The sample ends early, but still spread, after so many bytes of large photos."""

TRIED = 5000
"""Where the whole sample is unreadable, so many more pictures are tried before giving up."""


def measure(source: Source, paths: Sequence[str], location: str) -> tuple[Size, ...]:
    """Reads the sizes of up to `SAMPLE` pictures, in the order of the data set.

    Raises:
        DataError: none of the pictures can be read.
    """
    reasons: list[str] = []
    sizes: dict[int, Size] = {}
    read = 0
    spread = np.unique(np.linspace(0, len(paths) - 1, SAMPLE).astype(int)).tolist()
    # In strides, so that wherever the sample ends it has seen the whole.
    for index in (index for first in range(10) for index in spread[first::10]):
        if read > SAMPLE_BYTES:
            break
        read += _add_size(source, paths, index, sizes, reasons)
    if sizes:
        return tuple(sizes[index] for index in sorted(sizes))
    for index in range(min(len(paths), TRIED)):
        _add_size(source, paths, index, sizes, reasons)
        if sizes:
            return tuple(sizes.values())
    tried = f"{len(paths):,}" if len(paths) <= TRIED else f"first {TRIED:,} and {SAMPLE} others"
    raise DataError(
        f"None of the {tried} pictures in {location} can be read:"
        f"{bullets(list(dict.fromkeys(reasons)), min(len(paths), TRIED))}"
    )


def _add_size(
    source: Source, paths: Sequence[str], index: int, sizes: dict[int, Size], reasons: list[str]
) -> int:
    """Adds the size of one picture, or the reason why it has none; returns the bytes read."""
    try:
        raw = source.read(index)
        sizes[index] = picture_size(raw, paths[index])
    except ImageError as error:
        reasons.append(str(error))
        return 0
    return len(raw) if isinstance(raw, bytes) else 0
