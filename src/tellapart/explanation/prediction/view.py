"""What a network expects of a picture file, and what its answers are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tellapart.bundle import read_bundle
from tellapart.errors import ModelError, RunError, TellapartError
from tellapart.images import ImageSpec
from tellapart.runs import CLASSIFIER_ONNX, RUN_JSON, RunFolder


@dataclass(frozen=True)
class View:
    """How a picture is prepared for a network, and how its answer is read.

    Attributes:
        image_spec: from a picture file to pixels.
        class_names: in the order of the outputs.
        temperature: what logits are divided by.
        notes: what was assumed, in sentences.
    """

    image_spec: ImageSpec
    class_names: tuple[str, ...]
    temperature: float = 1.0
    notes: tuple[str, ...] = ()


def view_of_run(run: RunFolder) -> View:
    """Reads it from a run's classifier file; from its recipe where there is none yet.

    Raises:
        ClassifierFileError: the classifier file is damaged.
        RunError: there is none, and `run.json` does not say.
    """
    classifier = run.path / CLASSIFIER_ONNX
    if classifier.is_file():
        bundle = read_bundle(classifier)
        return View(bundle.image_spec, bundle.class_names, bundle.temperature)
    info = run.read_info()
    try:
        recipe = info["recipe"]
        height, width = recipe["image_size"]
        spec = ImageSpec(
            height,
            width,
            recipe["channels"],
            resize=recipe["resize"],
            interpolation=recipe["interpolation"],
        )
        names = tuple(str(name) for name in info["data"]["class_names"])
    except (KeyError, TypeError, ValueError, TellapartError) as error:
        raise RunError(
            f"{run.path} has no {CLASSIFIER_ONNX}, and its {RUN_JSON} does not say what the "
            f"network sees of a picture ({error}). Train again."
        ) from error
    return View(
        spec, names, notes=(f"There is no {CLASSIFIER_ONNX}: size and classes are the recipe's.",)
    )


def view_of_model(model: Any) -> View:
    """Takes it from the network alone: its input size, classes by number, pictures squashed.

    Raises:
        ModelError: the network takes pictures of any size, or of channels other than 1 or 3.
    """
    size, outputs = tuple(model.input_shape[1:]), model.output_shape[-1]
    if len(size) != 3 or None in size or size[2] not in (1, 3) or outputs is None:
        shown = "x".join("any" if side is None else str(side) for side in size)
        raise ModelError(
            f"Model '{model.name}' takes pictures of {shown}: expected a fixed height and width, "
            "and 1 or 3 channels. Train it, and name the run folder."
        )
    notes = ["Classes are numbered, and the picture is squashed to size: no run says better."]
    if str(model.inputs[0].dtype) != "uint8":
        notes.append("Its pixels are given as 0 to 255; what the model expects is not known.")
    return View(ImageSpec(*size), tuple(f"class {n}" for n in range(outputs)), notes=tuple(notes))
