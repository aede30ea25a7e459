"""Where the weight of a map lies, in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tellapart.explanation.heatmaps.grids import Floats, Heat

STRONG = 0.5
"""A place is strong from so much of the strongest on."""

NAMES = (
    ("upper left", "top", "upper right"),
    ("left", "centre", "right"),
    ("lower left", "bottom", "lower right"),
)
"""The ninths of a picture."""


@dataclass(frozen=True)
class Focus:
    """The strong places of a map: at least half as strong as the strongest.

    Attributes:
        where: in which part of the picture most of them lie, such as "upper left".
        weight: their share of the weight of the map, 0 to 1.
        area: their share of the picture, 0 to 1.
    """

    where: str
    weight: float
    area: float

    def __str__(self) -> str:
        return f"{self.where}, {self.shares}"

    @property
    def shares(self) -> str:
        """Weight and area in words."""
        area = "under 1%" if self.area < 0.01 else f"{self.area:.0%}"
        return f"{self.weight:.0%} of the weight on {area} of the picture"

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return asdict(self)


def find_focus(heat: Heat) -> Focus | None:
    """Says where a map is strong.

    Args:
        heat: (height, width) float32, 0 to 1 or NaN where the network saw nothing.

    Returns:
        None where the map is empty.
    """
    known = np.nan_to_num(heat)
    peak = float(known.max(initial=0))
    if peak <= 0:
        return None
    strong = np.where(known >= STRONG * peak, known, 0)
    total = float(strong.sum())
    return Focus(
        _where(strong / total),
        total / float(known.sum()),
        float(np.count_nonzero(strong)) / known.size,
    )


def _where(weight: Floats) -> str:
    """Names the ninth with most of the weight, or two where one has less than half of it."""
    ninths = _thirds(weight.shape[0]) @ weight @ _thirds(weight.shape[1]).T
    order = np.argsort(-ninths, axis=None, kind="stable")[:2]
    first, second = (NAMES[place // 3][place % 3] for place in order.tolist())
    shares = ninths.ravel()[order]
    if shares[0] >= 0.5:
        return first
    return f"{first} and {second}" if shares.sum() >= 0.5 else "in many places"


def _thirds(side: int) -> Floats:
    """(3, side): which share of each pixel lies in each third of a side."""
    edges = np.arange(side + 1)
    bounds = np.linspace(0, side, 4)
    overlap = np.minimum(edges[1:], bounds[1:, np.newaxis]) - np.maximum(
        edges[:-1], bounds[:-1, np.newaxis]
    )
    return np.asarray(np.clip(overlap, 0, 1))
