"""What `summary` and `trace` share: from what the user names to a Keras model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from tellapart.cli.complete import complete_models

NetworkArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A run folder, a .keras file, fast, fast-narrow, fast-wide, classic-28, classic-32, "
        "classic-64, efficientnet-lite0 or another pretrained network, or FILE.py:FUNCTION (which "
        "is code, and is run).",
        autocompletion=complete_models,
    ),
]
ImageSizeOption = Annotated[
    str | None, typer.Option(metavar="SIZE", help="For a network that is built: SIZE or HxW.")
]
ChannelsOption = Annotated[int | None, typer.Option(help="1: grey, 3: colour.")]
ClassesOption = Annotated[int | None, typer.Option(help="For a network that is built. [10]", min=2)]

DRAWN_FOR = {
    "classic-28": (28, 28, 1),
    "classic-32": (32, 32, 3),
    "classic-64": (64, 64, 3),
    "fast": (32, 32, 3),
    "fast-narrow": (32, 32, 3),
    "fast-wide": (32, 32, 3),
}
"""Height, width and channels that the networks were drawn for; others can be asked for."""


def parse_image_size(text: str | None) -> tuple[int, int] | None:
    """Reads "64" or "48x64" (height x width)."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)(?:[x,](\d+))?", text)
    if not match:
        raise typer.BadParameter(
            f"'{text}': expected a size such as 64, or HEIGHTxWIDTH: 48x64",
            param_hint="'--image-size'",
        )
    return int(match[1]), int(match[2] or match[1])


def open_network(
    name: str,
    image_size: str | None,
    channels: int | None,
    classes: int | None,
    *,
    pretrained: bool = True,
) -> Any:
    """Loads the network of a run or a `.keras` file, or builds one.

    Args:
        name: a run folder, a `.keras` file, a network's name, or FILE.py:FUNCTION.
        image_size: "64" or "48x64", for networks that are built; None: what it was drawn for.
        channels: for networks that are built.
        classes: for networks that are built; None: 10.
        pretrained: False leaves out a pretrained network's weights, which may not be there.

    Raises:
        UsageError: there is nothing of that name, or the sizes are not for such a network.
        RunError: a folder that is no run, or a run without a trained network.
        ModelError: the network does not fit the pictures.
    """
    size = parse_image_size(image_size)
    from tellapart.errors import UsageError
    from tellapart.images import ImageSpec
    from tellapart.models import registry

    if Path(name).is_dir() or name.endswith(".keras"):
        if (image_size, channels, classes) != (None, None, None):
            raise UsageError(
                f"{name} is trained, so that its sizes are what they are. --image-size, --channels "
                "and --classes go with a network's name or FILE.py:FUNCTION."
            )
        return registry.load_keras_file(_keras_file(Path(name)))
    _refuse_other_paths(Path(name))
    height, width, depth = DRAWN_FOR.get(name) or _trained_at(name)
    spec = ImageSpec(*(size or (height, width)), depth if channels is None else channels)
    resolved = registry.resolve(name)
    return registry.build(resolved, spec.shape, classes or 10, pretrained=pretrained).model


def _trained_at(name: str) -> tuple[int, int, int]:
    """Returns the size that a pretrained network is for; 64x64 for the user's own."""
    from tellapart.models.backbones import get_backbone, is_backbone

    return (*get_backbone(name).image_size, 3) if is_backbone(name) else (64, 64, 3)


def _keras_file(path: Path) -> Path:
    """Returns the `.keras` file that is named, or that of a run folder."""
    from tellapart import runs
    from tellapart.errors import RunError

    if not path.is_dir():
        return path
    found = runs.find_runs(path)
    if found and not (path / runs.RUN_JSON).exists():
        raise RunError(f"{path} holds runs; name one of them, such as {found[-1].path}.")
    saved = runs.RunFolder.open(path).path / runs.MODEL_KERAS
    if not saved.is_file():
        raise RunError(f"{path} holds no {runs.MODEL_KERAS}: did its training finish?")
    return saved


def _refuse_other_paths(path: Path) -> None:
    """Explains a name that is meant as a path, and is not that of a network."""
    from tellapart.errors import UsageError
    from tellapart.files import similar_path

    if path.suffix == ".onnx":
        raise UsageError(
            f"{path} is for predicting and says nothing of its layers. Name the run folder."
        )
    if (Path("runs") / path).is_dir():
        raise UsageError(f"There is no folder {path}. Did you mean 'runs/{path}'?")
    if len(path.parts) > 1 and ".py:" not in path.name:
        raise UsageError(f"There is no run folder or file {path}.{similar_path(path)}")
