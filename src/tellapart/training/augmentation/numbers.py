"""The random numbers of augmentation: a picture's own, whatever was drawn before it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

NUMBERS = (
    "flip_y", "flip_x", "shift_y", "shift_x", "rotate", "zoom", "crop", "crop_y", "crop_x",
    "brightness", "contrast", "saturation", "erase", "erase_area", "erase_aspect", "erase_y",
    "erase_x", "mix", "mix_share", "mix_y", "mix_x",
)  # fmt: skip
"""What each picture draws, used or not, so that one operation more leaves the others as they are.

New ones go to the end; they still change every run with augmentation.
"""

Numbers = Mapping[str, npt.NDArray[np.float64]]
"""By name, (pictures,) float64, uniform from 0 to below 1."""

_STREAM = 1
"""Apart from the stream that shuffles an epoch."""


def draw(seed: int, epoch: int, position: int, count: int) -> Numbers:
    """Draws the numbers of `count` pictures from `position` on in the order of an epoch.

    A function of its arguments alone, and of a picture's place alone: batches of any size give
    the same, and an epoch can begin in its middle. (PCG64, O'Neill 2014, can leap ahead.)
    """
    bits = np.random.PCG64(np.random.SeedSequence([seed, epoch], spawn_key=(_STREAM,)))
    bits.advance(int(position) * len(NUMBERS))  # TensorFlow hands in an np.int64
    table = np.random.Generator(bits).random((count, len(NUMBERS)))
    return dict(zip(NUMBERS, table.T, strict=True))


def between(uniform: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.float64]:
    """Stretches numbers from 0..1 to low..high."""
    return low + (high - low) * uniform
