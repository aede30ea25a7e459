"""Copies of one picture: identical files, the same pixels, and near copies.

A near copy is the picture saved anew, resized, made a little brighter or darker, cropped by
about 5%, or mirrored. Copies are found within and across classes and parts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from tellapart.data.audit.description import (
    MIRRORED,
    Floats,
    crowd_distances,
    describe,
    deviations,
    references,
)
from tellapart.data.audit.search import VIEWS, Indices, find_candidates
from tellapart.data.audit.verify import CERTAIN, CLOSENESS, areas_of, verify

Kind = Literal["identical file", "same pixels", "near copy", "mirrored copy"]
KINDS: tuple[Kind, ...] = get_args(Kind)

PLAINEST = 2.0
"""Thumbnails whose grey levels deviate less show nothing by which to recognise a picture."""

FARTHEST, ALIKE = 0.5, 0.001
"""The first pictures of two groups that are joined are closer than this share of the crowd's
distance, or alike in any crowd: a chain of small differences ends before it has led to another
picture."""


@dataclass(frozen=True, eq=False)
class Copies:
    """Which pictures are copies of which.

    Attributes:
        groups: (n,) int64; equal numbers are copies of one picture: the number of the group's
            first picture. A picture without copies is alone in its group.
        first: (m,) int64; with `second`, the pairs that were found. Of k equal files k - 1 pairs
            are listed, and near copies are looked for once among equal files.
        second: (m,) int64.
        kinds: (m,) int8, indices into KINDS.
        similarities: (m,) float32, from 0 to 1, 1 for equal pixels: the correlation of the
            thumbnails, brightness and contrast aside.
    """

    groups: Indices = field(repr=False)
    first: Indices = field(repr=False)
    second: Indices = field(repr=False)
    kinds: npt.NDArray[np.int8] = field(repr=False)
    similarities: Floats = field(repr=False)


def find_copies(
    signatures: npt.NDArray[Any],
    digests: npt.NDArray[np.uint8],
    readable: npt.NDArray[np.bool_],
) -> Copies:
    """Finds copies, in time nearly linear in the number of pictures.

    Args:
        signatures: (n,) SIGNATURE.
        digests: (n, 16) uint8; equal digests are equal files.
        readable: (n,) which pictures have a signature; no other is a copy of anything.

    Returns:
        The copies. Memory: about 3 KB a picture.
    """
    files = _first_equal(digests, np.flatnonzero(readable))
    pixels = _first_equal(signatures["pixels"], np.unique(files[readable]))
    distinct = np.unique(pixels[np.unique(files[readable])])
    grey = signatures["grey"]
    showing = distinct[deviations(grey)[distinct] >= PLAINEST]
    near = _find_near(signatures[showing])
    parts = [
        _pairs(files, readable, 0),
        _pairs(pixels, readable & (files == np.arange(len(files))), 1),
        (showing[near[0]], showing[near[1]], near[2], near[3]),
    ]
    first, second, kinds, similarities = (
        np.concatenate(arrays) for arrays in zip(*parts, strict=True)
    )
    groups = np.where(readable, pixels[files], np.arange(len(files)))
    joined = _join(grey[showing], *near)
    lookup = np.arange(len(files))
    lookup[showing] = showing[joined]
    return Copies(lookup[groups], first, second, kinds, similarities)


def _first_equal(digests: npt.NDArray[np.uint8], among: Indices) -> Indices:
    """Returns for each picture the first one with the same digest; others point to themselves."""
    result = np.arange(len(digests))
    rows = np.ascontiguousarray(digests[among]).view(f"V{digests.shape[1]}").ravel()
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    result[among] = among[first[inverse]]
    return result


def _pairs(
    representatives: Indices, valid: npt.NDArray[np.bool_], kind: int
) -> tuple[Indices, Indices, npt.NDArray[np.int8], Floats]:
    second = np.flatnonzero(valid & (representatives != np.arange(len(representatives))))
    kinds = np.full(len(second), kind, np.int8)
    return representatives[second], second, kinds, np.ones(len(second), np.float32)


def _find_near(
    signatures: npt.NDArray[Any],
) -> tuple[Indices, Indices, npt.NDArray[np.int8], Floats]:
    """Returns first, second, kinds and similarities of near copies, the most similar first."""
    if len(signatures) < 2:
        none = np.zeros(0, np.int64)
        return none, none, np.zeros(0, np.int8), np.zeros(0, np.float32)
    grey = np.ascontiguousarray(signatures["grey"])
    candidates = find_candidates(grey, areas_of(signatures), closeness=CLOSENESS, always=CERTAIN)
    found = verify(signatures, candidates)
    order = np.lexsort((found.second, found.first, found.distances))
    mirrored = found.views == VIEWS.index(MIRRORED)
    kinds = np.where(mirrored, KINDS.index("mirrored copy"), KINDS.index("near copy"))
    first, second = np.minimum(found.first, found.second), np.maximum(found.first, found.second)
    similarities = np.clip(1 - found.distances, 0, 1)
    return first[order], second[order], kinds[order].astype(np.int8), similarities[order]


def _join(
    grey: npt.NDArray[np.uint8],
    first: Indices,
    second: Indices,
    kinds: npt.NDArray[np.int8],
    similarities: Floats,
) -> Indices:
    """Joins pairs, the most similar first, to groups; returns each picture's first of its group."""
    if not len(first):
        return np.arange(len(grey))
    involved, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    plain, mirrored = describe(grey[involved]), describe(grey[involved], MIRRORED)
    crowd = crowd_distances(plain, describe(grey[references(len(grey))]))
    root = np.arange(len(involved))

    def top(picture: int) -> int:
        while root[picture] != picture:
            root[picture] = root[root[picture]]
            picture = int(root[picture])
        return picture

    for one, other in places.reshape(2, -1).T.tolist():
        low, high = sorted((top(one), top(other)))
        likeness = max(plain[low] @ plain[high], mirrored[low] @ plain[high])
        as_found = {low, high} == {one, other}
        farthest = max(FARTHEST * min(crowd[low], crowd[high]), ALIKE)
        if as_found or 1 - likeness <= farthest:
            root[high] = low
    joined = np.arange(len(grey))
    joined[involved] = involved[[top(picture) for picture in range(len(involved))]]
    return joined
