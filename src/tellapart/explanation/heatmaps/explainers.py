"""Which method draws the map of a network, and the map itself.

    method     shows                                            needs
    rise       what raises the class when it is seen            200 answers of the network a picture
    hires-cam  where the last spatial layer speaks for it       one answer, and the way back
    occlusion  what lowers the class when it is covered         50 answers

"auto" goes by deletion and insertion (docs/heatmaps.md): `rise` for small pictures, and `hires-cam`
for larger ones, where it is as good and much faster; `rise` again where the network does not allow
that. On large pictures `occlusion` did no better than a guess at the middle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from tellapart.classifier import Classifier
from tellapart.errors import ModelError, UsageError, did_you_mean
from tellapart.explanation.heatmaps.class_activation import Sight, as_large_as, hires_cam
from tellapart.explanation.heatmaps.grids import Heat
from tellapart.explanation.heatmaps.occlusion import occlude
from tellapart.explanation.heatmaps.rise import MASKS, rise
from tellapart.explanation.heatmaps.scores import Classes, Predict
from tellapart.images import Pixels

Method = Literal["rise", "hires-cam", "occlusion"]
METHODS: tuple[Method, ...] = get_args(Method)

SMALL_SIDE = 96
"""Up to so many pixels a side, a picture is small. Measured were 32 and 64, and then 224."""

Look = Callable[[Pixels, npt.NDArray[np.int64]], Sight]


@dataclass(frozen=True, eq=False)
class Explainer:
    """A network and the method that explains it.

    Attributes:
        method: its name.
        note: why it is not the method that was to be expected, in a sentence; "" where it is.
        input_shape: height, width, channels of the network's pictures.
        class_count: how many classes it tells apart.
    """

    method: Method
    note: str
    input_shape: tuple[int, int, int]
    class_count: int
    draw: Callable[[Pixels, Classes], Heat]

    def maps(self, pixels: Pixels, classes: Classes) -> Heat:
        """Draws the maps of some classes over pictures.

        Args:
            pixels: (n, *input_shape) uint8.
            classes: (n, k) int64: which to explain in each.

        Returns:
            (n, k, height, width) float32, 0 to 1. The strongest place of a map has 1; a map is 0
            everywhere where nothing in the picture speaks for the class.

        Raises:
            UsageError: pixels or classes are of another shape or type, or no such class.
            ModelError: the network answers with NaN.
        """
        _check(pixels, classes, self.input_shape, self.class_count)
        return self.draw(pixels, classes)


def explain_pixels(
    model: Any, pixels: Pixels, classes: npt.NDArray[np.int64], *, method: str = "auto"
) -> Heat:
    """Draws a map for each picture, with a network in Keras.

    Args:
        model: a `keras.Model`, (n, height, width, channels) uint8 to (n, classes) probabilities.
        pixels: (n, height, width, channels) uint8.
        classes: (n,) int64: the class to explain in each.
        method: "auto", "rise", "hires-cam" or "occlusion".

    Returns:
        (n, height, width) float32; see `Explainer.maps`.

    Raises:
        UsageError, ModelError: see `explainer_of_model` and `Explainer.maps`.
    """
    return explainer_of_model(model, method).maps(pixels, classes[:, np.newaxis])[:, 0]


def explain_pixels_from_classifier(
    classifier: Classifier,
    pixels: Pixels,
    classes: npt.NDArray[np.int64],
    *,
    method: str = "auto",
) -> Heat:
    """Draws a map for each picture, with the classifier file alone: neither Keras nor TensorFlow.

    Args, returns and errors: see `explain_pixels`; pixels are (n, *classifier.image_spec.shape).
    """
    return explainer_of_classifier(classifier, method).maps(pixels, classes[:, np.newaxis])[:, 0]


def explainer_of_model(model: Any, method: str = "auto") -> Explainer:
    """Chooses how to explain a network in Keras.

    Raises:
        UsageError: there is no such method.
        ModelError: the method that was asked for is not one for this network.
    """
    shape, count = tuple(model.input_shape[1:]), int(model.output_shape[-1])
    wanted = _wanted(method, shape)
    if wanted != "hires-cam":
        return _by_answers(wanted, "", shape, count, lambda batch: model(batch, training=False))
    from tellapart.explanation.heatmaps.gradients import has_gradients, look
    from tellapart.explanation.heatmaps.layers import dissect

    anatomy = dissect(model)
    problem = ""
    if not has_gradients():
        problem = "On this backend of Keras no gradients are taken here"
    elif anatomy.spatial is None:
        problem = f"'{model.name}' has no layer that keeps places apart, such as a convolution"
    elif anatomy.looks > 1:
        problem = (
            f"'{model.name}' uses its last layer with places several times for an answer (as for a "
            "picture and its mirror image) and not once"
        )
    if not problem:
        return _by_sight(lambda pixels, own: look(model, anatomy, pixels, own), shape, count)
    if method != "auto":
        raise ModelError(f"{problem}, which hires-cam needs. Choose rise or occlusion.")
    note = f"{problem}, so rise makes the map, with {MASKS} answers of the network a picture."
    return _by_answers("rise", note, shape, count, lambda batch: model(batch, training=False))


def explainer_of_classifier(
    classifier: Classifier, method: str = "auto", *, saved: Path | None = None
) -> Explainer:
    """Chooses how to explain a network by its classifier file.

    Args:
        classifier: the network.
        method: see `explain_pixels`.
        saved: the same network as a `.keras` file, which is read only where `hires-cam` is wanted
            and cannot be had from the classifier file; None: the classifier file alone.

    Raises:
        UsageError: there is no such method.
        ModelError: the method that was asked for is not one for this network, or `saved` cannot
            be loaded.
    """
    shape, count = classifier.image_spec.shape, len(classifier.class_names)
    wanted = _wanted(method, shape)
    if wanted != "hires-cam":
        return _by_answers(wanted, "", shape, count, classifier.probabilities)
    from tellapart.explanation.heatmaps.pooled import PooledNetwork

    network = PooledNetwork.of(classifier)
    if network is not None:
        return _by_sight(lambda pixels, own: network.look(pixels, own, count), shape, count)
    if saved is not None:
        from tellapart.models.registry import load_keras_file

        return explainer_of_model(load_keras_file(saved), method)
    problem = "The classifier file does not end in a mean over places and a linear head"
    if method != "auto":
        raise ModelError(
            f"{problem}, without which hires-cam needs the network in Keras. Choose rise or "
            "occlusion, or name a run folder that holds model.keras."
        )
    note = f"{problem}, so rise makes the map, with {MASKS} answers of the network a picture."
    return _by_answers("rise", note, shape, count, classifier.probabilities)


def _wanted(method: str, shape: tuple[int, ...]) -> Method:
    for known in METHODS:
        if method == known:
            return known
    if method == "auto":
        return "rise" if max(shape[:2]) <= SMALL_SIDE else "hires-cam"
    names = ["auto", *METHODS]
    raise UsageError(
        f"Unknown method '{method}'.{did_you_mean(method, names)} Expected one of "
        f"{', '.join(names)}."
    )


def _by_answers(
    method: Method, note: str, shape: tuple[int, int, int], count: int, predict: Predict
) -> Explainer:
    draw = rise if method == "rise" else occlude

    def answers(batch: Pixels) -> npt.NDArray[np.floating]:
        return np.asarray(predict(batch))

    return Explainer(
        method, note, shape, count, lambda pixels, classes: draw(answers, pixels, classes)
    )


def _by_sight(look: Look, shape: tuple[int, int, int], count: int) -> Explainer:
    def draw(pixels: Pixels, classes: Classes) -> Heat:
        maps = [as_large_as(hires_cam(look(pixels, own)), pixels.shape[1:3]) for own in classes.T]
        return np.stack(maps, axis=1)

    return Explainer("hires-cam", "", shape, count, draw)


def _check(pixels: Pixels, classes: Classes, shape: tuple[int, int, int], class_count: int) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != shape:
        raise UsageError(
            f"Pixels of shape {pixels.shape} and type {pixels.dtype}: expected "
            f"(n, {', '.join(map(str, shape))}) uint8."
        )
    if classes.shape[:1] != pixels.shape[:1] or not np.issubdtype(classes.dtype, np.integer):
        raise UsageError(
            f"Classes of shape {classes.shape} and type {classes.dtype}: expected a whole number "
            f"for each of {len(pixels)} pictures."
        )
    wrong = classes[(classes < 0) | (classes >= class_count)]
    if wrong.size:
        raise UsageError(f"Class {wrong[0]}: expected a number from 0 to {class_count - 1}.")
