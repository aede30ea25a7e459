"""A network cut open: what it sees in a picture, and what it makes of that."""

from __future__ import annotations

from typing import Any

from tellapart.models.backend import import_keras
from tellapart.models.graph import maker

_LOGITS = "novelty_logits"
"""The Dense layer that is a copy."""


def penultimate(model: Any) -> Any:
    """Returns a network that gives features and logits.

        pixels --> convolutions --> maps --> Flatten, Dense, ... --> Dense --> logits --> softmax
                                      |
                                      +--> mean of each map: features

    The features are the means of the last maps that the network makes: for telling unknown
    pictures they are worth more than the input of the last layer (docs/unknown.md). A network
    without maps gives that input.

    The softmax may be the activation of the last Dense layer or a layer of its own, and the layers
    may be inside a model that is a layer of this one. All other layers are shared with the given
    network; the Dense layer is a copy: `follow` brings it up to date after training.

    Args:
        model: a `keras.Model`, (batch, ...) to (batch, classes) probabilities.

    Returns:
        A `keras.Model` from the same input to [features (batch, d), logits (batch, classes)], both
        float32; or None where the network does not end in a Dense layer with softmax on flat
        input, or is not made of connected layers.
    """
    keras = import_keras()
    found = last_dense(model)
    if found is None:
        return None
    before, maps, dense = found
    layers = keras.layers  # with names that no layer of the user's has
    means = layers.GlobalAveragePooling2D(name="novelty_means")
    features = before if maps is None else means(maps)
    if features.dtype != "float32":  # mixed precision
        single = layers.Activation("linear", dtype="float32", name="novelty_features")
        features = single(features)
    logits = layers.Dense(dense.units, use_bias=dense.use_bias, name=_LOGITS, dtype="float32")
    opened = keras.Model(
        _input(model), [features, logits(before)], name=f"{model.name}_penultimate"
    )
    follow(opened, model)
    return opened


def follow(opened: Any, model: Any) -> None:
    """Gives what `penultimate` made of a network the weights that the network has by now."""
    found = last_dense(model)
    if found is None:
        raise RuntimeError(f"{model.name} was not cut open, so that nothing can follow it")
    opened.get_layer(_LOGITS).set_weights(found[2].get_weights())


def last_dense(model: Any) -> tuple[Any, Any, Any] | None:
    """Follows a network's graph back from its probabilities to the last Dense layer, and its maps.

    Returns:
        The input of the Dense layer and the last maps or None, tensors of the network's graph; and
        the Dense layer. None where the network ends in another way.
    """
    return _last_dense(model, softmax=False)


def _last_dense(model: Any, *, softmax: bool) -> tuple[Any, Any, Any] | None:
    """Does as `last_dense`, also for a model that is a layer; `softmax`: one was met behind it."""
    keras = import_keras()
    outputs = _outputs(model)
    while len(outputs) == 1:
        layer, before = _source(outputs[0])
        if len(before) != 1:
            return None
        if isinstance(layer, keras.layers.Dense):
            is_softmax = _activation(layer) == "softmax"
            fits = is_softmax != softmax and (is_softmax or _activation(layer) == "linear")
            fits = fits and len(before[0].shape) == 2
            return (before[0], _last_maps(before[0]), layer) if fits else None
        if isinstance(layer, keras.Model):
            return _last_dense_inside(layer, before[0], softmax)
        if isinstance(layer, keras.layers.Softmax) or _activation(layer) == "softmax":
            if softmax:
                return None
            softmax = True
        elif not isinstance(layer, keras.layers.Dropout | keras.layers.Identity) and not (
            isinstance(layer, keras.layers.Activation) and _activation(layer) == "linear"
        ):
            return None
        outputs = before
    return None


def _last_dense_inside(model: Any, given: Any, softmax: bool) -> tuple[Any, Any, Any] | None:
    """Looks into a model that is a layer, and that is given the tensor `given`."""
    keras = import_keras()
    found = _last_dense(model, softmax=softmax)
    if found is None:
        return None
    before, maps, dense = found
    if maps is None:
        maps = _last_maps(given)  # they may be made before
        return keras.Model(_input(model), before)(given), maps, dense
    before, maps = keras.Model(_input(model), [before, maps])(given)
    return before, maps, dense


def _last_maps(tensor: Any) -> Any:
    """Follows a tensor back, one input at a time, to (batch, height, width, channels) maps.

    Only those that are flattened or pooled as a whole are taken: a layer that sees more in them,
    such as a whole network, knows better than their means.
    """
    from keras import layers

    flattening = (
        layers.Flatten | layers.Reshape | layers.GlobalAveragePooling2D | layers.GlobalMaxPooling2D
    )
    while len(tensor.shape) == 2:
        layer, before = _source(tensor)
        if len(before) != 1 or (len(before[0].shape) == 4 and not isinstance(layer, flattening)):
            return None
        tensor = before[0]
    return tensor if len(tensor.shape) == 4 else None


def _input(model: Any) -> Any:
    """A tensor, not a list of one, which the model would then insist on being given."""
    return model.inputs[0] if len(model.inputs) == 1 else model.inputs


def _outputs(model: Any) -> list[Any]:
    try:
        return list(model.outputs)
    except (AttributeError, TypeError, ValueError):  # a subclassed model has no graph
        return []


def _source(tensor: Any) -> tuple[Any, list[Any]]:
    """The layer that gives a tensor, and the tensors that it takes for that."""
    node = maker(tensor)
    return node.operation, list(node.input_tensors)


def _activation(layer: Any) -> str:
    return str(getattr(getattr(layer, "activation", None), "__name__", ""))
