"""How long work takes, told beforehand: what a network multiplies, and how fast the machine is."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import numpy as np

from tellapart.models.backend import import_keras
from tellapart.models.precision import MIXED, training_dtype

SIDE, TRIES = 1024, 3

PYTHON_ROWS, PYTHON_TRIES = 5_000, 12
PYTHON_SECONDS = 0.0084
"""What `_some_python` takes on the machine on which seconds of Python's own work were measured."""


def training_operations(model: Any) -> int:
    """Floating-point operations that training takes a picture, in convolutions and dense layers.

    A multiplication and addition are two. Where a layer learns, they come three times: forward,
    for its weights, and for the layer before.

    Args:
        model: a `keras.Model` that is built.
    """
    layers = import_keras().layers
    total = 0
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D | layers.Dense):
            # Each weight of the kernel multiplies once at each place of the output.
            places = math.prod(layer.output.shape[1:-1])
            forward = 2 * places * math.prod(layer.kernel.shape)
            total += forward * (3 if layer.trainable else 1)
    return total


def operations_per_second(
    dtype: str | None = None, *, side: int = SIDE, tries: int = TRIES
) -> float:
    """Floating-point operations of a product of two matrices, on all cores, the best of several.

    Takes about 0.1 s by default.

    Args:
        dtype: "float32" or "bfloat16"; None: what networks are trained in here.
        side: of the matrices.
        tries: how many products.
    """
    if dtype is None:
        dtype = "bfloat16" if training_dtype() == MIXED else "float32"
    ops = import_keras().ops
    rng = np.random.default_rng(0)
    one, other = (ops.cast(rng.random((side, side), np.float32), dtype) for _ in range(2))
    seconds = []
    for _ in range(tries + 1):  # the first one sets up threads and memory
        began = time.perf_counter()
        float(ops.cast(ops.matmul(one, other)[0, 0], "float32"))  # waits for it
        seconds.append(time.perf_counter() - began)
    return 2 * side**3 / min(seconds[1:])


def python_slowness() -> float:
    """How many times as long this machine takes for Python's own work, with what else it does.

    1 is the machine on which constants in seconds were measured: two cores of an AMD EPYC, at rest.
    Takes a tenth of a second there.
    """
    began = time.perf_counter()
    for _ in range(PYTHON_TRIES):
        _some_python()
    return (time.perf_counter() - began) / PYTHON_TRIES / PYTHON_SECONDS


def _some_python() -> None:
    """Objects, calls, text and tables: what drawing and exporting are made of."""
    rows = [{"name": f"row {number % 97}", "value": number / 7} for number in range(PYTHON_ROWS)]
    json.loads(json.dumps(rows))
    sorted(rows, key=lambda row: (row["name"], row["value"]))
