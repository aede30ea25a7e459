"""What a converter's error comes down to: which layer does something that ONNX cannot."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from tellapart.models.keras_words import LONGEST

_OPERATION = re.compile(r"Name: (\S+) OpType: (\w+)")
"""How the check of a converted graph names an operation that was handed on as it was."""

_RANDOM = re.compile(r"Random|Multinomial")


def explain_failure(error: Exception, model: Any) -> str:
    """Says in half a sentence why a network cannot be written, and in another what helps.

    Args:
        error: what the converter or the check of its graph raised, or what it wrote on stderr.
        model: the `keras.Model`, whose layers are named.
    """
    found = _OPERATION.search(str(error))
    if found is None:
        return _last_line(error)
    place, operation = found.groups()
    layer = _layer_at(place, model)
    if _RANDOM.search(operation):
        return (
            f"'{layer}' draws random numbers ({operation}) even when it predicts. Let it do so "
            "only where its argument `training` is true"
        )
    if operation == "StatefulPartitionedCall":
        return (
            f"'{layer}' is compiled by itself, as a Conv2D with `groups` is, and the converter "
            "cannot look into it. Take a DepthwiseConv2D or SeparableConv2D instead"
        )
    return (
        f"'{layer}' computes {operation}, which the converter does not know. Make it of other "
        "operations"
    )


def _layer_at(place: str, model: Any) -> str:
    """Returns the layer, and those around it, of "mine/mine/odd_1/Betainc": "odd"; or the model.

    TensorFlow adds numbers to names that it has seen.
    """
    layers = model._flatten_layers(include_self=False)
    names = {layer.name for layer in layers if not hasattr(layer, "layers")}
    path: list[str] = []
    for part in place.split("/")[:-1]:
        name = part if part in names else re.sub(r"_\d+$", "", part)
        if name in names and name not in path:
            path.append(name)
    return "/".join(path) or str(model.name)


def _last_line(error: Exception) -> str:
    line = str(error).strip().rpartition("\n")[2].strip().rstrip(".")
    return textwrap.shorten(line, LONGEST, placeholder=" ...") or type(error).__name__
