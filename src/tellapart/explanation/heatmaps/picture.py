"""One picture explained: what a classifier says of it, and where it looked for that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tellapart.classifier import Classifier
from tellapart.errors import UsageError, did_you_mean
from tellapart.explanation.heatmaps.explainers import Explainer
from tellapart.explanation.heatmaps.focus import Focus, find_focus
from tellapart.explanation.heatmaps.grids import Heat
from tellapart.explanation.heatmaps.placement import Placement, onto_picture, place
from tellapart.images import Pixels, Raw, decode, load_image
from tellapart.results import Prediction

LARGEST_SIDE = 720
"""A picture is kept with at most so many pixels a side; `onto_picture` makes maps of any size."""


@dataclass(frozen=True, eq=False)
class ClassMap:
    """Where a network looked for one class.

    Attributes:
        label: the class.
        probability: that the classifier gives it.
        view: (height, width) float32, 0 to 1, the map of what the network sees.
        heat: the same over the picture, as large as `Explanation.pixels`; NaN where the network
            saw nothing.
        focus: where its weight lies; None where nothing in the picture speaks for the class.
    """

    label: str
    probability: float
    view: Heat
    heat: Heat
    focus: Focus | None

    def to_json(self) -> dict[str, Any]:
        """Returns label, probability and focus."""
        return {
            "label": self.label,
            "probability": self.probability,
            "focus": None if self.focus is None else self.focus.to_json(),
        }


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a classifier says of a picture, and where it looked.

    Attributes:
        prediction: of the classifier.
        method: that the maps were made with.
        maps: of the predicted class, then of another.
        pixels: (height, width, 3) uint8, the picture upright, at most `LARGEST_SIDE` a side.
        placement: where the network's view lies in the picture.
    """

    prediction: Prediction
    method: str
    maps: tuple[ClassMap, ...]
    pixels: Pixels
    placement: Placement

    def to_json(self) -> dict[str, Any]:
        """Returns source, label, probability, top classes, method and maps."""
        return self.prediction.to_json() | {
            "method": self.method,
            "maps": [shown.to_json() for shown in self.maps],
        }


def explain_picture(
    classifier: Classifier, explainer: Explainer, raw: Raw, name: str, *, label: str | None = None
) -> Explanation:
    """Explains the predicted class of a picture, and the second or another.

    Args:
        classifier: says the probabilities.
        explainer: draws the maps; of the same network.
        raw: see `images.decode`.
        name: what errors call the picture.
        label: the class to explain beside the predicted one; None: the second most probable.

    Raises:
        ImageError: the picture cannot be decoded.
        UsageError: there is no such class.
        ModelError: the network answers with NaN.
        ClassifierFileError: the classifier cannot be run.
    """
    other = None if label is None else find_class(classifier, label)
    spec = classifier.image_spec
    view = decode(raw, spec, name)[np.newaxis]
    prediction = replace(classifier.predict(view[0]), source=name)
    classes = _two_classes(prediction, other)
    maps = explainer.maps(view, np.array([classes]))[0]
    loaded = load_image(raw, "RGB", name, background=spec.background, draft_size=LARGEST_SIDE)
    placement = place(spec, loaded.height, loaded.width)
    loaded.image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    pixels = np.asarray(loaded.image)
    over = onto_picture(maps, placement, pixels.shape[:2])
    return Explanation(
        prediction,
        explainer.method,
        tuple(
            ClassMap(
                classifier.class_names[own],
                float(prediction.probabilities[own]),
                of_view,
                heat,
                find_focus(heat),
            )
            for own, of_view, heat in zip(classes, maps, over, strict=True)
        ),
        pixels,
        placement,
    )


def find_class(classifier: Classifier, label: str) -> int:
    """Returns a class's place among the probabilities.

    Raises:
        UsageError: there is no such class.
    """
    names = list(classifier.class_names)
    if label in names:
        return names.index(label)
    listed = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    raise UsageError(
        f"{classifier.path} knows no class '{label}'.{did_you_mean(label, names)} It knows "
        f"{listed}."
    )


def _two_classes(prediction: Prediction, other: int | None) -> list[int]:
    """The predicted class, then `other` or the second; one where both are the same."""
    order = np.argsort(-prediction.probabilities, kind="stable").tolist()  # ties: the first named
    return list(dict.fromkeys([order[0], order[1] if other is None else other]))
