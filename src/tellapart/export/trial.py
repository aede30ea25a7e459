"""Whether a network can be deployed, found out before it is trained."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.errors import ExportError
from tellapart.export.onnx import convert, serialize
from tellapart.export.parity import TOLERANCE
from tellapart.models.keras_words import first_sentence
from tellapart.onnx_session import make_session

PICTURES = 4
"""Made up, to compare the answers on."""


def try_export(model: Any) -> None:
    """Saves a network, writes it as ONNX and compares both on pictures of noise; keeps nothing.

    It takes as long as the same after training: half a second to a second for a small network, 3
    for MobileNetV2 at 96 pixels, 20 for ResNet50 at 224 (two cores of an AMD EPYC, one run each),
    and about 6 more where Keras does not run on TensorFlow, which has to be started for it.

    Args:
        model: a `keras.Model`, (batch, height, width, channels) uint8 to (batch, classes)
            probabilities.

    Raises:
        ExportError: it cannot be saved or written as ONNX, or would give other answers there.
    """
    with tempfile.TemporaryDirectory(prefix="tellapart-") as folder:
        _try_to_save(model, Path(folder) / "model.keras")
        onnx_model = convert(model, Path(folder) / "network.onnx")
    session = make_session(serialize(onnx_model), Path(f"{model.name}.onnx"))
    shape = (PICTURES, *model.input_shape[1:])
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    (answers,) = session.run(None, {session.get_inputs()[0].name: pixels})
    expected = np.asarray(model.predict_on_batch(pixels))
    if not np.isfinite(expected).all():
        return  # the training will find out why, and say so
    if not np.allclose(answers, expected, rtol=0, atol=TOLERANCE):
        raise ExportError(
            f"The network '{model.name}' answers differently once it is written as ONNX: the "
            f"largest difference of a probability is {np.abs(answers - expected).max():.2g} (at "
            f"most {TOLERANCE:g} is allowed). Expected layers that answer the same each time."
        )


def _try_to_save(model: Any, path: Path) -> None:
    try:
        model.save(path)
    except OSError:
        raise
    except Exception as error:  # Keras raises almost anything on a class that it cannot write down
        raise ExportError(
            f"The network '{model.name}' cannot be saved as a .keras file: {first_sentence(error)}."
        ) from error
