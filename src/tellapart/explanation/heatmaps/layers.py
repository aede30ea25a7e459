"""Which layer of a network is looked at, and how to get at what it gives while the network runs.

The network is run, not its graph read, so that it may be of any build: `Sequential`, functional,
one in another, or a class of the user's own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tellapart.models.backend import import_keras

Change = Callable[[Any], Any]
"""What is done to a layer's output before the next layer gets it."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """The two layers of a network that a map needs.

    Attributes:
        spatial: the last layer that gives a grid of more than one cell, counted from the first
            layer with kernels on; None where there is none, as in a network of dense layers.
        grid: rows, columns and channels of what it gives; (0, 0, 0) where there is none.
        softmax: the layer that ends in a softmax, which can be left out; None where the network
            ends in something else.
        looks: how often the spatial layer is used for one answer; 0 where there is none.
    """

    spatial: Any
    grid: tuple[int, int, int]
    softmax: Any
    looks: int


def dissect(model: Any) -> Anatomy:
    """Runs a network once and notes what its layers give.

    Args:
        model: a `keras.Model`, (n, height, width, channels) uint8 to (n, classes) probabilities.
    """
    ran: list[tuple[Any, tuple[int, ...]]] = []
    probe = np.full((1, *model.input_shape[1:]), 128, np.uint8)
    with contextlib.ExitStack() as stack:
        for layer in model._flatten_layers(include_self=False):
            stack.enter_context(changed_output(layer, _noting(layer, ran)))
        probabilities = np.asarray(model(probe, training=False))
    spatial, grid = None, (0, 0, 0)
    for layer, shape in ran:
        started = spatial is not None or any(len(w.shape) >= 2 for w in layer.weights)
        if started and len(shape) == 4 and shape[1] * shape[2] > 1:
            spatial, grid = layer, (shape[1], shape[2], shape[3])
    leaves = [layer for layer, _ in ran if not hasattr(layer, "layers")]
    ends_so = leaves and _ends_in_softmax(model, leaves[-1], probe, probabilities)
    looks = sum(layer is spatial for layer, _ in ran)
    return Anatomy(spatial, grid, leaves[-1] if ends_so else None, looks)


@contextlib.contextmanager
def changed_output(layer: Any, change: Change) -> Iterator[None]:
    """Lets `change` have a layer's output in passing."""
    original = layer.call

    def call(*args: Any, **kwargs: Any) -> Any:
        return change(original(*args, **kwargs))

    layer.call = call
    try:
        yield
    finally:
        del layer.call  # the method of its class shows again


@contextlib.contextmanager
def without_softmax(layer: Any) -> Iterator[None]:
    """Lets a network answer with logits: `layer` is what `dissect` found."""
    if layer is None:
        yield
    elif hasattr(layer, "activation"):
        original = layer.activation
        layer.activation = import_keras().activations.linear
        try:
            yield
        finally:
            layer.activation = original
    else:
        layer.call = lambda inputs, *args, **kwargs: inputs
        try:
            yield
        finally:
            del layer.call


def _noting(layer: Any, ran: list[tuple[Any, tuple[int, ...]]]) -> Change:
    def note(output: Any) -> Any:
        ran.append((layer, tuple(getattr(output, "shape", ()))))
        return output

    return note


def _ends_in_softmax(model: Any, last: Any, probe: Any, probabilities: Any) -> bool:
    """Whether the last layer is a softmax, and nothing behind it changes its answers."""
    keras = import_keras()
    activation = getattr(last, "activation", None)
    if activation is not keras.activations.softmax and not isinstance(last, keras.layers.Softmax):
        return False
    with without_softmax(last):
        logits = np.asarray(model(probe, training=False), np.float64)
    again = np.exp(logits - logits.max())
    return bool(np.allclose(again / again.sum(), probabilities, atol=1e-3))
