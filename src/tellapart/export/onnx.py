"""From a Keras model to the classifier file: one ONNX graph with everything it needs inside."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.bundle import Bundle, attach
from tellapart.errors import ExportError
from tellapart.evaluation.novelty import NoveltyModel
from tellapart.export.gaps import filled_gaps
from tellapart.export.novelty import append_novelty
from tellapart.export.soften import soften
from tellapart.export.unportable import explain_failure
from tellapart.files import write_with

INPUT, OUTPUT, BATCH = "pixels", "probabilities", "batch"
FEATURES, LOGITS = "features", "logits"


def export_classifier(
    model: Any, bundle: Bundle, path: Path, novelty: NoveltyModel | None = None
) -> None:
    """Writes the classifier file, atomically.

    Args:
        model: a `keras.Model`, (batch, height, width, channels) uint8 to (batch, classes)
            probabilities; with a novelty to [features (batch, d), logits (batch, classes)], as
            `penultimate` returns it. Written is what it does when it predicts.
        bundle: the metadata that goes with it; its temperature becomes part of the graph.
        path: the file to write.
        novelty: the score for unknown pictures, on these features; None: none.

    Raises:
        ExportError: the network cannot be expressed in ONNX, or not in one file.
        TellapartError: the file cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="tellapart-") as folder:
        try:
            onnx_model = convert(model, Path(folder) / "network.onnx")
        except ExportError as error:
            raise ExportError(f"{error} The trained network is kept as model.keras.") from error
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
    content = serialize(onnx_model)
    write_with(path, lambda stream: stream.write(content))


def serialize(onnx_model: Any) -> bytes:
    """Returns the content of a file.

    Raises:
        ExportError: the network is too large for one.
    """
    try:
        content: bytes = onnx_model.SerializeToString()
    except ValueError as error:  # protobuf's limit of 2 GiB
        raise ExportError(f"The network is too large for one ONNX file: {error}") from error
    return content


def convert(model: Any, file: Path) -> Any:
    """Converts what a network does when it predicts, by way of a file.

    Args:
        model: a `keras.Model` with one input, uint8 pixels.
        file: where to, for the time being.

    Returns:
        An `onnx.ModelProto` that has been checked.

    Raises:
        ExportError: the network cannot be expressed in ONNX.
    """
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
            f"The network '{model.name}' cannot be written as ONNX: "
            f"{explain_failure(error, model)}."
        ) from error
    return onnx_model


def _check_input(graph: Any) -> None:
    """Refuses a graph that asks for more than pixels, which the converter lets pass."""
    if len(graph.input) != 1:
        extra = ", ".join(end.name for end in graph.input[1:])
        raise ExportError(
            f"the converter leaves {extra} open, as it does for tensors that a layer of your own "
            "computes with: make weights of them, or plain numbers"
        )


def _convert_with_tensorflow(model: Any, file: Path) -> None:
    predicting = _predicting(model)
    predicting(np.zeros((1, *model.input_shape[1:]), np.uint8))  # Keras exports what was called
    with warnings.catch_warnings(), _quiet_converter(), filled_gaps(model):
        warnings.simplefilter("ignore")  # Keras probes for the long gone `np.object` on its way
        predicting.export(file, format="onnx", verbose=False)


def _predicting(model: Any) -> Any:
    """The network as it predicts: `export` leaves open whether it is being trained.

    Layers such as RandomFlip then take it that it is.
    """
    import keras

    (pixels,) = model.inputs
    return keras.Model(pixels, model(pixels, training=False), name=model.name)


@contextlib.contextmanager
def _quiet_converter() -> Iterator[None]:
    """Keeps tf2onnx from writing on stderr what is told in an error, or worked around."""
    logger = logging.getLogger("tf2onnx")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


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
