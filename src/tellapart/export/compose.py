"""The classifier file of a transferred network: the backbone's graph, and the head behind it."""

from __future__ import annotations

from typing import Any

from tellapart.bundle import Bundle, attach
from tellapart.errors import ExportError
from tellapart.evaluation.novelty import NoveltyModel
from tellapart.export.novelty import append_novelty
from tellapart.export.onnx import BATCH, INPUT, OUTPUT
from tellapart.models.head import Head


def compose(
    backbone_onnx: bytes, head: Head, bundle: Bundle, novelty: NoveltyModel | None = None
) -> bytes:
    """Puts a head behind a backbone: pixels -> features -> linear -> softmax -> probabilities.

    The logits are divided by the bundle's temperature (Guo et al., 2017). From features and
    probabilities follows the score for unknown pictures.

    Args:
        backbone_onnx: what `Backbone.onnx` returned.
        head: fitted on that backbone's features.
        bundle: the metadata of the classifier.
        novelty: the score, on that backbone's features and softened probabilities; None: none.

    Returns:
        The content of a classifier file.

    Raises:
        ExportError: backbone, head and metadata do not fit together.
        ClassifierFileError: the bundle breaks its own rules.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_model_from_string(backbone_onnx)
    graph = model.graph
    (features,) = graph.output
    _check(graph, head, bundle)
    softening = 1 / bundle.temperature
    graph.node.extend(
        [
            helper.make_node(
                "Gemm",
                [features.name, "output_kernel", "output_bias"],
                ["logits"],
                alpha=softening,
                beta=softening,
            ),
            helper.make_node("Softmax", ["logits"], [OUTPUT], axis=-1),
        ]
    )
    graph.initializer.extend(
        [
            numpy_helper.from_array(head.weights, "output_kernel"),
            numpy_helper.from_array(head.bias, "output_bias"),
        ]
    )
    del graph.output[:]
    shape = [BATCH, len(bundle.class_names)]
    graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, shape))
    if novelty is not None:
        append_novelty(model, novelty, features=features.name, probabilities=OUTPUT)
    attach(model, bundle)
    try:
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString()
    except (onnx.checker.ValidationError, ValueError) as error:  # or protobuf's limit of 2 GiB
        raise ExportError(f"The classifier cannot be written as one ONNX file: {error}") from error
    return content


def _check(graph: Any, head: Head, bundle: Bundle) -> None:
    """Refuses parts of different sizes; all problems are named."""
    ends = [*graph.input, *graph.output]
    shapes = [[dim.dim_value for dim in end.type.tensor_type.shape.dim[1:]] for end in ends]
    pixels, features = shapes[0], shapes[-1]
    problems = []
    if graph.input[0].name != INPUT or pixels != list(bundle.image_spec.shape):
        problems.append(
            f"the backbone takes {graph.input[0].name!r} of {pixels}, the metadata "
            f"{INPUT!r} of {list(bundle.image_spec.shape)}"
        )
    if features != [len(head.weights)]:
        problems.append(
            f"the backbone gives {features} features, the head takes {len(head.weights)}"
        )
    if head.weights.shape[1] != len(bundle.class_names):
        problems.append(
            f"the head tells {head.weights.shape[1]} classes apart, the metadata name "
            f"{len(bundle.class_names)}"
        )
    if problems:
        raise ExportError(f"Backbone, head and metadata do not fit: {'; '.join(problems)}.")
