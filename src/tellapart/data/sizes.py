"""How large the pictures of a data set are, from the headers of a sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tellapart.data.dataset import Source
from tellapart.data.wording import bullets
from tellapart.decoding import Maker, make_rows
from tellapart.decoding.maker import Make, Rows
from tellapart.errors import DataError, ImageError
from tellapart.images import Raw, picture_size

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
    spread = np.unique(np.linspace(0, len(paths) - 1, SAMPLE).astype(int)).tolist()
    # In strides, so that wherever the sample ends it has seen the whole.
    read = 0
    for first in range(10):
        if read > SAMPLE_BYTES:
            break
        read += _add_sizes(source, paths, spread[first::10], sizes, reasons)
    if sizes:
        return tuple(sizes[index] for index in sorted(sizes))
    for first in range(0, min(len(paths), TRIED), 10):
        _add_sizes(source, paths, range(first, min(first + 10, len(paths))), sizes, reasons)
        if sizes:
            return (sizes[min(sizes)],)
    tried = f"{len(paths):,}" if len(paths) <= TRIED else f"first {TRIED:,} and {SAMPLE} others"
    raise DataError(
        f"None of the {tried} pictures in {location} can be read:"
        f"{bullets(list(dict.fromkeys(reasons)), min(len(paths), TRIED))}"
    )


def _add_sizes(
    source: Source,
    paths: Sequence[str],
    indices: Sequence[int],
    sizes: dict[int, Size],
    reasons: list[str],
) -> int:
    """Adds the sizes of some pictures, or the reasons why they have none.

    Returns:
        The bytes that were read; hardly more than `SAMPLE_BYTES`.
    """
    encoded: dict[int, bytes] = {}
    read = 0
    for index in indices:
        if read > SAMPLE_BYTES:
            break
        try:
            raw = source.read(index)
            if isinstance(raw, bytes):
                encoded[index] = raw
                read += len(raw)
            else:
                sizes[index] = picture_size(raw, paths[index])
        except ImageError as error:
            reasons.append(str(error))
    if encoded:
        rows = make_rows(_MAKER, list(encoded.values()), [paths[index] for index in encoded])
        for index, row in zip(encoded, rows, strict=True):
            if isinstance(row, str):
                reasons.append(f"{paths[index]}: {row}")
            else:
                height, width, channels = row.tolist()
                sizes[index] = (height, width, channels)
    return read


def size_reader() -> Make:
    """Returns what reads a header, for the decoding processes: headers can be as hostile."""

    def read_size(raw: Raw, name: str) -> Rows:
        return np.array(picture_size(raw, name), np.int64)

    return read_size


_MAKER = Maker(f"{__name__}:size_reader", {}, (3,), np.int64)
