"""A classifier file's network: pixels to probabilities, on all cores of the machine."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.errors import ClassifierFileError, UsageError
from tellapart.images import Pixels
from tellapart.machine import usable_cores
from tellapart.onnx_session import first_line, make_session, run
from tellapart.turns import Turns

Found = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]
"""(n, classes) float32 probabilities; and (n,) float32 novelty, or None."""

MOST_VALUES = 2 * 224 * 224 * 3
"""So many values of pixels go through the network at once on a core, or one picture's: what large
pictures leave between two layers takes memory on each core, and more are no faster."""

_LARGEST = float(np.finfo(np.float32).max)


class Network:
    """Runs with ONNX Runtime, in one of two ways.

    Of many pictures, each core takes its own: within a layer no core waits for another one, which
    may be decoding meanwhile (benchmarks/README.md). Of a single picture, all cores share each
    layer. ONNX Runtime takes the number of threads for a whole session, so that for a single
    picture there is another one, made when it is wanted. The file's content is kept for it.
    """

    def __init__(
        self, content: bytes, path: Path, shape: tuple[int, int, int], classes: int
    ) -> None:
        """Makes it ready to run on one core.

        Args:
            content: of an ONNX file.
            path: what errors call it.
            shape: height, width and channels of a picture.
            classes: how many probabilities are expected.

        Raises:
            ClassifierFileError: ONNX Runtime refuses it.
        """
        self._content = content
        self._path = path
        self._classes = classes
        self._most = max(1, MOST_VALUES // math.prod(shape))
        self._on_one_core = make_session(content, path, threads=1)
        self._turns = Turns(usable_cores())
        self._on_all_cores: Any = None
        self._making = threading.Lock()

    def run(self, pixels: Pixels, batch_size: int = 64) -> Found:
        """Runs any number of pictures as fast as can be.

        Args:
            pixels: (n, height, width, channels) uint8.
            batch_size: at most so many at a time, on all cores together.

        Raises:
            ClassifierFileError: the network cannot be run, or does not give probabilities.
        """
        if not len(pixels):
            return np.empty((0, self._classes), np.float32), None
        if len(pixels) == 1:
            return self._run(self._all_cores(), pixels)
        cores = min(usable_cores(), batch_size)
        step = min(self._most, batch_size // cores, math.ceil(len(pixels) / cores))
        with ThreadPoolExecutor(cores, thread_name_prefix="predict") as pool:
            run_piece = partial(self._run, self._on_one_core)
            return _join(list(pool.map(run_piece, _pieces(pixels, step))))

    def run_on_one_core(self, pixels: Pixels) -> Found:
        """Runs pictures in the calling thread: with as many threads as cores, the fastest way.

        Args and errors are those of `run`.
        """
        return _join([self._run(self._on_one_core, some) for some in _pieces(pixels, self._most)])

    def _all_cores(self) -> Any:
        if usable_cores() == 1:
            return self._on_one_core
        with self._making:
            if self._on_all_cores is None:
                self._on_all_cores = make_session(self._content, self._path)
        return self._on_all_cores

    def _run(self, session: Any, pixels: Pixels) -> Found:
        try:
            rows, *scores = self._turns.take(partial(run, session, pixels))
        except UsageError:
            raise
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise ClassifierFileError(
                f"{self._path} could not be run: {first_line(error)}. "
                "Make the file again, or lower the batch size if memory is short."
            ) from error
        # A softmax in half precision keeps three digits.
        if rows.shape != (len(pixels), self._classes) or not (
            (rows >= 0).all() and (np.abs(rows.sum(axis=1) - 1) < 0.02).all()  # False for NaN
        ):
            raise ClassifierFileError(
                f"{self._path} does not give probabilities that sum to 1: it is damaged, or its "
                "graph is not that of a classifier. Make the file again."
            )
        if not scores:
            return rows, None
        if scores[0].shape != (len(pixels),):
            raise ClassifierFileError(
                f"{self._path} does not give one novelty score a picture: it is damaged. Make the "
                "file again."
            )
        # What overflows is as strange as can be; JSON knows no infinity.
        return rows, np.nan_to_num(scores[0], nan=_LARGEST, posinf=_LARGEST)


def _pieces(pixels: Pixels, most: int) -> list[Pixels]:
    return [pixels[start : start + most] for start in range(0, len(pixels), most)]


def _join(found: list[Found]) -> Found:
    scores = [score for _, score in found if score is not None]
    rows = np.concatenate([probabilities for probabilities, _ in found])
    return rows, np.concatenate(scores) if scores else None
