"""Whether two pictures that may be copies are: looked at more closely, and lined up for crops.

A pair is a copy where its distance is a small share of the distance to the crowd, in the finest
frequencies that both pictures have, and the colours agree. The share, not the distance, decides:
between photos, 0.03 is a copy; between handwritten ones, it is two people's handwriting.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.data.audit.blocks import BLOCK, in_blocks
from tellapart.data.audit.description import (
    BAND,
    MIRRORED,
    Floats,
    crowd_around,
    crowd_distances,
    describe,
    references,
    unit,
    waves,
)
from tellapart.data.audit.search import VIEWS, Candidates, Indices

CLOSENESS = (0.1, 0.2)
"""What the search should bring, of equal and of other size: a little more than is confirmed."""

CERTAIN, CERTAIN_SIDE = 0.003, 64
"""Pictures with so many pixels a side are copies at this distance, whatever the crowd does: a
hundredth of a data set may be copies of one picture."""

BANDS = (8, 12, 16, 20)
"""Frequencies that are compared, by how small the pictures are."""

USABLE = 0.5
"""Of a picture's pixels across, so many frequencies survive JPEG and resizing."""

SAME_SIZE, RESIZED, CROPPED = 0.05, 0.15, 0.03
"""The most that the distance may be, as a share of the crowd's (measured: docs/audit.md)."""

CROPPED_CHANCE = 1e-5
"""The most pictures that may be expected to lie as close, as a share of the crowd: boxes are fitted
to crops, so chance has many tries there."""

MOST_DISTANT = 0.08
"""In no data set are more distant pictures called copies."""

MOST_COLOUR = 14.0
"""Mean difference in Cb and Cr, of 255: brightening by a fifth changes strong colours so much."""

MOST_STRETCHED = 1.15
"""Copies have the same shape; a crop of 5% changes it by a factor of 1.05."""

CROP_BAND = 12
STEPS = 2
"""Gauss-Newton steps that line a crop up; the first guess is off by 2.5% at most."""

_EPSILON = np.float32(0.005)


def verify(signatures: npt.NDArray[Any], candidates: Candidates) -> Candidates:
    """Returns the pairs that are copies, each once.

    Args:
        signatures: (n,) SIGNATURE.
        candidates: pairs among them.

    Returns:
        The confirmed ones; `distances` are now in the frequencies compared. Of a pair that is
        confirmed in several views, the plain one is kept, or the closest.
    """
    candidates = candidates.where(_same_shape(signatures, candidates))
    cropped = candidates.views > VIEWS.index(MIRRORED)
    whole = _confirm_whole(signatures, _each_once(candidates.where(~cropped)))
    # A pair that is confirmed needs no lining up.
    crops = _each_once(candidates.where(cropped), without=whole)
    return _joined(whole, _confirm_crops(signatures, crops))


def areas_of(signatures: npt.NDArray[Any]) -> Indices:
    """Returns the pictures' numbers of pixels, (n,) int64."""
    return np.asarray(signatures["height"].astype(np.int64) * signatures["width"])


def _same_shape(signatures: npt.NDArray[Any], pairs: Candidates) -> npt.NDArray[np.bool_]:
    shape = np.log(signatures["width"] / signatures["height"])
    return np.asarray(np.abs(shape[pairs.first] - shape[pairs.second]) <= np.log(MOST_STRETCHED))


def _confirm_whole(signatures: npt.NDArray[Any], pairs: Candidates) -> Candidates:
    distances, shares = _compare(signatures, pairs)
    areas = areas_of(signatures)
    limits = np.where(areas[pairs.first] == areas[pairs.second], SAME_SIZE, RESIZED)
    sides = np.minimum(signatures["height"], signatures["width"])
    detailed = np.minimum(sides[pairs.first], sides[pairs.second]) >= CERTAIN_SIDE
    kept = (shares <= limits) & (distances <= MOST_DISTANT)
    kept |= (distances <= CERTAIN) & detailed
    kept &= _colour_differences(signatures, pairs) <= MOST_COLOUR
    return Candidates(pairs.first, pairs.second, pairs.views, distances).where(kept)


def _compare(signatures: npt.NDArray[Any], pairs: Candidates) -> tuple[Floats, Floats]:
    """Returns distances, and as shares of those to the crowd, in each pair's finest band."""
    sides = np.minimum(signatures["height"], signatures["width"])
    usable = USABLE * np.minimum(sides[pairs.first], sides[pairs.second])
    bands = np.array(BANDS)[np.clip(np.searchsorted(BANDS, usable, "right") - 1, 0, None)]
    distances = np.empty(len(bands), np.float32)
    shares = np.empty(len(bands), np.float32)
    grey = signatures["grey"]
    sampled = references(len(grey))
    for band in np.unique(bands):
        rows = np.flatnonzero(bands == band)
        sample = describe(grey[sampled], band=band)

        def work(
            block: slice, rows: Indices = rows, sample: Floats = sample, band: int = band
        ) -> None:
            part = rows[block]
            seconds = describe(grey[pairs.second[part]], band=band)
            plain = describe(grey[pairs.first[part]], band=band)
            mirrored = describe(grey[pairs.first[part]], MIRRORED, band=band)
            turned = pairs.views[part] == VIEWS.index(MIRRORED)
            firsts = np.where(turned[:, np.newaxis], mirrored, plain)
            distances[part] = 1 - np.einsum("ij,ij->i", firsts, seconds)
            crowds = [crowd_distances(described, sample) for described in (plain, seconds)]
            shares[part] = distances[part] / np.minimum(*crowds)

        for _ in in_blocks(work, len(rows)):
            pass
    return distances, shares


def _colour_differences(signatures: npt.NDArray[Any], pairs: Candidates) -> Floats:
    result = np.empty(len(pairs.first), np.float32)

    def work(part: slice) -> None:
        first = signatures["chroma"][pairs.first[part]].astype(np.float32)
        turned = (pairs.views[part] == VIEWS.index(MIRRORED))[:, None, None, None]
        first = np.where(turned, first[..., ::-1], first)
        second = signatures["chroma"][pairs.second[part]].astype(np.float32)
        result[part] = np.abs(first - second).mean(axis=(1, 2, 3))

    for _ in in_blocks(work, len(result)):
        pass
    return result


def _confirm_crops(signatures: npt.NDArray[Any], pairs: Candidates) -> Candidates:
    distances = np.empty(len(pairs.first), np.float32)
    kept = np.empty(len(pairs.first), bool)
    grey = signatures["grey"]
    sample = describe(grey[references(len(grey))], band=CROP_BAND)

    def work(part: slice) -> None:
        seconds = describe(grey[pairs.second[part]], band=CROP_BAND)
        whole, boxes = grey[pairs.first[part]].astype(np.float32), _boxes(pairs.views[part])
        boxes = _line_up(whole, describe(grey[pairs.second[part]]), boxes)
        distances[part] = 1 - np.einsum("ij,ij->i", _cut(whole, boxes, CROP_BAND), seconds)
        crowd = crowd_around(seconds, sample)
        shares = np.maximum(distances[part], 0) / crowd.distances
        kept[part] = (shares <= CROPPED) & (shares**crowd.exponents <= CROPPED_CHANCE)

    for _ in in_blocks(work, len(distances), BLOCK // 4):
        pass
    kept &= distances <= MOST_DISTANT
    kept &= _colour_differences(signatures, pairs) <= MOST_COLOUR
    return Candidates(pairs.first, pairs.second, pairs.views, distances).where(kept)


def _boxes(views: Indices) -> Floats:
    """Returns (k, 4): left, width, top, height as shares."""
    known = [(view.left, view.width, view.top, view.height) for view in VIEWS]
    return np.array(known, np.float32)[views]


def _cut(grey: Floats, boxes: Floats, band: int) -> Floats:
    """Describes a box of its own of each picture: (k, SIDE, SIDE), (k, 4) to (k, d)."""
    across = waves(boxes[:, 0], boxes[:, 1], band)
    down = waves(boxes[:, 2], boxes[:, 3], band)
    transformed = np.asarray(down @ grey @ across.transpose(0, 2, 1), np.float32)
    return unit(transformed)


def _line_up(grey: Floats, wanted: Floats, boxes: Floats) -> Floats:
    """Moves each box to where its picture looks most like `wanted` (Gauss-Newton).

    Args:
        grey: (k, SIDE, SIDE).
        wanted: (k, d) descriptions.
        boxes: (k, 4) to start from.

    Returns:
        (k, 4) boxes inside the picture that cut off at most three times CROP.
    """
    for _ in range(STEPS):
        here = _cut(grey, boxes, BAND)
        moved = [_cut(grey, boxes + step, BAND) for step in _EPSILON * np.eye(4, dtype=np.float32)]
        slopes = np.stack([(there - here) / _EPSILON for there in moved], axis=2)  # (k, d, 4)
        normal = slopes.transpose(0, 2, 1) @ slopes
        damped = normal + 1e-3 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(4)
        towards = slopes.transpose(0, 2, 1) @ (wanted - here)[:, :, np.newaxis]
        boxes = _inside(boxes + np.linalg.solve(damped, towards)[:, :, 0].astype(np.float32))
    return boxes


def _inside(boxes: Floats) -> Floats:
    sizes = np.clip(boxes[:, 1::2], 0.85, 1)
    starts = np.clip(boxes[:, ::2], 0, 1 - sizes)
    return np.stack([starts[:, 0], sizes[:, 0], starts[:, 1], sizes[:, 1]], axis=1)


def _each_once(pairs: Candidates, *, without: Candidates | None = None) -> Candidates:
    """Keeps the closest view of each pair, and no pair of `without`."""
    order = np.lexsort((pairs.views, pairs.distances))
    low = np.minimum(pairs.first, pairs.second)[order]
    high = np.maximum(pairs.first, pairs.second)[order]
    keys = _keys(low, high)
    _, places = np.unique(keys, return_index=True)
    if without is not None:
        known = _keys(
            np.minimum(without.first, without.second), np.maximum(without.first, without.second)
        )
        places = places[~np.isin(keys[places], known)]
    mask = np.zeros(len(order), bool)
    mask[order[places]] = True
    return pairs.where(mask)


def _keys(low: Indices, high: Indices) -> Indices:
    return low << 32 | high


def _joined(some: Candidates, others: Candidates) -> Candidates:
    return Candidates(
        np.concatenate([some.first, others.first]),
        np.concatenate([some.second, others.second]),
        np.concatenate([some.views, others.views]),
        np.concatenate([some.distances, others.distances]),
    )
