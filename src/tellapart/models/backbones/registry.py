"""The pretrained networks, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from tellapart.errors import ModelError, UsageError, did_you_mean
from tellapart.models.backbones import applications, efficientnet_lite

LITE_VERSION = 1
"""Raised when the features of the same picture would change."""

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Backbone:
    """A network that has learned to see, without the layer that named its own classes.

    Attributes:
        name: as `get_backbone` takes it.
        image_size: height and width, in pixels, that it was trained at.
        smallest_side: in pixels, below which nothing would be left to look at.
        features: how many numbers it gives for a picture.
        parameters: how many weights it has.
        key: identifies architecture, weights and version: equal keys mean equal features.
        onnx_builder: (height, width, 3) to the content of an ONNX file.
        keras_builder: (height, width, 3), and whether with its weights, to a `keras.Model`.
    """

    name: str
    image_size: tuple[int, int]
    smallest_side: int
    features: int
    parameters: int
    key: str
    onnx_builder: Callable[[Shape], bytes] = field(compare=False, repr=False)
    keras_builder: Callable[[Shape, bool], Any] = field(compare=False, repr=False)

    def onnx(self, image_size: tuple[int, int]) -> bytes:
        """Returns the network as the content of an ONNX file.

        Its input is "pixels", (batch, height, width, 3) uint8 of any batch size; its output
        "features", (batch, features) float32.

        Args:
            image_size: height and width of the pictures, in pixels.

        Raises:
            ModelError: the pictures are too small, or the weights cannot be read or downloaded.
            MissingDependencyError: the package with the weights is not installed.
        """
        return self.onnx_builder(self._shape(image_size))

    def keras(self, image_size: tuple[int, int], *, pretrained: bool = True) -> Any:
        """Returns the same function as a `keras.Model` whose layers can be trained further.

        Args:
            image_size: height and width of the pictures, in pixels.
            pretrained: False leaves its weights random, where only its layers are looked at.

        Raises:
            ModelError, MissingDependencyError: see `onnx`.
        """
        return self.keras_builder(self._shape(image_size), pretrained)

    def _shape(self, image_size: tuple[int, int]) -> Shape:
        height, width = image_size
        if min(height, width) < self.smallest_side:
            raise ModelError(
                f"{self.name} cannot look at pictures of {height}x{width}: expected at least "
                f"{self.smallest_side} pixels a side, best {self.image_size[0]}x"
                f"{self.image_size[1]}. Choose a larger --image-size, or a classic network."
            )
        return (height, width, 3)


def backbone_names() -> list[str]:
    """The names that `get_backbone` knows, in their usual spelling."""
    return sorted([*efficientnet_lite.VARIANTS, *applications.APPLICATIONS])


def is_backbone(name: str) -> bool:
    """Whether `get_backbone` knows the name."""
    return _plain(name) in map(_plain, backbone_names())


def refuse_missing(name: str) -> None:
    """Says why a network that Keras has is none of `backbone_names()`.

    Raises:
        UsageError: it is ConvNeXt.
    """
    if _plain(name).startswith("convnext"):
        raise UsageError(
            f"{name} is not among the pretrained networks: the classifier file is an ONNX file, "
            "and Keras cannot write the grouped convolutions of ConvNeXt as ONNX. Take another, "
            "such as efficientnetv2s, efficientnetb0, resnet50 or mobilenetv3large."
        )


def get_backbone(name: str, *, weights: str | Path | None = None) -> Backbone:
    """Returns a pretrained network; nothing is read yet.

    Args:
        name: "efficientnet-lite0" or another of `backbone_names()`, in any case, with or without
            hyphens and underscores.
        weights: a file with weights of a `keras.applications` network, without its last layer
            (`.weights.h5`); None: those of ImageNet.

    Raises:
        UsageError: there is no such name, or no such file.
    """
    spelled = {_plain(known): known for known in backbone_names()}
    known = spelled.get(_plain(name))
    if known is None:
        refuse_missing(name)
        close = did_you_mean(_plain(name), list(spelled))
        raise UsageError(
            f"Unknown backbone '{name}'.{close} Expected one of {', '.join(backbone_names())}."
        )
    if known in efficientnet_lite.VARIANTS:
        if weights is not None:
            raise UsageError(f"{known} comes with its weights: leave out weights={str(weights)!r}.")
        return _lite(known)
    return _application(known, weights)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _lite(name: str) -> Backbone:
    variant = efficientnet_lite.VARIANTS[name]
    return Backbone(
        name=name,
        image_size=(variant.image_size, variant.image_size),
        smallest_side=32,
        features=efficientnet_lite.FEATURES,
        parameters=efficientnet_lite.count_parameters(name),
        key=f"{name}/{variant.sha256[:16]}/{LITE_VERSION}",
        onnx_builder=partial(_lite_onnx, name),
        keras_builder=partial(_lite_keras, name),
    )


@lru_cache(maxsize=1)  # features and classifier file are made from the same one
def _lite_onnx(name: str, shape: Shape) -> bytes:
    return efficientnet_lite.build_onnx(name, shape, efficientnet_lite.read_weights(name))


def _lite_keras(name: str, shape: Shape, pretrained: bool) -> Any:
    weights = efficientnet_lite.read_weights(name) if pretrained else None
    return efficientnet_lite.build_keras(name, shape, weights)


def _application_keras(name: str, weights: Path | None, shape: Shape, pretrained: bool) -> Any:
    if not pretrained:
        return applications.build_keras(name, shape, weights=None)
    return applications.build_keras(name, shape, weights=weights or applications.IMAGENET)


def _application(name: str, weights: str | Path | None) -> Backbone:
    application = applications.APPLICATIONS[name]
    file = None if weights is None else Path(weights)
    key = applications.key(name, file)
    return Backbone(
        name=name,
        image_size=(application.image_size, application.image_size),
        smallest_side=application.smallest_side,
        features=application.features,
        parameters=application.parameters,
        key=key,
        onnx_builder=partial(applications.build_onnx, name, weights=file, key=key),
        keras_builder=partial(_application_keras, name, file),
    )
