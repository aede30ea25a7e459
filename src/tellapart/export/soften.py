"""The temperature in the graph: softmax(logits) becomes softmax(logits / T) (Guo et al., 2017)."""

from __future__ import annotations

from typing import Any

import numpy as np

TINY = float(np.finfo(np.float32).tiny)
"""The logarithm is not asked for less: a softmax in float32 gives 0 there."""


def soften(graph: Any, output: str, temperature: float) -> None:
    """Divides the logits behind an output by a temperature, in an `onnx.GraphProto`.

    Where the output is a softmax, its input is divided. Any other output is taken for
    probabilities, whose logarithm serves as logits.

    Args:
        graph: changed in place.
        output: the name of its tensor of probabilities, (batch, classes).
        temperature: above 0; 1 leaves the graph as it is.
    """
    if temperature == 1:
        return
    from onnx import helper, numpy_helper

    divisor = "temperature"
    graph.initializer.append(numpy_helper.from_array(np.float32(temperature), divisor))
    place, last = next((i, node) for i, node in enumerate(graph.node) if output in node.output)
    if last.op_type == "Softmax":
        softened = f"{last.input[0]}_softened"
        divide = helper.make_node("Div", [last.input[0], divisor], [softened])
        last.input[0] = softened
        graph.node.insert(place, divide)
    else:
        raw = f"{output}_raw"
        last.output[list(last.output).index(output)] = raw
        graph.initializer.append(numpy_helper.from_array(np.float32(TINY), "tiny"))
        graph.node.extend(
            [
                helper.make_node("Max", [raw, "tiny"], ["likely"]),
                helper.make_node("Log", ["likely"], ["logits"]),
                helper.make_node("Div", ["logits", divisor], ["softened"]),
                helper.make_node("Softmax", ["softened"], [output], axis=-1),
            ]
        )
