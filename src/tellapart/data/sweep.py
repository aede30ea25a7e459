"""Going over all pictures of a data set once, in order, on all cores.

Threads read the pictures and tell which are new; processes of their own decode those (`decoding`).
"""

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
from tellapart.decoding import Maker, can_be_sent, make_rows
from tellapart.decoding.maker import Make, Rows
from tellapart.errors import DataError, ImageError, SourceGoneError
from tellapart.images import Raw
from tellapart.machine import usable_cores

DIGEST_BYTES = 16

CHUNK_PICTURES, LARGE_CHUNK_PICTURES = 64, 256
CHUNK_BYTES = 8 * 2**20
"""A thread takes chunks of so many pictures and at most so many bytes of rows. Large ones cost
less, the more so while Keras is being imported and threads wait for their turn at Python."""

LARGE_CHUNKS_A_THREAD = 8
"""Chunks are large where each thread gets so many all the same."""

RAW_BYTES = 32 * 2**20
"""Pictures are handed on when they have so many bytes together."""

MAX_THREADS = 16

MANY_ARRAYS = 20_000
"""Fewer pictures that are arrays already are turned here: before a process has started, most are
done. Of more, the processes spare threads that wait for their turn at Python."""

Known = Callable[[bytes], Rows | str | None]
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


def sweep(dataset: Dataset, maker: Maker, known: Known) -> Generator[Chunk]:
    """Reads every picture, and makes something of those that are not known.

    Args:
        dataset: the pictures.
        maker: what to make.
        known: what is known by content.

    Yields:
        Chunks, in the order of the data set.
    """
    threads, apart = _threads(dataset)
    even = len(dataset) // (LARGE_CHUNKS_A_THREAD * threads)
    most = max(CHUNK_PICTURES, min(LARGE_CHUNK_PICTURES, even))
    step = max(1, min(most, CHUNK_BYTES // max(1, maker.row_bytes)))
    starts = range(0, len(dataset), step)
    stop = threading.Event()
    make = maker.load()

    def work(start: int) -> Chunk:
        rows = range(start, min(start + step, len(dataset)))
        chunk = _Chunk(rows, dataset, maker, make, known, apart=apart)
        return chunk.fill(stop)

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


def _threads(dataset: Dataset) -> tuple[int, bool]:
    """Returns how many threads read, and whether other processes work on what they read."""
    try:
        encoded = isinstance(dataset.source.read(0), bytes)
    except ImageError:
        encoded = True
    apart = encoded or len(dataset) >= MANY_ARRAYS
    return min(usable_cores(), MAX_THREADS) if apart else 1, apart


class _Chunk:
    """A chunk while it is filled."""

    def __init__(
        self,
        rows: range,
        dataset: Dataset,
        maker: Maker,
        make: Make,
        known: Known,
        *,
        apart: bool,
    ) -> None:
        self._rows, self._apart = rows, apart
        self._dataset, self._maker, self._make, self._known = dataset, maker, make, known
        self._filled = Chunk(np.zeros((len(rows), DIGEST_BYTES), dtype=np.uint8))
        self._waiting: dict[int, bytes | npt.NDArray[np.uint8]] = {}
        self._waiting_bytes = 0

    def fill(self, stop: threading.Event) -> Chunk:
        """Reads the pictures, until `stop` is set."""
        for place, index in enumerate(self._rows):
            if stop.is_set():
                break
            try:
                self._add(place, self._dataset.source.read(index))
            except SourceGoneError as error:  # all that follow would be left out
                raise DataError(error.reason) from error
            except ImageError as error:
                self._filled.failures[index] = error.reason
        self._send()
        return self._filled

    def _add(self, place: int, raw: Raw) -> None:
        digest = digest_of(raw)
        self._filled.digests[place] = np.frombuffer(digest, dtype=np.uint8)
        found = self._known(digest)
        if found is not None:
            self._put(place, found, self._filled.known)
        elif isinstance(raw, bytes) or (self._apart and can_be_sent(raw)):
            self._waiting[place] = raw
            self._waiting_bytes += raw.nbytes if isinstance(raw, np.ndarray) else len(raw)
            if self._waiting_bytes >= RAW_BYTES:
                self._send()
        else:
            self._filled.made[place] = self._make(raw, self._name(place))

    def _send(self) -> None:
        """Has the pictures worked on that were read so far."""
        if self._waiting:
            places, raws = list(self._waiting), list(self._waiting.values())
            self._waiting, self._waiting_bytes = {}, 0
            made = make_rows(self._maker, raws, [self._name(place) for place in places])
            for place, row in zip(places, made, strict=True):
                self._put(place, row, self._filled.made)

    def _put(self, place: int, row: Rows | str, rows: dict[int, Rows]) -> None:
        if isinstance(row, str):
            self._filled.failures[self._rows[place]] = row
        else:
            rows[place] = row

    def _name(self, place: int) -> str:
        return self._dataset.paths[self._rows[place]]
