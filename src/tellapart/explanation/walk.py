"""Walking the graph of a Keras network, and of those wrapped in it, in the order of computation."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.errors import ModelError
from tellapart.images import Pixels
from tellapart.models.backend import import_keras
from tellapart.models.graph import maker

Array = npt.NDArray[np.float32]

AGREEMENT = 1e-4
"""How far the answer of a walk may be from the network's own, in probability."""


@dataclass(frozen=True, eq=False)
class Step:
    """One layer or operation at work on one picture.

    Attributes:
        layer: `keras.Layer`, or an operation of `keras.ops`.
        inputs: what came in, each with an axis of length 1 for the one picture in front.
        output: what went out; the first, where there are several.
        constants: numbers that the operation is given beside its inputs, as in `x + 0.001`.
    """

    layer: Any
    inputs: tuple[Array, ...]
    output: Array
    constants: tuple[float, ...] = ()


def walk(model: Any, pixels: Pixels) -> Iterator[Step]:
    """Takes one picture through a network, each layer by itself, as when predicting.

    Only what later layers still need is held, so memory stays at what predicting takes. In the
    end the walk's answer is compared with the network's own. A model that is used twice is walked
    once, and one step after that.

    Args:
        model: a `keras.Model` made of layers (functional or `Sequential`) with one input and one
            output. A wrapped model made so is walked too; one with a `call` of its own is one step.
        pixels: (height, width, channels) uint8, of the size that the network takes.

    Raises:
        ModelError: the network has no graph of layers, takes another shape, or its layers one by
            one give another answer than the whole, as with dropout that stays on.
    """
    graph = require_graph(model)
    expected = tuple(graph.inputs[0].shape[1:])
    if len(expected) != pixels.ndim or any(
        axis not in (None, side) for axis, side in zip(expected, pixels.shape, strict=True)
    ):
        raise ModelError(
            f"Model '{model.name}' takes pictures of {_times(expected)}, but the picture is "
            f"{_times(pixels.shape)}."
        )
    entering = [import_keras().ops.convert_to_tensor(pixels[None])]
    (answer,) = yield from _walk(graph, entering, set())
    own = _array(model(pixels[None], training=False))
    if not np.allclose(own, _array(answer), rtol=0, atol=AGREEMENT, equal_nan=True):
        raise ModelError(
            f"Model '{model.name}' cannot be followed: its layers one by one give an answer "
            f"{np.abs(own - _array(answer)).max():.2g} away from that of the whole. Expected a "
            "network that answers the same each time, without layers that it calls in secret."
        )


def graph_nodes(graph: Any) -> list[Any]:
    """The nodes of a graph, each one call of a layer, in an order in which they can be computed.

    What a node needs comes right before it, and so a branch comes in one piece.
    """
    own = {id(node) for nodes in graph._nodes_by_depth.values() for node in nodes}
    ordered: list[Any] = []
    placed: set[int] = set()
    waiting = [(maker(tensor), False) for tensor in reversed(graph.outputs)]
    while waiting:
        node, is_next = waiting.pop()
        if id(node) in placed or id(node) not in own or node.is_input:
            continue
        if is_next:
            placed.add(id(node))
            ordered.append(node)
            continue
        waiting.append((node, True))
        waiting.extend((maker(tensor), False) for tensor in reversed(node.input_tensors))
    return ordered


def all_nodes(model: Any) -> Iterator[Any]:
    """The calls of a model in the order in which `walk` yields them: wrapped models are opened.

    Raises:
        ModelError: the model is no graph of layers.
    """
    return _all_nodes(require_graph(model), set())


def _all_nodes(graph: Any, opened: set[int]) -> Iterator[Any]:
    for node in graph_nodes(graph):
        inner = _unopened(node.operation, opened)
        if inner is None:
            yield node
        else:
            yield from _all_nodes(inner, opened)


def _unopened(layer: Any, opened: set[int]) -> Any | None:
    """Does as `as_graph`, the first time that a layer is met: `opened` has those that were."""
    graph = None if id(layer) in opened else as_graph(layer)
    if graph is not None:
        opened.add(id(layer))
    return graph


def comes_again(layer: Any, met: set[int]) -> bool:
    """Whether a layer of `walk` or `all_nodes` was met before; from now on it is among `met`."""
    again = id(layer) in met or as_graph(layer) is not None  # of that, all layers were met
    met.add(id(layer))
    return again


def as_graph(layer: Any) -> Any | None:
    """Returns the graph behind a functional model or `Sequential`; None for all else."""
    keras = import_keras()
    if isinstance(layer, keras.Sequential):
        layer = layer._functional
    return layer if hasattr(layer, "_nodes_by_depth") else None


def require_graph(model: Any) -> Any:
    """Does as `as_graph`, and raises a `ModelError` where there is no graph."""
    graph = as_graph(model)
    if graph is None:
        raise ModelError(
            f"Model '{model.name}' cannot be followed: it computes in a `call` of its own, and has "
            "no graph of layers. Expected a keras.Sequential or keras.Model(inputs, outputs)."
        )
    return graph


def node_constants(node: Any) -> tuple[float, ...]:
    """Returns the plain numbers among the arguments of a call."""
    values = (*node.arguments.args, *node.arguments.kwargs.values())
    return tuple(float(value) for value in values if type(value) in (int, float))


def _walk(graph: Any, entering: list[Any], opened: set[int]) -> Generator[Step, None, list[Any]]:
    """Yields the steps of a graph and returns its outputs; `opened`: see `_unopened`."""
    keras = import_keras()
    held = {
        id(symbol): _as_declared(tensor, symbol)
        for symbol, tensor in zip(graph.inputs, entering, strict=True)
    }
    nodes = graph_nodes(graph)
    needed_until = {
        id(symbol): place for place, node in enumerate(nodes) for symbol in node.input_tensors
    } | {id(symbol): len(nodes) for symbol in graph.outputs}
    for place, node in enumerate(nodes):
        arguments, options = node.arguments.fill_in(held)
        if isinstance(node.operation, keras.Layer):
            options["training"] = False  # RandomFlip and its like take it for true otherwise
        inner = _unopened(node.operation, opened)
        if inner is not None:
            results = yield from _walk(inner, keras.tree.flatten(arguments), opened)
        else:
            results = keras.tree.flatten(node.operation(*arguments, **options))
            inputs = tuple(_array(held[id(symbol)]) for symbol in node.input_tensors)
            yield Step(node.operation, inputs, _array(results[0]), node_constants(node))
        held |= {id(symbol): tensor for symbol, tensor in zip(node.outputs, results, strict=True)}
        held = {key: value for key, value in held.items() if needed_until.get(key, -1) > place}
    return [held[id(symbol)] for symbol in graph.outputs]


def _as_declared(tensor: Any, symbol: Any) -> Any:
    """Gives a tensor the type and number of axes that a graph declares, as Keras does."""
    ops = import_keras().ops
    if len(tensor.shape) == len(symbol.shape) + 1:
        tensor = ops.squeeze(tensor, -1)
    elif len(tensor.shape) == len(symbol.shape) - 1:
        tensor = ops.expand_dims(tensor, -1)
    return ops.cast(tensor, symbol.dtype)


def _array(tensor: Any) -> Array:
    return np.asarray(import_keras().ops.convert_to_numpy(tensor), dtype=np.float32)


def _times(shape: tuple[int | None, ...]) -> str:
    return "x".join("any" if axis is None else str(axis) for axis in shape)
