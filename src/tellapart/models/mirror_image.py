"""Test-time augmentation: a network that looks at each picture and at its mirror image.

Errors that a network makes with a picture, and not with its mirror image, count for half. The
record runs for CIFAR-10 measure so (Jordan, 94% on CIFAR-10 in 3.29 seconds, 2024); here it is
part of the network, and of every file that is made of it.
"""

from __future__ import annotations

from dataclasses import replace

from tellapart.errors import ModelError
from tellapart.models.backend import import_keras
from tellapart.models.penultimate import last_dense
from tellapart.models.registry import Network, Twin

WIDTH_AXIS = 2


def with_mirror_image(network: Network) -> Network:
    """Returns a network that averages what it sees in a picture and in its mirror image.

        pixels --+-------------> look --+
                 |                      +--> average --> output layer --> probabilities
                 +--> mirrored -> look --+

    Since the output layer comes after the average, it is the logits that are averaged. All layers
    are those of the given network, which is what is trained: from one view of a picture, in half
    the time.

    Args:
        network: that ends in a Dense layer with softmax.

    Raises:
        ModelError: it does not.
    """
    keras = import_keras()
    model = network.model
    found = last_dense(model)
    if found is None:
        raise ModelError(
            f"Model '{model.name}' cannot look at mirror images too: expected a network that ends "
            "in a Dense layer with softmax. Leave out --test-time-augmentation."
        )
    features, _, output = found
    (pixels,) = model.inputs
    look = keras.Model(pixels, features, name="look")  # all but the output layer
    picture = keras.Input(pixels.shape[1:], dtype=pixels.dtype, name=pixels.name)
    seen = [look(picture), look(keras.ops.flip(picture, axis=WIDTH_AXIS))]
    answer = output(keras.layers.Average(name="both_views")(seen))
    if output.activation is keras.activations.linear:
        answer = keras.layers.Softmax(name="softmax")(answer)
    both = keras.Model(picture, answer, name=model.name)
    twin = network.twin or Twin(model, prepare=lambda _: None)
    return replace(network, model=both, twin=twin)
