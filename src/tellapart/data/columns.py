"""Columns: what is computed of each picture once, and kept by the picture's content.

Pixels for a network, signatures for the audit, features for a linear head: each is a function of
a picture's content alone. A column holds one row a picture, in the order of the data set. When
pictures are added to a data set, renamed or moved, or a folder is packed into an archive, rows
are taken over from the columns that are in the cache, and only new pictures are decoded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import PIL

from tellapart.data.cache import (
    FORMAT,
    Draft,
    building,
    discard,
    entries_of_kind,
    entry_folder,
    read_index,
)
from tellapart.data.dataset import Dataset
from tellapart.data.decoding import Maker
from tellapart.data.sweep import DIGEST_BYTES, Chunk, sweep
from tellapart.data.wording import bullets
from tellapart.errors import DataError
from tellapart.files import write_json
from tellapart.images import DECODING

Rows = npt.NDArray[Any]


@dataclass(frozen=True)
class Measure:
    """How a row is made of a picture.

    Attributes:
        kind: one of `cache.KINDS`; names the cache entry.
        about: equal kind and equal `about` (JSON) mean equal rows for equal pictures.
        shape: of a row.
        dtype: of a row; may be structured.
        maker: what is made of each picture for itself.
        then: where several pictures at a time are cheaper: what `maker` made of k pictures,
            stacked, to (k, *shape) rows. Called in one thread, in the order of the data set.
    """

    kind: str
    about: Mapping[str, Any]
    shape: tuple[int, ...]
    dtype: npt.DTypeLike
    maker: Maker = field(repr=False)
    then: Callable[[Rows], Rows] | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """Names what makes the rows; Pillow's decoders may differ by a shade by version."""
        about = {
            "format": FORMAT,
            "pillow": PIL.__version__,
            "decoding": DECODING,
            "kind": self.kind,
            **self.about,
        }
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()

    @property
    def row_bytes(self) -> int:
        """The size of a row."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, eq=False)
class Column:
    """A row of each picture.

    Attributes:
        rows: (n, *shape), read-only, memory-mapped; row i is of picture i of the data set, zeros
            where it failed.
        digests: (n, 16) uint8, BLAKE2b of what the source holds of each picture; zeros where it
            could not be read. Equal digests are equal files.
        failures: index to reason, of the pictures that could not be decoded.
        folder: where it is in the cache.
        computed: how many rows were made now, not taken from the cache.
        bytes: its size on disk.
    """

    rows: np.memmap[tuple[int, ...], np.dtype[Any]] = field(repr=False)
    digests: npt.NDArray[np.uint8] = field(repr=False)
    failures: dict[int, str]
    folder: Path
    computed: int
    bytes: int

    def take(self, indices: npt.NDArray[np.int64]) -> Column:
        """Returns the rows of those pictures alone."""
        place = {index: row for row, index in enumerate(indices.tolist())}
        failures = {place[i]: why for i, why in self.failures.items() if i in place}
        rows: Any = self.rows[indices]
        return replace(self, rows=rows, digests=self.digests[indices], failures=failures)


def open_column(
    dataset: Dataset,
    measure: Measure,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> Column:
    """Opens a column of a data set, making the rows that are not in the cache.

    Memory stays bounded however large the data set is: a few chunks of rows (`sweep.CHUNK_BYTES`
    each, or one row), one picture being decoded for each core, and a few hundred bytes for each
    picture.

    Args:
        dataset: the pictures.
        measure: what to make of each.
        on_progress: called with the number of pictures done so far, and of all; not called where
            the column is in the cache as it is.

    Raises:
        DataError: no picture can be decoded, or the cache has no room or cannot be written.
    """
    key = _column_key(dataset, measure)
    found = _open(key, dataset, measure, computed=0)
    if found is not None:
        return found
    computed = _build(key, dataset, measure, on_progress or (lambda done, total: None))
    built = _open(key, dataset, measure, computed=computed)
    if built is None:
        raise DataError(
            f"The cache entry {entry_folder(measure.kind, key)} was removed or damaged while it "
            "was opened. Start again."
        )
    return built


def make_together(
    dataset: Dataset,
    measures: Sequence[Measure],
    maker: Maker,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> bool:
    """Makes several columns while each picture is read once, for `open_column` to find.

    Does nothing where the cache holds one of them, or a row for any of them: then only what is
    new is to be made.

    Args:
        dataset: the pictures.
        measures: of the columns; none has a `then`.
        maker: makes the bytes of a row of each, one behind the other, in their order.
        on_progress: see `open_column`.

    Returns:
        Whether they were made.

    Raises:
        DataError: see `open_column`.
    """
    if any(is_kept(dataset, measure) or _Known.load(measure) for measure in measures):
        return False
    with contextlib.ExitStack() as stack:
        drafts = []
        for measure in measures:
            needed = (measure.row_bytes + DIGEST_BYTES) * len(dataset)
            key = _column_key(dataset, measure)
            draft = stack.enter_context(building(measure.kind, key, dataset.location, needed))
            stream = stack.enter_context((draft.folder / "rows.npy").open("wb"))
            _write_header(stream, (len(dataset), *measure.shape), measure.dtype)
            drafts.append((draft, stream))
        streams = [stream for _, stream in drafts]
        sizes = [measure.row_bytes for measure in measures]
        progress = on_progress or (lambda done, total: None)
        digests, failures = _fill_together(streams, sizes, dataset, maker, progress)
        _refuse_if_all_failed(dataset, failures)
        for measure, (draft, stream) in zip(measures, drafts, strict=True):
            stream.close()
            _finish(draft, measure, digests, failures)
    return True


def is_kept(dataset: Dataset, measure: Measure) -> bool:
    """Whether `open_column` would find the whole column in the cache."""
    return read_index(entry_folder(measure.kind, _column_key(dataset, measure))) is not None


def _column_key(dataset: Dataset, measure: Measure) -> str:
    digest = hashlib.sha256(f"{measure.key} {dataset.source.key}".encode())
    for path in dataset.paths:
        digest.update(f"\0{path}".encode(errors="surrogatepass"))
    return digest.hexdigest()


def _open(key: str, dataset: Dataset, measure: Measure, *, computed: int) -> Column | None:
    """Returns the column, or None where there is none that is whole."""
    folder = entry_folder(measure.kind, key)
    index = read_index(folder)
    if index is None or index.get("key") != key:
        return None
    kept = _read(folder, measure)
    if kept is None:
        return None
    rows, digests, failures = kept
    if len(rows) != len(dataset):
        discard(folder)
        return None
    return Column(rows, digests, failures, folder, computed, index["bytes"])


def _read(
    folder: Path, measure: Measure
) -> tuple[Any, npt.NDArray[np.uint8], dict[int, str]] | None:
    """Returns rows, digests and failures of an entry; discards one whose content is damaged."""
    try:
        rows = np.load(folder / "rows.npy", mmap_mode="r", allow_pickle=False)
        digests = np.load(folder / "digests.npy", allow_pickle=False)
        failures = json.loads((folder / "failures.json").read_text(encoding="utf-8"))
        failures = {int(number): str(reason) for number, reason in failures.items()}
        _check_array(rows, (len(digests), *measure.shape), measure.dtype)
        _check_array(digests, (len(digests), DIGEST_BYTES), np.uint8)
    except OSError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        discard(folder)  # the sizes are right, the content is not
        return None
    return rows, digests, failures


def _check_array(array: Rows, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    if array.shape != shape or array.dtype != np.dtype(dtype) or not array.flags.c_contiguous:
        raise ValueError(f"{array.dtype} {array.shape}: expected {dtype} {shape}")


def _build(
    key: str, dataset: Dataset, measure: Measure, on_progress: Callable[[int, int], None]
) -> int:
    """Makes the column's entry; returns how many rows had to be computed."""
    shape = (len(dataset), *measure.shape)
    needed = (measure.row_bytes + DIGEST_BYTES) * len(dataset)
    known = _Known.load(measure)
    with building(measure.kind, key, dataset.location, needed) as draft:
        with (draft.folder / "rows.npy").open("wb") as stream:
            _write_header(stream, shape, measure.dtype)
            digests, failures, computed = _fill(stream, dataset, measure, known, on_progress)
        _refuse_if_all_failed(dataset, failures)
        _finish(draft, measure, digests, failures)
    known.discard_contained(digests)
    return computed


def _refuse_if_all_failed(dataset: Dataset, failures: dict[int, str]) -> None:
    if len(failures) == len(dataset):
        raise DataError(
            f"None of the {len(dataset):,} pictures in {dataset.location} can be decoded:"
            f"{bullets([f'{dataset.paths[i]}: {reason}' for i, reason in failures.items()])}"
        )


def _fill_together(
    streams: Sequence[IO[bytes]],
    sizes: Sequence[int],
    dataset: Dataset,
    maker: Maker,
    on_progress: Callable[[int, int], None],
) -> tuple[npt.NDArray[np.uint8], dict[int, str]]:
    digests = np.zeros((len(dataset), DIGEST_BYTES), dtype=np.uint8)
    failures: dict[int, str] = {}
    ends = np.cumsum(sizes)
    done = 0
    with contextlib.closing(sweep(dataset, maker, lambda digest: None)) as chunks:
        for chunk in chunks:
            rows = np.zeros((len(chunk), ends[-1]), np.uint8)
            if chunk.made:
                rows[list(chunk.made)] = np.stack(list(chunk.made.values()))
            for stream, size, end in zip(streams, sizes, ends, strict=True):
                stream.write(np.ascontiguousarray(rows[:, end - size : end]).data)
            digests[done : done + len(chunk)] = chunk.digests
            failures |= chunk.failures
            done += len(chunk)
            on_progress(done, len(dataset))
    return digests, failures


def _fill(
    stream: IO[bytes],
    dataset: Dataset,
    measure: Measure,
    known: _Known,
    on_progress: Callable[[int, int], None],
) -> tuple[npt.NDArray[np.uint8], dict[int, str], int]:
    digests = np.zeros((len(dataset), DIGEST_BYTES), dtype=np.uint8)
    failures: dict[int, str] = {}
    done = computed = 0
    with contextlib.closing(sweep(dataset, measure.maker, known.row)) as chunks:
        for chunk in chunks:
            # Written, not mapped: a full disk is then an error, and not the end of Python.
            stream.write(_rows(chunk, measure).data)
            digests[done : done + len(chunk)] = chunk.digests
            failures |= chunk.failures
            computed += len(chunk.made)
            done += len(chunk)
            on_progress(done, len(dataset))
    return digests, failures, computed


def _rows(chunk: Chunk, measure: Measure) -> Rows:
    rows = np.zeros((len(chunk), *measure.shape), dtype=measure.dtype)
    for place, row in chunk.known.items():
        rows[place] = row
    if chunk.made:
        made = np.stack(list(chunk.made.values()))
        rows[list(chunk.made)] = made if measure.then is None else measure.then(made)
    return rows


def _finish(
    draft: Draft, measure: Measure, digests: npt.NDArray[np.uint8], failures: dict[int, str]
) -> None:
    np.save(draft.folder / "digests.npy", digests, allow_pickle=False)
    write_json(draft.folder / "failures.json", failures)
    draft.index |= {
        "measure": measure.key,
        "about": dict(measure.about),
        "pictures": len(digests),
        "failures": len(failures),
    }


def _write_header(stream: IO[bytes], shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)


class _Known:
    """The rows that columns of the same measure hold, by the content of their pictures."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, dict[int, str]]] = []
        self._folders: list[tuple[Path, npt.NDArray[np.uint8]]] = []
        self._place: dict[bytes, tuple[int, int]] = {}

    @classmethod
    def load(cls, measure: Measure) -> _Known:
        """Reads the digests of all columns of that measure; rows stay where they are."""
        known = cls()
        for folder, index in entries_of_kind(measure.kind):
            if index.get("measure") != measure.key:
                continue
            kept = _read(folder, measure)
            if kept is not None:
                known._add(folder, *kept)
        return known

    def _add(
        self, folder: Path, rows: Any, digests: npt.NDArray[np.uint8], failures: dict[int, str]
    ) -> None:
        number = len(self._rows)
        self._rows.append((rows, failures))
        self._folders.append((folder, digests))
        for row, digest in enumerate(map(bytes, digests)):
            self._place.setdefault(digest, (number, row))

    def __len__(self) -> int:
        return len(self._place)

    def row(self, digest: bytes) -> Rows | str | None:
        """Returns the row of a picture, why it has none, or None where it is new."""
        place = self._place.get(digest)
        if place is None:
            return None
        rows, failures = self._rows[place[0]]
        row: Rows = rows[place[1]]
        return failures.get(place[1], row)

    def discard_contained(self, digests: npt.NDArray[np.uint8]) -> None:
        """Removes the columns all of whose pictures another one holds now."""
        held = {bytes(digest) for digest in digests}
        nothing = bytes(DIGEST_BYTES)  # of pictures that could not be read
        for folder, own in self._folders:
            if all(digest in held or digest == nothing for digest in map(bytes, own)):
                discard(folder)
