"""From a Keras model to the classifier file: one ONNX graph with everything it needs inside."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.bundle import Bundle, attach
from tellapart.errors import ExportError
from tellapart.evaluation.novelty import NoveltyModel
from tellapart.export.novelty import append_novelty
from tellapart.export.soften import soften
from tellapart.files import write_with

INPUT, OUTPUT, BATCH = "pixels", "probabilities", "batch"
FEATURES, LOGITS = "features", "logits"


def export_classifier(
    model: Any, bundle: Bundle, path: Path, novelty: NoveltyModel | None = None
) -> None:
    """Writes the classifier file, atomically.

    Args:
        model: a `keras.Model`, (batch, height, width, channels) uint8 to (batch, classes)
            probabilities, without layers that act in training alone; with a novelty to [features
            (batch, d), logits (batch, classes)], as `penultimate` returns it.
        bundle: the metadata that goes with it; its temperature becomes part of the graph.
        path: the file to write.
        novelty: the score for unknown pictures, on these features; None: none.

    Raises:
        ExportError: the network cannot be expressed in ONNX, or not in one file.
        TellapartError: the file cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="tellapart-") as folder:
        onnx_model = _convert(model, Path(folder) / "network.onnx")
    graph = onnx_model.graph
    if novelty is None:
        _name_ends(graph, OUTPUT)
    else:
        _name_ends(graph, FEATURES, LOGITS)
        _append_softmax(graph, len(bundle.class_names))
    soften(graph, OUTPUT, bundle.temperature)
    if novelty is not None:
        append_novelty(onnx_model, novelty, features=FEATURES, probabilities=OUTPUT)
    attach(onnx_model, bundle)
    try:
        content = onnx_model.SerializeToString()
    except ValueError as error:  # protobuf's limit of 2 GiB
        raise ExportError(f"The network is too large for one ONNX file: {error}") from error
    write_with(path, lambda stream: stream.write(content))


def _convert(model: Any, file: Path) -> Any:
    """Converts by way of `file`; returns an `onnx.ModelProto` that has been checked."""
    import keras
    import onnx

    try:
        if keras.backend.backend() == "tensorflow":
            _convert_with_tensorflow(model, file)
        else:
            _convert_in_new_process(model, file)
        onnx_model = onnx.load(file)
        onnx.checker.check_model(onnx_model)
        _check_input(onnx_model.graph)
    except OSError:
        raise
    except Exception as error:  # the converter raises almost anything on a layer it lacks
        raise ExportError(
            f"The network '{model.name}' cannot be written as ONNX: {_last_line(error)}. The "
            "trained network is kept as model.keras; build it from layers that ONNX knows to make "
            "it portable."
        ) from error
    return onnx_model


def _check_input(graph: Any) -> None:
    """Refuses a graph that asks for more than pixels, which the converter lets pass."""
    if len(graph.input) != 1:
        extra = ", ".join(end.name for end in graph.input[1:])
        raise ExportError(
            f"the converter leaves {extra} open, as it does for Normalization layers: use a "
            "Rescaling layer instead"
        )


def _convert_with_tensorflow(model: Any, file: Path) -> None:
    model(np.zeros((1, *model.input_shape[1:]), np.uint8))  # Keras exports only what was called
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras probes for the long gone `np.object` on its way
        model.export(file, format="onnx", verbose=False)


def _convert_in_new_process(model: Any, file: Path) -> None:
    """Converts a model of another backend with TensorFlow, which needs a process of its own."""
    saved = file.with_suffix(".keras")
    model.save(saved)
    finished = subprocess.run(
        [sys.executable, "-m", __name__, str(saved), str(file)],
        env=os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise ExportError(finished.stderr)


def _last_line(error: Exception) -> str:
    """What a converter's error comes down to; the rest is where in its code."""
    return str(error).strip().rpartition("\n")[2].strip().rstrip(".") or type(error).__name__


def _name_ends(graph: Any, *outputs: str) -> None:
    """Gives input, outputs and batch axis the names that readers of the file can rely on."""
    ends = [graph.input[0], *graph.output]
    renamed = dict(zip((end.name for end in ends), (INPUT, *outputs), strict=True))
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = renamed.get(name, name)
    for end in ends:
        end.name = renamed[end.name]
        end.type.tensor_type.shape.dim[0].dim_param = BATCH


def _append_softmax(graph: Any, classes: int) -> None:
    """Puts probabilities in the place of all outputs."""
    from onnx import TensorProto, helper

    graph.node.append(helper.make_node("Softmax", [LOGITS], [OUTPUT], axis=-1))
    del graph.output[:]
    shape = [BATCH, classes]
    graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, shape))


if __name__ == "__main__":
    from tellapart.models.registry import load_keras_file

    _convert_with_tensorflow(load_keras_file(Path(sys.argv[1])), Path(sys.argv[2]))
