"""What a picture looks like, as a point: copies lie close together, other pictures far apart.

A description is the low frequencies of a thumbnail's cosine transform, without its mean and
scaled to length 1, so that neither brightness nor contrast matters, and JPEG noise and resizing
hardly do. The distance of two pictures is 1 minus the cosine of the angle between theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tellapart.data.audit.signature import SIDE

Floats = npt.NDArray[np.float32]

BAND = 8
"""By default frequencies from 0 to below this, in both directions, describe a picture."""

REFERENCES = 2048
"""So many pictures, drawn at random, tell how densely pictures lie."""

FEW = 100
FEW_DISTANCE = 0.3
"""Among fewer pictures, the crowd is taken to be as far off as photos mostly are."""

BLOCK = 4096
"""So many pictures are worked on at a time."""


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
    for start in range(0, len(grey), BLOCK):
        rows = grey[start : start + BLOCK].astype(np.float32) @ across.T
        result[start : start + BLOCK] = unit(down @ rows)
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


def crowd_around(described: Floats, sample: Floats) -> Crowd:
    """Estimates the crowd around each picture from a sample of all pictures.

    As in Lowe's ratio test (2004), where a match counts if it is much closer than others are; the
    exponents are the estimate of intrinsic dimension from two ranks (Pettis et al., 1979).

    Args:
        described: (n, d), see `describe`.
        sample: (m, d), descriptions of `references`.
    """
    last = len(sample) - 1
    rank = min(max(4, len(sample) // 100), last)
    farther = min(10 * rank, last)
    distances = np.empty((2, len(described)), np.float32)
    for start in range(0, len(described), BLOCK):
        near = 1 - described[start : start + BLOCK] @ sample.T
        near.partition([rank, farther], axis=1)
        distances[:, start : start + BLOCK] = near[:, [rank, farther]].T
    distances = np.maximum(distances, 1e-6)
    growth = np.log(np.maximum(distances[1] / distances[0], 1.01))
    exponents = np.log(max(farther, 1) / max(rank, 1)) / growth
    if len(sample) < FEW:  # a hundredth of them is no crowd, but the copies themselves
        distances, exponents = np.maximum(distances, FEW_DISTANCE), np.full_like(exponents, 10)
    return Crowd(distances[0], exponents.astype(np.float32))
