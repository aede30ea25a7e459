"""The graph of a classifier in 8-bit integers: smaller, and faster where processors like these.

Post-training static quantization (Jacob et al., Quantization and Training of Neural Networks for
Efficient Integer-Arithmetic-Only Inference, 2018), done by ONNX Runtime: the kernel of a
convolution gets a scale for each of its output channels, what flows between layers one for each
tensor, whose range is seen on some pictures. What follows the last convolution stays in floating
point: the head, the temperature and the score for unknown pictures cost little and are touchy.

Kernels use 7 of the 8 bits, from -64 to 64. Processors without instructions for neural networks
(AVX2 alone) add two products of an unsigned and a signed byte in 16 bits, where 255 * 127 * 2 is
too large and is cut off without a word: with 8 bits a network for CIFAR-10 that was right in 76% of
its validation pictures fell to 45% on such a processor, and not on others. A file is to say the
same everywhere.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tellapart.errors import ExportError
from tellapart.images import Pixels

QUANTIZED = ("Conv", "Add", "Clip", "Relu", "MaxPool")
"""A float operation between two convolutions costs more than it is worth: twice a conversion."""


def to_int8(content: bytes, batches: Iterable[Pixels]) -> Any:
    """Returns a classifier in integers.

    Args:
        content: of a classifier file.
        batches: (n, height, width, channels) uint8, ordinary pictures of all classes; a hundred
            are enough for the ranges.

    Returns:
        An `onnx.ModelProto`, which lacks the metadata.

    Raises:
        ExportError: the network has no convolutions, or ONNX Runtime cannot quantize it.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="tellapart-") as name, _quietly():
        given, prepared, made = (Path(name) / f"{step}.onnx" for step in ("0", "1", "2"))
        given.write_bytes(content)
        try:
            quant_pre_process(given, prepared, skip_symbolic_shape=True)
            model = onnx.load(prepared)
            graph = model.graph
            for number, node in enumerate(graph.node):
                node.name = f"node_{number}"  # by which the quantizer tells them apart
            onnx.save(model, prepared)
            quantize_static(
                prepared,
                made,
                _Reader(graph.input[0].name, iter(batches)),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(QUANTIZED),
                nodes_to_exclude=_behind_the_convolutions(graph),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                reduce_range=True,
            )
        except (OSError, ExportError):
            raise
        except Exception as error:  # ONNX Runtime raises almost anything
            raise ExportError(
                f"The network cannot be written in 8-bit integers: {error}."
            ) from error
        return onnx.load(made)


def _behind_the_convolutions(graph: Any) -> list[str]:
    convolutions = [place for place, node in enumerate(graph.node) if node.op_type == "Conv"]
    if not convolutions:
        raise ExportError(
            "The network has no convolutions, so there is nothing that 8-bit integers would make "
            "faster."
        )
    return [node.name for node in graph.node[convolutions[-1] + 1 :]]


class _Reader:
    """Hands out pictures as ONNX Runtime's calibration asks for them."""

    def __init__(self, name: str, batches: Iterator[Pixels]) -> None:
        self._name, self._batches = name, batches

    def get_next(self) -> dict[str, Pixels] | None:
        batch = next(self._batches, None)
        return None if batch is None else {self._name: batch}


@contextmanager
def _quietly() -> Iterator[None]:
    """Silences what the quantizer tells the root logger of its steps."""
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
