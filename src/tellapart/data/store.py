"""The store: every picture decoded once, as uint8 pixels in a memory-mapped file.

Training reads each picture many times, in a new order each epoch. Decoding costs about 100 µs for
the smallest JPEG and milliseconds for a photo; a row of the store costs a copy.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import PIL

from tellapart.data.cache import (
    FORMAT,
    CacheEntry,
    building,
    cache_folder,
    clear_cache,
    discard,
    entry_folder,
    list_cache,
    read_index,
)
from tellapart.data.classes import normalised
from tellapart.data.dataset import Dataset
from tellapart.data.wording import bullets
from tellapart.errors import DataError, ImageError
from tellapart.files import write_json
from tellapart.images import ImageSpec, Pixels, Raw, decode

__all__ = ["CacheEntry", "Store", "cache_folder", "clear_cache", "list_cache", "open_store"]

DIGEST_BYTES = 16

CHUNK_PICTURES = 32
CHUNK_BYTES = 8 * 2**20
"""Pictures are decoded in chunks of at most so many, and so many bytes of pixels."""

THREADS_FROM_PIXELS = 256 * 256
"""Smaller pictures are decoded by one thread: there Python itself is what takes the time, and a
second thread only gets in its way (measured on 32x32 JPEG: 107 µs with one, 250 µs with two)."""


@dataclass(frozen=True, eq=False)
class Store:
    """The decoded pictures of a data set.

    Attributes:
        pixels: (n, height, width, channels) uint8, read-only, memory-mapped; row i is picture i
            of the data set, zeros where it could not be decoded.
        digests: (n, 16) uint8, BLAKE2b of what the source holds of each picture; zeros where it
            could not be read. Equal digests are equal files.
        failures: index to reason, of the pictures that could not be decoded.
        fingerprint: sha256 over path, class and content of all pictures: the same data has the
            same fingerprint on any machine, from a folder or from an archive.
        folder: where it is in the cache.
        was_cached: whether it was there already.
        bytes: its size on disk.
    """

    pixels: np.memmap[tuple[int, ...], np.dtype[np.uint8]] = field(repr=False)
    digests: npt.NDArray[np.uint8] = field(repr=False)
    failures: dict[int, str]
    fingerprint: str
    folder: Path
    was_cached: bool
    bytes: int


def open_store(
    dataset: Dataset, spec: ImageSpec, *, on_progress: Callable[[int, int], None] | None = None
) -> Store:
    """Opens the store of a data set, decoding its pictures first unless that was done before.

    Memory stays bounded however large the data set is: at most two chunks of decoded pictures
    (`CHUNK_BYTES` each, or one picture) and one picture being decoded for each thread.

    Args:
        dataset: the pictures.
        spec: what to make of each.
        on_progress: called with the number of pictures decoded so far, and of all.

    Raises:
        DataError: no picture can be decoded, or the cache has no room or cannot be written.
    """
    key = _key(dataset, spec)
    cached = _open(key, dataset, spec, was_cached=True)
    if cached is not None:
        return cached
    _build(key, dataset, spec, on_progress or (lambda done, total: None))
    built = _open(key, dataset, spec, was_cached=False)
    if built is None:
        raise DataError(
            f"The store {entry_folder('store', key)} was removed or damaged while it was opened. "
            "Start again."
        )
    return built


def _key(dataset: Dataset, spec: ImageSpec) -> str:
    """Returns what names the store: equal keys, equal pixels in equal order."""
    about = {
        "format": FORMAT,
        "pillow": PIL.__version__,  # its decoders may differ by a shade from version to version
        "source": dataset.source.key,
        "spec": spec.to_json(),
        "paths": hashlib.sha256("\0".join(dataset.paths).encode()).hexdigest(),
        "labels": hashlib.sha256(dataset.labels.tobytes()).hexdigest(),
        "class_names": dataset.class_names,
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _open(key: str, dataset: Dataset, spec: ImageSpec, *, was_cached: bool) -> Store | None:
    """Returns the store, or None where there is none that is whole."""
    folder = entry_folder("store", key)
    index = read_index(folder)
    if index is None or index.get("key") != key:
        return None
    try:
        pixels = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
        digests = np.load(folder / "digests.npy", allow_pickle=False)
        failures = json.loads((folder / "failures.json").read_text(encoding="utf-8"))
        failures = {int(number): str(reason) for number, reason in failures.items()}
        _check_array(pixels, (len(dataset), *spec.shape))
        _check_array(digests, (len(dataset), DIGEST_BYTES))
        return Store(
            pixels, digests, failures, index["fingerprint"], folder, was_cached, index["bytes"]
        )
    except OSError:
        return None
    except (ValueError, KeyError, AttributeError):
        discard(folder)  # the sizes are right, the content is not
        return None


def _check_array(array: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> None:
    if array.shape != shape or array.dtype != np.uint8 or not array.flags.c_contiguous:
        raise ValueError(f"{array.dtype} {array.shape}: expected uint8 {shape}")


def _build(
    key: str, dataset: Dataset, spec: ImageSpec, on_progress: Callable[[int, int], None]
) -> None:
    shape = (len(dataset), *spec.shape)
    needed = int(np.prod(shape, dtype=np.int64)) + DIGEST_BYTES * len(dataset)
    with building("store", key, dataset.location, needed) as draft:
        digests = np.zeros((len(dataset), DIGEST_BYTES), dtype=np.uint8)
        failures: dict[int, str] = {}
        with (draft.folder / "pixels.npy").open("wb") as stream:
            _write_header(stream, shape)
            done = 0
            with contextlib.closing(_decode_all(dataset, spec)) as chunks:
                for chunk in chunks:
                    # Written, not mapped: a full disk is then an error, and not the end of Python.
                    stream.write(chunk.pixels.data)
                    digests[done : done + len(chunk.pixels)] = chunk.digests
                    failures |= chunk.failures
                    done += len(chunk.pixels)
                    on_progress(done, len(dataset))
        if len(failures) == len(dataset):
            raise DataError(
                f"None of the {len(dataset):,} pictures in {dataset.location} can be decoded:"
                f"{bullets([f'{dataset.paths[i]}: {reason}' for i, reason in failures.items()])}"
            )
        np.save(draft.folder / "digests.npy", digests, allow_pickle=False)
        write_json(draft.folder / "failures.json", failures)
        draft.index |= {
            "spec": spec.to_json(),
            "pictures": len(dataset),
            "failures": len(failures),
            "fingerprint": _fingerprint(dataset, digests),
        }


def _write_header(stream: IO[bytes], shape: tuple[int, ...]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Some neighbouring pictures: pixels (k, h, w, c), digests (k, 16), failures by index."""

    pixels: Pixels
    digests: npt.NDArray[np.uint8]
    failures: dict[int, str]


def _decode_all(dataset: Dataset, spec: ImageSpec) -> Generator[_Chunk]:
    """Decodes all pictures, in order, on as many threads as pay."""
    row_bytes = spec.height * spec.width * spec.channels
    step = max(1, min(CHUNK_PICTURES, CHUNK_BYTES // row_bytes))
    starts = range(0, len(dataset), step)
    stop = threading.Event()

    def decode_from(start: int) -> _Chunk:
        return _decode_chunk(dataset, spec, range(start, min(start + step, len(dataset))), stop)

    threads = _threads(dataset)
    if threads == 1:
        yield from map(decode_from, starts)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        ahead: deque[Future[_Chunk]] = deque()
        try:
            for start in starts:
                ahead.append(pool.submit(decode_from, start))
                if len(ahead) >= 2 * threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            # On Ctrl-C the threads end with their present picture.
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _threads(dataset: Dataset) -> int:
    pixels = np.median([height * width for height, width, _ in dataset.sizes])
    return 1 if pixels < THREADS_FROM_PIXELS else min(_usable_cores(), 16)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _decode_chunk(dataset: Dataset, spec: ImageSpec, rows: range, stop: threading.Event) -> _Chunk:
    chunk = _Chunk(
        np.zeros((len(rows), *spec.shape), dtype=np.uint8),
        np.zeros((len(rows), DIGEST_BYTES), dtype=np.uint8),
        {},
    )
    for row, index in enumerate(rows):
        if stop.is_set():
            break
        try:
            raw = dataset.source.read(index)
            chunk.digests[row] = np.frombuffer(_digest(raw), dtype=np.uint8)
            chunk.pixels[row] = _pixels(raw, spec, dataset.paths[index])
        except ImageError as error:
            chunk.failures[index] = error.reason
    return chunk


def _pixels(raw: Raw, spec: ImageSpec, name: str) -> Pixels:
    if isinstance(raw, np.ndarray) and raw.dtype == np.uint8:
        pixels = raw if raw.ndim == 3 else raw[:, :, np.newaxis]
        if pixels.shape == spec.shape:
            return pixels  # `decode` would change nothing
    return decode(raw, spec, name)


def _digest(raw: Raw) -> bytes:
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    if isinstance(raw, np.ndarray):
        digest.update(f"{raw.dtype.str} {raw.shape}".encode())
        digest.update(np.ascontiguousarray(raw).data)
    elif isinstance(raw, bytes):
        digest.update(raw)
    else:
        raise TypeError(f"A source handed out a {type(raw).__name__}: expected bytes or an array.")
    return digest.digest()


def _fingerprint(dataset: Dataset, digests: npt.NDArray[np.uint8]) -> str:
    wrapping = _shared_folder(dataset.paths)
    rows = sorted(
        f"{normalised(path[wrapping:])}\0{dataset.class_names[label]}\0{content.hex()}\n"
        for path, label, content in zip(
            dataset.paths, dataset.labels.tolist(), map(bytes, digests), strict=True
        )
    )
    return hashlib.sha256("".join(rows).encode()).hexdigest()


def _shared_folder(paths: Sequence[str]) -> int:
    """Returns how long the start is that all paths share, up to a "/".

    A wrapping folder, there in an archive and gone once it is unpacked, does not change the data.
    """
    shared = 0
    for own, other in zip(min(paths).split("/")[:-1], max(paths).split("/")[:-1], strict=False):
        if own != other:
            break
        shared += len(own) + 1
    return shared
