"""What numbers a network is trained in: shorter ones where the processor is faster with them.

bfloat16 has the range of float32 and 8 bits of its 24. "Mixed" precision (Micikevicius et al.,
2018) multiplies in it and keeps weights, their updates and sums in float32.
"""

from __future__ import annotations

from pathlib import Path

from tellapart.models.backend import import_keras

SINGLE = "float32"
MIXED = "mixed_bfloat16"


LEAST_CAPABILITY = (8, 0)
"""Of NVIDIA's GPUs, those from Ampere on (2020) multiply bfloat16 by instructions of their own."""


def training_dtype() -> str:
    """The name of Keras's dtype policy to train in, on the GPU or else on this processor."""
    capability = gpu_capability()
    fast = multiplies_bfloat16() if capability is None else capability >= LEAST_CAPABILITY
    return MIXED if fast else SINGLE


def multiplies_bfloat16() -> bool:
    """Whether this machine's processor has instructions for bfloat16, which then are faster."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return bool({"avx512_bf16", "amx_bf16"} & set(text.split()))


def gpu_capability() -> tuple[int, int] | None:
    """The CUDA compute capability of the first GPU of Keras's backend; None: it uses none.

    (0, 0) is of a GPU that does not say, such as those of other makers.
    """
    backend = import_keras().backend.backend()
    if backend == "jax":
        import jax

        found = [device for device in jax.devices() if device.platform == "gpu"]
        return _capability(getattr(found[0], "compute_capability", "0.0")) if found else None
    if backend == "torch":
        import torch

        return torch.cuda.get_device_capability() if torch.cuda.is_available() else None
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return None
    details = tf.config.experimental.get_device_details(gpus[0])
    return tuple(details.get("compute_capability", (0, 0)))


def _capability(text: str) -> tuple[int, int]:
    major, _, minor = str(text).partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (0, 0)
