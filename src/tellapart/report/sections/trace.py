"""One picture followed through the network, from its pixels to the probabilities."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from tellapart.explanation.flow import format_shape
from tellapart.explanation.prediction.text import (
    MAX_KERNEL,
    decimals,
    number,
    percent,
    place,
    pooling_in_words,
)
from tellapart.explanation.prediction.worked_convolution import Then, WorkedConvolution
from tellapart.explanation.prediction.worked_pooling import WorkedPooling
from tellapart.report.pictures import NoPictures, Pictures
from tellapart.report.record import AbsentError, RunRecord, as_written
from tellapart.report.thumbnails import Thumbnail, image_uri, thumbnail

MAPS = 6
"""So many feature maps of a block are shown; the trace has up to eight."""

MAP_SIDE = 56
"""The longest side of one, in CSS pixels."""

TOP = 5
"""So many classes are shown."""

PICTURE_SIDE = 224

FORMAT_VERSION = 1


@dataclass(frozen=True)
class ShownMap:
    """A feature map.

    Attributes:
        name: what it is, for those who cannot see it.
        caption: the number of its channel; "" for a vector.
        picture: dark for the lowest value, yellow for the highest.
    """

    name: str
    caption: str
    picture: Thumbnail = field(repr=False)


@dataclass(frozen=True)
class Worked:
    """A calculation that can be checked by hand.

    Attributes:
        heading: what is worked out.
        where: whose answer it is, and what it looks at.
        grids: heading and rows of numbers in words; none where they are too wide.
        steps: words and number of each line of the calculation.
    """

    heading: str
    where: str
    grids: tuple[tuple[str, list[list[str]]], ...]
    steps: tuple[tuple[str, str], ...]


def trace(record: RunRecord, pictures: Pictures | NoPictures) -> dict[str, Any]:
    """Variables of the prediction trace."""
    found = record.prediction_trace
    if found.get("format_version") != FORMAT_VERSION:
        raise AbsentError(
            f"The prediction trace has format version {found.get('format_version')!r}; this "
            f"tellapart draws {FORMAT_VERSION}."
        )
    stages = found["stages"]
    return {
        "name": found["picture"]["name"],
        "said": _said(record, as_written(found["picture"]["name"])),
        "picture": _picture(found["picture"]),
        "box": _box(found),
        "model": found["model"],
        "layers": len(stages) - 1,
        "parameters": sum(block["parameters"] for block in found["blocks"]),
        "blocks": [_block(block, stages) for block in found["blocks"]],
        "answer": _answer(found["answer"]),
        "worked": [
            *([_convolution(found["convolution"])] if found["convolution"] else []),
            *([_pooling(found["pooling"])] if found["pooling"] else []),
        ],
        "notes": found["notes"],
    }


def _said(record: RunRecord, name: str) -> str:
    """Says which picture it is, and by which rule it was chosen."""
    try:
        predictions = record.predictions
        row = predictions.places.get(name)
    except AbsentError:
        row = None
    if row is None:
        return ""
    actual, said = (record.class_names[kind[row]] for kind in
                    (predictions.actual, predictions.predicted))  # fmt: skip
    if actual == said:
        return (
            f"It shows {actual}, and was recognised. Of the test pictures that were, it is the one "
            "with the median probability: an ordinary case, chosen by rule."
        )
    return (
        f"It shows {actual}, and was taken for {said}. No test picture was recognised; this is the "
        "one with the median probability."
    )


def _picture(found: Mapping[str, Any]) -> Thumbnail:
    image = _checked_png(found["png"])
    grey = found["channels"] == 1
    pixels = np.asarray(image.convert("L" if grey else "RGB"))
    return thumbnail(pixels[..., np.newaxis] if grey else pixels, PICTURE_SIDE)


def _box(found: Mapping[str, Any]) -> dict[str, float] | None:
    """Where in the picture the convolution looks, in pixels; None where it looks at none."""
    worked, picture = found["convolution"], found["picture"]
    if not worked:
        return None
    stage = next(stage for stage in found["stages"] if stage["name"] == worked["layer"])
    if stage["before"][1:3] != [picture["height"], picture["width"]]:
        return None
    x, width = _side(worked["columns"], picture["width"])
    y, height = _side(worked["rows"], picture["height"])
    return {
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        "of_width": picture["width"],
        "of_height": picture["height"],
    }


def _side(positions: list[int], length: int) -> tuple[float, float]:
    """Where a side of the box begins and how long it is: long enough to be found."""
    seen = positions[-1] - positions[0] + 1
    shown = max(seen, 0.06 * length)
    return positions[0] - (shown - seen) / 2, shown


def _block(block: Mapping[str, Any], stages: list[Mapping[str, Any]]) -> dict[str, Any]:
    first, last = stages[block["first"]], stages[block["last"]]
    figures = last["activations"]
    rectified = stages[block["rectified"]]["activations"] if block["rectified"] is not None else {}
    return {
        "name": block["name"],
        "does": block["does"],
        "before": format_shape(tuple(first["before"][1:])),
        "after": format_shape(tuple(last["after"][1:])),
        "parameters": block["parameters"],
        "low": number(figures["minimum"]),
        "mean": number(figures["mean"]),
        "high": number(figures["maximum"]),
        "zeros": None if rectified.get("zeros") is None else percent(rectified["zeros"]),
        "dead": rectified.get("dead_channels"),
        "channels": rectified.get("channels"),
        "maps": [_map(found, block["name"]) for found in last["maps"][:MAPS]],
        "maps_of": figures["channels"],
    }


def _map(found: Mapping[str, Any], block: str) -> ShownMap:
    image = _checked_png(found["png"])
    if image.height == 1 or found["channel"] is None:
        what, size = "its numbers in rows", (image.width, image.height)
    else:
        what, size = f"channel {found['channel']}", (image.width, image.height)
    times = MAP_SIDE / max(size)
    return ShownMap(
        f"{block}, {what}: from {number(found['low'])} to {number(found['high'])}",
        "" if found["channel"] is None else str(found["channel"]),
        Thumbnail(
            image_uri(_in_viridis(image)),
            max(2, round(size[0] * times)),
            max(2, round(size[1] * times)),
            pixelated=True,
        ),
    )


def _answer(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """From logits to probabilities; None where there are none."""
    classes = found["classes"]
    if not classes or classes[0]["probability"] is None:
        return None
    rest = classes[TOP:]
    return {
        "layer": found["layer"],
        "temperature": None if found["temperature"] == 1 else f"{found['temperature']:.4g}",
        "largest": None if found["largest_logit"] is None else decimals(found["largest_logit"]),
        "sum": None if found["sum"] is None else f"{found['sum']:.6f}",
        "count": len(classes),
        "rows": [
            {
                "name": one["name"],
                "logit": None if one["logit"] is None else decimals(one["logit"]),
                "exponential": None if one["exponential"] is None else f"{one['exponential']:.6f}",
                "probability": percent(one["probability"]),
                "share": round(100 * one["probability"], 2),
            }
            for one in classes[:TOP]
        ],
        "rest": (len(rest), percent(sum(one["probability"] for one in rest))) if rest else None,
    }


def _convolution(found: Mapping[str, Any]) -> Worked:
    worked = WorkedConvolution(
        **dict(found)
        | {name: np.array(found[name], np.float64) for name in ("window", "weights", "products")}
        | {"then": tuple(Then(**step) for step in found["then"])}
    )
    channels = len(worked.channel_sums)
    return Worked(
        f"One answer of {worked.layer}",
        f"Filter {worked.filter} at row {worked.row}, column {worked.column} (all counted from 0). "
        f"It looks at {place(worked.rows, worked.columns)} of its input"
        + (f", {channels} channels; channel {worked.channel} in full:" if channels > 1 else ":"),
        _grids(
            ("what it sees", worked.window),
            ("× weights", worked.weights),
            ("= products", worked.products),
        ),
        _steps(worked.sum_in_words()),
    )


def _pooling(found: Mapping[str, Any]) -> Worked:
    worked = WorkedPooling(**dict(found) | {"window": np.array(found["window"], np.float64)})
    return Worked(
        f"One window of {worked.layer}",
        f"Channel {worked.channel}, answer at row {worked.row}, column {worked.column}: "
        f"{place(worked.rows, worked.columns)} of its input.",
        _grids(("the window", worked.window)),
        _steps(pooling_in_words(worked)),
    )


def _grids(
    *tables: tuple[str, np.ndarray[Any, np.dtype[np.float64]]],
) -> tuple[tuple[str, list[list[str]]], ...]:
    if max(tables[0][1].shape) > MAX_KERNEL:
        return ()
    return tuple(
        (heading, [[decimals(value + 0.0) for value in row] for row in table.tolist()])
        for heading, table in tables
    )


def _steps(steps: list[tuple[str, float]]) -> tuple[tuple[str, str], ...]:
    return tuple((words, decimals(value)) for words, value in steps)


def _checked_png(encoded: str) -> Image.Image:
    """Opens a picture of the trace; ValueError where it is none."""
    content = base64.b64decode(encoded, validate=True)
    try:
        image = Image.open(io.BytesIO(content), formats=("PNG",))
        image.load()
    except OSError as error:
        raise ValueError(f"a picture of the trace is damaged: {error}") from error
    return image


def _in_viridis(image: Image.Image) -> Image.Image:
    """Colours a grey picture, even steps for the eye with every kind of colour vision."""
    from matplotlib import colormaps

    coloured = image.convert("L").copy()
    palette = (np.asarray(colormaps["viridis"](np.arange(256)))[:, :3] * 255).round()
    coloured.putpalette(palette.astype(np.uint8).tobytes())
    return coloured
