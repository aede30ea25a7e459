"""What a picture looks like, as a point: copies lie close together, other pictures far apart.

A description is the low frequencies of a thumbnail's cosine transform, without its mean and
scaled to length 1, so that neither brightness nor contrast matters, and JPEG noise and resizing
hardly do. The distance of two pictures is 1 minus the cosine of the angle between theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tellapart.data.audit.blocks import in_blocks
from tellapart.data.audit.thumbnails import SIDE

Floats = npt.NDArray[np.float32]

BAND = 8
"""By default frequencies from 0 to below this, in both directions, describe a picture."""

REFERENCES = 2048
"""So many pictures, drawn at random, tell how densely pictures lie."""

GROUPS_PER_RANK = 6
"""So many times more groups than the rank that is looked for: then few values are candidates."""

FEW = 100
FEW_DISTANCE = 0.3
"""Among fewer pictures, the crowd is taken to be as far off as photos mostly are."""


@dataclass(frozen=True)
class View:
    """A way to look at a picture: as a box cut out of it, or mirrored, or both.

    Attributes:
        left: where the box begins, as a share of the picture's width.
        width: of the box, as a share.
        top: as a share of the height.
        height: as a share.
        mirrored: left and right change places.
    """

    left: float = 0.0
    width: float = 1.0
    top: float = 0.0
    height: float = 1.0
    mirrored: bool = False


PLAIN = View()
MIRRORED = View(mirrored=True)


def describe(grey: npt.NDArray[np.uint8], view: View = PLAIN, *, band: int = BAND) -> Floats:
    """Describes pictures.

    Args:
        grey: (n, SIDE, SIDE) uint8.
        view: how to look at them.
        band: how many frequencies to keep in either direction, at most SIDE.

    Returns:
        (n, band · band - 1) float32 of length 1; of a picture of one colour it means nothing.
    """
    across = waves(np.float32(view.left), np.float32(view.width), band)
    down = waves(np.float32(view.top), np.float32(view.height), band)
    if view.mirrored:
        across = across[:, ::-1]
    result = np.empty((len(grey), band * band - 1), np.float32)

    def work(block: slice) -> None:
        result[block] = unit(down @ (grey[block].astype(np.float32) @ across.T))

    for _ in in_blocks(work, len(grey)):
        pass
    return result


def waves(start: npt.NDArray[np.float32] | np.float32, size: object, band: int) -> Floats:
    """Returns what turns a line of pixels into the cosine waves in a part of it.

    The integral of cos(π u t) over each pixel, t running from 0 to 1 over the part: exactly zero
    in sum, so that a brighter picture has the same waves, wherever the part begins.

    Args:
        start: (...) where the part begins, as a share of the line.
        size: (...) of the part, as a share of the line.
        band: how many frequencies.

    Returns:
        (..., band, SIDE) float32.
    """
    edges = np.linspace(0, 1, SIDE + 1, dtype=np.float32)
    starts, sizes = np.asarray(start)[..., np.newaxis], np.asarray(size)[..., np.newaxis]
    places = np.clip((edges - starts) / sizes, 0, 1)[..., np.newaxis, :]
    turns = np.float32(np.pi) * np.arange(1, band, dtype=np.float32)[:, np.newaxis]
    integral = np.concatenate([places, np.sin(places * turns) / turns], axis=-2)
    return np.diff(integral, axis=-1).astype(np.float32, copy=False)


def unit(transformed: Floats) -> Floats:
    """Turns (k, band, band) cosine transforms into (k, band · band - 1) descriptions."""
    flat = transformed.reshape(len(transformed), -1)[:, 1:]
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(length, 1e-6), np.float32)


def deviations(planes: npt.NDArray[np.uint8]) -> Floats:
    """Returns how much the values of each (n, height, width) uint8 plane deviate: (n,)."""

    def work(block: slice) -> Floats:
        values = planes[block].reshape(-1, planes[0].size).astype(np.float32)
        values -= values.mean(axis=1, keepdims=True)
        squares: Floats = np.einsum("ij,ij->i", values, values)
        return np.sqrt(squares / values.shape[1], dtype=np.float32)

    return np.concatenate(list(in_blocks(work, len(planes))))


def references(count: int, most: int = REFERENCES) -> npt.NDArray[np.int64]:
    """Returns which pictures of `count` are the sample for `crowd_around`, at most so many."""
    return np.random.default_rng(0).permutation(count)[:most]


@dataclass(frozen=True, eq=False)
class Crowd:
    """How densely pictures lie around each one: the scale that tells a copy from a likeness.

    Attributes:
        distances: (n,) float32, within which a hundredth of all pictures lies: small where many
            are alike, such as handwritten ones, and large for a photo.
        exponents: (n,) float32; the number of pictures within a distance grows with this power
            of it. Half the number of directions in which pictures differ here.
    """

    distances: Floats
    exponents: Floats


def crowd_distances(described: Floats, sample: Floats) -> Floats:
    """Estimates the distances of the crowd alone; see `crowd_around`.

    Returns:
        (n,) float32.
    """
    distances: Floats = _nearest(described, sample, [_rank(sample)])[0]
    return np.maximum(distances, np.float32(FEW_DISTANCE if len(sample) < FEW else 0))


def crowd_around(described: Floats, sample: Floats) -> Crowd:
    """Estimates the crowd around each picture from a sample of all pictures.

    As in Lowe's ratio test (2004), where a match counts if it is much closer than others are; the
    exponents are the estimate of intrinsic dimension from two ranks (Pettis et al., 1979).

    Args:
        described: (n, d), see `describe`.
        sample: (m, d), descriptions of `references`.
    """
    rank = _rank(sample)
    farther = min(10 * rank, len(sample) - 1)
    distances = _nearest(described, sample, [rank, farther])
    growth = np.log(np.maximum(distances[1] / distances[0], 1.01))
    exponents = np.log(max(farther, 1) / max(rank, 1)) / growth
    if len(sample) < FEW:  # a hundredth of them is no crowd, but the copies themselves
        distances, exponents = np.maximum(distances, FEW_DISTANCE), np.full_like(exponents, 10)
    return Crowd(distances[0], exponents.astype(np.float32))


def _rank(sample: Floats) -> int:
    return min(max(4, len(sample) // 100), len(sample) - 1)


def _of_rank(values: Floats, rank: int) -> Floats:
    """Returns the value of a rank in each row of (n, m) values, the smallest being of rank 0.

    What `np.partition` would find, in a third of its time: of the smallest values of a few groups,
    the one of that rank is as large at least, and few of a row are not larger.
    """
    count, width = values.shape
    groups = GROUPS_PER_RANK * (rank + 1)
    if width < 2 * groups:
        return np.partition(values, rank, axis=1)[:, rank]
    whole = width - width % groups
    smallest = values[:, :whole].reshape(count, -1, groups).min(axis=1)
    smallest.partition(rank, axis=1)
    found = np.flatnonzero(values <= smallest[:, rank : rank + 1])
    rows = found // width
    lengths = np.bincount(rows, minlength=count)
    places = np.arange(len(found)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    candidates = np.full((count, lengths.max(initial=0)), np.inf, np.float32)
    candidates[rows, places] = values.ravel()[found]
    candidates.partition(rank, axis=1)
    return candidates[:, rank]


def _nearest(described: Floats, sample: Floats, ranks: list[int]) -> Floats:
    """Returns (ranks, n): how far off the sample's picture of each rank is, the nearest first."""
    distances = np.empty((len(ranks), len(described)), np.float32)

    def work(block: slice) -> None:
        near = 1 - described[block] @ sample.T
        for place, rank in enumerate(ranks):
            distances[place, block] = _of_rank(near, rank)

    for _ in in_blocks(work, len(described)):
        pass
    return np.maximum(distances, np.float32(1e-6))
