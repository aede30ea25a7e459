"""A run's classifier in 8-bit integers, accepted only if it is as good.

    quantize_run(RunFolder.open("runs/photos-1"), pictures)

Written is `classifier-int8.onnx` beside `classifier.onnx`, which stays as it is.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.bundle import attach, parse_bundle, read_file
from tellapart.classifier import Classifier
from tellapart.data.split import SplitRow, read_split_rows
from tellapart.data.wording import count, size
from tellapart.errors import DataError, ExportError
from tellapart.export.int8 import to_int8
from tellapart.export.onnx import serialize
from tellapart.export.parity import sample_evenly
from tellapart.files import write_with
from tellapart.images import Pixels
from tellapart.report.pictures import Pictures
from tellapart.results import Interval, wilson_interval
from tellapart.runs import CLASSIFIER_INT8, CLASSIFIER_ONNX, SPLIT_CSV, RunFolder
from tellapart.text import printable

MOST_POINTS = 0.5
"""So many points of accuracy, on pictures that it is not tested on, may be lost."""

RANGES_FROM = 128
"""The ranges of what flows between layers are seen on so many training pictures."""

JUDGED_ON = 2_000
"""At most so many pictures judge, and as many test pictures are reported on."""

BATCH = 32
ROUNDS = 5
"""The speed is measured on a batch of so many pictures, in turns, so many times."""


@dataclass(frozen=True)
class Quantized:
    """What was made, and what it is worth.

    Attributes:
        path: the new file.
        bytes_before: size of the classifier file.
        bytes: size of the new one.
        part: what judged: "calibration", "validation", or "train" where there is neither.
        pictures: how many of it.
        accuracy_before: on these, of the classifier file.
        accuracy: on these, of the new one.
        test_before: on test pictures, of the classifier file.
        test: on the same, of the new one.
        changed: share of the test pictures that get another answer.
        speed: pictures in the same time, as a multiple of what the classifier file does; the
            median of some rounds, on this machine.
    """

    path: str
    bytes_before: int
    bytes: int
    part: str
    pictures: int
    accuracy_before: float
    accuracy: float
    test_before: Interval
    test: Interval
    changed: float
    speed: float

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return asdict(self) | {
            "test_before": self.test_before.to_json(),
            "test": self.test.to_json(),
        }


def quantize_run(folder: RunFolder, pictures: Pictures, out: Path | None = None) -> Quantized:
    """Writes a run's classifier in 8-bit integers.

    The ranges come from training pictures. Judged is on the calibration or validation part, or,
    where a run has neither, on training pictures that gave no ranges. The test part is only
    reported on.

    Args:
        folder: of a finished run.
        pictures: of its data.
        out: where to; None: `classifier-int8.onnx` in the run folder. Replaced if it is there.

    Raises:
        ExportError: more than `MOST_POINTS` would be lost, or there is nothing to quantize.
        DataError: the run has no pictures to judge by.
        ClassifierFileError: the run has no classifier file, or a damaged one.
    """
    source, path = folder.file(CLASSIFIER_ONNX), out or folder.file(CLASSIFIER_INT8)
    before = Classifier.load(source)
    content = read_file(source)
    rows = [row for row in read_split_rows(folder.file(SPLIT_CSV)) if row.path in pictures]
    ranges, part, judges = _choose(rows)
    bundle = parse_bundle(content, str(source))
    model = to_int8(content, _batches(ranges, pictures))
    attach(model, bundle)
    after = Classifier(serialize(model), path)
    told = [_told(classifier, judges, pictures) for classifier in (before, after)]
    accuracy_before, accuracy = (float(np.mean(right)) for right, _ in told)
    _refuse_if_worse(accuracy_before, accuracy, len(judges), part)

    test = _some([row for row in rows if row.part == "test"], JUDGED_ON)
    (right_before, said_before), (right, said) = (
        _told(classifier, test, pictures) for classifier in (before, after)
    )
    measured = wilson_interval(int(right.sum()), len(test))
    provenance = bundle.provenance | {"accuracy": measured.to_json(), "quantized": "int8"}
    attach(model, replace(bundle, provenance=provenance))
    written = serialize(model)
    write_with(path, lambda stream: stream.write(written))
    return Quantized(
        str(path),
        len(content),
        len(written),
        part,
        len(judges),
        accuracy_before,
        accuracy,
        wilson_interval(int(right_before.sum()), len(test)),
        measured,
        float((said != said_before).mean()),
        _speed(before, after, pictures.take([row.path for row in test[:BATCH]])),
    )


def describe(found: Quantized) -> str:
    """Says it in a few lines."""
    test = found.test
    return (
        f"{printable(found.path)}: {size(found.bytes)} instead of {size(found.bytes_before)}, and "
        f"{found.speed:.1f} times as fast on this machine.\n"
        f"On {count(found.pictures, 'picture')} of the {found.part} part {found.accuracy:.1%} are "
        f"right, {found.accuracy_before:.1%} before.\n"
        f"Test accuracy {test.value:.3f} (95% interval {test.low:.3f} to {test.high:.3f}, "
        f"{count(test.count, 'picture')}), {found.test_before.value:.3f} before; "
        f"{found.changed:.1%} of the answers are others.\n"
    )


def _choose(rows: Sequence[SplitRow]) -> tuple[list[SplitRow], str, list[SplitRow]]:
    """Returns what gives the ranges, and what judges, with the name of its part."""
    train = [row for row in rows if row.part == "train"]
    ranges = _some(train, RANGES_FROM)
    for part in ("calibration", "validation"):
        own = [row for row in rows if row.part == part]
        if own:
            return ranges, part, _some(own, JUDGED_ON)
    used = {row.path for row in ranges}
    others = [row for row in train if row.path not in used] or train
    if not others or not any(row.part == "test" for row in rows):
        raise DataError("The run's pictures are not there: nothing can be judged by.")
    return ranges, "train", _some(others, JUDGED_ON)


def _some(rows: list[SplitRow], most: int) -> list[SplitRow]:
    if not rows:
        return []
    return [rows[place] for place in sample_evenly(len(rows), most).tolist()]


def _batches(rows: Sequence[SplitRow], pictures: Pictures) -> Iterator[Pixels]:
    for start in range(0, len(rows), BATCH):
        yield pictures.take([row.path for row in rows[start : start + BATCH]])


def _told(
    classifier: Classifier, rows: Sequence[SplitRow], pictures: Pictures
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Returns which answers are right, and which class each is."""
    said = np.concatenate(
        [classifier.probabilities(batch).argmax(axis=1) for batch in _batches(rows, pictures)]
    )
    numbers = {name: number for number, name in enumerate(classifier.class_names)}
    return said == [numbers[row.label] for row in rows], said


def _refuse_if_worse(before: float, after: float, pictures: int, part: str) -> None:
    lost = 100 * (before - after)
    if lost > MOST_POINTS + 1e-9:  # 0.96 - 0.955 is a shade above 0.005
        raise ExportError(
            f"In 8-bit integers the classifier loses {lost:.1f} points ({before:.1%} to "
            f"{after:.1%} of {pictures:,} pictures of the {part} part); at most {MOST_POINTS:g} "
            "are accepted. Nothing was written."
        )


def _speed(before: Classifier, after: Classifier, pixels: Pixels) -> float:
    ratios = []
    for _ in range(ROUNDS):
        seconds = []
        for classifier in (before, after):
            began = time.perf_counter()
            classifier.probabilities(pixels)
            seconds.append(time.perf_counter() - began)
        ratios.append(seconds[0] / max(seconds[1], 1e-9))
    return float(statistics.median(ratios))
