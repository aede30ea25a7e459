"""Flip, shift, rotate, zoom and crop as one affine map, so that pictures are resampled once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.images import Pixels
from tellapart.training.augmentation.numbers import Numbers, between
from tellapart.training.augmentation.spec import Augmentation

Floats = npt.NDArray[np.floating[Any]]

CHUNK = 2**14
"""Pixels that are resampled at a time: what is made on the way stays in the processor's cache."""


@dataclass(frozen=True)
class Windows:
    """Where in the picture each output pixel is read, one map a picture.

    With (y, x) counted from the middle, output (y, x) is read at

        scale · R(angle) · (mirror_y · y, mirror_x · x) + (shift_y, shift_x)

    Attributes, (pictures,) each:
        scale: below 1 enlarges.
        angle: in radians, clockwise.
        mirror_y, mirror_x: 1 or -1.
        shift_y, shift_x: in pixels.
    """

    scale: Floats
    angle: Floats
    mirror_y: Floats
    mirror_x: Floats
    shift_y: Floats
    shift_x: Floats


def transform(pixels: Pixels, spec: Augmentation, numbers: Numbers) -> Pixels:
    """Applies the geometry of an augmentation.

    Args:
        pixels: (n, height, width, channels) uint8.
        spec: what to do.
        numbers: of n pictures.

    Returns:
        (n, height, width, channels) uint8.
    """
    height, width = pixels.shape[1:3]
    if not resamples(spec):
        return _taken(pixels, *moves(spec, numbers, height, width))
    windows = _windows(spec, numbers, height, width)
    step = max(1, CHUNK // (height * width))
    result = np.empty_like(pixels)
    for start in range(0, len(pixels), step):
        part = slice(start, start + step)
        result[part] = _resample(pixels[part], *_coordinates(windows, part, height, width))
    return result


def resamples(spec: Augmentation) -> bool:
    """Whether output pixels lie between those of the picture."""
    return bool(spec.rotate or spec.zoom or spec.crop < 1)


def moves(
    spec: Augmentation, numbers: Numbers, height: int, width: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Flips and shifts by whole pixels: rows and columns of the picture, nothing in between.

    Args:
        spec: one that does not resample.
        numbers: of n pictures.
        height: of the pictures.
        width: of the pictures.

    Returns:
        Which row of its picture each row of the output is, (n, height), and which column each
        column, (n, width).
    """
    windows = _windows(spec, numbers, height, width)
    rows = _from_middle(height) * windows.mirror_y[:, None] + windows.shift_y[:, None]
    columns = _from_middle(width) * windows.mirror_x[:, None] + windows.shift_x[:, None]
    y = _mirrored(np.rint(rows + (height - 1) / 2).astype(np.int64), height)
    x = _mirrored(np.rint(columns + (width - 1) / 2).astype(np.int64), width)
    return y, x


def _windows(spec: Augmentation, numbers: Numbers, height: int, width: int) -> Windows:
    side = between(numbers["crop"], spec.crop, 1)
    vertical, horizontal = spec.flip in ("vertical", "both"), spec.flip in ("horizontal", "both")
    room_y, room_x = (1 - side) * height, (1 - side) * width  # for a crop to move in
    return Windows(
        scale=side * between(numbers["zoom"], 1 - spec.zoom, 1 + spec.zoom),
        angle=np.deg2rad(between(numbers["rotate"], -spec.rotate, spec.rotate)),
        mirror_y=np.where(vertical & (numbers["flip_y"] < 0.5), -1.0, 1.0),
        mirror_x=np.where(horizontal & (numbers["flip_x"] < 0.5), -1.0, 1.0),
        # Shifts are whole pixels: on their own they blur nothing.
        shift_y=np.rint(between(numbers["shift_y"], -spec.shift, spec.shift) * height)
        + room_y * (numbers["crop_y"] - 0.5),
        shift_x=np.rint(between(numbers["shift_x"], -spec.shift, spec.shift) * width)
        + room_x * (numbers["crop_x"] - 0.5),
    )


def _taken(pixels: Pixels, y: npt.NDArray[np.int64], x: npt.NDArray[np.int64]) -> Pixels:
    count, height, width, channels = pixels.shape
    places = _first(count, height, width) + y[:, :, None] * width + x[:, None, :]
    moved: Pixels = pixels.reshape(-1, channels).take(
        places, axis=0
    )  # six times as fast as pixels[picture, y, x]
    return moved


def _coordinates(
    windows: Windows, part: slice, height: int, width: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Returns where each output pixel is read: y and x, (n, height, width) float32 each."""

    def of(values: Floats) -> npt.NDArray[np.float32]:
        return values[part, None, None].astype(np.float32)

    cos, sin = of(windows.scale * np.cos(windows.angle)), of(windows.scale * np.sin(windows.angle))
    y = _from_middle(height)[:, None] * of(windows.mirror_y)
    x = _from_middle(width) * of(windows.mirror_x)
    read_y = cos * y - sin * x + (of(windows.shift_y) + np.float32((height - 1) / 2))
    read_x = sin * y + cos * x + (of(windows.shift_x) + np.float32((width - 1) / 2))
    return read_y, read_x


def _resample(pixels: Pixels, y: npt.NDArray[np.float32], x: npt.NDArray[np.float32]) -> Pixels:
    """Reads pictures between their pixels, bilinearly."""
    count, height, width, channels = pixels.shape
    top, left = np.floor(y), np.floor(x)
    down, right = y - top, x - left
    y0, x0 = top.astype(np.int32), left.astype(np.int32)
    rows = [_first(count, height, width) + _mirrored(y0 + i, height) * width for i in (0, 1)]
    columns = [_mirrored(x0 + i, width) for i in (0, 1)]
    places = [[row + column for column in columns] for row in rows]
    result = np.empty_like(pixels)
    for channel in range(channels):  # NumPy is slow along an axis of three
        plane = pixels[..., channel].astype(np.float32).reshape(-1)
        (above, above_right), (below, below_right) = (
            [plane.take(place) for place in pair] for pair in places
        )
        above += right * (above_right - above)
        below += right * (below_right - below)
        above += down * (below - above)
        result[..., channel] = np.rint(above, out=above)
    return result


def _first(count: int, height: int, width: int) -> npt.NDArray[np.int32]:
    """The place of each picture's first pixel among those of all: (count, 1, 1) int32."""
    return (np.arange(count, dtype=np.int32) * (height * width))[:, None, None]


def _from_middle(size: int) -> npt.NDArray[np.float32]:
    """Places of pixels counted from the middle of a side: -0.5 and 0.5 for two of them."""
    return np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)


def _mirrored(index: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Continues a side by its mirror image: d c b a | a b c d | d c b a."""
    index = index % (2 * size)
    return np.asarray(np.minimum(index, 2 * size - 1 - index))
