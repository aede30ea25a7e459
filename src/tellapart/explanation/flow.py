"""The data-flow trace: what becomes of N pictures on their way through a network."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tellapart.explanation.layers import (
    Call,
    Shape,
    count_in_words,
    count_parameters,
    explain,
    explain_input,
    explain_network,
    times,
)
from tellapart.explanation.walk import (
    all_nodes,
    as_graph,
    comes_again,
    node_constants,
    require_graph,
)


@dataclass(frozen=True)
class Stage:
    """One row of the trace.

    Attributes:
        name: the layer's name.
        kind: the layer's Keras class.
        before, after: shapes, the number of pictures first; of the first, where there are several.
        parameters: numbers that training sets; 0 where a layer that is shared is used again.
        counted: how `parameters` comes about, such as "3x3x3x32 + 32"; "" where there are none.
        does: what the stage does, in a sentence.
        example: the same on a number or two.
    """

    name: str
    kind: str
    before: Shape
    after: Shape
    parameters: int
    counted: str
    does: str
    example: str

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return asdict(self)


def data_flow(model: Any, images: int | None = None) -> list[Stage]:
    """Follows the shapes of `images` pictures through a `keras.Model`.

    A model wrapped in the model is followed layer by layer too, unless it has a `call` of its own.

    Args:
        model: a built model with one input and one output.
        images: how many pictures; None leaves the number open.

    Raises:
        ModelError: the model is no graph of layers.
    """
    met: set[int] = set()
    stages = [input_stage(_shape(require_graph(model).inputs[0], images))]
    for node in all_nodes(model):
        call = Call(
            layer=node.operation,
            inputs=tuple(_shape(tensor, images) for tensor in node.input_tensors),
            after=_shape(node.outputs[0], images),
            constants=node_constants(node),
        )
        stages.append(layer_stage(call, again=comes_again(call.layer, met)))
    return stages


def input_stage(pixels: Shape) -> Stage:
    """Describes the pixels that enter, of a shape with the number of pictures first."""
    return Stage("input", "Input", pixels, pixels, 0, "", *explain_input(pixels))


def layer_stage(call: Call, *, again: bool = False) -> Stage:
    """Describes one call of a layer; `again`: it is shared, and its weights are counted already."""
    graph = as_graph(call.layer)
    does, example = explain(call) if graph is None else (explain_network(graph), "")
    return Stage(
        name=call.layer.name,
        kind=type(call.layer).__name__,
        before=call.before,
        after=call.after,
        parameters=0 if again else count_parameters(call.layer),
        counted="" if again else count_in_words(call.layer),
        does=f"{does} (the same weights once more)" if again else does,
        example=example,
    )


def format_shape(shape: Shape) -> str:
    """Writes (1000, 64, 64, 3) as "1000x64x64x3", an open number of pictures as "?"."""
    return times(shape)


def _shape(tensor: Any, images: int | None) -> Shape:
    return (images, *tuple(tensor.shape)[1:])
