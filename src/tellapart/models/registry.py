"""From what the user names as a model to a Keras network that fits the pictures.

A model is a name ("classic-32"), a `keras.Model`, a function that builds one, a `.keras` file,
or "file.py:function". Whatever it is, what comes back takes uint8 pixels and gives probabilities.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.errors import ModelError, UsageError, did_you_mean
from tellapart.images import Pixels
from tellapart.models.backbones import (
    DEFAULT_BACKBONE,
    backbone_names,
    get_backbone,
    is_backbone,
    refuse_missing,
)
from tellapart.models.backbones.transfer import build_transfer_model
from tellapart.models.backend import import_keras
from tellapart.models.classic import CLASSIC, build_classic
from tellapart.models.fast import WIDTHS, build_fast, set_whitening
from tellapart.models.keras_words import first_sentence
from tellapart.models.precision import SINGLE, training_dtype
from tellapart.models.users_code import run_users_code

Model = str | Path | Callable[..., Any]
"""A name, a file or a function; a `keras.Model` is callable and so included."""


@dataclass(frozen=True)
class Twin:
    """What is trained in place of a network.

    Attributes:
        model: `keras.Model` of the same input and output, whose weights fit into the network.
        prepare: gives it what it has to know of the training pictures beforehand, a sample of
            them, (n, height, width, channels) uint8.
    """

    model: Any
    prepare: Callable[[Pixels], None]


@dataclass(frozen=True)
class Network:
    """A network ready to train.

    Attributes:
        model: `keras.Model`, (batch, height, width, channels) uint8 pixels 0..255 to
            (batch, classes) float32 probabilities.
        name: what the user called it.
        notes: what was added to the user's own model, in words.
        twin: the same network made to be trained fast; None: the model itself is trained.
    """

    model: Any
    name: str
    notes: tuple[str, ...] = ()
    twin: Twin | None = None


def model_names() -> list[str]:
    """The names that `build` knows."""
    return [*sorted(CLASSIC), *WIDTHS, *backbone_names()]


def describe(model: Model) -> str:
    """What to call a model in `run.json`: its name, file or function."""
    if isinstance(model, str | Path):
        return str(model)
    return str(getattr(model, "name", None) or getattr(model, "__name__", type(model).__name__))


def resolve(model: Model) -> Any:
    """Loads what a model names, so that mistakes show before pictures are read.

    Returns:
        A name of `model_names()`, a `keras.Model`, or a function that builds one.

    Raises:
        UsageError: an unknown name, a missing file or function.
        ModelError: a file that cannot be loaded.
    """
    if not isinstance(model, str | Path):
        if not callable(model):
            raise UsageError(
                f"model={model!r}: expected a name, a keras.Model or a function that builds one."
            )
        return model
    text = str(model)
    if text in CLASSIC or text in WIDTHS or is_backbone(text):
        return text
    if ".py:" in text:
        return _load_function(text)
    if text.endswith(".keras"):
        return load_keras_file(Path(text))
    refuse_missing(text)
    raise UsageError(
        f"Unknown model '{text}'.{did_you_mean(text, model_names())} Expected one of "
        f"{', '.join([*sorted(CLASSIC), *WIDTHS])}, a pretrained network such as "
        f"{DEFAULT_BACKBONE}, a .keras file, or file.py:function."
    )


def fixed_input_shape(model: str | Callable[..., Any]) -> tuple[int | None, ...] | None:
    """The (height, width, channels) that a resolved model insists on; None where it takes any."""
    keras = import_keras()
    if not isinstance(model, keras.Model):
        return None
    shape = getattr(model, "input_shape", None)
    if shape is None:  # not built yet
        return None
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise ModelError(
            f"Model '{model.name}' takes input of shape {shape}: expected one input of "
            "(batch, height, width, channels)."
        )
    return shape[1:]


def build(
    model: str | Callable[..., Any],
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    rescale: float | None = None,
    seed: int = 0,
    pretrained: bool = True,
) -> Network:
    """Builds a network and checks that it fits, before any training.

    Args:
        model: what `resolve` returned. A `keras.Model` is trained in place, as by its own `fit`.
        input_shape: height, width, channels of the pictures.
        classes: number of classes in the data.
        rescale: what pixels 0..255 are multiplied by before they enter the user's own model;
            None: 1/255, or 1 if the model has a Rescaling or Normalization layer of its own.
        seed: of the initial weights that are not left to Keras.
        pretrained: False leaves out the weights of a pretrained network, which may have to be
            downloaded, where only its layers are looked at.

    Raises:
        ModelError: the network does not take these pictures or does not give these classes.
    """
    if isinstance(model, str):
        if is_backbone(model):
            return Network(_build_transfer(model, input_shape, classes, pretrained), model)
        if model in WIDTHS:
            trained = build_fast(input_shape, classes, model, training=True, seed=seed)
            twin = Twin(trained, partial(set_whitening, trained, seed=seed))
            return Network(build_fast(input_shape, classes, model), model, twin=twin)
        return _build_classic(model, input_shape, classes)
    keras = import_keras()
    name = describe(model)
    own = model
    if not isinstance(model, keras.Model):
        own = run_users_code(
            name,
            lambda: _call_builder(model, input_shape, classes),
            pictures=input_shape,
            written=model,
        )
    if not isinstance(own, keras.Model):
        raise ModelError(
            f"{name}() returned {type(own).__name__}: expected a keras.Model that takes "
            f"(batch, {', '.join(map(str, input_shape))}) and gives (batch, {classes})."
        )
    if getattr(own, "input_shape", None) is None:
        own = _with_shapes(own, name, input_shape, model)
    _check_shapes(own, input_shape, classes)
    return _wrap(own, name, input_shape, rescale)


def _build_classic(name: str, input_shape: tuple[int, int, int], classes: int) -> Network:
    """The network; its twin, where one is faster, begins with the same weights."""
    model = build_classic(name, input_shape, classes)
    dtype = training_dtype()
    if dtype == SINGLE:
        return Network(model, name)
    trained = build_classic(name, input_shape, classes, dtype=dtype)
    return Network(
        model, name, twin=Twin(trained, lambda _: trained.set_weights(model.get_weights()))
    )


def _build_transfer(
    name: str, input_shape: tuple[int, int, int], classes: int, pretrained: bool
) -> Any:
    height, width, channels = input_shape
    if channels != 3:
        raise ModelError(f"{name} takes pictures in colour: expected 3 channels, not {channels}.")
    backbone = get_backbone(name)
    return build_transfer_model(backbone, (height, width), classes, pretrained=pretrained)


def load_keras_file(path: Path) -> Any:
    """Loads a `.keras` file in safe mode: it can hold no code of its own.

    Raises:
        UsageError: there is no such file.
        ModelError: it cannot be loaded.
    """
    if not path.is_file():
        raise UsageError(f"There is no model file {path}.")
    if not zipfile.is_zipfile(path):
        raise ModelError(f"{path} is not a .keras file, which is a zip archive, or it is damaged.")
    keras = import_keras()
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises almost anything on a damaged file
        reason, remedy = first_sentence(error), ""
        if "locate class" in reason:
            remedy = (
                " The file does not hold its code: import the module that defines it, with "
                "@keras.saving.register_keras_serializable(), and load the file in Python."
            )
        raise ModelError(f"{path} cannot be loaded as a Keras model: {reason}.{remedy}") from error


def _load_function(reference: str) -> Callable[..., Any]:
    file, _, function = reference.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"There is no file {path} (from the model '{reference}').")
    import_keras()
    name = f"tellapart_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that layers defined in the file can be saved and loaded
    run_users_code(path, lambda: spec.loader.exec_module(module))  # type: ignore[union-attr]
    found = getattr(module, function, None)
    if not callable(found):
        functions = [n for n, v in vars(module).items() if inspect.isfunction(v)]
        raise UsageError(
            f"{path} has no function '{function}'.{did_you_mean(function, functions)} "
            f"It defines: {', '.join(functions) or 'none'}."
        )
    return found  # type: ignore[no-any-return]


def _call_builder(
    builder: Callable[..., Any], input_shape: tuple[int, int, int], classes: int
) -> Any:
    """Calls a user's function with `input_shape` and `classes`, or with neither."""
    parameters = inspect.signature(builder).parameters
    if not parameters:
        return builder()
    if {"input_shape", "classes"} <= set(parameters) or any(
        p.kind is p.VAR_KEYWORD for p in parameters.values()
    ):
        return builder(input_shape=input_shape, classes=classes)
    raise ModelError(
        f"{describe(builder)}({', '.join(parameters)}): expected a function of "
        "(input_shape, classes), the names that keras.applications uses, or of nothing."
    )


def _with_shapes(
    own: Any, name: str, input_shape: tuple[int, int, int], written: Callable[..., Any]
) -> Any:
    """Builds a model that was not told what it takes: a `Sequential` or one of the user's class.

    The latter becomes the one layer of a network.
    """
    keras = import_keras()

    def build_it() -> Any:
        if isinstance(own, keras.Sequential):
            own.build((None, *input_shape))
            return own
        pixels = keras.Input(input_shape)
        return keras.Model(pixels, own(pixels), name=own.name)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the error says
            return run_users_code(name, build_it, pictures=input_shape, written=written)
    except ModelError as error:
        if not isinstance(own, keras.Sequential):
            raise
        raise ModelError(
            f"{error} To see its line, begin the model with keras.Input(input_shape)."
        ) from error


def _check_shapes(model: Any, input_shape: tuple[int, int, int], classes: int) -> None:
    takes, gives = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    problems = []
    if not isinstance(takes, tuple) or len(takes) != 4:
        problems.append(f"takes {takes}, expected one input of (batch, height, width, channels)")
    elif any(own not in (None, given) for own, given in zip(takes[1:], input_shape, strict=True)):
        problems.append(
            f"takes pictures of {_size(takes[1:])}, but the pictures are {_size(input_shape)}; "
            "change one of them (--image-size)"
        )
    if not isinstance(gives, tuple) or len(gives) != 2:
        problems.append(f"gives {gives}, expected one output of (batch, {classes})")
    elif gives[1] != classes:
        problems.append(f"gives {gives[1]} classes, but the data have {classes}")
    if problems:
        raise ModelError(f"Model '{model.name}' does not fit: it " + "; it ".join(problems) + ".")


def _wrap(own: Any, name: str, input_shape: tuple[int, int, int], rescale: float | None) -> Network:
    """Puts normalisation before and, where it is missing, a softmax behind the user's model."""
    keras = import_keras()
    notes = []
    if rescale is None:
        has_own = any(
            isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization)
            for layer in own._flatten_layers()
        )
        rescale = 1.0 if has_own else 1 / 255
        notes.append(
            f"{name} is given pixels as 0..255, since it has a normalising layer of its own."
            if has_own
            else f"{name} is given pixels scaled to 0..1."
        )
    pixels = keras.Input(input_shape, dtype="uint8", name="pixels")
    scaled = keras.layers.Rescaling(rescale, name="normalise")(pixels)
    output = own(scaled)
    probe = np.random.default_rng(0).integers(0, 256, (16, *input_shape), dtype=np.uint8)
    values = np.asarray(keras.Model(pixels, output).predict_on_batch(probe))
    if not _are_probabilities(values):
        if "sigmoid" in _last_activation(own):
            raise ModelError(
                f"Model '{name}' ends in a sigmoid, whose answers do not add up to 1. Expected a "
                "softmax output, or logits: exactly one class is right. Replace the sigmoid by "
                "softmax, or by no activation."
            )
        output = keras.layers.Softmax(name="softmax")(output)
        notes.append(f"{name} gives logits, so a softmax was added behind it.")
    return Network(keras.Model(pixels, output, name=own.name), name, tuple(notes))


def _are_probabilities(values: np.ndarray[Any, Any]) -> bool:
    return bool((values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3))


def _last_activation(model: Any) -> str:
    last = model.layers[-1]
    if hasattr(last, "layers"):
        return _last_activation(last)
    return str(getattr(getattr(last, "activation", last), "__name__", type(last).__name__)).lower()


def _size(shape: tuple[int | None, ...]) -> str:
    return "x".join("any" if axis is None else str(axis) for axis in shape)
