"""A classifier on labelled pictures, with figures worked out in tests/tiny_classifier.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.classifier import Classifier
from tellapart.data.dataset import PARTS, UNASSIGNED, Dataset, Excluded
from tellapart.errors import DataError, ImageError, UsageError
from tellapart.images import Raw
from tellapart.results import FailedPrediction
from tests.tiny_classifier import CLASS_NAMES, grey, load_strict, pure, save_classifier


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    return Classifier.load(save_classifier(tmp_path / "run" / "classifier.onnx"))


@pytest.fixture
def strict(tmp_path: Path) -> Classifier:
    return load_strict(tmp_path / "strict" / "classifier.onnx")


class ListSource:
    """Pictures in memory; None is one that cannot be read."""

    key = "list"

    def __init__(self, pictures: list[Image.Image | None]) -> None:
        self.pictures = pictures

    def read(self, index: int) -> Raw:
        picture = self.pictures[index]
        if picture is None:
            raise ImageError(f"{index}.png", "is cut short (truncated)")
        return picture


def make_dataset(
    class_names: tuple[str, ...],
    items: list[tuple[str, str | None]],
    parts: list[str] | None = None,
    excluded: tuple[Excluded, ...] = (),
) -> Dataset:
    """`items` are (label, colour); the colour None cannot be read."""
    return Dataset(
        name="made",
        location="made/",
        class_names=class_names,
        paths=[f"{index}.png" for index in range(len(items))],
        labels=np.array([class_names.index(label) for label, _ in items], np.int64),
        parts=np.array(
            [PARTS.index(part) for part in parts] if parts else [UNASSIGNED] * len(items),
            np.int8,
        ),
        source=ListSource([(colour and pure(colour)) or None for _, colour in items]),
        sizes=((10, 20, 3),),
        excluded=excluded,
    )


def test_evaluate_by_hand(classifier: Classifier) -> None:
    """Three of four right, each with 0.8; the wrong one gives its class 0.1."""
    data = make_dataset(
        ("green", "red"),
        [("red", "red"), ("red", "red"), ("green", "green"), ("green", "blue"), ("red", None)],
        excluded=(Excluded("notes.png", "is not a picture"),),
    )
    seen: list[tuple[int, int]] = []
    found = classifier.evaluate(data, on_progress=lambda done, total: seen.append((done, total)))
    assert found.class_names == CLASS_NAMES
    assert found.accuracy.value == 0.75
    assert found.accuracy.count == 4
    assert found.loss == pytest.approx((3 * -np.log(0.8) - np.log(0.1)) / 4)
    assert found.confusion.tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 2]]
    assert [score.recall for score in found.class_scores] == [None, 0.5, 1.0]
    (mistake,) = found.mistakes
    assert (mistake.source, mistake.actual, mistake.predicted) == ("3.png", "green", "blue")
    assert found.unreadable == (
        FailedPrediction("notes.png", "is not a picture"),
        FailedPrediction("4.png", "is cut short (truncated)"),
    )
    assert seen == [(done, 5) for done in range(1, 6)]


def test_classes_are_matched_by_name_and_never_by_position(classifier: Classifier) -> None:
    """In the data red is class 0; to the classifier it is class 2."""
    data = make_dataset(("red",), [("red", "red")])
    assert classifier.evaluate(data).accuracy.value == 1.0


def test_unknown_classes_are_named(classifier: Classifier) -> None:
    data = make_dataset(("Red", "yellow", "green"), [("green", "green")])
    with pytest.raises(DataError) as caught:
        classifier.evaluate(data)
    assert str(caught.value) == (
        f"made/ has classes that {classifier.path} does not know: 'Red', 'yellow'. "
        "Did you mean 'red'? It knows 'blue', 'green', 'red'. Rename the classes of the data, or "
        "leave those pictures out."
    )


@pytest.mark.parametrize(
    ("parts", "asked", "count"),
    [
        (["train", "validation", "test", "test"], None, 2),
        (["train", "validation", "validation", "validation"], None, 3),
        (["train", "validation", "test", "test"], "train", 1),
        (["train", "validation", "test", "test"], "all", 4),
        (None, None, 4),
        (None, "all", 4),
    ],
)
def test_which_part_is_measured(
    classifier: Classifier, parts: list[str] | None, asked: Any, count: int
) -> None:
    data = make_dataset(("red",), [("red", "red")] * 4, parts)
    assert classifier.evaluate(data, part=asked).accuracy.count == count


def test_a_part_that_is_not_there(classifier: Classifier) -> None:
    data = make_dataset(("red",), [("red", "red")] * 2, ["train", "validation"])
    with pytest.raises(DataError, match="made/ has no test part; it has train, validation"):
        classifier.evaluate(data, part="test")
    with pytest.raises(DataError, match="it has no parts"):
        classifier.evaluate(make_dataset(("red",), [("red", "red")]), part="train")
    with pytest.raises(UsageError, match="part 'tets': expected one of train, validation"):
        classifier.evaluate(data, part="tets")  # type: ignore[arg-type]


def test_no_readable_picture(classifier: Classifier) -> None:
    data = make_dataset(("red",), [("red", None)] * 12)
    with pytest.raises(DataError, match="made/: 12 of 12 pictures cannot be decoded") as caught:
        classifier.evaluate(data)
    assert str(caught.value).endswith("... and 2 more")


def test_evaluate_a_folder(classifier: Classifier, colour_folder: Path) -> None:
    found = classifier.evaluate(colour_folder)
    assert found.accuracy.value == 1.0
    assert found.accuracy.count == 36


def test_evaluating_unknown_pictures_by_hand(strict: Classifier) -> None:
    """Novelties of known pictures: 1, 1, 1, 0; of unknown ones: 3, 1.49, 0, 1."""
    data = make_dataset(
        ("green", "red"),
        [("red", "red"), ("green", "green"), ("green", "blue"), ("red", "black")],
    )
    others: list[Any] = [grey(255), pure("cyan"), b"no picture", grey(0), pure("red")]
    seen: list[tuple[int, int]] = []
    found = strict.evaluate(
        data, unknown=iter(others), on_progress=lambda done, total: seen.append((done, total))
    )
    assert found.accuracy.count == 4
    assert found.unknown is not None
    # White is above all four, cyan too; black is level with one, red with three.
    assert found.unknown.auroc.value == (4 + 4 + 0.5 + 2.5) / 16
    assert found.unknown.called_unknown.value == 1 / 4
    # White is called unknown, cyan and black have no probability of 0.5; red is answered.
    assert found.unknown.unsure.value == 3 / 4
    assert found.unknown.known_called_unknown.value == 0
    assert found.unknown.known_unsure.value == 1 / 4
    assert [failed.source for failed in found.unreadable] == [""]
    assert seen == [(done, 9) for done in range(1, 10)]


def test_unknown_pictures_none_of_which_can_be_read(strict: Classifier) -> None:
    data = make_dataset(("red",), [("red", "red")])
    with pytest.raises(DataError, match="The unknown pictures: 1 of 1 pictures cannot be decoded"):
        strict.evaluate(data, unknown=[b"no picture"])


def test_unknown_pictures_and_a_classifier_without_a_score(classifier: Classifier) -> None:
    data = make_dataset(("red",), [("red", "red")])
    with pytest.raises(UsageError, match="has no score for unknown pictures. Train again"):
        classifier.evaluate(data, unknown=[grey(0)])
