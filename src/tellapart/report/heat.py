"""Heat maps over mistakes: what spoke for the wrong class, and what for the right one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tellapart.classifier import Classifier
from tellapart.explanation.heatmaps import Explainer, explainer_of_classifier, heat_overlay
from tellapart.explanation.heatmaps.focus import find_focus
from tellapart.images import Pixels
from tellapart.report.thumbnails import Thumbnail, thumbnail
from tellapart.runs import RunFolder

SECONDS = 10.0
"""Maps are drawn for so long; RISE asks a large network 200 times for one."""

SIDE = 224
"""The longest side of a picture with its maps, in CSS pixels."""


@dataclass(frozen=True)
class HeatMap:
    """What speaks for a class in a picture.

    Attributes:
        label: the class.
        picture: the map over the picture.
        focus: where it is strong, in words.
    """

    label: str
    picture: Thumbnail = field(repr=False)
    focus: str


class HeatMaps:
    """Draws maps for a run's mistakes, one picture after the other, as long as there is time."""

    def __init__(self, folder: RunFolder) -> None:
        """Opens the run's classifier file.

        Raises:
            TellapartError: there is none, or it cannot be run.
        """
        self._classifier = Classifier.load(folder.path)
        self._explainer: Explainer = explainer_of_classifier(self._classifier)
        self._ends = time.monotonic() + SECONDS

    @property
    def method(self) -> str:
        """How they are drawn: "rise", "hires-cam" or "occlusion"."""
        return self._explainer.method

    @property
    def out_of_time(self) -> bool:
        """Whether no more maps are drawn."""
        return time.monotonic() > self._ends

    def draw(self, pixels: Pixels, labels: Sequence[str]) -> list[HeatMap]:
        """Draws a map of each class over a picture.

        Args:
            pixels: (height, width, channels) uint8, as the network sees the picture.
            labels: the classes.

        Raises:
            TellapartError: the network answers with NaN, or takes pictures of another size.
            ValueError: it knows no such class.
        """
        places = [self._classifier.class_names.index(label) for label in labels]
        maps = self._explainer.maps(pixels[np.newaxis], np.array([places]))[0]
        colour = np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels
        return [
            HeatMap(
                label,
                thumbnail(heat_overlay(colour, heat), SIDE),
                str(find_focus(heat) or "nothing in it speaks for this class"),
            )
            for label, heat in zip(labels, maps, strict=True)
        ]
