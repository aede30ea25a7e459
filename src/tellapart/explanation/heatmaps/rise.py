"""RISE (Petsiuk et al., 2018): show the picture through random masks, and see when the class stays.

    +-----------+
    |###  # ####|   200 masks of 7x7 cells, each open or shut by chance, enlarged smoothly and
    |#    #   ##|   shifted by a part of a cell. What is shut becomes the picture's mean colour.
    | ## ###  ##|   A pixel counts as much as the log-odds of the class rise with its being seen.
    +-----------+

Needs nothing of a network but its answers, for any number of classes. The masks are the same at
every call, so that the map of a picture is, too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tellapart.explanation.heatmaps.grids import (
    Floats,
    Heat,
    cell_centres,
    linear_weights,
    normalise,
)
from tellapart.explanation.heatmaps.scores import (
    BATCH_SIZE,
    LEAST_CHANGE,
    Classes,
    Predict,
    log_odds,
)
from tellapart.images import Pixels

MASKS = 200
CELLS = 7
OPEN = 0.5
"""The share of open cells."""

SEED = 20181

MOST_KEPT = 2**24
"""Masks of up to so many pixels together, 64 MiB, are kept from one picture to the next."""


def rise(predict: Predict, pixels: Pixels, classes: Classes, *, masks: int = MASKS) -> Heat:
    """Maps how much it does for a class that a pixel is seen.

    Args:
        predict: the network.
        pixels: (n, height, width, channels) uint8.
        classes: (n, k) int64, the classes to explain in each.
        masks: so many answers of the network a picture; more of them make the map steadier.

    Returns:
        (n, k, height, width) float32, 0 to 1; 0 everywhere where nothing raises the class.

    Raises:
        ModelError: the network gives no numbers.
    """
    size = pixels.shape[1:3]
    drawn = _Masks(size, masks)
    maps = np.empty((*classes.shape, *size), np.float32)
    for picture, own, found in zip(pixels, classes, maps, strict=True):
        found[:] = normalise(_slopes(predict, picture, own, drawn), least=LEAST_CHANGE)
    return maps


class _Masks:
    """Random masks of one size. Batches are made when they are asked for, and kept if small."""

    def __init__(self, size: tuple[int, int], count: int) -> None:
        self.count = count
        self._size = size
        rng = np.random.default_rng(SEED)
        # One cell more than fits, so that a shifted mask still covers the picture.
        self._grids = (rng.random((count, CELLS + 1, CELLS + 1)) < OPEN).astype(np.float32)
        self._shifts = rng.random((count, 2))
        self._kept: dict[int, npt.NDArray[np.float32]] = {}

    def batch(self, start: int) -> npt.NDArray[np.float32]:
        """(at most BATCH_SIZE, height, width), 0 (shut) to 1 (open)."""
        if start in self._kept:
            return self._kept[start]
        made = self._make(start)
        if self.count * made[0].size <= MOST_KEPT:
            self._kept[start] = made
        return made

    def _make(self, start: int) -> npt.NDArray[np.float32]:
        stop = min(start + BATCH_SIZE, self.count)
        down, across = (
            np.stack([self._weights(side, shift) for shift in self._shifts[start:stop, axis]])
            for axis, side in enumerate(self._size)
        )
        return np.asarray(down @ self._grids[start:stop] @ across.transpose(0, 2, 1))

    def _weights(self, side: int, shift: float) -> npt.NDArray[np.float32]:
        cell = side / CELLS
        places = np.arange(side) + 0.5 + shift * cell
        centres = cell_centres(CELLS + 1, 1) * (CELLS + 1) * cell
        return linear_weights(places, centres).astype(np.float32)


def _slopes(
    predict: Predict, picture: Pixels, classes: npt.NDArray[np.int64], masks: _Masks
) -> Floats:
    """(k, height, width): covariance of log-odds and mask, over the variance of an open cell."""
    mean = picture.mean(axis=(0, 1), dtype=np.float32)
    contrast = picture - mean
    sum_mask = np.zeros(picture.shape[:2])
    sum_score = np.zeros(len(classes))
    sum_both = np.zeros((len(classes), *picture.shape[:2]))
    for start in range(0, masks.count, BATCH_SIZE):
        mask = masks.batch(start)
        frames = np.rint(mean + contrast * mask[..., np.newaxis]).astype(np.uint8)
        score = log_odds(predict(frames), classes)
        sum_mask += mask.sum(axis=0)
        sum_score += score.sum(axis=0)
        sum_both += np.tensordot(score, mask, axes=(0, 0))
    count = masks.count
    covariance = sum_both / count - np.multiply.outer(sum_score / count, sum_mask / count)
    return np.asarray(covariance / (OPEN * (1 - OPEN)))
