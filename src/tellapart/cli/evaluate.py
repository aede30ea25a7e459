"""`tellapart evaluate`: how good a classifier is on labelled pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tellapart.cli.output import Progress, print_json, print_note, print_table, write_result
from tellapart.cli.pictures import find_pictures, refuse_if_all_missing

if TYPE_CHECKING:  # results need NumPy, which `--help` can do without
    from tellapart.results import Evaluation, Interval, UnknownFigures

EXAMPLES = """
tellapart evaluate runs/photos-1 more-photos/
tellapart evaluate classifier.onnx photos.zip --part all
tellapart evaluate runs/cifar10-1 cifar10 --json > evaluation.json
tellapart evaluate runs/photos-1 more-photos/ --unknown anything-else/
"""

MOST_CONFUSED = 10
MOST_UNREADABLE = 10
MOST_ABSENT = 10


def evaluate(
    classifier: Annotated[
        Path,
        typer.Argument(
            metavar="CLASSIFIER", help="A classifier.onnx, or a run folder.", readable=False
        ),
    ],
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Labelled pictures: a folder per class, an archive of one, a CSV of path and "
            "label, an .npz, or the name of a known data set.",
        ),
    ],
    part: Annotated[
        Literal["train", "validation", "calibration", "test", "all"] | None,
        typer.Option(
            help="By default the part that the data itself sets apart: its test part, else its "
            "validation part, else all of it.",
            show_default=False,
        ),
    ] = None,
    unknown: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Pictures of none of the classes, or a folder of such: how well are they told? "
            "May be given several times.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Measure a classifier on labelled pictures.

    They should be others than those it was trained on. Shows the accuracy, each class's precision,
    recall and F1, all with 95% intervals, and the classes that are most often taken for one
    another. Classes are matched by name, and not all of them need to be there.

    With --unknown it also shows how well pictures of none of the classes are told from the others:
    AUROC is the chance that such a picture has a higher novelty than a known one.
    """
    if unknown:
        refuse_if_all_missing(unknown)
    from tellapart.classifier import Classifier
    from tellapart.data import load

    loaded = Classifier.load(classifier)
    dataset = load(data, to_train_on=False)
    if part is None and loaded.was_trained_on(dataset):
        print_note(
            f"{data} is what this classifier was trained on: measured are the pictures that were "
            "kept for the test. (--part all: training pictures too.)"
        )
    if part in ("train", "all") and loaded.was_trained_on(dataset):
        print_note(
            f"{data} is what this classifier was trained on: with --part {part} pictures are "
            "measured that it has learnt from. The accuracy on new ones is lower; without --part "
            "it is that of the pictures that were kept for the test."
        )
    with Progress("Evaluating") as progress:
        evaluation = loaded.evaluate(
            dataset,
            part=part,
            unknown=find_pictures(unknown) if unknown else None,
            on_progress=progress.reach,
        )
    if as_json:
        print_json({"classifier": str(loaded.path), "data": data, **evaluation.to_json()})
    else:
        _print_evaluation(evaluation)
    _note_absent(evaluation)
    _note_unreadable(evaluation)


def _print_evaluation(evaluation: Evaluation) -> None:
    from tellapart.evaluation.metrics import most_confused

    accuracy = evaluation.accuracy
    write_result(
        f"Accuracy {accuracy} on {accuracy.count:,} pictures; loss {evaluation.loss:.4f}\n"
    )
    balanced = evaluation.balanced_accuracy_interval
    if balanced is not None:
        write_result(f"Balanced accuracy {balanced}: the mean of the classes' recall\n")
    print_table(
        ["Class", "Pictures", "Predicted", "Precision", "Recall", "F1"],
        [
            (
                score.name,
                score.count,
                score.predicted,
                _figure(score.precision_interval),
                _figure(score.recall_interval),
                _figure(score.f1_interval),
            )
            for score in evaluation.class_scores
            if score.count
        ],
        right=["Pictures", "Predicted", "Precision", "Recall", "F1"],
    )
    pairs = most_confused(evaluation.confusion, evaluation.class_names, MOST_CONFUSED)
    if pairs:
        print_table(
            ["Actual", "Predicted", "Pictures"], pairs, title="Most confused", right=["Pictures"]
        )
    if evaluation.unknown is not None:
        _print_unknown(evaluation.unknown)


def _print_unknown(figures: UnknownFigures) -> None:
    write_result(
        f"\nUnknown pictures: {figures.unsure.count:,}, AUROC {figures.auroc}\n"
        f"  called unknown        {figures.called_unknown}\n"
        f"  unsure                {figures.unsure}\n"
        f"Known pictures: {figures.known_unsure.count:,}\n"
        f"  called unknown        {figures.known_called_unknown}\n"
        f"  unsure                {figures.known_unsure}\n"
    )


def _figure(measured: Interval | None) -> str:
    if measured is None:
        return "-"
    return f"{measured.value:.3f} ({measured.low:.2f} to {measured.high:.2f})"


def _note_absent(evaluation: Evaluation) -> None:
    """Says what the figures are not of."""
    absent = [score.name for score in evaluation.class_scores if not score.count]
    if not absent:
        return
    named = ", ".join(map(repr, absent[:MOST_ABSENT]))
    more = f" and {len(absent) - MOST_ABSENT:,} more" if len(absent) > MOST_ABSENT else ""
    print_note(
        f"There are no pictures of {len(absent):,} of the {len(evaluation.class_scores):,} "
        f"classes: {named}{more}. The figures are of the others alone, and a precision among "
        "fewer classes is higher."
    )


def _note_unreadable(evaluation: Evaluation) -> None:
    unreadable = evaluation.unreadable
    if not unreadable:
        return
    print_note(f"{len(unreadable):,} pictures could not be read and are not counted:")
    for failed in unreadable[:MOST_UNREADABLE]:
        print_note(f"  {failed.source}: {failed.error}")
    if len(unreadable) > MOST_UNREADABLE:
        print_note(f"  ... and {len(unreadable) - MOST_UNREADABLE:,} more; --json lists all.")
