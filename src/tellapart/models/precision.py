"""What numbers a network is trained in: shorter ones where the processor is faster with them.

bfloat16 has the range of float32 and 8 bits of its 24. "Mixed" precision (Micikevicius et al.,
2018) multiplies in it and keeps weights, their updates and sums in float32.
"""

from __future__ import annotations

from pathlib import Path

SINGLE = "float32"
MIXED = "mixed_bfloat16"


def training_dtype() -> str:
    """The name of Keras's dtype policy to train in on this machine."""
    return MIXED if multiplies_bfloat16() else SINGLE


def multiplies_bfloat16() -> bool:
    """Whether this machine's processor has instructions for bfloat16, which then are faster."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return bool({"avx512_bf16", "amx_bf16"} & set(text.split()))
