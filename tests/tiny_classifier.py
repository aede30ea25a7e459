"""A real classifier file that can be worked out by hand: the mean colour decides.

    logits = mean over pixels of (red, green, blue) · W,  W[channel, class] = ln(8) / 255

A picture of one pure colour has the logits ln(8), 0, 0, so its class has probability
8 / (8 + 1 + 1) = 0.8 and the others have 0.1. Black has 1/3 for each.

    novelty = (red + green + blue) / 255, where the metadata have a limit for it

A pure colour has 1, black 0 and white 3.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tellapart.bundle import Bundle, attach
from tellapart.classifier import Classifier
from tellapart.images import ImageSpec

CLASS_NAMES = ("blue", "green", "red")
SPEC = ImageSpec(6, 8)
CHANNELS = {"red": 0, "green": 1, "blue": 2}

PURE = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def make_bundle(**changes: Any) -> Bundle:
    """The metadata of the tiny classifier."""
    fields: dict[str, Any] = {
        "class_names": CLASS_NAMES,
        "image_spec": SPEC,
        "temperature": 1.25,
        "provenance": {"data": {"name": "colours", "fingerprint": "0123"}, "created": "2026-01-02"},
    }
    return Bundle(**fields | changes)


def make_model(
    spec: ImageSpec = SPEC, class_names: tuple[str, ...] = CLASS_NAMES, *, novelty: bool = False
) -> Any:
    """The graph without metadata: an `onnx.ModelProto`."""
    weights = np.zeros((3, len(class_names)), np.float32)
    for column, name in enumerate(class_names):
        if name in CHANNELS:
            weights[CHANNELS[name], column] = math.log(8) / 255
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats", "axes"], ["colour"], keepdims=0),
            helper.make_node("MatMul", ["colour", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
        ],
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", *spec.shape])],
        [
            helper.make_tensor_value_info(
                "probabilities", TensorProto.FLOAT, ["batch", len(class_names)]
            )
        ],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([1, 2]), "axes"),
        ],
    )
    if novelty:
        graph.node.append(helper.make_node("MatMul", ["colour", "shares"], ["novelty"]))
        graph.initializer.append(numpy_helper.from_array(np.full(3, 1 / 255, np.float32), "shares"))
        graph.output.append(helper.make_tensor_value_info("novelty", TensorProto.FLOAT, ["batch"]))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def save_classifier(path: Path, **changes: Any) -> Path:
    """Writes the tiny classifier; `changes` go to `make_bundle`."""
    bundle = make_bundle(**changes)
    model = make_model(bundle.image_spec, bundle.class_names, novelty=bundle.novelty is not None)
    attach(model, bundle)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def reload(content: bytes) -> Any:
    """Reads a file's content back as an `onnx.ModelProto`."""
    return onnx.load_model_from_string(content)


def load_strict(path: Path) -> Classifier:
    """Answers from 0.5 on, and calls unknown what is brighter than half white."""
    return Classifier.load(
        save_classifier(path, unsure={"threshold": 0.5}, novelty={"threshold": 1.5})
    )


def pure(name: str) -> Image.Image:
    """A pure colour of `PURE`, black, or a dark cyan: novelties 1, 0, and 2 · 190 / 255."""
    others = {"black": (0, 0, 0), "cyan": (0, 190, 190)}
    return Image.new("RGB", (20, 10), (PURE | others)[name])


def grey(level: int) -> Image.Image:
    """One level of grey, of novelty 3 · level / 255."""
    return Image.new("RGB", (20, 10), (level,) * 3)
