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
    if platform.machine().lower() in _X86:
        os.environ.setdefault(ONEDNN, "1")
