"""ONNX Runtime within bounds: a classifier file cannot take all memory, or go on for ever.

A graph may hold loops, and numbers that say how large a tensor is to be. ONNX Runtime runs them as
they are; what it takes is bounded here, by its own means, so that a run costs nothing more:

- memory by an arena of its own that all sessions share, up to `limits.RUN_BYTES`;
- time by a thread that looks once in a while and ends a run that is over `limits.RUN_SECONDS`. A
  single operator is not cut short, but its memory, and so its work, is bounded.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tellapart.errors import ClassifierFileError
from tellapart.limits import RUN_BYTES, RUN_SECONDS
from tellapart.machine import usable_cores

LOOK_SECONDS = 1.0
"""How often it is looked whether a run takes too long."""

FOLDED_BYTES = 2**18
"""Larger tensors are not computed when a file is opened, outside of the arena, but when it runs."""


def make_session(content: bytes, path: Path, *, threads: int | None = None) -> Any:
    """Makes the ONNX Runtime session, quiet.

    Args:
        content: of an ONNX file.
        path: what errors call it.
        threads: on which a run is divided; None: one for each core this process may use.

    Raises:
        ClassifierFileError: ONNX Runtime refuses it.
    """
    # Unless told otherwise before it is imported, ONNX Runtime notes each session down in the
    # user's home, to be sent to its makers.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # fatal; errors come as exceptions
    options.intra_op_num_threads = threads or usable_cores()
    # Never take the bytes for ONNX Runtime's own format, which `parse_bundle` does not check.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry(
        "optimization.constant_folding_max_output_size_in_bytes", str(FOLDED_BYTES)
    )
    if _share_bounded_memory():
        options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        # No fallback: it prints to stdout and tries the same again.
        return onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise ClassifierFileError(
            f"{path} was refused by ONNX Runtime {onnxruntime.__version__}: {first_line(error)}. "
            "It is damaged, or needs a newer ONNX Runtime: pip install --upgrade onnxruntime"
        ) from error


def run(session: Any, pixels: Any) -> Sequence[Any]:
    """Runs a session of one input, and ends it when it takes more than `RUN_SECONDS`.

    Raises:
        TimeoutError: it took more.
        MemoryError: it needs more than `RUN_BYTES`.
        Exception: whatever ONNX Runtime raises; its errors share no base class.
    """
    with _watched(RUN_SECONDS.value) as options:
        try:
            outputs: Sequence[Any] = session.run(
                None, {session.get_inputs()[0].name: pixels}, options
            )
        except Exception as error:
            if "BFCArena" in str(error):
                raise MemoryError(
                    f"it needs more than {RUN_BYTES.value:,} bytes of memory "
                    f"({RUN_BYTES.variable} raises the limit)"
                ) from error
            raise
    return outputs


def first_line(error: Exception) -> str:
    """Returns an error's first line: of ONNX Runtime's the others are of no use."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


@cache
def _share_bounded_memory() -> bool:
    """Registers the arena, once a process; False where the program has one of its own."""
    import onnxruntime

    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    try:
        onnxruntime.create_and_register_allocator(
            memory, onnxruntime.OrtArenaCfg({"max_mem": RUN_BYTES.value})
        )
    except RuntimeError:
        return False
    return True


_running: dict[int, tuple[Any, float]] = {}
"""The options of what runs now, and until when it may. Dictionaries change atomically."""

_numbers = itertools.count()
_watcher: threading.Thread | None = None


@contextlib.contextmanager
def _watched(seconds: float) -> Iterator[Any]:
    import onnxruntime

    global _watcher
    options = onnxruntime.RunOptions()
    options.log_severity_level = 4
    number = next(_numbers)
    _running[number] = options, time.monotonic() + seconds
    if _watcher is None or not _watcher.is_alive():
        _watcher = threading.Thread(target=_watch, name="tellapart-watch", daemon=True)
        _watcher.start()
    try:
        yield options
    except Exception as error:
        if options.terminate:
            raise TimeoutError(
                f"it takes more than {seconds:g} seconds over a batch ({RUN_SECONDS.variable} "
                "raises the limit)"
            ) from error
        raise
    finally:
        del _running[number]


def _watch() -> None:
    """Ends what takes too long, and itself when nothing has run for a while."""
    while _running:
        time.sleep(LOOK_SECONDS)
        now = time.monotonic()
        for options, until in list(_running.values()):
            if now > until:
                options.terminate = True
