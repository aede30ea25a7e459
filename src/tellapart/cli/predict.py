"""`tellapart predict`: what pictures show, a row a picture."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from tellapart.cli.output import Progress, exact_stdout, json_text, print_note, print_table
from tellapart.cli.pictures import STDIN, find_pictures, refuse_if_all_missing
from tellapart.errors import DataError, UsageError

if TYPE_CHECKING:  # results need NumPy, which `--help` can do without
    from tellapart.classifier import Classifier
    from tellapart.results import FailedPrediction, Prediction

    Answers = Iterable[Prediction | FailedPrediction]

EXAMPLES = """
tellapart predict runs/photos-1 new.jpg
tellapart predict classifier.onnx unsorted/ "more/**/*.png" --top-k 1
tellapart predict runs/photos-1 unsorted/ --output predictions.csv
find . -name "*.jpg" -print0 | tellapart predict runs/photos-1 - --null --format jsonl
"""

Format = Literal["table", "csv", "jsonl", "json"]

ENDINGS: dict[str, Format] = {
    ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".txt": "table"
}  # fmt: skip
"""The format of a file of --output by the ending of its name."""

TABLE_PAGE = 1_000
"""A table's columns are as wide as its cells; so many rows are held back to measure them."""


def predict(
    classifier: Annotated[
        Path,
        typer.Argument(
            metavar="CLASSIFIER", help="A classifier.onnx, or a run folder.", readable=False
        ),
    ],
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Pictures; folders, with all that is in them; quoted patterns such as "
            "'photos/**/*.jpg'; - for a list on stdin.",
        ),
    ],
    top_k: Annotated[
        int,
        typer.Option("--top-k", "-k", min=1, metavar="K", help="Show the K most probable classes."),
    ] = 3,
    format: Annotated[  # noqa: A002 (the option's name)
        Format | None,
        typer.Option(
            help="csv, jsonl and json stream: rows appear as they are predicted. By default what "
            "the name of --output ends in, or a table.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document; the same as --format json.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write to a file, whole or not at all."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file of --output if it exists.")
    ] = False,
    sets: Annotated[
        float | None,
        typer.Option(
            metavar="COVERAGE",
            help="Also show a set of classes that holds the right one with this probability: 0.8, "
            "0.9, 0.95 or 0.99.",
        ),
    ] = None,
    null: Annotated[
        bool,
        typer.Option("--null", "-0", help="The list on stdin is separated by NUL, not by lines."),
    ] = False,
    batch_size: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Pictures that are classified at a time, at most."),
    ] = 32,
) -> None:
    """Say what pictures show, with probabilities.

    A picture that cannot be read gets a row that says why, and the others go on; the exit code is
    then 1. In folders, files that end in .jpg, .png, .webp, .gif, .tif or .bmp are taken, in the
    order of their names; hidden ones and folders behind links are left out. No file is changed.

    Where the answer is unsure, the most probable class stands in brackets: "unsure (cat?)" is too
    improbable, "unsure (unknown, cat?)" is for a picture like nothing the network was trained on.
    """
    from tellapart.data.wording import count

    chosen = _choose_format(format, as_json, output)
    if output is not None and os.path.lexists(output) and not force:
        if output.is_dir():
            raise UsageError(f"{output} is a folder. Name a file to write to.")
        raise UsageError(f"{output} exists. Add --force to replace it, or name another file.")
    refuse_if_all_missing(paths)

    from tellapart.classifier import Classifier
    from tellapart.decoding import start_ahead

    start_ahead()  # it gets ready while the classifier does
    loaded = Classifier.load(classifier)
    if sets is not None:
        loaded.quantile(sets)  # one that it does not have shows now
    found: Iterable[str | FailedPrediction] = find_pictures(paths, null)
    if STDIN not in paths:
        found = list(found)  # names alone, so that the progress bar knows how many there are
    to_terminal = output is None and sys.stdout.isatty()
    with (
        Progress(
            "Predicting",
            total=len(found) if isinstance(found, list) else None,
            hidden=to_terminal and chosen != "table",  # rows would run through the bar
        ) as progress,
        _open_output(output) as stream,
    ):
        tally = _Tally(loaded.predict_stream(found, batch_size=batch_size, isolated=True), progress)
        view = _View(min(top_k, len(loaded.class_names)), loaded, sets)
        _write(chosen, tally, stream, view)
    if not tally.count:
        raise DataError("The list on stdin is empty: expected a path a line.")
    if tally.failed:
        print_note(f"{tally.failed:,} of {count(tally.count, 'picture')} failed.")
    if output is not None:
        print_note(f"{output} has {count(tally.count - tally.failed, 'prediction')}.")
    if tally.failed:
        raise typer.Exit(1)


def _choose_format(format_: Format | None, as_json: bool, output: Path | None) -> Format:
    if as_json:
        if format_ not in (None, "json"):
            raise UsageError(f"--json and --format {format_} contradict each other; give one.")
        return "json"
    if format_ is not None:
        return format_
    if output is None:
        return "table"
    if output.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"{output}: no format goes with '{output.suffix}'. Name a file that ends in "
            f"{', '.join(ENDINGS)}, or add --format."
        )
    return ENDINGS[output.suffix.lower()]


class _Tally:
    """Passes answers on and counts them."""

    def __init__(self, answers: Answers, progress: Progress) -> None:
        self.answers = answers
        self.progress = progress
        self.count = 0
        self.failed = 0

    def __iter__(self) -> Iterator[Prediction | FailedPrediction]:
        from tellapart.results import FailedPrediction

        for answer in self.answers:
            self.count += 1
            self.failed += isinstance(answer, FailedPrediction)
            self.progress.advance()
            yield answer


# --- How they are written -----------------------------------------------------------------------


@contextlib.contextmanager
def _open_output(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield exact_stdout()
        return
    from tellapart.files import atomic_path

    with (
        atomic_path(output) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream,
    ):
        yield stream


@dataclass(frozen=True)
class _View:
    """What is shown of an answer.

    Attributes:
        top_k: so many classes.
        classifier: the one that answers.
        coverage: of the prediction sets; None: none are shown.
    """

    top_k: int
    classifier: Classifier
    coverage: float | None

    def set_of(self, answer: Prediction) -> list[str]:
        assert self.coverage is not None  # noqa: S101 (asked for only then)
        return list(self.classifier.prediction_set(answer, self.coverage))


def _write(format_: Format, answers: _Tally, stream: TextIO, view: _View) -> None:
    if format_ == "csv":
        _write_csv(answers, stream, view)
    elif format_ == "jsonl":
        _write_json_lines(answers, stream, view)
    elif format_ == "json":
        _write_json(answers, stream, view)
    else:
        _write_table(answers, stream, view, answers.progress.hide)


def _write_csv(answers: Answers, stream: TextIO, view: _View) -> None:
    from tellapart.results import FailedPrediction
    from tellapart.spreadsheet import quoted, quoted_row

    writer = csv.writer(stream, lineterminator="\n")
    further = [
        f"{column}_{rank}"
        for rank in range(2, view.top_k + 1)
        for column in ("label", "probability")
    ]
    sets = ["set"] if view.coverage is not None else []
    trust = ["unsure", "unsure_because", "novelty"]
    writer.writerow(["source", "label", "probability", *further, *trust, *sets, "error"])
    for answer in answers:
        if isinstance(answer, FailedPrediction):
            empty = [""] * (2 * view.top_k + len(trust) + len(sets))
            writer.writerow([quoted(answer.source), *empty, quoted(answer.error)])
        else:
            cells = quoted_row([answer.source])
            for name, p in answer.top(view.top_k):
                cells += [quoted(name), f"{p:.6f}"]
            cells += ["true" if answer.unsure else "false", answer.unsure_because or ""]
            cells.append("" if answer.novelty is None else f"{answer.novelty:.3f}")
            # As JSON: a class name may hold any separator.
            cells += [_json_cell(view.set_of(answer))] if sets else []
            writer.writerow([*cells, ""])
        stream.flush()


def _json_cell(names: list[str]) -> str:
    """JSON without a semicolon, at which a spreadsheet might begin a new cell, and a formula."""
    return json.dumps(names, ensure_ascii=False).replace(";", "\\u003b")


def _write_json_lines(answers: Answers, stream: TextIO, view: _View) -> None:
    for answer in answers:
        stream.write(_item(answer, view) + "\n")
        stream.flush()


def _write_json(answers: _Tally, stream: TextIO, view: _View) -> None:
    """Writes one document, item by item, so that any number of pictures fits into memory."""
    classifier = json.dumps(str(view.classifier.path))
    stream.write(f'{{\n"classifier": {classifier},\n"predictions": [')
    separator = "\n"
    for answer in answers:
        stream.write(separator + _item(answer, view))
        separator = ",\n"
    stream.write(f'\n],\n"count": {answers.count},\n"failed": {answers.failed}\n}}\n')
    stream.flush()


def _item(answer: Prediction | FailedPrediction, view: _View) -> str:
    from tellapart.results import FailedPrediction

    if isinstance(answer, FailedPrediction):
        return json_text(answer.to_json(), "utf-8")
    value = answer.to_json(view.top_k)
    if view.coverage is not None:
        value["set"] = view.set_of(answer)
    return json_text(value, "utf-8")


def _write_table(
    answers: Answers, stream: TextIO, view: _View, before_page: Callable[[], None]
) -> None:
    columns = ["Picture", "Class", "Probability"] + ["Next"] * (view.top_k > 1)
    columns += ["Set"] * (view.coverage is not None)
    rows = (_row(answer, view, len(columns)) for answer in answers)
    while page := list(islice(rows, TABLE_PAGE)):
        before_page()
        errors = ["Error"] * any(len(row) > len(columns) for row in page)
        print_table([*columns, *errors], page, right=["Probability"], file=stream)


def _row(answer: Prediction | FailedPrediction, view: _View, columns: int) -> list[str]:
    from tellapart.results import FailedPrediction

    if isinstance(answer, FailedPrediction):
        return [answer.source, *["-"] * (columns - 1), answer.error]
    (label, probability), *others = answer.top(view.top_k)
    further = ", ".join(f"{name} {p:.3f}" for name, p in others)
    said = label
    if answer.unsure:
        said = f"unsure ({'unknown, ' * (answer.unsure_because == 'unknown')}{label}?)"
    row = [answer.source, said, f"{probability:.3f}", *([further] if view.top_k > 1 else [])]
    return row + ([", ".join(view.set_of(answer))] if view.coverage is not None else [])
