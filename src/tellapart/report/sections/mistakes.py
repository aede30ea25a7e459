"""The worst mistakes: the wrong answers that were given with the most confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image

from tellapart.errors import TellapartError
from tellapart.explanation.heatmaps.overlay import colour_bar
from tellapart.images import Pixels
from tellapart.report.heat import SIDE, HeatMap, HeatMaps
from tellapart.report.pictures import NoPictures, Pictures
from tellapart.report.record import AbsentError, RunRecord, as_written
from tellapart.report.thumbnails import Thumbnail, image_uri, thumbnail
from tellapart.report.words import percent

SHOWN = 12
"""So many mistakes are shown."""

METHODS = {
    "rise": "what makes the class more probable when it is seen, through 200 random masks (RISE)",
    "hires-cam": "where the last layer with a sense of place speaks for the class (HiResCAM)",
    "occlusion": "what makes the class less probable when it is covered (occlusion)",
}
"""What is strong in a map, by its method."""


@dataclass(frozen=True)
class ShownMistake:
    """A wrong answer.

    Attributes:
        name: of the picture.
        actual: class.
        predicted: class.
        probability: of the predicted class, in words.
        of_actual: probability of the actual class, in words; "" where it is not known.
        picture: as the network saw it; None where there is none to show.
        maps: of the predicted class, then of the actual one.
    """

    name: str
    actual: str
    predicted: str
    probability: str
    of_actual: str
    picture: Thumbnail | None = field(repr=False, default=None)
    maps: tuple[HeatMap, ...] = field(repr=False, default=())


def mistakes(record: RunRecord, pictures: Pictures | NoPictures) -> dict[str, Any]:
    """Variables of the worst mistakes."""
    worst = record.evaluation["top_mistakes"][:SHOWN]
    total = int(record.confusion.sum() - record.confusion.trace())
    if not record.confusion.sum():
        raise AbsentError("There are no mistakes to show: the test part has no pictures.")
    if not worst:
        raise AbsentError("There are no mistakes: every test picture was recognised.")
    found = [_described(record, mistake) for mistake in worst]
    found, method, why_not = _drawn(record, pictures, found)
    return {
        "mistakes": found,
        "total": total,
        "method": method,
        "about": METHODS[method] if method else "",
        "scale": image_uri(Image.fromarray(colour_bar(12, 180))) if method else "",
        "why_not": why_not,
        "without_maps": sum(not mistake.maps for mistake in found) if method else 0,
    }


def _described(record: RunRecord, mistake: dict[str, Any]) -> ShownMistake:
    name = as_written(mistake["source"])
    of_actual = ""
    try:
        predictions = record.predictions
        if predictions.rows is not None and name in predictions.places:
            place = record.class_names.index(mistake["actual"])
            of_actual = percent(float(predictions.rows[predictions.places[name], place]))
    except AbsentError:
        pass  # the mistakes are known without
    return ShownMistake(
        name, mistake["actual"], mistake["predicted"], percent(mistake["probability"]), of_actual
    )


def _drawn(
    record: RunRecord, pictures: Pictures | NoPictures, found: list[ShownMistake]
) -> tuple[list[ShownMistake], str, str]:
    """Adds pictures and maps; says by which method, and why there are none where that is so."""
    if isinstance(pictures, NoPictures):
        return found, "", pictures.reason
    try:
        known = [mistake.name for mistake in found if mistake.name in pictures]
        pixels = dict(zip(known, pictures.take(known), strict=True))
    except TellapartError as error:
        return found, "", str(error)
    shown = [
        replace(mistake, picture=thumbnail(pixels[mistake.name], SIDE))
        if mistake.name in pixels
        else mistake
        for mistake in found
    ]
    try:
        maps = HeatMaps(record.folder)
        return [_mapped(mistake, pixels, maps) for mistake in shown], maps.method, ""
    except (TellapartError, ValueError) as error:
        return shown, "", f"No heat maps are drawn: {error}"


def _mapped(mistake: ShownMistake, pixels: Mapping[str, Pixels], maps: HeatMaps) -> ShownMistake:
    """Adds the maps of both classes, as long as there is time."""
    if mistake.name not in pixels or maps.out_of_time:
        return mistake
    drawn = maps.draw(pixels[mistake.name], (mistake.predicted, mistake.actual))
    return replace(mistake, maps=tuple(drawn))
