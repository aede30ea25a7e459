"""The rows that are in the cache, to be taken over wherever the same picture comes again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.data.cache import discard, entries_of_kind
from tellapart.data.measure import Measure, Rows
from tellapart.data.sweep import DIGEST_BYTES


class KeptRows:
    """The rows that columns of the same measure hold, by the content of their pictures."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, dict[int, str]]] = []
        self._folders: list[tuple[Path, npt.NDArray[np.uint8]]] = []
        self._place: dict[bytes, tuple[int, int]] = {}

    @classmethod
    def load(cls, measure: Measure) -> KeptRows:
        """Reads the digests of all columns of that measure; rows stay where they are."""
        known = cls()
        for folder, index in entries_of_kind(measure.kind):
            if index.get("measure") != measure.key:
                continue
            kept = read_rows(folder, measure)
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

    def discard_contained(self, digests: npt.NDArray[np.uint8], *, but: Path) -> None:
        """Removes the columns all of whose pictures another one holds now, `but` that one."""
        held = {bytes(digest) for digest in digests}
        nothing = bytes(DIGEST_BYTES)  # of pictures that could not be read
        for folder, own in self._folders:
            contained = all(digest in held or digest == nothing for digest in map(bytes, own))
            if contained and folder != but:
                discard(folder)


def read_rows(
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
