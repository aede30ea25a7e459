"""Which pictures may be copies of which: a search that is nearly linear in their number.

Locality-sensitive hashing by random hyperplanes (Charikar, 2002): each description is hashed to
64 bits, whose agreement falls with the angle between two descriptions. Pictures are sorted by
their hash, and each is compared with its few neighbours in that order, under several independent
hashes. However alike the pictures of a data set are, the work stays at tables · neighbours ·
pictures; how many leading bits neighbours share grows with the logarithm of the number of
pictures by itself.

Each picture asks as it is, mirrored, and cropped in five places.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tellapart.data.audit.blocks import in_blocks
from tellapart.data.audit.description import (
    MIRRORED,
    PLAIN,
    Floats,
    View,
    crowd_distances,
    describe,
    references,
)

Indices = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

TABLES = 10
NEIGHBOURS, NEIGHBOURS_OF_VIEWS = 6, 2
"""To each side of a picture's place in each table, so many are looked at; fewer where it asks
mirrored or cropped."""

MOST_BITS_APART = 12
"""Of 64. Descriptions at 20 degrees seldom differ in more."""

CROP = 0.05
"""Of each side, so much is cut off where a picture asks as a crop of itself."""

VIEWS = (
    PLAIN,
    MIRRORED,
    View(CROP / 2, 1 - CROP, CROP / 2, 1 - CROP),
    *(View(left, 1 - CROP, top, 1 - CROP) for left in (0, CROP) for top in (0, CROP)),
)

ROUGHLY = 1024
"""A smaller sample of the crowd is enough to leave out what `verify` would."""

FIRST, ROUNDING = 16, 1e-5
"""A distance is half the sum of the squared differences of two descriptions. So many of them, in
the frequencies that vary most, are summed first: for most pairs that is too much already, and it
reads one line of the processor's cache, not four. What rounding may add to a sum is allowed for."""

_SEED = 2002


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs that may be copies: `VIEWS[views[i]]` of picture `first[i]` looks like `second[i]`.

    Attributes:
        first: (k,) int64.
        second: (k,) int64.
        views: (k,) int64, indices into VIEWS.
        distances: (k,) float32, of their descriptions.
    """

    first: Indices = field(repr=False)
    second: Indices = field(repr=False)
    views: Indices = field(repr=False)
    distances: Floats = field(repr=False)

    def where(self, mask: npt.NDArray[np.bool_]) -> Candidates:
        """Returns those where the (k,) mask is true."""
        return Candidates(
            self.first[mask], self.second[mask], self.views[mask], self.distances[mask]
        )


def find_candidates(
    grey: npt.NDArray[np.uint8],
    areas: Indices,
    *,
    closeness: tuple[float, float],
    always: float,
) -> Candidates:
    """Finds pairs of pictures that are much closer together than to the crowd.

    Args:
        grey: (n, SIDE, SIDE) uint8 thumbnails, none of them of one colour, n at least 2.
        areas: (n,) int64, the pictures' numbers of pixels.
        closeness: how much closer: the most that a pair's distance may be, as a share of its
            smaller distance to the crowd; of pictures of equal area, and of others.
        always: a distance that is found in any crowd.

    Returns:
        The pairs. Memory: about 1 KB a picture.
    """
    plain = describe(grey)
    crowd = crowd_distances(plain, plain[references(len(plain), ROUGHLY)])
    centre, scale = plain.mean(0), plain.std(0) + np.float32(1e-3)
    planes = np.random.default_rng(_SEED).standard_normal(
        (plain.shape[1], 64 * TABLES), dtype=np.float32
    )
    tables = _Tables.build(_hash((plain - centre) / scale, planes))
    telling = np.argsort(-scale)[:FIRST]
    begins = np.ascontiguousarray(plain[:, telling])

    def look(block: slice) -> list[Candidates]:
        found = []
        for number, view in enumerate(VIEWS):
            asking = plain[block] if view == PLAIN else describe(grey[block], view)
            hashes = _hash((asking - centre) / scale, planes)
            first, second = tables.near(hashes, block.start, plain=view == PLAIN)
            shares = np.where(areas[first] == areas[second], *closeness)
            limits = np.maximum(shares * np.minimum(crowd[first], crowd[second]), always)
            begun = np.ascontiguousarray(asking[:, telling])
            started = _squares(begun[first - block.start], begins[second])
            hopeful = started <= 2 * limits + ROUNDING
            first, second, limits = first[hopeful], second[hopeful], limits[hopeful]
            distances = 1 - np.einsum("ij,ij->i", asking[first - block.start], plain[second])
            close = distances <= limits
            views = np.full(len(first), number)
            found.append(Candidates(first, second, views, distances).where(close))
        return found

    found = [part for parts in in_blocks(look, len(grey)) for part in parts]
    return Candidates(
        *(
            np.concatenate([getattr(part, name) for part in found])
            for name in ("first", "second", "views", "distances")
        )
    )


@dataclass(frozen=True, eq=False)
class _Tables:
    """The pictures in the order of each of their hashes.

    Attributes:
        orders: (TABLES, n) int64, the pictures sorted by hash.
        hashes: (TABLES, n) uint64, sorted.
    """

    orders: Indices
    hashes: Hashes

    @classmethod
    def build(cls, hashes: Hashes) -> _Tables:
        orders = np.argsort(hashes, axis=1)
        return cls(orders, np.take_along_axis(hashes, orders, axis=1))

    def near(self, hashes: Hashes, start: int, *, plain: bool = False) -> tuple[Indices, Indices]:
        """Returns distinct pairs (asking, found).

        Args:
            hashes: (TABLES, k) of the pictures `start`, `start` + 1, ...
            start: the first that asks.
            plain: they ask as they are. More neighbours are looked at, and the very next ones
                are found however many bits differ: where most pictures of a data set are copies
                of one, hashes are noise.
        """
        reach = NEIGHBOURS if plain else NEIGHBOURS_OF_VIEWS
        size, count = self.orders.shape[1], hashes.shape[1]
        keys = []
        for order, ordered, asked in zip(self.orders, self.hashes, hashes, strict=True):
            asking = np.argsort(asked)  # questions in the table's order walk through it once
            places = np.searchsorted(ordered, asked[asking])
            # One step more to the right: where a picture asks as it is, it finds itself.
            for step in range(-reach, reach + 1):
                place = np.clip(places + step, 0, size - 1)
                most = 64 if plain and abs(step) <= 1 else MOST_BITS_APART
                close = np.bitwise_count(ordered[place] ^ asked[asking]) <= most
                keys.append(order[place[close]] * count + asking[close])
        # In the order of what is found: all pictures are gone through, not jumped about in.
        pairs = np.sort(np.concatenate(keys))  # `np.unique` takes five times as long
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        second, asking = np.divmod(pairs, count)
        first = asking + start
        another = first != second
        return first[another], second[another]


def _squares(some: Floats, others: Floats) -> Floats:
    """Returns (k,) squared distances of (k, d) from (k, d)."""
    differences = some - others
    squares: Floats = np.einsum("ij,ij->i", differences, differences)
    return squares


def _hash(described: Floats, planes: Floats) -> Hashes:
    """Returns (TABLES, n) uint64 of (n, d) descriptions."""
    hashes = np.empty((len(described), TABLES), np.uint64)

    def work(block: slice) -> None:
        bits = np.packbits(described[block] @ planes > 0, axis=1)
        hashes[block] = bits.view(">u8")

    for _ in in_blocks(work, len(described)):
        pass
    return np.ascontiguousarray(hashes.T)
