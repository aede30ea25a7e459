"""What TensorFlow is told by environment variables, which it reads when it is imported."""

from __future__ import annotations

import os
import platform
import sys

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
"""From 1 on, TensorFlow is asked for no notices."""

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
"""1: convolutions are computed by oneDNN. TensorFlow asks for that by itself only where the
processor has instructions for neural networks (AVX512_VNNI and later). With AVX2 alone, networks
from scratch are trained 1.5 to 2.3 times as fast with it, and fine-tuned 1.4 times as fast
(benchmarks/README.md)."""

_X86 = ("x86_64", "amd64")


def set_defaults() -> None:
    """Sets the variables that the user has not set, unless TensorFlow has read them already."""
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault(LEVEL, "2")  # it greets with a page of notices about the processor
    if _on_x86():
        os.environ.setdefault(ONEDNN, "1")


def missed_note() -> str | None:
    """What to tell users whose program imported TensorFlow; None where nothing was missed by it.

    TensorFlow has to be imported. Where tellapart did that, or the user said how, `ONEDNN` is set.
    """
    if ONEDNN in os.environ or not _on_x86():
        return None
    try:
        from tensorflow.python.util import _pywrap_util_port  # it has no public word for it

        computes_with_it = _pywrap_util_port.IsMklEnabled()
    except (ImportError, AttributeError):
        return None
    if computes_with_it:
        return None
    return (
        "Your program imported TensorFlow itself, which computes without oneDNN then: at about "
        f"half the speed on this processor. Set the environment variable {ONEDNN}=1 before Keras "
        "is imported."
    )


def _on_x86() -> bool:
    return platform.machine().lower() in _X86
