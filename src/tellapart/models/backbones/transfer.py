"""A backbone and a head as one Keras network, like every other that tellapart trains."""

from __future__ import annotations

from typing import Any

from tellapart.models.backbones.registry import Backbone
from tellapart.models.head import Head


def build_transfer_model(
    backbone: Backbone,
    image_size: tuple[int, int],
    classes: int,
    *,
    head: Head | None = None,
    pretrained: bool = True,
) -> Any:
    """Puts a linear layer with softmax behind a backbone.

    The layers of the backbone are layers of the network itself, so that any of them can be
    trained further. The last layer, "output", is the head. The network is of Keras's own layers:
    its `.keras` file loads where tellapart is not installed.

    Args:
        backbone: which network.
        image_size: height and width of the pictures, in pixels.
        classes: how many there are.
        head: the weights of the last layer; None: random ones, until `set_head`.
        pretrained: False leaves the backbone's weights random too.

    Returns:
        A `keras.Model`, (batch, height, width, 3) uint8 pixels 0..255 to (batch, classes) float32
        probabilities.

    Raises:
        ModelError: the pictures are too small, or the weights cannot be read or downloaded.
        MissingDependencyError: the package with the weights is not installed.
    """
    from tellapart.models.backend import import_keras

    keras = import_keras()
    features = backbone.keras(image_size, pretrained=pretrained)
    output = keras.layers.Dense(classes, activation="softmax", name="output")
    model = keras.Model(features.input, output(features.output), name=features.name)
    if head is not None:
        set_head(model, head)
    return model


def set_head(model: Any, head: Head) -> None:
    """Gives the last layer of a network of `build_transfer_model` the head's weights."""
    model.get_layer("output").set_weights([head.weights, head.bias])
