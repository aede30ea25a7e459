"""What a layer answers to one picture: figures of it, and its strongest channels as pictures."""

from __future__ import annotations

import base64
import io
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tellapart.explanation.walk import Array
from tellapart.images import Pixels

MAX_SIDE = 64
"""The longest side of a feature map as a picture; larger ones are reduced by averaging."""

MAX_STRIP = 4096
"""The most numbers of a vector that are shown as one picture."""


@dataclass(frozen=True)
class Activations:
    """Figures of what a layer answers to one picture.

    Attributes:
        minimum, mean, maximum: of all numbers; None where one of them, or of an earlier
            layer, is not finite.
        zeros: the share of numbers that are exactly 0, as ReLU makes them; None likewise.
        channels: filters of a convolution, units of a dense layer: the length of the last axis.
        dead_channels: channels that are 0 everywhere in this picture. Another picture may wake
            them; a channel that is dead in all pictures is of no use. None likewise.
        not_finite: how many numbers are NaN or infinite.
    """

    minimum: float | None
    mean: float | None
    maximum: float | None
    zeros: float | None
    channels: int
    dead_channels: int | None
    not_finite: int

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """One channel of a layer's answer as a picture.

    Attributes:
        channel: which, from 0; None for a vector, whose numbers are laid in rows.
        low: the value that is shown as 0.
        high: the value that is shown as 255.
        strength: the standard deviation of the values, by which the strongest are chosen.
        size: height and width of the channel, before it was reduced; (1, n) for a vector.
        pixels: (height, width) uint8, the values from `low` to `high`, at most MAX_SIDE a side.
    """

    channel: int | None
    low: float
    high: float
    strength: float
    size: tuple[int, int]
    pixels: Pixels

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name, the pixels as a PNG in base64."""
        return {
            "channel": self.channel,
            "low": self.low,
            "high": self.high,
            "strength": self.strength,
            "height": self.size[0],
            "width": self.size[1],
            "png": encode_png(self.pixels),
        }


def measure(output: Array) -> Activations:
    """Measures a layer's answer, (..., channels) of any number of axes."""
    finite = np.isfinite(output)
    count = int(output.size - np.count_nonzero(finite))
    channels = output.shape[-1] if output.ndim else 1
    if count or not output.size:
        return Activations(None, None, None, None, channels, None, count)
    by_channel = output.reshape(-1, channels)
    return Activations(
        minimum=float(output.min()),
        mean=float(output.mean(dtype=np.float64)),
        maximum=float(output.max()),
        zeros=float(np.mean(output == 0)),
        channels=channels,
        dead_channels=int(np.count_nonzero(~by_channel.any(axis=0))),
        not_finite=0,
    )


def unmeasured(output: Array) -> Activations:
    """Returns no figures: for answers made of numbers that are not finite."""
    return Activations(None, None, None, None, output.shape[-1], None, 0)


def strongest_maps(output: Array, count: int) -> tuple[FeatureMap, ...]:
    """Chooses the channels that vary most over the picture, and makes pictures of them.

    By their standard deviation, not their mean: a channel that answers the same everywhere may be
    large, and says nothing about what is where.

    Args:
        output: (1, height, width, channels), or (1, n): then all of it is one picture, in rows.
        count: how many, at most.

    Returns:
        The strongest first; none where there is nothing to see: numbers that are not finite, other
        shapes, a vector of more than MAX_STRIP numbers.
    """
    if not np.isfinite(output).all() or not output.size:
        return ()
    if output.ndim == 2:
        return (_strip(output[0]),) if 2 <= output.shape[-1] <= MAX_STRIP else ()
    if output.ndim != 4 or output.shape[1:3] == (1, 1):
        return ()
    values = output[0].astype(np.float64)
    spread = values.std(axis=(0, 1))
    order = np.argsort(-spread, kind="stable")[:count]
    return tuple(_map(values[..., channel], int(channel)) for channel in order)


def encode_png(pixels: Pixels) -> str:
    """Writes (height, width) or (height, width, 1 or 3) uint8 as PNG in base64."""
    from PIL import Image

    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def _map(values: Array, channel: int | None) -> FeatureMap:
    return FeatureMap(
        channel=channel,
        low=float(values.min()),
        high=float(values.max()),
        strength=float(values.std(dtype=np.float64)),
        size=(values.shape[0], values.shape[1]),
        pixels=_reduced(_normalised(values)),
    )


def _strip(values: Array) -> FeatureMap:
    """Lays a vector in rows, twice as wide as high or more; what is left of the last is `low`."""
    n = len(values)
    columns = min(n, max(16, int(2 ** np.ceil(np.log2(np.sqrt(2 * n))))))
    rows = -(-n // columns)
    laid = np.full(rows * columns, values.min())
    laid[:n] = values
    return FeatureMap(
        channel=None,
        low=float(values.min()),
        high=float(values.max()),
        strength=float(values.std(dtype=np.float64)),
        size=(1, n),
        pixels=_normalised(laid.reshape(rows, columns)),
    )


def _normalised(values: Array) -> Pixels:
    """Stretches values to 0..255; where all are equal, all become 0."""
    values = values.astype(np.float64)
    span = values.max() - values.min()
    scaled = (values - values.min()) / span if span > 0 else np.zeros_like(values)
    return np.round(255 * scaled).astype(np.uint8)


def _reduced(pixels: Pixels) -> Pixels:
    from PIL import Image

    height, width = pixels.shape
    longest = max(height, width)
    if longest <= MAX_SIDE:
        return pixels
    size = (max(1, round(width * MAX_SIDE / longest)), max(1, round(height * MAX_SIDE / longest)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
