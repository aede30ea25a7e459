"""Going over all pictures of a data set once, in order, on as many threads as pay."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.data.dataset import Dataset
from tellapart.errors import ImageError
from tellapart.images import Raw
from tellapart.machine import usable_cores

DIGEST_BYTES = 16

CHUNK_PICTURES = 32
CHUNK_BYTES = 8 * 2**20
"""A thread takes chunks of at most so many pictures, and so many bytes of rows."""

THREADS_FROM_PIXELS = 256 * 256
"""Smaller pictures are decoded by one thread: there Python itself is what takes the time, and a
second thread only gets in its way (measured on 32x32 JPEG: 107 µs with one, 250 µs with two)."""

MAX_THREADS = 16

Known = Callable[[bytes], npt.NDArray[Any] | str | None]
"""A digest to the row that is known already, why there is none, or None where it is new."""


@dataclass(eq=False)
class Chunk:
    """Some neighbouring pictures.

    Attributes:
        digests: (k, 16) uint8 of what was read; zeros where nothing could be.
        known: place in the chunk to the row that was known before.
        made: place in the chunk to what was made of the picture now.
        failures: index in the data set to reason.
    """

    digests: npt.NDArray[np.uint8]
    known: dict[int, npt.NDArray[Any]] = field(default_factory=dict)
    made: dict[int, npt.NDArray[Any]] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.digests)


def sweep(
    dataset: Dataset,
    make: Callable[[Raw, str], npt.NDArray[Any]],
    known: Known,
    row_bytes: int,
) -> Generator[Chunk]:
    """Reads every picture, and makes something of those that are not known.

    Args:
        dataset: the pictures.
        make: a raw picture and its name to something; raises `ImageError`.
        known: what is known by content.
        row_bytes: how large a result is.

    Yields:
        Chunks, in the order of the data set.
    """
    step = max(1, min(CHUNK_PICTURES, CHUNK_BYTES // max(1, row_bytes)))
    starts = range(0, len(dataset), step)
    stop = threading.Event()

    def work(start: int) -> Chunk:
        return _work(dataset, make, known, range(start, min(start + step, len(dataset))), stop)

    threads = _threads(dataset)
    if threads == 1:
        yield from map(work, starts)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        ahead: deque[Future[Chunk]] = deque()
        try:
            for start in starts:
                ahead.append(pool.submit(work, start))
                if len(ahead) >= 2 * threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            # On Ctrl-C the threads end with their present picture.
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def digest_of(raw: Raw) -> bytes:
    """BLAKE2b of a raw picture's content, `DIGEST_BYTES` long."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    if isinstance(raw, np.ndarray):
        digest.update(f"{raw.dtype.str} {raw.shape}".encode())
        digest.update(np.ascontiguousarray(raw).data)
    elif isinstance(raw, bytes):
        digest.update(raw)
    else:
        raise TypeError(f"A source handed out a {type(raw).__name__}: expected bytes or an array.")
    return digest.digest()


def _threads(dataset: Dataset) -> int:
    pixels = np.median([height * width for height, width, _ in dataset.sizes])
    return 1 if pixels < THREADS_FROM_PIXELS else min(usable_cores(), MAX_THREADS)


def _work(
    dataset: Dataset,
    make: Callable[[Raw, str], npt.NDArray[Any]],
    known: Known,
    rows: range,
    stop: threading.Event,
) -> Chunk:
    chunk = Chunk(np.zeros((len(rows), DIGEST_BYTES), dtype=np.uint8))
    for place, index in enumerate(rows):
        if stop.is_set():
            break
        try:
            raw = dataset.source.read(index)
            digest = digest_of(raw)
            chunk.digests[place] = np.frombuffer(digest, dtype=np.uint8)
            found = known(digest)
            if isinstance(found, str):
                chunk.failures[index] = found
            elif found is not None:
                chunk.known[place] = found
            else:
                chunk.made[place] = make(raw, dataset.paths[index])
        except ImageError as error:
            chunk.failures[index] = error.reason
    return chunk
