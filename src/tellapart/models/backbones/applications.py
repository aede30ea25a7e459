"""The networks of `keras.applications` as backbones.

Keras downloads their ImageNet weights, or they come from a file. Each has its own idea of what
pixels should look like, which becomes the first layers of the network. The ONNX graph is made by
Keras's own export in a process of its own, so that the one that asks never imports TensorFlow,
and is kept in the cache.

All are here but ConvNeXt, whose grouped convolutions Keras 3.15 cannot write as ONNX.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tellapart.data.cache import building, discard, entry_folder, read_index
from tellapart.errors import ModelError, UsageError
from tellapart.models.keras_words import first_sentence

Preprocessing = Literal["none", "-1..1", "bgr", "standardised"]
"""What a network wants pixels to be: "none", 0..255, since it scales them itself; "bgr", blue,
green, red less their mean; "standardised", 0..1 less the mean, by the standard deviation. Keras
calls the last three "tf", "caffe" and "torch"."""

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's red, green, blue in 0..1."""

BGR_MEAN = (103.939, 116.779, 123.68)
"""Of ImageNet's blue, green, red in 0..255."""

VERSION = 1
"""Raised when the features of the same picture would change."""

EXPORT_TIMEOUT_SECONDS = 1800

IMAGENET = "imagenet"
"""What Keras calls the weights that it downloads once."""


@dataclass(frozen=True)
class Application:
    """One network of `keras.applications`.

    Attributes:
        function: what Keras calls it.
        preprocessing: what pixels should look like.
        features: numbers it gives for a picture, averaged over the picture.
        parameters: weights, without the last layer.
        image_size: the side in pixels that it was trained at.
        smallest_side: the smallest side in pixels that it takes.
    """

    function: str
    preprocessing: Preprocessing
    features: int
    parameters: int
    image_size: int = 224
    smallest_side: int = 32


APPLICATIONS: dict[str, Application] = {
    "densenet121": Application("DenseNet121", "standardised", 1024, 7_037_504),
    "densenet169": Application("DenseNet169", "standardised", 1664, 12_642_880),
    "densenet201": Application("DenseNet201", "standardised", 1920, 18_321_984),
    "efficientnetb0": Application("EfficientNetB0", "none", 1280, 4_049_571),
    "efficientnetb1": Application("EfficientNetB1", "none", 1280, 6_575_239, image_size=240),
    "efficientnetb2": Application("EfficientNetB2", "none", 1408, 7_768_569, image_size=260),
    "efficientnetb3": Application("EfficientNetB3", "none", 1536, 10_783_535, image_size=300),
    "efficientnetb4": Application("EfficientNetB4", "none", 1792, 17_673_823, image_size=380),
    "efficientnetb5": Application("EfficientNetB5", "none", 2048, 28_513_527, image_size=456),
    "efficientnetb6": Application("EfficientNetB6", "none", 2304, 40_960_143, image_size=528),
    "efficientnetb7": Application("EfficientNetB7", "none", 2560, 64_097_687, image_size=600),
    "efficientnetv2b0": Application("EfficientNetV2B0", "standardised", 1280, 5_919_312),
    "efficientnetv2b1": Application(
        "EfficientNetV2B1", "standardised", 1280, 6_931_124, image_size=240
    ),
    "efficientnetv2b2": Application(
        "EfficientNetV2B2", "standardised", 1408, 8_769_374, image_size=260
    ),
    "efficientnetv2b3": Application(
        "EfficientNetV2B3", "standardised", 1536, 12_930_622, image_size=300
    ),
    "efficientnetv2l": Application("EfficientNetV2L", "none", 1280, 117_746_848, image_size=480),
    "efficientnetv2m": Application("EfficientNetV2M", "none", 1280, 53_150_388, image_size=480),
    "efficientnetv2s": Application("EfficientNetV2S", "none", 1280, 20_331_360, image_size=384),
    "inceptionresnetv2": Application(
        "InceptionResNetV2", "-1..1", 1536, 54_336_736, image_size=299, smallest_side=75
    ),
    "inceptionv3": Application(
        "InceptionV3", "-1..1", 2048, 21_802_784, image_size=299, smallest_side=75
    ),
    "mobilenet": Application("MobileNet", "-1..1", 1024, 3_228_864),
    "mobilenetv2": Application("MobileNetV2", "-1..1", 1280, 2_257_984),
    "mobilenetv3large": Application("MobileNetV3Large", "none", 960, 2_996_352),
    "mobilenetv3small": Application("MobileNetV3Small", "none", 576, 939_120),
    "nasnetlarge": Application("NASNetLarge", "-1..1", 4032, 84_887_922, image_size=331),
    "nasnetmobile": Application("NASNetMobile", "-1..1", 1056, 4_269_716),
    "resnet101": Application("ResNet101", "bgr", 2048, 42_658_176),
    "resnet101v2": Application("ResNet101V2", "-1..1", 2048, 42_626_560),
    "resnet152": Application("ResNet152", "bgr", 2048, 58_370_944),
    "resnet152v2": Application("ResNet152V2", "-1..1", 2048, 58_331_648),
    "resnet50": Application("ResNet50", "bgr", 2048, 23_587_712),
    "resnet50v2": Application("ResNet50V2", "-1..1", 2048, 23_564_800),
    "vgg16": Application("VGG16", "bgr", 512, 14_714_688),
    "vgg19": Application("VGG19", "bgr", 512, 20_024_384),
    "xception": Application(
        "Xception", "-1..1", 2048, 20_861_480, image_size=299, smallest_side=71
    ),
}


def key(name: str, weights: Path | None) -> str:
    """Identifies a network's architecture and weights.

    Raises:
        UsageError: there is no such file.
    """
    if weights is None:
        return f"{name}/imagenet/keras-{version('keras')}/{VERSION}"
    if not weights.is_file():
        raise UsageError(
            f"There is no weights file {weights}. Expected weights of {name} without its last "
            "layer, such as a .weights.h5 that Keras wrote."
        )
    with weights.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return f"{name}/{digest[:16]}/keras-{version('keras')}/{VERSION}"


def build_keras(name: str, input_shape: tuple[int, int, int], *, weights: Path | str | None) -> Any:
    """Builds a network with its preprocessing in front and its last layer left out.

    Args:
        name: a key of `APPLICATIONS`.
        input_shape: height, width, 3 of the uint8 pixels it will be given.
        weights: a file; IMAGENET; None: random ones.

    Returns:
        A `keras.Model`, (batch, height, width, 3) uint8 pixels to (batch, features) float32.

    Raises:
        ModelError: the weights cannot be downloaded, or do not belong to the network.
    """
    from tellapart.models.backend import import_keras

    keras = import_keras()
    application = APPLICATIONS[name]
    pixels = keras.Input(input_shape, dtype="uint8", name="pixels")
    function = getattr(keras.applications, application.function)
    options = {}
    if application.preprocessing != "none" and _has_own_preprocessing(function):
        options["include_preprocessing"] = False
    try:
        network = function(
            include_top=False,
            weights=None if weights is None else str(weights),
            input_tensor=_preprocess(pixels, application.preprocessing),
            input_shape=input_shape,
            pooling="avg",
            **options,
        )
    except Exception as error:  # Keras raises almost anything for a download or a wrong file
        reason = first_sentence(error)
        if weights == IMAGENET:
            raise ModelError(
                f"The ImageNet weights of {name} could not be downloaded: {reason}. Try again "
                "with a network connection, give a file of weights, or take efficientnet-lite0, "
                "whose weights are installed with tellapart."
            ) from error
        raise ModelError(
            f"The weights {weights} do not fit {name} without its last layer: {reason}."
        ) from error
    model = keras.Model(pixels, network.output, name=application.function.lower())
    return _without_normalization_layers(model)


def _has_own_preprocessing(function: Callable[..., Any]) -> bool:
    return "include_preprocessing" in inspect.signature(function).parameters


def _preprocess(pixels: Any, preprocessing: Preprocessing) -> Any:
    """Returns what the network's own `preprocess_input` gives, in layers that can be saved."""
    import keras
    from keras import layers

    if preprocessing == "-1..1":
        return layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(pixels)
    if preprocessing == "bgr":
        offset = [-value for value in BGR_MEAN]
        return layers.Rescaling(1.0, offset=offset, name="normalise")(
            keras.ops.flip(pixels, axis=-1)
        )
    if preprocessing == "standardised":
        scale = [1 / (255 * deviation) for deviation in STD]
        offset = [-mean / deviation for mean, deviation in zip(MEAN, STD, strict=True)]
        return layers.Rescaling(scale, offset=offset, name="normalise")(pixels)
    return layers.Rescaling(1.0, name="floats")(pixels)


def _without_normalization_layers(model: Any) -> Any:
    """Writes `Normalization` layers as `Rescaling`: the export makes inputs of their constants."""
    import keras
    from keras import layers

    if not any(isinstance(layer, layers.Normalization) for layer in model.layers):
        return model

    def clone(layer: Any) -> Any:
        if not isinstance(layer, layers.Normalization):
            return layer.__class__.from_config(layer.get_config())
        mean, deviation = (np.asarray(part).ravel() for part in (layer.mean, layer.variance**0.5))
        deviation = np.maximum(deviation, keras.config.epsilon())
        scale, offset = (1 / deviation).tolist(), (-mean / deviation).tolist()
        return layers.Rescaling(scale, offset=offset, name=layer.name)

    cloned = keras.models.clone_model(model, clone_function=clone)
    for layer in model.layers:
        if not isinstance(layer, layers.Normalization):
            cloned.get_layer(layer.name).set_weights(layer.get_weights())
    return cloned


# --- ONNX ---------------------------------------------------------------------------------------


def build_onnx(
    name: str, input_shape: tuple[int, int, int], *, weights: Path | None, key: str
) -> bytes:
    """Returns a network as the content of an ONNX file, from the cache where it was made before.

    Args:
        name: a key of `APPLICATIONS`.
        input_shape: height, width, 3 of the uint8 pixels it will be given.
        weights: a file; None: those of ImageNet, which Keras downloads once.
        key: identifies the network; see `key`.

    Raises:
        ModelError: the weights cannot be downloaded or do not fit, or the export failed.
    """
    size = "x".join(map(str, input_shape[:2]))
    entry = hashlib.sha256(f"{key}/{size}".encode()).hexdigest()
    folder = entry_folder("backbone", entry)
    if read_index(folder) is None:
        with building("backbone", entry, f"{name} at {size}") as draft:
            _export_in_new_process(name, input_shape, weights, draft.folder / "backbone.onnx")
    try:
        return (folder / "backbone.onnx").read_bytes()
    except OSError as error:  # removed at this very moment, by `tellapart cache --clear`
        discard(folder)
        raise ModelError(
            f"{folder} vanished from the cache while it was read: {error.strerror}. Try again."
        ) from error


def _export_in_new_process(
    name: str, input_shape: tuple[int, int, int], weights: Path | None, file: Path
) -> None:
    height, width, _ = input_shape
    command = [sys.executable, "-m", __name__, name, str(height), str(width), str(file)]
    if weights is not None:
        command.append(str(weights.absolute()))
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        finished = subprocess.run(
            command,
            env=os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            timeout=EXPORT_TIMEOUT_SECONDS,
            check=False,
        )
        said.seek(0)
        lines = [line for line in said.read().splitlines() if line.strip()]
    if finished.returncode:
        reason = lines[-1] if lines else f"its process ended with {finished.returncode}"
        raise ModelError(reason.removeprefix(f"{_SAYS} "))


_SAYS = "tellapart:"


def _export(name: str, input_shape: tuple[int, int, int], weights: Path | None, file: Path) -> None:
    """Writes the ONNX file; runs in the new process."""
    import onnx

    from tellapart.export.onnx import BATCH, INPUT, convert

    with tempfile.TemporaryDirectory(prefix="tellapart-") as folder:
        converted = convert(
            build_keras(name, input_shape, weights=weights or IMAGENET),
            Path(folder) / "network.onnx",
        )
    graph = converted.graph
    renamed = {graph.input[0].name: INPUT, graph.output[0].name: "features"}
    for node in graph.node:
        for names in (node.input, node.output):
            for place, label in enumerate(names):
                names[place] = renamed.get(label, label)
    for end in (graph.input[0], graph.output[0]):
        end.name = renamed[end.name]
        end.type.tensor_type.shape.dim[0].dim_param = BATCH
    onnx.save(converted, file)


def _main(name: str, height: str, width: str, file: str, weights: str | None = None) -> None:
    try:
        _export(name, (int(height), int(width), 3), Path(weights) if weights else None, Path(file))
    except ModelError as error:
        sys.stderr.write(f"{_SAYS} {' '.join(str(error).split())}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    _main(*sys.argv[1:])
