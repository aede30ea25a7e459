"""Importing Keras: the one place that chooses a backend and quietens its start-up."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from types import ModuleType
from typing import Literal, get_args

from tellapart.errors import MissingDependencyError, UsageError, did_you_mean
from tellapart.models.quiet_start import LEVEL_VARIABLE, notices_hidden

Backend = Literal["tensorflow", "jax", "torch"]
DEFAULT_BACKEND: Backend = "tensorflow"

_FIRST = threading.Lock()
"""Held while Keras is imported for the first time."""


def begin_importing_keras(backend: str | None = None) -> None:
    """Starts to import Keras beside the work at hand; `import_keras` then waits for the rest.

    What goes wrong is told by `import_keras`.
    """

    def begin() -> None:
        with contextlib.suppress(Exception):
            import_keras(backend)

    threading.Thread(target=begin, name="import keras").start()


def import_keras(backend: str | None = None) -> ModuleType:
    """Imports Keras on a backend; takes seconds the first time.

    Args:
        backend: "tensorflow", "jax" or "torch"; None keeps what KERAS_BACKEND says, or
            TensorFlow, the fastest on a CPU for the networks here.

    Raises:
        UsageError: an unknown backend, or Keras already runs on another one.
        MissingDependencyError: the backend is not installed.
    """
    wanted = backend or os.environ.get("KERAS_BACKEND", DEFAULT_BACKEND)
    known = list(get_args(Backend))
    if wanted not in known:
        raise UsageError(
            f"Unknown backend '{wanted}'.{did_you_mean(wanted, known)} "
            f"Expected one of {', '.join(known)}."
        )
    try:
        with _FIRST:
            keras = _import(wanted)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"The backend '{wanted}' needs the package '{error.name}', which is not installed: "
            f"pip install {error.name}"
        ) from error
    if backend and keras.backend.backend() != backend:
        raise UsageError(
            f"Keras already runs on '{keras.backend.backend()}' in this process, which cannot "
            f"change to '{backend}'. Start a new one with KERAS_BACKEND={backend}."
        )
    return keras


def _import(backend: str) -> ModuleType:
    if "keras" in sys.modules:
        return sys.modules["keras"]
    os.environ["KERAS_BACKEND"] = backend
    # TensorFlow greets with a page of notices about the processor; errors still show.
    os.environ.setdefault(LEVEL_VARIABLE, "2")
    with notices_hidden():
        return importlib.import_module("keras")
