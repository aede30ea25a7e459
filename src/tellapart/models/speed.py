"""How fast this machine multiplies: what tells beforehand how long a training takes."""

from __future__ import annotations

import time

import numpy as np

from tellapart.models.backend import import_keras
from tellapart.models.precision import MIXED, training_dtype

SIDE = 1024
TRIES = 3


def operations_per_second() -> float:
    """Floating-point operations of a product of two matrices, in the numbers that are trained in.

    The best of several, on all cores; takes about 0.1 s.
    """
    ops = import_keras().ops
    dtype = "bfloat16" if training_dtype() == MIXED else "float32"
    matrix = ops.cast(np.random.default_rng(0).random((SIDE, SIDE), np.float32), dtype)
    seconds = []
    for _ in range(TRIES + 1):  # the first one sets up threads and memory
        began = time.perf_counter()
        float(ops.cast(ops.matmul(matrix, matrix)[0, 0], "float32"))  # waits for it
        seconds.append(time.perf_counter() - began)
    return 2 * SIDE**3 / min(seconds[1:])
