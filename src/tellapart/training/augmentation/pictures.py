"""Augmentation of a batch: first each picture by itself, then two together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tellapart.images import Pixels
from tellapart.training.augmentation.appearance import erase, jitter, place
from tellapart.training.augmentation.geometry import transform
from tellapart.training.augmentation.numbers import Numbers
from tellapart.training.augmentation.spec import Augmentation


def augment(pixels: Pixels, spec: Augmentation, numbers: Numbers) -> Pixels:
    """Changes each picture by itself: geometry, then colour, then erasing.

    Args:
        pixels: (n, height, width, channels) uint8, channels 1 or 3; left as they are.
        spec: what to do; mixing is for `mix`.
        numbers: of n pictures, from `draw`.

    Returns:
        (n, height, width, channels) uint8.
    """
    moves = spec.flip != "none" or spec.shift or spec.rotate or spec.zoom or spec.crop < 1
    if moves:
        pixels = transform(pixels, spec, numbers)
    if spec.colour:
        pixels = jitter(pixels, spec.colour, numbers)
    if spec.erase:
        pixels = erase(pixels, spec.erase, numbers)
    return pixels


def mix(
    pixels: Pixels, labels: npt.NDArray[np.float32], spec: Augmentation, numbers: Numbers
) -> tuple[Pixels, npt.NDArray[np.float32]]:
    """Mixes each picture with the one that follows it in the order of the epoch.

    The order is random, and so is the partner; and no batch decides who it is.

    Args:
        pixels: (n + 1, height, width, channels) uint8.
        labels: (n + 1, classes) float32, rows summing to 1.
        spec: how to mix.
        numbers: of the n + 1 pictures; the last one only is a partner, and its own go unused.

    Returns:
        (n, height, width, channels) uint8 and (n, classes) float32, rows summing to 1.
    """
    numbers = {name: values[:-1] for name, values in numbers.items()}
    # With both operations, a coin decides for each picture.
    chance = 0.5 if spec.mixup and spec.cutmix else float(bool(spec.mixup))
    blends = numbers["mix"] < chance
    mixed = pixels[:-1].copy()
    kept = np.ones(len(mixed), np.float32)
    kept[blends] = _beta(spec.mixup, numbers["mix_share"][blends])
    for i in np.flatnonzero(blends):
        mixed[i] = np.rint(kept[i] * pixels[i] + (1 - kept[i]) * pixels[i + 1])
    boxes = _boxes(_beta(spec.cutmix, numbers["mix_share"]), numbers, *pixels.shape[1:3])
    for i in np.flatnonzero(~blends):
        covered = pixels[i + 1][boxes[i]]
        mixed[i][boxes[i]] = covered
        kept[i] = 1 - covered.size / mixed[i].size
    share = kept[:, None]
    return mixed, share * labels[:-1] + (1 - share) * labels[1:]


def _beta(alpha: float, uniform: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turns uniform numbers into ones from Beta(alpha, alpha); without alpha, into 1."""
    if not alpha:
        return np.ones_like(uniform)
    from scipy.special import betaincinv

    return np.asarray(betaincinv(alpha, alpha, uniform), np.float64)


def _boxes(
    kept: npt.NDArray[np.float64], numbers: Numbers, height: int, width: int
) -> list[tuple[slice, slice]]:
    """Returns what another picture takes over: rectangles of the picture's shape."""
    side = np.sqrt(1 - kept)
    return place(side * height, side * width, numbers["mix_y"], numbers["mix_x"], height, width)
