"""The prediction trace: one picture through every layer of a network, to its probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tellapart.errors import ModelError
from tellapart.explanation.flow import Stage, data_flow, input_stage, layer_stage
from tellapart.explanation.layers import Call
from tellapart.explanation.prediction.activations import (
    Activations,
    FeatureMap,
    encode_png,
    measure,
    strongest_maps,
    unmeasured,
)
from tellapart.explanation.prediction.blocks import Block, group_blocks
from tellapart.explanation.prediction.watch import Watch
from tellapart.explanation.prediction.worked_convolution import WorkedConvolution
from tellapart.explanation.prediction.worked_pooling import WorkedPooling
from tellapart.explanation.prediction.worked_softmax import Answer, work_out_softmax
from tellapart.explanation.walk import Step, comes_again, walk
from tellapart.images import Pixels

FORMAT_VERSION = 1

MAPS = 8
"""How many feature maps of a block are kept."""

MAX_PICTURE_SIDE = 512
"""The longest side of the picture in the JSON, in pixels."""


@dataclass(frozen=True, eq=False)
class PredictionStage:
    """A stage and what it answered.

    Attributes:
        stage: shapes, parameters and words; the number of pictures is 1.
        activations: figures of the answer.
        maps: its strongest channels, the strongest first; only of the last stage of a block.
    """

    stage: Stage
    activations: Activations
    maps: tuple[FeatureMap, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return self.stage.to_json() | {
            "activations": self.activations.to_json(),
            "maps": [feature_map.to_json() for feature_map in self.maps],
        }


@dataclass(frozen=True, eq=False)
class PredictionTrace:
    """What became of one picture.

    Attributes:
        model: name of the network.
        picture: name of the picture.
        pixels: (height, width, channels) uint8, what the network saw of it.
        stages: the input, then every layer in the order of computation.
        blocks: the stages in groups.
        convolution: one answer worked out; None: `notes` say why.
        pooling: one window worked out; None likewise.
        answer: from logits to probabilities.
        notes: what could not be shown and why, in sentences.
    """

    model: str
    picture: str
    pixels: Pixels
    stages: tuple[PredictionStage, ...]
    blocks: tuple[Block, ...]
    convolution: WorkedConvolution | None
    pooling: WorkedPooling | None
    answer: Answer
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the document that docs/trace.md describes; numbers have 7 significant digits."""
        document = {
            "format_version": FORMAT_VERSION,
            "model": self.model,
            "picture": _picture(self.picture, self.pixels),
            "stages": [stage.to_json() for stage in self.stages],
            "blocks": [block.to_json() for block in self.blocks],
            "convolution": self.convolution and self.convolution.to_json(),
            "pooling": self.pooling and self.pooling.to_json(),
            "answer": self.answer.to_json(),
            "notes": list(self.notes),
        }
        return dict(_rounded(document))


def prediction_trace(
    model: Any,
    pixels: Pixels,
    class_names: Sequence[str],
    *,
    picture: str = "picture",
    temperature: float = 1.0,
    maps: int = MAPS,
) -> PredictionTrace:
    """Follows one picture through every layer of a network.

    The layers run one by one; of each only figures, and of the last of a block some small
    pictures, are kept.

    Args:
        model: a `keras.Model` made of layers, (1, height, width, channels) uint8 to (1, classes)
            probabilities.
        pixels: (height, width, channels) uint8, as `images.decode` gives them.
        class_names: one a class, in the order of the outputs.
        picture: what to call it.
        temperature: what the classifier file divides logits by.
        maps: how many feature maps of a block to keep.

    Raises:
        ModelError: the network cannot be followed, takes another shape, or gives another number
            of classes.
    """
    flow = data_flow(model, 1)
    if flow[-1].after != (1, len(class_names)):
        raise ModelError(
            f"Model '{model.name}' gives {flow[-1].after[1:]} numbers a picture: expected one for "
            f"each of {len(class_names)} classes."
        )
    blocks = group_blocks(model, flow)
    shown = {block.last for block in blocks}
    watch = Watch()
    stages = [PredictionStage(input_stage((1, *pixels.shape)), measure(pixels[None].astype("f4")))]
    met: set[int] = set()
    for place, step in enumerate(walk(model, pixels), start=1):
        watch.see(step)
        stage = _stage(step, again=comes_again(step.layer, met))
        if watch.damaged and np.isfinite(step.output).all():
            # Pooling and ReLU make ordinary numbers of NaN; they are no answer to the picture.
            stages.append(PredictionStage(stage, unmeasured(step.output)))
            continue
        kept = strongest_maps(step.output, maps) if place in shown and _is_new(step) else ()
        stages.append(PredictionStage(stage, measure(step.output), kept))
    answer = work_out_softmax(watch.last, class_names, temperature)
    if watch.damaged:
        answer = replace(answer, logits=None, exponentials=None, probabilities=None)
    return PredictionTrace(
        model=str(model.name),
        picture=picture,
        pixels=pixels,
        stages=tuple(stages),
        blocks=tuple(blocks),
        convolution=watch.convolution,
        pooling=watch.pooling,
        answer=answer,
        notes=(*_damage(stages, watch), *watch.reasons(), *_no_logits(answer)),
    )


def _is_new(step: Step) -> bool:
    """Whether a step has something to show, and not the numbers it was given, as dropout does."""
    return step.output.size != step.inputs[0].size or not np.array_equal(
        step.output.ravel(), step.inputs[0].ravel()
    )


def _stage(step: Step, *, again: bool) -> Stage:
    shapes = tuple(array.shape for array in step.inputs)
    return layer_stage(Call(step.layer, shapes, step.output.shape, step.constants), again=again)


def _damage(stages: Sequence[PredictionStage], watch: Watch) -> list[str]:
    """Says where numbers that are not finite come from, and what follows from it."""
    if not watch.damaged:
        return []
    first = next((stage for stage in stages if stage.activations.not_finite), None)
    found = (
        []
        if first is None
        else [
            f"'{first.stage.name}' is the first to answer with numbers that are not finite, "
            f"{first.activations.not_finite:,} of them."
        ]
    )
    return [
        *watch.bad_weights,
        *found,
        "So there are no probabilities: whatever comes out in the end is made of these.",
        "A learning rate that is too high does this: train again with a lower --learning-rate.",
    ]


def _no_logits(answer: Answer) -> list[str]:
    if answer.logits is not None or answer.probabilities is None:
        return []
    return [f"There are no logits to show: '{answer.layer}', the last layer, is no softmax."]


def _picture(name: str, pixels: Pixels) -> dict[str, Any]:
    from PIL import Image

    height, width, channels = pixels.shape
    shown = pixels
    if max(height, width) > MAX_PICTURE_SIDE:
        image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
        image.thumbnail((MAX_PICTURE_SIDE, MAX_PICTURE_SIDE))
        shown = np.asarray(image)
    return {
        "name": name,
        "height": height,
        "width": width,
        "channels": channels,
        "png": encode_png(shown),
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
