"""Occlusion (Zeiler and Fergus, 2014): cover a part of the picture, and see what the class loses.

    +-----------+
    |   +--+    |   7x7 windows, each a quarter as wide and high as the picture and half over the
    |   |//|    |   next, filled with the picture's mean colour. What the log-odds of the class
    |   +--+    |   lose stands in the middle of the window; between, it is interpolated.
    +-----------+

Needs nothing of a network but its answers: 50 a picture, for any number of classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from tellapart.explanation.heatmaps.grids import Floats, Heat, enlarge, normalise
from tellapart.explanation.heatmaps.scores import (
    BATCH_SIZE,
    LEAST_CHANGE,
    Classes,
    Predict,
    log_odds,
)
from tellapart.images import Pixels

WINDOWS = 7


def occlude(predict: Predict, pixels: Pixels, classes: Classes, *, windows: int = WINDOWS) -> Heat:
    """Maps how much each part of a picture does for a class.

    Args:
        predict: the network.
        pixels: (n, height, width, channels) uint8.
        classes: (n, k) int64, the classes to explain in each.
        windows: so many along each side, or as many as the side has pixels.

    Returns:
        (n, k, height, width) float32, 0 to 1; 0 everywhere where no window lowers the class.

    Raises:
        ModelError: the network gives no numbers.
    """
    size = pixels.shape[1:3]
    rows, columns = _spans(size[0], windows), _spans(size[1], windows)
    maps = np.empty((*classes.shape, *size), np.float32)
    for picture, own, found in zip(pixels, classes, maps, strict=True):
        frames = _covered(picture, rows, columns)
        batches = []
        while batch := list(islice(frames, BATCH_SIZE)):
            batches.append(log_odds(predict(np.stack(batch)), own))
        scores = np.concatenate(batches)
        lost = (scores[0] - scores[1:]).T.reshape(len(own), len(rows), len(columns))
        large = enlarge(lost, _middles(rows), _middles(columns), size)
        found[:] = normalise(large, least=LEAST_CHANGE)
    return maps


def _spans(side: int, windows: int) -> list[slice]:
    """Windows along a side, each half over the next, from one end to the other."""
    windows = min(windows, side)
    length = max(1, round(2 * side / (windows + 1)))
    starts = np.rint(np.linspace(0, side - length, windows)).astype(int)
    return [slice(start, start + length) for start in dict.fromkeys(starts.tolist())]


def _middles(spans: list[slice]) -> Floats:
    return np.array([(span.start + span.stop) / 2 for span in spans])


def _covered(picture: Pixels, rows: list[slice], columns: list[slice]) -> Iterator[Pixels]:
    """Yields the picture as it is, then with each window covered."""
    yield picture
    mean = np.rint(picture.mean(axis=(0, 1))).astype(np.uint8)
    for row in rows:
        for column in columns:
            copy = picture.copy()
            copy[row, column] = mean
            yield copy
