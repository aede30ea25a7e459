"""What TensorFlow is told by environment variables, which it reads when it is imported."""

from __future__ import annotations

import os
import platform

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
"""From 1 on, TensorFlow is asked for no notices."""

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
"""1: convolutions are computed by oneDNN. TensorFlow asks for that by itself only where the
processor has instructions for neural networks (AVX512_VNNI and later). With AVX2 alone, networks
from scratch are trained 1.5 to 2.3 times as fast with it, and fine-tuned 1.4 times as fast
(benchmarks/README.md)."""

_X86 = ("x86_64", "amd64")


def set_defaults() -> None:
    """Sets the variables that the user has not set; of no effect once TensorFlow is there."""
    os.environ.setdefault(LEVEL, "2")  # it greets with a page of notices about the processor
    if _on_x86():
        os.environ.setdefault(ONEDNN, "1")


def missed_note() -> str | None:
    """What to tell users whose own import of Keras came first; None where nothing was missed.

    TensorFlow has to be imported.
    """
    try:
        from tensorflow.python.util import _pywrap_util_port  # it has no public word for it

        computes_with_it = _pywrap_util_port.IsMklEnabled()
    except (ImportError, AttributeError):
        return None
    if computes_with_it or os.environ.get(ONEDNN) == "0" or not _on_x86():
        return None
    return (
        "TensorFlow was imported before tellapart, and computes without oneDNN, at about half the "
        f"speed on this processor. Set the environment variable {ONEDNN}=1 before Keras is "
        "imported."
    )


def _on_x86() -> bool:
    return platform.machine().lower() in _X86
