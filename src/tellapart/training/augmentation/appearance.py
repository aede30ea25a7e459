"""What does not move pixels: colour, and erased rectangles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tellapart.images import Pixels
from tellapart.training.augmentation.numbers import Numbers, between

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""How bright red, green and blue look (ITU-R BT.601), as Pillow turns colour into grey."""

ERASED_AREA = (0.02, 0.33)
ERASED_ASPECT = (0.3, 1 / 0.3)
"""Of random erasing (Zhong et al., 2020), as in Keras."""


def jitter(pixels: Pixels, strength: float, numbers: Numbers) -> Pixels:
    """Changes brightness b, contrast k and saturation s, each from 1 - strength to 1 + strength.

        grey     = luma of the pixel
        coloured = grey + s · (pixel - grey)
        result   = b · (mean + k · (coloured - mean))      mean = mean luma of the picture

    Args:
        pixels: (n, height, width, channels) uint8; one channel has no saturation.
        strength: 0 to 1.
        numbers: of n pictures.

    Returns:
        (n, height, width, channels) uint8, cut off at 0 and 255.
    """
    b, k, s = (
        between(numbers[name], 1 - strength, 1 + strength).astype(np.float32)[:, None, None]
        for name in ("brightness", "contrast", "saturation")
    )
    colours = pixels.shape[-1] == 3
    flat = pixels.astype(np.float32)
    grey = (flat.reshape(-1, 3) @ LUMA).reshape(pixels.shape[:3]) if colours else flat[..., 0]
    mean = grey.mean(axis=(1, 2), keepdims=True)
    offset = b * (k * (1 - s) * grey + (1 - k) * mean) if colours else b * (1 - k) * mean
    gain = b * k * s if colours else b * k
    result = np.empty_like(pixels)
    for channel in range(pixels.shape[-1]):  # NumPy is slow along an axis of three
        plane = flat[..., channel] * gain + offset
        result[..., channel] = np.clip(np.rint(plane, out=plane), 0, 255, out=plane)
    return result


def erase(pixels: Pixels, probability: float, numbers: Numbers) -> Pixels:
    """Covers a rectangle of some pictures with their mean colour.

    Args:
        pixels: (n, height, width, channels) uint8.
        probability: how many pictures are covered, 0 to 1.
        numbers: of n pictures.

    Returns:
        (n, height, width, channels) uint8.
    """
    height, width = pixels.shape[1:3]
    area = between(numbers["erase_area"], *ERASED_AREA) * height * width
    low, high = np.log(ERASED_ASPECT)
    aspect = np.exp(between(numbers["erase_aspect"], low, high))
    boxes = place(
        np.sqrt(area * aspect),
        np.sqrt(area / aspect),
        numbers["erase_y"],
        numbers["erase_x"],
        height,
        width,
    )
    result = pixels.copy()
    for i in np.flatnonzero(numbers["erase"] < probability):
        result[i][boxes[i]] = np.rint(pixels[i].mean(axis=(0, 1)))
    return result


def place(
    tall: npt.NDArray[np.float64],
    wide: npt.NDArray[np.float64],
    at_y: npt.NDArray[np.float64],
    at_x: npt.NDArray[np.float64],
    height: int,
    width: int,
) -> list[tuple[slice, slice]]:
    """Places rectangles of whole pixels wholly inside pictures; `at` 0 to below 1 says where.

    Returns:
        For each picture the rows and the columns that its rectangle covers.
    """
    tall, wide = np.minimum(np.rint(tall), height), np.minimum(np.rint(wide), width)
    top = np.floor(at_y * (height - tall + 1))
    left = np.floor(at_x * (width - wide + 1))
    sides = np.stack([top, top + tall, left, left + wide], axis=1).astype(np.int64)
    return [(slice(a, b), slice(c, d)) for a, b, c, d in sides.tolist()]
