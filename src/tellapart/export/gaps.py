"""What Keras's way to ONNX, through tf2onnx, leaves open, and what can be done about it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np


@contextlib.contextmanager
def filled_gaps(model: Any) -> Iterator[None]:
    """Inside, gelu and Normalization layers of a `keras.Model` can be converted."""
    _learn_erfc()
    with _plain_normalizations(model):
        yield


@cache
def _learn_erfc() -> None:
    """Teaches the converter erfc(x) = 1 - erf(x), of which Keras makes gelu."""
    from tf2onnx.handler import tf_op
    from tf2onnx.utils import make_name, map_onnx_to_numpy_type

    class Erfc:
        @classmethod
        def version_9(cls, context: Any, node: Any, **options: Any) -> None:
            del options
            (result,) = node.output
            dtype, shape = context.get_dtype(result), context.get_shape(result)
            erf = context.make_node("Erf", node.input, dtypes=[dtype], shapes=[shape])
            ones = np.ones((), map_onnx_to_numpy_type(dtype))
            one = context.make_const(make_name("one"), ones)
            context.remove_node(node.name)
            context.make_node(
                "Sub",
                [one.output[0], erf.output[0]],
                name=node.name,
                outputs=[result],
                dtypes=[dtype],
                shapes=[shape],
            )

    tf_op("Erfc")(Erfc)


@contextlib.contextmanager
def _plain_normalizations(model: Any) -> Iterator[None]:
    """Lets Normalization layers compute with plain numbers, which become constants of the graph.

    The converter makes inputs of the tensors that they compute with.
    """
    import keras

    layers = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.Normalization) and layer.mean is not None
    ]
    kept = [(layer, layer.mean, layer.variance) for layer in layers]
    try:
        for layer, mean, variance in kept:
            layer.mean, layer.variance = np.asarray(mean), np.asarray(variance)
        yield
    finally:
        for layer, mean, variance in kept:
            layer.mean, layer.variance = mean, variance
