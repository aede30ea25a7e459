"""`tellapart trace`: what becomes of pictures in a network, and of a network in training."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tellapart.cli.network import (
    ChannelsOption,
    ClassesOption,
    ImageSizeOption,
    NetworkArgument,
    open_network,
)

if TYPE_CHECKING:
    from tellapart.explanation.flow import Stage
    from tellapart.explanation.prediction import PredictionTrace
    from tellapart.explanation.training import EpochObservation
    from tellapart.runs import RunFolder

EXAMPLES = """
tellapart trace runs/digits-1
tellapart trace runs/digits-1 seven.png                # one picture, layer by layer
tellapart trace runs/photos-1 new.jpg --out new-trace/  # trace.json and trace.png
tellapart trace classic-64 --images 1000
tellapart trace mynet.py:build --image-size 48 --images 64
"""


def trace(
    model: NetworkArgument,
    image: Annotated[
        Path | None,
        typer.Argument(
            metavar="[IMAGE]", help="A picture to follow through every layer.", show_default=False
        ),
    ] = None,
    images: Annotated[int, typer.Option(help="How many pictures to follow.", min=1)] = 1000,
    image_size: ImageSizeOption = None,
    channels: ChannelsOption = None,
    classes: ClassesOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="With IMAGE: where to write trace.json and trace.png. By default the next free "
            "RUN/traces/<picture>-<n>/; nowhere with --json, or where MODEL is no run.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the trace in the folder of --out.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Follow pictures through a network.

    Without IMAGE: stage by stage, the shape of N pictures before and after, what the stage does to
    them, and an example; for a run, also what happened epoch by epoch. With IMAGE: the picture
    layer by layer to its probabilities, with one convolution and one pooling window worked out.
    """
    from tellapart.explanation.flow import data_flow

    _check_usage(image, out, force=force)
    picture = None if image is None else _Picture.prepare(model, image)
    network = open_network(model, image_size, channels, classes, pretrained=image is not None)
    followed = None if picture is None else picture.follow(network)
    run = _run_folder(model)
    if json:
        _print_json(network, images, data_flow(network, images), run, followed)
    elif followed is None:
        _print_flow(network.name, images, data_flow(network, images))
        if run is not None:
            _print_training(run)
    else:
        _print_prediction(followed)
    if followed is not None and image is not None:
        if out is not None:
            _write(followed, out, claimed=False, quiet=json)
        elif run is not None and not json:
            from tellapart.explanation.prediction.files import next_trace_folder

            _write(followed, next_trace_folder(run.path, image), claimed=True, quiet=json)


def _check_usage(image: Path | None, out: Path | None, *, force: bool) -> None:
    """Refuses what cannot work before TensorFlow is imported, which takes seconds."""
    from tellapart.errors import UsageError
    from tellapart.files import similar_path

    if image is None:
        if out is not None or force:
            raise UsageError("--out and --force go with a picture: tellapart trace MODEL IMAGE")
        return
    if not image.exists():
        raise UsageError(f"There is no picture {image}.{similar_path(image)}")
    if out is not None:
        from tellapart.explanation.prediction.files import check_trace_folder

        check_trace_folder(out, force=force)


def _run_folder(name: str) -> RunFolder | None:
    from tellapart.runs import RunFolder

    return RunFolder.open(name) if Path(name).is_dir() else None


# --- Data flow and training ---------------------------------------------------------------------


def _print_flow(name: str, images: int, stages: list[Stage]) -> None:
    from tellapart.cli.output import print_table
    from tellapart.explanation.flow import format_shape

    print_table(
        ("stage", "before", "after", "what it does", "for example"),
        [
            (
                stage.name,
                format_shape(stage.before),
                format_shape(stage.after),
                stage.does,
                stage.example,
            )
            for stage in stages
        ],
        title=f"{images:,} pictures through {name}",
    )


def _print_training(run: RunFolder) -> None:
    """Prints what happened epoch by epoch, or why there is nothing to print."""
    from tellapart.cli.output import print_table, write_result

    rows, observations = _training(run)
    if not rows:
        write_result(f"{_no_epochs(run)}\n")
        return
    print_table(
        ("epoch", "loss", "accuracy", "validation loss", "validation accuracy", "observation"),
        [
            (
                seen.epoch,
                _figure(seen.loss),
                _figure(seen.accuracy),
                _figure(seen.val_loss),
                _figure(seen.val_accuracy),
                seen.observation,
            )
            for seen in observations
        ],
        title="Training, epoch by epoch",
        right=("epoch", "loss", "accuracy", "validation loss", "validation accuracy"),
    )
    write_result(f"{_chart(rows)}\n")


def _training(run: RunFolder) -> tuple[list[dict[str, float]], list[EpochObservation]]:
    """Returns a run's epochs, and what is said of each; none where it had no epochs."""
    from tellapart.explanation.training import training_trace
    from tellapart.runs import RESULTS_CSV
    from tellapart.training.records import read_results

    rows = read_results(run.path / RESULTS_CSV)
    class_names = (run.read_info().get("data") or {}).get("class_names")
    classes = len(class_names) if class_names else None
    return rows, training_trace(rows, classes=classes) if rows else []


def _no_epochs(run: RunFolder) -> str:
    if (run.read_info().get("recipe") or {}).get("transfer"):
        return (
            "There is no training trace: the head was fitted in one go to the features of a "
            "network that stayed as it was, so there were no epochs."
        )
    return "There is no training trace: no epoch was finished."


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _chart(rows: list[dict[str, float]]) -> str:
    """Draws the losses, in ASCII where stdout cannot carry more."""
    from tellapart.explanation.loss_chart import loss_chart

    chart = loss_chart(rows)
    try:
        chart.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return loss_chart(rows, ascii_only=True)
    return chart


# --- Prediction ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Picture:
    """A picture to follow, decoded where it is known how.

    Attributes:
        path: of its file.
        trained: whether the network comes from a file, and is not built on the spot.
        view: what the run says; None: what the network says.
        pixels: as the run's network sees it; None likewise.
    """

    path: Path
    trained: bool
    view: Any
    pixels: Any

    @classmethod
    def prepare(cls, model: str, path: Path) -> _Picture:
        """Decodes the picture for a run, before its network is loaded."""
        from tellapart.explanation.prediction.view import view_of_run
        from tellapart.images import decode
        from tellapart.runs import RUN_JSON, RunFolder

        if not (Path(model) / RUN_JSON).is_file():
            return cls(path, model.endswith(".keras") or Path(model).is_dir(), None, None)
        view = view_of_run(RunFolder.open(model))
        return cls(path, True, view, decode(path, view.image_spec))

    def follow(self, network: Any) -> PredictionTrace:
        """Takes the picture through the network."""
        from tellapart.cli.output import print_note
        from tellapart.explanation.prediction import prediction_trace
        from tellapart.explanation.prediction.view import view_of_model
        from tellapart.images import decode

        view = self.view or view_of_model(network)
        pixels = self.pixels
        if pixels is None:
            pixels = decode(self.path, view.image_spec)
        for note in view.notes:
            print_note(note)
        if not self.trained:
            print_note("Nothing has been trained on your pictures: the last layer is random.")
        return prediction_trace(
            network,
            pixels,
            view.class_names,
            picture=self.path.name,
            temperature=view.temperature,
        )


def _print_prediction(followed: PredictionTrace) -> None:
    from tellapart.cli.output import print_note, print_table, write_result
    from tellapart.explanation.prediction.text import COLUMNS, NUMERIC, stage_rows, worked_text
    from tellapart.text import printable

    print_table(
        COLUMNS,
        stage_rows(followed),
        title=f"{followed.picture} through {followed.model}",
        right=NUMERIC,
    )
    write_result(printable(worked_text(followed), keep="\n"))
    for note in followed.notes:
        print_note(note)


def _write(followed: PredictionTrace, folder: Path, *, claimed: bool, quiet: bool) -> None:
    from tellapart.cli.output import print_note
    from tellapart.explanation.prediction.files import JSON_NAME, PNG_NAME, write_trace

    write_trace(followed, folder, claimed=claimed)
    if not quiet:
        print_note(f"{folder / JSON_NAME} and {folder / PNG_NAME} hold all of it, with pictures.")


def _print_json(
    network: Any,
    images: int,
    stages: list[Stage],
    run: RunFolder | None,
    followed: PredictionTrace | None,
) -> None:
    from tellapart.cli.output import print_json

    print_json(
        {
            "model": network.name,
            "images": images,
            "data_flow": [stage.to_json() for stage in stages],
            "training": None if run is None else _training_json(run),
            "prediction": None if followed is None else followed.to_json(),
        }
    )


def _training_json(run: RunFolder) -> list[dict[str, Any]]:
    import math

    return [
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(seen).items()
        }
        for seen in _training(run)[1]
    ]
