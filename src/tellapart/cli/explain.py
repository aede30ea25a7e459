"""`tellapart explain`: where a network looked, as a heat map over a picture."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tellapart.cli.complete import complete_classes
from tellapart.cli.output import Progress, print_json, print_note, write_result
from tellapart.errors import ImageError, UsageError
from tellapart.text import printable

if TYPE_CHECKING:  # results need NumPy, which `--help` can do without
    from tellapart.classifier import Classifier
    from tellapart.explanation.heatmaps import Explainer, Explanation
    from tellapart.results import FailedPrediction

EXAMPLES = """
tellapart explain runs/photos-1 new.jpg
tellapart explain runs/photos-1 one.jpg two.jpg --class tulip
tellapart explain classifier.onnx new.jpg --method occlusion --out why.png
"""

Method = Literal["auto", "rise", "hires-cam", "occlusion"]

LONGEST_STEM = 40
"""Characters of a picture's name that its page keeps: file systems allow 255 bytes."""


def explain(
    classifier: Annotated[
        Path,
        typer.Argument(
            metavar="CLASSIFIER", help="A run folder, or a classifier.onnx.", readable=False
        ),
    ],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Pictures.")],
    method: Annotated[
        Method, typer.Option(help="How; auto takes what did best in a test on such networks.")
    ] = "auto",
    label: Annotated[
        str | None,
        typer.Option(
            "--class",
            metavar="NAME",
            help="The class to show beside the predicted one. [the second most probable]",
            autocompletion=complete_classes,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            help="A .png to write, for one picture, or a folder. [explanations/ in the run folder, "
            "or in the working folder for a classifier.onnx]",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the .png of --out if it exists.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show where the network looked: heat maps over pictures.

    Draws a page for each picture, with a map of what speaks for the predicted class and one of
    what speaks for the second, and says in words where they are strong. A picture that cannot be
    read is named, and the others go on; the exit code is then 1. No picture is changed.
    """
    _check_out(out, len(images), force=force)
    from tellapart.classifier import Classifier
    from tellapart.explanation.heatmaps.picture import find_class
    from tellapart.results import FailedPrediction
    from tellapart.runs import EXPLANATIONS

    loaded = Classifier.load(classifier)
    if label is not None:
        find_class(loaded, label)  # a wrong name shows before seconds of work
    explainer = _open_explainer(loaded, method, run=classifier)
    if explainer.note:
        print_note(explainer.note)
    parent = classifier if os.path.isdir(classifier) else Path()  # noqa: PTH112
    folder = out or parent / EXPLANATIONS
    answers: list[tuple[Explanation, Path] | FailedPrediction] = []
    with Progress("Explaining", total=len(images)) as progress:
        for image in images:
            found = _explain(loaded, explainer, image, label)
            answers.append(
                found
                if isinstance(found, FailedPrediction)
                else (found, _save(found, folder, image.stem))
            )
            progress.advance()
    if as_json:
        print_json(
            {
                "classifier": str(loaded.path),
                "pictures": [_document(answer) for answer in answers],
            }
        )
    else:
        for answer in answers:
            write_result(_describe(answer))
    from tellapart.data.wording import count

    failed = sum(isinstance(answer, FailedPrediction) for answer in answers)
    if failed:
        print_note(f"{failed:,} of {count(len(answers), 'picture')} failed.")
        raise typer.Exit(1)


def _check_out(out: Path | None, pictures: int, *, force: bool) -> None:
    """Refuses a place to write to before any work is done."""
    if out is None:
        return
    if _is_page(out):
        if pictures > 1:
            raise UsageError(
                f"{out} is one page, and there are {pictures} pictures: name a folder."
            )
        if out.is_dir():
            raise UsageError(f"{out} is a folder. Name a file to write to.")
        if os.path.lexists(out) and not force:
            raise UsageError(f"{out} exists. Add --force to replace it, or name another file.")
    elif os.path.lexists(out) and not out.is_dir():
        raise UsageError(f"{out} is a file: expected a name that ends in .png, or a folder.")


def _is_page(path: Path) -> bool:
    return path.suffix.lower() == ".png"


def _open_explainer(classifier: Classifier, method: str, *, run: Path) -> Explainer:
    from tellapart.explanation.heatmaps import explainer_of_classifier
    from tellapart.runs import MODEL_KERAS

    saved = run / MODEL_KERAS
    return explainer_of_classifier(classifier, method, saved=saved if saved.is_file() else None)


def _explain(
    classifier: Classifier, explainer: Explainer, image: Path, label: str | None
) -> Explanation | FailedPrediction:
    from tellapart.explanation.heatmaps import explain_picture
    from tellapart.files import similar_path
    from tellapart.results import FailedPrediction

    try:
        return explain_picture(classifier, explainer, image, str(image), label=label)
    except ImageError as error:
        hint = "" if os.path.lexists(image) else similar_path(image)
        return FailedPrediction(str(image), f"{error.reason}.{hint}")


def _save(explanation: Explanation, out: Path, stem: str) -> Path:
    """Writes the page to the file that was named, or to the next free one of a folder."""
    from tellapart.explanation.heatmaps.page import save_page

    if _is_page(out):
        save_page(explanation, out)
        return out
    path = _claim(out, stem[:LONGEST_STEM])
    try:
        save_page(explanation, path)
    except BaseException:
        with contextlib.suppress(OSError):  # it must not hide what went wrong
            path.unlink(missing_ok=True)
        raise
    return path


def _claim(folder: Path, stem: str) -> Path:
    """Makes the next free `<stem>-<n>.png`, so that two processes never write to the same."""
    from tellapart.files import write_error

    number = 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            path = folder / f"{stem}-{number}.png"
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                number += 1
            else:
                return path
    except OSError as error:
        raise write_error(folder, error) from error


def _describe(answer: tuple[Explanation, Path] | FailedPrediction) -> str:
    """What the terminal shows of a picture, in lines."""
    from tellapart.explanation.heatmaps.page import describe, format_probability
    from tellapart.results import FailedPrediction

    if isinstance(answer, FailedPrediction):
        return printable(f"{answer.source}: {answer.error}") + "\n"
    explanation, page = answer
    top = ", ".join(
        f"{name} ({format_probability(share)})" for name, share in explanation.prediction.top(3)
    )
    lines = [
        f"{explanation.prediction.source}: {top}",
        *(f"  {item.label}: {describe(item)}" for item in explanation.maps),
        f"  {page} ({explanation.method})",
    ]
    return "".join(f"{printable(line)}\n" for line in lines)


def _document(answer: tuple[Explanation, Path] | FailedPrediction) -> dict[str, object]:
    from tellapart.results import FailedPrediction

    if isinstance(answer, FailedPrediction):
        return answer.to_json()
    explanation, page = answer
    return explanation.to_json() | {"page": str(page)}
