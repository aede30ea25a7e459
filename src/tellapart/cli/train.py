"""`tellapart train`: from labelled pictures to a measured classifier."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tellapart.cli.complete import complete_data, complete_models
from tellapart.cli.network import parse_image_size
from tellapart.errors import UsageError

if TYPE_CHECKING:
    from tellapart.finished_run import Run

EXAMPLES = """
tellapart train digits                          # 1,797 digits, no download, seconds
tellapart train photos/                         # a folder per class
tellapart train cifar10.tar.gz --recipe classic # the textbook's network and settings
tellapart train photos.zip --image-size 96 --epochs 30 --early-stopping 5
tellapart train photos/ --augment light,flip=none --budget 5m
tellapart train photos/ --model mynet.py:build --learning-rate 0.0003
tellapart train --resume runs/photos-1          # goes on with a run that was cut off
"""


def train(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="A folder, zip or tar with a folder per class, a .npz, a CSV of path and label, "
            "or a name of `tellapart datasets`.",
            autocompletion=complete_data,
        ),
    ] = None,
    recipe: Annotated[
        Literal["auto", "classic", "fast", "transfer"],
        typer.Option(
            help="auto: fits the data. classic: the textbook's, to the letter. fast: small "
            "pictures from scratch, in little time. transfer: a linear head on a "
            "pretrained network's features; what auto takes for photos."
        ),
    ] = "auto",
    model: Annotated[
        str | None,
        typer.Option(
            help="fast, fast-narrow, fast-wide, classic-28, classic-32, classic-64; "
            "efficientnet-lite0 or another pretrained network; a .keras file, or FILE.py:FUNCTION "
            "(which is code, and is run).",
            autocompletion=complete_models,
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="A file with the weights of a pretrained --model, as Keras saves them."),
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Resize pictures to SIZE, or to HEIGHTxWIDTH."),
    ] = None,
    channels: Annotated[int | None, typer.Option(help="1: grey, 3: colour.")] = None,
    resize: Annotated[
        Literal["squash", "crop", "pad"] | None,
        typer.Option(help="How pictures are made to fit. [squash; crop for pretrained networks]"),
    ] = None,
    interpolation: Annotated[
        Literal["nearest", "bilinear", "bicubic", "lanczos"] | None,
        typer.Option(help="The filter that resizes. [bilinear]"),
    ] = None,
    rescale: Annotated[
        float | None,
        typer.Option(
            help="What pixels 0..255 are multiplied by before your own --model. "
            "[1/255, or 1 if it has a normalising layer]"
        ),
    ] = None,
    test_split: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Pictures set apart to measure, if DATA has no test part. [0.2]"
        ),
    ] = None,
    validation_split: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Training pictures set apart to watch training."),
    ] = None,
    keep_validation: Annotated[
        bool,
        typer.Option(
            "--keep-validation",
            help="Where DATA has train/ and val/ but no test/: keep val/ for validation and split "
            "a test part off train/, instead of using val/ as the test part.",
        ),
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Corrected labels: a CSV as `tellapart check --labels-out` writes it.",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="How often each training picture is seen; with a pretrained network, how often "
            "while it is fine-tuned. [transfer: 0]",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="The best classifier in that time: 60s, 5m, 2h. --epochs is then the most.",
        ),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures per update.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of the optimizer.")] = None,
    optimizer: Annotated[
        str | None, typer.Option(help="As Keras names it, or conv-muon. [adam; fast: conv-muon]")
    ] = None,
    schedule: Annotated[
        Literal["constant", "one-cycle"] | None,
        typer.Option(
            help="Of the learning rate; one-cycle rises, then falls to 0. "
            "[constant; fast: one-cycle]"
        ),
    ] = None,
    loss: Annotated[
        Literal["sparse_categorical_crossentropy", "categorical_crossentropy"] | None,
        typer.Option(help="Integer labels (sparse) or one-hot; the same number either way."),
    ] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Spread this share of each label.")
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="none, light, strong, or a list such as flip,shift=0.1,rotate=15. It is made of "
            "flip, shift, rotate, zoom, crop, colour, erase, mixup, cutmix. Training pictures "
            "only. [auto: by the classes; none for classic]",
        ),
    ] = None,
    class_weight: Annotated[
        Literal["auto", "balanced", "none"] | None,
        typer.Option(
            help="balanced: pictures of rare classes count more. "
            "[auto: where classes are uneven; none for classic]",
            show_default=False,
        ),
    ] = None,
    test_time_augmentation: Annotated[
        Literal["none", "flip"] | None,
        typer.Option(
            help="flip: classify each picture together with its mirror image, in twice the time. "
            "[none; fast: flip where training pictures are mirrored]",
            show_default=False,
        ),
    ] = None,
    early_stopping: Annotated[
        int | None,
        typer.Option(
            metavar="EPOCHS", help="Stop after so many epochs without a lower validation loss."
        ),
    ] = None,
    restore_best_weights: Annotated[
        bool,
        typer.Option(
            "--restore-best-weights", help="Keep the weights of the best epoch by validation loss."
        ),
    ] = False,
    seed: Annotated[int | None, typer.Option(help="One seed, one result. [0]")] = None,
    backend: Annotated[
        Literal["tensorflow", "jax", "torch"] | None,
        typer.Option(help="Of Keras. [tensorflow]"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder. [the next free runs/DATA-N]")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Go on with a run that was cut off, from its newest checkpoint. DATA and options "
            "are those that it was begun with.",
        ),
    ] = None,
    allow_changes: Annotated[
        bool,
        typer.Option(
            "--allow-changes",
            help="With --resume: go on although pictures have changed, or with other options of "
            "the training, such as --epochs.",
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document; progress goes to stderr.")
    ] = False,
) -> None:
    """Train a classifier and measure it.

    Splits the pictures, sets a test part aside, trains, evaluates, writes one portable classifier
    file that is proven equal to the trained network, and prints the test accuracy with its
    interval.
    """
    size = parse_image_size(image_size)
    options: dict[str, Any] = {
        "weights": None if weights is None else str(weights),
        "image_size": size,
        "channels": channels,
        "resize": resize,
        "interpolation": interpolation,
        "rescale": rescale,
        "test_split": test_split,
        "validation_split": validation_split,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "optimizer": optimizer,
        "schedule": schedule,
        "loss": loss,
        "label_smoothing": label_smoothing,
        "augment": augment,
        "class_weight": class_weight,
        "test_time_augmentation": test_time_augmentation,
        "early_stopping": early_stopping,
        "restore_best_weights": restore_best_weights or None,
        "seed": seed,
    }
    if resume is not None:
        settled = {
            "--recipe": recipe != "auto",
            "--keep-validation": keep_validation,
            "--labels": labels,
            "--backend": backend,
            "--out": out,
        }
        _refuse_settled(resume, [option for option, given in settled.items() if given])
        _print(_go_on(resume, data, model, budget, options, allow_changes), json=json)
        return
    if data is None:
        raise UsageError("DATA is missing: name the pictures to train on, or a run to --resume.")
    if allow_changes:
        raise UsageError("--allow-changes is for --resume, which is not given.")
    from tellapart.pipeline import train as run_pipeline

    run = run_pipeline(
        data,
        recipe=recipe,
        model=model,
        out=out,
        keep_validation=keep_validation,
        labels=labels,
        budget=budget,
        backend=backend,
        **options,
    )
    _print(run, json=json)


def _refuse_settled(resume: Path, given: Sequence[str]) -> None:
    if given:
        raise UsageError(
            f"{', '.join(given)} cannot be given with --resume: that was settled when the run "
            f"{resume} was begun. Leave it out."
        )


def _go_on(
    path: Path,
    data: str | None,
    model: str | None,
    budget: str | None,
    options: dict[str, Any],
    allow_changes: bool,
) -> Run:
    from tellapart.pipeline import resume

    return resume(path, data, model=model, budget=budget, allow_changes=allow_changes, **options)


def _print(run: Run, *, json: bool) -> None:
    from tellapart.cli.output import print_json, write_result

    if json:
        evaluation = run.evaluation
        print_json(
            {
                "run": str(run.path),
                "classifier": str(run.path / "classifier.onnx"),
                "accuracy": evaluation.accuracy.to_json(),
                "balanced_accuracy": evaluation.to_json()["balanced_accuracy"],
                "loss": evaluation.to_json()["loss"],
                **(run.trust.to_json() if run.trust else {}),
                "overlap": run.overlap and run.overlap.to_json(),
                "interrupted": run.interrupted,
                "recipe": run.recipe.to_json(),
                "history": run.history,
            }
        )
        return
    from tellapart.runs import REPORT_HTML

    folder = shlex.quote(str(run.path))
    answers = "" if run.trust is None else f"Answers       {run.trust}.\n"
    write_result(
        f"\nTest accuracy {run.evaluation.accuracy}, on {_tested(run)}\n{answers}"
        f"Run folder    {run.path}\n"
        f"Report        {run.path / REPORT_HTML}\n\nTry next:\n"
        f"  tellapart predict {folder} PICTURE...\n"
        f"  tellapart trace {folder}\n"
    )


def _tested(run: Run) -> str:
    """What the accuracy was measured on, as the end of a sentence."""
    from tellapart.data.wording import count

    tested, overlap = count(run.evaluation.accuracy.count, "picture"), run.overlap
    if overlap is None:
        return f"{tested} that training never saw."
    without, one = overlap.accuracy_without, overlap.copies == 1
    seen = f"{overlap.copies:,} in {'a copy' if one else 'copies'}"
    rest = "None of them is new."
    if without.count:
        rest = f"Without {'it' if one else 'them'} {without}, on {count(without.count, 'picture')}."
    return f"{tested}, of which training has seen {seen}.\n              {rest}"
