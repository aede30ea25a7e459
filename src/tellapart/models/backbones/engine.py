"""Running a backbone over many pictures with the fastest engine that is installed.

    onnxruntime    always installed, and the fastest when each core runs pictures of its own
    openvino       as fast, but a second slower to start; worth naming on other processors
    keras          a fifth to a third of the speed; for comparison

The engines differ in the order of their sums: features agree within TOLERANCE of each other.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from tellapart.errors import MissingDependencyError, ModelError, UsageError, did_you_mean
from tellapart.images import Pixels
from tellapart.machine import usable_cores
from tellapart.models.backbones.registry import Backbone

Engine = Literal["onnxruntime", "openvino", "keras"]
"""From the fastest to the slowest, measured by benchmarks/backbones.py."""

TOLERANCE = 1e-3
"""The largest difference between two engines' features, which are of the order of 1."""

Features = npt.NDArray[np.float32]
_Run = Callable[[Pixels, Features], None]
"""Fills (n, d) features from (n, height, width, 3) pixels."""

ONNXRUNTIME_BATCH = 4
OPENVINO_BATCH = 2
KERAS_BATCH = 32


def available_engines() -> list[Engine]:
    """The engines that are installed, the fastest first."""
    return [engine for engine in get_args(Engine) if importlib.util.find_spec(engine)]


class FeatureExtractor:
    """A backbone, ready to run on all cores that this process may use.

    Memory: the network, a copy of its input for each core, and what its layers hold meanwhile,
    about 10 MB for each of ONNXRUNTIME_BATCH pictures a core at 224x224.

    Attributes:
        engine: the one that runs it.
    """

    def __init__(
        self, backbone: Backbone, image_size: tuple[int, int], engine: str | None = None
    ) -> None:
        """Makes the network ready, which takes about a second.

        Args:
            backbone: which network.
            image_size: height and width of the pictures, in pixels.
            engine: "onnxruntime", "openvino" or "keras"; None: the first that is installed.

        Raises:
            UsageError: there is no such engine.
            MissingDependencyError: it, or the package with the weights, is not installed.
            ModelError: the pictures are too small, or the network cannot be run.
        """
        self.engine = _choose(engine)
        self._backbone = backbone
        self._shape = (*image_size, 3)
        self._run: _Run = _STARTERS[self.engine](backbone, image_size)

    def features(self, pixels: Pixels) -> Features:
        """Computes the features of pictures.

        Args:
            pixels: (n, height, width, 3) uint8.

        Returns:
            (n, backbone.features) float32.

        Raises:
            UsageError: the pixels are of another shape or type.
            ModelError: the network gives numbers that are not finite.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != self._shape:
            raise UsageError(
                f"Pixels of shape {pixels.shape} and type {pixels.dtype}: expected "
                f"(n, {', '.join(map(str, self._shape))}) uint8."
            )
        found = np.full((len(pixels), self._backbone.features), np.nan, np.float32)
        self._run(pixels, found)
        if not np.isfinite(found).all():
            raise ModelError(
                f"{self._backbone.name} gives features that are not finite numbers, on "
                f"{self.engine}. Its weights are damaged, or the engine has a fault: try another "
                f"of {', '.join(available_engines())}."
            )
        return found


def _choose(engine: str | None) -> Engine:
    installed = available_engines()
    if engine is None:
        return installed[0]
    known = list(get_args(Engine))
    if engine not in known:
        raise UsageError(
            f"Unknown engine '{engine}'.{did_you_mean(engine, known)} Expected one of "
            f"{', '.join(known)}."
        )
    for name in installed:
        if name == engine:
            return name
    raise MissingDependencyError(
        f"The engine '{engine}' is not installed: pip install {engine}. Installed are "
        f"{', '.join(installed)}."
    )


# --- ONNX Runtime -------------------------------------------------------------------------------


def _start_onnxruntime(backbone: Backbone, image_size: tuple[int, int]) -> _Run:
    content = backbone.onnx(image_size)
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when it is imported
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # One core a call, and as many calls as cores: within a layer no core waits for another.
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    pool = ThreadPoolExecutor(usable_cores(), thread_name_prefix="features")

    def run(pixels: Pixels, found: Features) -> None:
        def batch(start: int) -> None:
            stop = start + ONNXRUNTIME_BATCH
            (found[start:stop],) = session.run(None, {"pixels": pixels[start:stop]})

        for _ in pool.map(batch, range(0, len(pixels), ONNXRUNTIME_BATCH)):
            pass

    return run


# --- OpenVINO -----------------------------------------------------------------------------------


def _start_openvino(backbone: Backbone, image_size: tuple[int, int]) -> _Run:
    content = backbone.onnx(image_size)
    with without_reporting():
        import openvino
    core = openvino.Core()
    streams = usable_cores()
    # A stream a core, as for ONNX Runtime above.
    settings = {
        "NUM_STREAMS": str(streams),
        "INFERENCE_NUM_THREADS": str(streams),
        "INFERENCE_PRECISION_HINT": "f32",
    }
    network = core.compile_model(core.read_model(content), "CPU", settings)
    queue = openvino.AsyncInferQueue(network, streams)

    def run(pixels: Pixels, found: Features) -> None:
        def keep(request: Any, start: int) -> None:
            rows = request.get_output_tensor().data
            found[start : start + len(rows)] = rows

        queue.set_callback(keep)
        for start in range(0, len(pixels), OPENVINO_BATCH):
            queue.start_async([pixels[start : start + OPENVINO_BATCH]], start)
        queue.wait_all()

    return run


@contextmanager
def without_reporting() -> Iterator[None]:
    """Lets OpenVINO be imported without telling its makers.

    Its `openvino_telemetry` sends an event on each import and keeps an identifier in the user's
    home. Where that package is missing, a stub of OpenVINO's own does nothing.
    """
    name = "openvino_telemetry"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # what makes an import fail
    try:
        yield
    finally:
        del sys.modules[name]


# --- Keras --------------------------------------------------------------------------------------


def _start_keras(backbone: Backbone, image_size: tuple[int, int]) -> _Run:
    model = backbone.keras(image_size)

    def run(pixels: Pixels, found: Features) -> None:
        if len(pixels):
            found[:] = model.predict(pixels, batch_size=KERAS_BATCH, verbose=0)

    return run


_STARTERS: dict[Engine, Callable[[Backbone, tuple[int, int]], _Run]] = {
    "onnxruntime": _start_onnxruntime,
    "openvino": _start_openvino,
    "keras": _start_keras,
}
