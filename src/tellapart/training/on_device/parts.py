"""Training pictures on their way to the device, a part at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tellapart.images import Pixels
from tellapart.training.batches import Batches

PART_BYTES = 2**28


def parts(train: Batches) -> Iterator[tuple[int, Pixels]]:
    """Yields the pictures in the order of `train.indices`, and the place of each part's first."""
    step = max(1, PART_BYTES // math.prod(train.pixels.shape[1:]))
    for start in range(0, len(train.indices), step):
        yield start, train.pixels[train.indices[start : start + step]]
