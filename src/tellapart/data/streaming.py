"""Pixels that are decoded each time they are asked for, where a store of them would not fit."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, ImageError, SourceGoneError
from tellapart.images import ImageSpec, Pixels, decode
from tellapart.machine import usable_cores


class PixelRows(Protocol):
    """What reads like a (n, height, width, channels) uint8 array: a store's, or streamed."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Pictures, height, width, channels."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any:
        """Returns rows as an array: (k, height, width, channels) uint8."""
        ...


class StreamedPixels:
    """Reads like a store's (n, height, width, channels) uint8 array, and gives the same numbers.

    Held in memory is what was asked for, and one picture of its own size for each thread.

    Attributes:
        shape: of the array.
        dtype: uint8.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, dataset: Dataset, spec: ImageSpec, failures: Mapping[int, str]) -> None:
        self.shape = (len(dataset), *spec.shape)
        self._dataset = dataset
        self._spec = spec
        self._failures = failures

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: npt.NDArray[np.int64] | slice | int) -> Pixels:
        """Decodes the pictures at those positions, on all cores.

        Raises:
            DataError: a picture that could be read before cannot be read now.
        """
        indices: npt.NDArray[Any] = np.arange(len(self))[rows]
        if indices.ndim == 0:
            return self._decode(int(indices))
        with ThreadPoolExecutor(usable_cores(), thread_name_prefix="decode") as pool:
            decoded = list(pool.map(self._decode, indices.tolist()))
        return np.stack(decoded) if decoded else np.empty((0, *self.shape[1:]), np.uint8)

    def _decode(self, index: int) -> Pixels:
        if index in self._failures:
            return np.zeros(self._spec.shape, np.uint8)
        name = self._dataset.paths[index]
        try:
            return decode(self._dataset.source.read(index), self._spec, name)
        except SourceGoneError as error:
            raise DataError(error.reason) from error
        except ImageError as error:
            raise DataError(
                f"{error}. It could be read before: was it changed or removed meanwhile? Put it "
                "back, or start again without it."
            ) from error
