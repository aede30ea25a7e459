"""Every rule on real trainings: one that it fires on for the right reason, and one it passes over.

Minutes in all, on digits and on what is made of them. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from sklearn.datasets import load_digits

import tellapart as ta
from tellapart.evaluation.diagnosis import Diagnosis, diagnose, facts_from_run
from tellapart.runs import RunFolder

pytestmark = pytest.mark.slow

Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]
Train = Callable[..., dict[str, Diagnosis]]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Trains and returns what is found, by topic."""

    def run(data: Any, **options: Any) -> dict[str, Diagnosis]:
        ta.train(data, out=tmp_path / "run", observers=[], **options)
        return found_in(tmp_path / "run")

    return run


def found_in(path: Path) -> dict[str, Diagnosis]:
    return {found.topic: found for found in diagnose(facts_from_run(RunFolder.open(path)))}


def digits() -> Arrays:
    """The 1,797 digits, (n, 8, 8) uint8, shuffled, with their names."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order] * 15).astype(np.uint8).reshape(-1, 8, 8), y[order].astype(str)


def save(path: Path, train: Arrays, test: Arrays) -> str:
    np.savez(path, x_train=train[0], y_train=train[1], x_test=test[0], y_test=test[1])
    return str(path)


def four_patches(input_shape: tuple[int, int, int], classes: int) -> Any:
    """A network that sees nothing of a picture but the mean brightness of its quarters."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.AveragePooling2D(4),
            keras.layers.Flatten(),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


def test_nothing_is_wrong_with_the_digits(train: Train) -> None:
    # 99.7% is no reason to suspect a leak, and nothing else is left to say.
    assert train("digits") == {}


def test_a_small_learning_rate_with_time_enough(train: Train) -> None:
    assert "learning rate too low" not in train("digits", epochs=60, learning_rate=1e-4)


def test_labels_that_do_not_follow_from_the_pictures(train: Train) -> None:
    x, y = digits()
    mixed = np.random.default_rng(1).permutation(y)
    found = train((x, mixed), recipe="classic", epochs=60)
    assert "by heart" in found["chance level"].text
    assert "overfitting" not in found  # it follows from the labels
    assert "two classes alike" not in found
    assert "class never predicted" not in found


def test_wrong_labels_are_learned_by_heart(train: Train) -> None:
    x, y = digits()
    rng = np.random.default_rng(2)
    y = np.where(rng.random(len(y)) < 0.3, rng.permutation(y), y)
    found = train((x, y), recipe="classic", epochs=60)
    assert found["overfitting"].level == "warning"
    assert "It began after epoch" in found["overfitting"].text
    assert "chance level" not in found
    assert "underfitting" not in found


def test_a_network_that_sees_too_little(train: Train) -> None:
    found = train("digits", model=four_patches, epochs=120, learning_rate=0.03)
    assert next(iter(found)) == "underfitting"


def test_one_class_under_two_names(train: Train) -> None:
    x, y = digits()
    three = (y == "3") & (np.random.default_rng(3).random(len(y)) < 0.5)
    found = train((x, np.where(three, "drei", y)), test_split=0.4)
    assert "'3' and 'drei' are told apart" in found["two classes alike"].text


@pytest.mark.parametrize(("weight", "expected"), [("none", True), ("balanced", False)])
def test_rare_classes(train: Train, tmp_path: Path, weight: str, expected: bool) -> None:
    x, y = digits()
    test = np.arange(len(y)) >= 1_200
    rare = np.isin(y, ["8", "9"]) & (np.arange(len(y)) % 12 > 0)
    data = save(tmp_path / "uneven.npz", (x[~test & ~rare], y[~test & ~rare]), (x[test], y[test]))
    found = train(data, class_weight=weight, epochs=12)
    assert ("imbalance ignored" in found) == expected


def test_a_class_of_a_few_pictures(train: Train, tmp_path: Path) -> None:
    x, y = digits()
    test = np.arange(len(y)) >= 1_200
    spare = (y == "9") & (np.cumsum(y == "9") > 4)
    data = save(tmp_path / "few.npz", (x[~test & ~spare], y[~test & ~spare]), (x[test], y[test]))
    found = train(data, class_weight="none", epochs=3)
    assert "'9' (4 pictures to learn from" in found["class never predicted"].text


@pytest.mark.parametrize("copied", [True, False])
def test_test_pictures_among_those_that_were_trained_on(
    train: Train, tmp_path: Path, copied: bool
) -> None:
    # Noise, which can be remembered but not understood.
    rng = np.random.default_rng(4)
    x = rng.integers(0, 256, (900, 8, 8), dtype=np.uint8)
    y = rng.choice(["left", "right"], 900)
    seen = slice(0, 150) if copied else slice(600, 750)
    test = np.concatenate([x[seen], x[750:]]), np.concatenate([y[seen], y[750:]])
    data = save(tmp_path / "copies.npz", (x[:600], y[:600]), test)
    found = train(data, recipe="classic", epochs=40)
    assert ("too good" in found) == copied
    if copied:
        assert "150 of the 300 test pictures have a copy" in found["too good"].text


@pytest.mark.parametrize(("pictures", "expected"), [(40, True), (590, False)])
def test_the_size_of_the_test_part(
    train: Train, tmp_path: Path, pictures: int, expected: bool
) -> None:
    x, y = digits()
    test = slice(1_200, 1_200 + pictures)
    data = save(tmp_path / "few.npz", (x[:1_200], y[:1_200]), (x[test], y[test]))
    found = train(data, epochs=20)
    assert ("test part too small" in found) == expected
