"""A network in Keras, run to its end and back to the layer that is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.explanation.heatmaps.class_activation import Sight
from tellapart.explanation.heatmaps.layers import Anatomy, changed_output, without_softmax
from tellapart.explanation.heatmaps.scores import LEAST_PROBABILITY
from tellapart.images import Pixels
from tellapart.models.backend import import_keras

BATCH_SIZE = 32

Score = Callable[[Any, Any], Any]
"""What is explained: (n, classes) logits, and ones at the classes to explain, to (n,) tensors."""


def class_logit(logits: Any, one_hot: Any) -> Any:
    """The logit of the class, as Grad-CAM and HiResCAM have it."""
    from keras import ops

    return ops.sum(logits * one_hot, axis=-1)


def look(
    model: Any,
    anatomy: Anatomy,
    pixels: Pixels,
    classes: npt.NDArray[np.int64],
    *,
    score: Score = class_logit,
) -> Sight:
    """Notes what the network's last spatial layer sees, and what that does for a class.

    Only the way from that layer to the end is gone backwards, which is short.

    Args:
        model: a `keras.Model`, (n, height, width, channels) uint8 to (n, classes) probabilities,
            on a backend for which `has_gradients` is true.
        anatomy: of the model, with a spatial layer.
        pixels: (n, height, width, channels) uint8.
        classes: (n,) int64.
        score: what the gradients are of.
    """
    take = _TAKE[import_keras().backend.backend()]
    batches = []
    with without_softmax(anatomy.softmax):
        for start in range(0, len(pixels), BATCH_SIZE):
            batch = slice(start, start + BATCH_SIZE)
            batches.append(take(model, anatomy, pixels[batch], classes[batch], score))
    empty = np.empty((0, *anatomy.grid), np.float32)
    return Sight(
        np.concatenate([empty, *(values for values, _ in batches)]),
        np.concatenate([empty, *(gradients for _, gradients in batches)]),
    )


def has_gradients() -> bool:
    """Whether gradients can be taken here on the backend that Keras runs on."""
    return import_keras().backend.backend() in _TAKE


def _take_with_tensorflow(
    model: Any, anatomy: Anatomy, pixels: Pixels, classes: npt.NDArray[np.int64], score: Score
) -> tuple[Any, Any]:
    import tensorflow as tf

    seen: list[Any] = []
    with tf.GradientTape(watch_accessed_variables=False) as tape:

        def watch(output: Any) -> Any:
            tape.watch(output)
            seen.append(output)
            return output

        with changed_output(anatomy.spatial, watch):
            answers = model(pixels, training=False)
        total = _total(score, answers, classes, logits=anatomy.softmax is not None)
    gradients = tape.gradient(total, seen[-1], unconnected_gradients="zero")
    return np.asarray(seen[-1], np.float32), np.asarray(gradients, np.float32)


def _take_with_jax(
    model: Any, anatomy: Anatomy, pixels: Pixels, classes: npt.NDArray[np.int64], score: Score
) -> tuple[Any, Any]:
    import jax

    def run(added: Any) -> tuple[Any, Any]:
        seen: list[Any] = []

        def add(output: Any) -> Any:
            seen.append(output)
            return output + added.astype(output.dtype)

        with changed_output(anatomy.spatial, add):
            answers = model(pixels, training=False)
        return _total(score, answers, classes, logits=anatomy.softmax is not None), seen[-1]

    nothing = jax.numpy.zeros((len(pixels), *anatomy.grid), "float32")
    gradients, values = jax.grad(run, has_aux=True)(nothing)
    return np.asarray(values, np.float32), np.asarray(gradients, np.float32)


_TAKE = {"tensorflow": _take_with_tensorflow, "jax": _take_with_jax}


def _total(score: Score, answers: Any, classes: npt.NDArray[np.int64], *, logits: bool) -> Any:
    """The sum over pictures; each one's gradient is its own."""
    from keras import ops

    answers = ops.cast(answers, "float32")
    if not logits:  # the next best: logits up to a number that is the same for all classes
        answers = ops.log(ops.maximum(answers, LEAST_PROBABILITY))
    one_hot = ops.one_hot(ops.convert_to_tensor(classes), answers.shape[-1])
    return ops.sum(score(answers, one_hot))
