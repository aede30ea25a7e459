"""Working through many pictures in blocks, on all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tellapart.machine import usable_cores

BLOCK = 4096
"""So many pictures are worked on at a time."""

Made = TypeVar("Made")


def in_blocks(work: Callable[[slice], Made], count: int, block: int = BLOCK) -> Iterator[Made]:
    """Calls `work` with each slice of `count` pictures, and yields what it returns, in order.

    NumPy lets other threads run while it computes. A core takes a block, rather than all cores
    taking turns at the product of two matrices, which keeps them waiting for each other.
    """
    from threadpoolctl import threadpool_limits

    slices = [slice(start, min(start + block, count)) for start in range(0, count, block)]
    if len(slices) <= 1:
        yield from map(work, slices)
        return
    with (
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(usable_cores(), thread_name_prefix="audit") as pool,
    ):
        yield from pool.map(work, slices)
