"""Importing Keras: the one place that chooses a backend and quietens its start-up."""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Literal, get_args

from tellapart.errors import MissingDependencyError, UsageError, did_you_mean
from tellapart.models.quiet_start import notices_hidden
from tellapart.tensorflow_variables import set_defaults

Backend = Literal["tensorflow", "jax", "torch"]
DEFAULT_BACKEND: Backend = "tensorflow"

_FIRST = threading.Lock()
"""Held while Keras is imported for the first time."""


def check_backend(backend: str | None = None) -> Backend:
    """Makes sure that Keras can run on a backend, without importing it.

    Args:
        backend: "tensorflow", "jax" or "torch"; None takes what KERAS_BACKEND says, or
            TensorFlow, the fastest on a CPU for the networks here.

    Returns:
        The backend.

    Raises:
        UsageError: an unknown backend, or Keras already runs on another one.
        MissingDependencyError: the backend is not installed.
    """
    wanted = backend or os.environ.get("KERAS_BACKEND", DEFAULT_BACKEND)
    names: tuple[Backend, ...] = get_args(Backend)
    if wanted not in names:
        raise UsageError(
            f"Unknown backend '{wanted}'.{did_you_mean(wanted, list(names))} "
            f"Expected one of {', '.join(names)}."
        )
    known = names[names.index(wanted)]
    with _FIRST:  # or Keras is there by half
        keras = sys.modules.get("keras")
    if keras is None:
        if importlib.util.find_spec(known) is None:
            raise _missing(known, known)
    elif backend and keras.backend.backend() != backend:
        raise UsageError(
            f"Keras already runs on '{keras.backend.backend()}' in this process, which cannot "
            f"change to '{backend}'. Start a new one with KERAS_BACKEND={backend}."
        )
    return known


def check_transfer_backend(backend: str | None) -> None:
    """Refuses to transfer a network on another backend than TensorFlow.

    Raises:
        UsageError: another backend is named.
    """
    if backend not in (None, DEFAULT_BACKEND):
        raise UsageError(
            f"A pretrained network is transferred on {DEFAULT_BACKEND} only, not on '{backend}'. "
            "Leave out --backend, or train from scratch with --recipe classic or another --model."
        )


def begin_importing_keras(backend: str | None = None) -> None:
    """Starts to import Keras beside the work at hand; `import_keras` then waits for the rest.

    What goes wrong from now on is told by `import_keras`.

    Raises:
        UsageError, MissingDependencyError: see `check_backend`.
    """
    wanted = check_backend(backend)
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = wanted  # whoever is first to import it

    def begin() -> None:
        with contextlib.suppress(Exception):
            import_keras(backend)

    threading.Thread(target=begin, name="import keras").start()


def import_keras(backend: str | None = None) -> ModuleType:
    """Imports Keras on a backend; takes seconds the first time.

    Args:
        backend: see `check_backend`; None keeps the backend that Keras already runs on.

    Raises:
        UsageError: see `check_backend`.
        MissingDependencyError: the backend, or something that it needs, is not installed.
    """
    wanted = check_backend(backend)
    try:
        with _FIRST:
            return _import(wanted)
    except ModuleNotFoundError as error:
        raise _missing(wanted, error.name) from error


def _missing(backend: str, package: str | None) -> MissingDependencyError:
    return MissingDependencyError(
        f"The backend '{backend}' needs the package '{package}', which is not installed: "
        f"pip install {package}"
    )


def _import(backend: str) -> ModuleType:
    if "keras" in sys.modules:
        return sys.modules["keras"]
    os.environ["KERAS_BACKEND"] = backend
    set_defaults()
    try:
        with notices_hidden(), _garbage_kept():
            return importlib.import_module("keras")
    except BaseException:
        # What is left of it would be taken for the whole the next time.
        for name in [name for name in sys.modules if name.partition(".")[0] == "keras"]:
            del sys.modules[name]
        raise


@contextlib.contextmanager
def _garbage_kept() -> Iterator[None]:
    """Does not look for garbage meanwhile: a quarter of the import's time, and it makes none."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # whoever has frozen some wants them to stay so
            # By way of the frozen ones all objects come to be old, which are searched seldom:
            # twice 0.2 s are saved.
            gc.freeze()
            gc.unfreeze()
        if collected:
            gc.enable()
