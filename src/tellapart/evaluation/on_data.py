"""A classifier measured on labelled pictures, and on pictures of none of its classes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np

from tellapart.classifier import Classifier, Picture, describe_failed
from tellapart.data import load
from tellapart.data.dataset import PARTS, Dataset, Part
from tellapart.data.split import read_split_csv
from tellapart.errors import DataError, UsageError, did_you_mean
from tellapart.evaluation.metrics import evaluate
from tellapart.evaluation.unknown import measure_unknown
from tellapart.results import Evaluation, FailedPrediction, Prediction
from tellapart.runs import SPLIT_CSV


def evaluate_on_data(
    classifier: Classifier,
    data: Any,
    *,
    part: Part | Literal["all"] | None = None,
    unknown: Iterable[Picture | FailedPrediction] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """See `Classifier.evaluate`."""
    if unknown is not None and classifier.bundle.novelty is None:
        raise UsageError(
            f"{classifier.path} has no score for unknown pictures. Train again with a network that "
            "is made of connected layers and ends in a Dense layer with softmax."
        )
    dataset = data if isinstance(data, Dataset) else load(data, to_train_on=False)
    columns = _match_classes(classifier, dataset)
    indices = _unseen(classifier, dataset) if part is None else _part_indices(dataset, part)
    labelled = ((dataset.paths[i], partial(dataset.source.read, i)) for i in indices)
    others = [] if unknown is None else list(unknown)
    answers: list[Prediction | FailedPrediction] = []
    for answer in classifier.predict_stream(itertools.chain(labelled, others), isolated=True):
        answers.append(answer)
        if on_progress is not None:
            on_progress(len(answers), len(indices) + len(others))
    known, failed = _readable(answers[: len(indices)], dataset.location)
    labels = [
        columns[dataset.labels[index]]
        for index, answer in zip(indices, answers, strict=False)
        if isinstance(answer, Prediction)
    ]
    figures = None
    if unknown is not None:
        told, also_failed = _readable(answers[len(indices) :], "The unknown pictures")
        figures, failed = measure_unknown(known, told), failed + also_failed
    evaluation = evaluate(
        np.stack([answer.probabilities for answer in known]),
        np.array(labels, np.int64),
        class_names=classifier.class_names,
        sources=[answer.source for answer in known],
        unreadable=tuple(
            [FailedPrediction(item.path, item.reason) for item in dataset.excluded] + failed
        ),
    )
    return replace(evaluation, unknown=figures)


def _unseen(classifier: Classifier, dataset: Dataset) -> list[int]:
    """Returns the positions of pictures that training did not see, as far as can be told."""
    if not classifier.was_trained_on(dataset):
        return _part_indices(dataset, None)
    split_csv = classifier.path.with_name(SPLIT_CSV)
    if split_csv.is_file():
        parts = read_split_csv(split_csv)
        return [i for i, path in enumerate(dataset.paths) if parts.get(path) == "test"]
    if dataset.has_part("test"):
        return _part_indices(dataset, "test")
    raise DataError(
        f"{dataset.location} is what {classifier.path} was trained on, and no {SPLIT_CSV} beside "
        "it tells which pictures were kept for the test. Name the run folder, or measure on all "
        "of it, training pictures included, with part 'all'."
    )


def _match_classes(classifier: Classifier, dataset: Dataset) -> list[int]:
    """Returns for each class of the data its column in the probabilities."""
    unknown = [name for name in dataset.class_names if name not in classifier.class_names]
    if unknown:
        known = list(classifier.class_names)
        raise DataError(
            f"{dataset.location} has classes that {classifier.path} does not know: "
            f"{_listed(unknown)}.{did_you_mean(unknown[0], known)} It knows {_listed(known)}. "
            "Rename the classes of the data, or leave those pictures out."
        )
    return [classifier.class_names.index(name) for name in dataset.class_names]


def _part_indices(dataset: Dataset, part: str | None) -> list[int]:
    """Returns the positions of the pictures to evaluate on."""
    if part is not None and part not in (*PARTS, "all"):
        raise UsageError(f"part {part!r}: expected one of {', '.join(PARTS)}, all.")
    if part is None:
        apart: tuple[Part, ...] = ("test", "validation")
        part = next((name for name in apart if dataset.has_part(name)), "all")
    if part == "all":
        return list(range(len(dataset)))
    indices = np.flatnonzero(dataset.parts == PARTS.index(part)).tolist()
    if not indices:
        present = [name for name in PARTS if dataset.has_part(name)]
        raise DataError(
            f"{dataset.location} has no {part} part; it has "
            f"{', '.join(present) or 'no parts'}. Leave out part, or say 'all'."
        )
    return indices


def _readable(
    answers: list[Prediction | FailedPrediction], what: str
) -> tuple[list[Prediction], list[FailedPrediction]]:
    """Sorts out what could not be read, which must not be all."""
    read = [answer for answer in answers if isinstance(answer, Prediction)]
    failed = [answer for answer in answers if isinstance(answer, FailedPrediction)]
    if not read:
        raise DataError(f"{what}: {describe_failed(failed, len(answers))}")
    return read, failed


def _listed(names: list[str], limit: int = 10) -> str:
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(repr(name) for name in names[:limit]) + more
