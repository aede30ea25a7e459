"""Temperature and threshold, fitted on some pictures and measured on others."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tellapart.errors import ModelError
from tellapart.evaluation.calibration import apply_temperature
from tellapart.evaluation.novelty import Floats
from tellapart.evaluation.trust import Features, establish_trust


def said(tops: list[float], classes: int = 2) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Rows with the top probability in class 0."""
    rows = [[top, *[(1 - top) / (classes - 1)] * (classes - 1)] for top in tops]
    return np.array(rows, np.float32)


def test_what_is_answered_on_the_test_part() -> None:
    # 500 sure pictures without a mistake and 500 unsure ones, half of them wrong.
    unseen = said([0.99] * 500 + [0.6] * 500)
    labels = np.array([0] * 500 + [0, 1] * 250)
    test = said([0.99, 0.99, 0.99, 0.6])
    trust = establish_trust(unseen, labels, "calibration part", test, np.array([0, 0, 1, 1]))
    assert trust.unsure.proven
    assert trust.answered.value == 3 / 4
    assert trust.right.value == pytest.approx(2 / 3)
    assert str(trust) == (
        "75.0% of the test pictures are answered, 66.7% of these rightly; the rest is unsure"
    )
    assert (trust.probabilities.argmax(axis=1) == test.argmax(axis=1)).all()
    document = trust.to_json()
    assert document["unsure"]["rule"]["threshold"] == trust.unsure.threshold
    assert document["calibration"]["fitted_on"] == 1000


def test_without_unseen_pictures_nothing_is_changed_or_proven() -> None:
    test = said([0.9, 0.6])
    nothing = np.empty((0, 2), np.float32)
    labels = np.empty(0, np.int64)
    trust = establish_trust(nothing, labels, "cross-validation", test, np.array([0, 1]))
    assert trust.calibration.temperature == 1
    assert np.array_equal(trust.probabilities, test)
    assert not trust.unsure.proven
    assert "45 are needed at least" in trust.unsure.note


def test_a_network_whose_weights_are_no_numbers() -> None:
    broken = np.full((2, 2), np.nan, np.float32)
    labels = np.array([0, 1])
    with pytest.raises(ModelError, match="not a number for 2 of 2 pictures"):
        establish_trust(broken, labels, "validation part", broken, labels)


# --- Unknown pictures ---------------------------------------------------------------------------


def seen(distances: npt.ArrayLike) -> Floats:
    """Features of one number: how far a picture is from the others."""
    column: Floats = np.asarray(distances, np.float32)[:, None]
    return column


def test_what_is_answered_is_of_both_rules() -> None:
    # 200 known pictures from 0 to 1, all equally sure and right; two of six test pictures lie far
    # off, and one of these two is wrong.
    known = np.linspace(0, 1, 200) ** 3
    features = Features(seen(known), seen(known), seen([0, 0.5, 0.3, 9, 0, -9]))
    zeros = np.zeros(200, np.int64)
    trust = establish_trust(
        said([0.99] * 200),
        zeros,
        "calibration part",
        said([0.99, 0.98, 0.97, 0.99, 0.9, 0.96]),
        np.array([0, 0, 0, 1, 1, 0]),
        features=features,
    )
    assert trust.novelty is not None
    # ceil(201 · 0.98) = 197: three of the 200 are stranger than the limit.
    assert trust.unsure.fitted_on == 197
    assert trust.novelty.unknown.value == 2 / 6
    assert trust.novelty.limit.is_unknown(trust.novelty.scores).tolist() == [
        False, False, False, True, False, True,
    ]  # fmt: skip
    assert trust.answered.value == 4 / 6
    assert trust.right.value == 3 / 4
    assert str(trust) == (
        "66.7% of the test pictures are answered, 75.0% of these rightly; the rest is unsure "
        "(33.3% unknown)"
    )
    # Of the curve the four known ones alone are part, from 0.99 down.
    assert trust.curve.count == 6
    assert trust.curve.answered == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6])
    assert trust.curve.accuracy == pytest.approx([1, 1, 1, 3 / 4])
    found = trust.to_json()["novelty"]
    assert found["rule"] == trust.novelty.limit.to_json()
    assert found["unknown"]["value"] == 2 / 6
    assert found["note"].startswith("Pictures stranger than 98% of the known ones are called unkn")


def test_a_test_part_that_is_all_unknown() -> None:
    known = np.linspace(-1, 1, 100)
    trust = establish_trust(
        said([0.99] * 100),
        np.zeros(100, np.int64),
        "calibration part",
        said([0.99, 0.98]),
        np.array([0, 0]),
        features=Features(seen(known), seen(known), seen([50, 60])),
    )
    assert trust.answered.value == 0
    assert trust.right.count == trust.curve.count == 0
    assert str(trust) == (
        "0.0% of the test pictures are answered; the rest is unsure (100.0% unknown)"
    )


def test_the_promise_holds_of_the_answers_that_pass_both_rules() -> None:
    """Strange pictures are recognised less often, at every top probability."""
    rng = np.random.default_rng(0)

    def draw(count: int) -> tuple[Floats, Floats, np.ndarray[tuple[int], np.dtype[np.float64]]]:
        distance, top = np.abs(rng.normal(size=count)), rng.uniform(0.6, 1, count)
        return seen(distance), said(top.tolist()), np.clip(top + 0.02 - 0.06 * distance, 0, 1)

    def label(chances: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Any:
        return (rng.random(len(chances)) > chances).astype(np.int64)

    all_features, all_rows, all_chances = draw(20_000)
    broken = []
    for _ in range(100):
        features, rows, chances = draw(400)
        trust = establish_trust(
            rows, label(chances), "calibration part", rows[:50], label(chances[:50]),
            features=Features(features, features, features[:50]),
        )  # fmt: skip
        assert trust.novelty is not None
        p = apply_temperature(all_rows, trust.calibration.temperature)
        unknown = trust.novelty.limit.is_unknown(trust.novelty.model.score(all_features, p))
        assert 0 < unknown.mean() < 0.06
        answered = trust.unsure.answers(p) & ~unknown
        right = all_chances[answered].mean() if answered.any() else 1.0
        broken.append(trust.unsure.proven and right < trust.unsure.promise)
    # Allowed are 10%; if that were so, more than 17 of 100 would be seen once in a hundred times.
    assert np.sum(broken) <= 17


def test_pictures_that_judge_each_other() -> None:
    known = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    trust = establish_trust(
        said([0.99] * 100),
        np.zeros(100, np.int64),
        "cross-validation",
        said([0.99, 0.99]),
        np.array([0, 0]),
        features=Features(None, known, np.array([[0, 0, 0], [9, 9, 9]], np.float32)),
    )
    assert trust.novelty is not None
    assert trust.novelty.unknown.value == 1 / 2


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (None, "must be made of connected layers and end in a Dense layer with softmax"),
        (np.full((60, 2), np.nan, np.float32), "are not told. The network's features are not fin"),
        (np.full((60, 2), np.inf, np.float32), "are not told. The network's features are not fin"),
        (np.eye(60, 2, dtype=np.float32) * 1e30, "are not told. The network's features are not"),
    ],
)
def test_without_a_score_all_is_as_before(features: Floats | None, words: str) -> None:
    given = None if features is None else Features(features, features, features)
    labels = np.zeros(60, np.int64)
    trust = establish_trust(
        said([0.99] * 60), labels, "calibration part", said([0.99] * 60), labels, features=given
    )
    assert trust.novelty is None
    assert words in trust.novelty_note
    assert trust.answered.value == 1
    assert trust.unsure.fitted_on == 60
    assert trust.to_json()["novelty"] == {
        "rule": None, "unknown": None, "note": trust.novelty_note,
    }  # fmt: skip


def test_strange_test_pictures_whose_features_are_no_numbers() -> None:
    labels, known = np.zeros(60, np.int64), np.eye(60, 2, dtype=np.float32)
    trust = establish_trust(
        said([0.99] * 60),
        labels,
        "calibration part",
        said([0.99] * 60),
        labels,
        features=Features(known, known, known * np.float32(np.nan)),
    )
    assert trust.novelty is None
    assert "novelty scores are not finite" in trust.novelty_note


def test_one_unseen_picture_is_none_to_compare_with() -> None:
    one = np.ones((1, 2), np.float32)
    labels = np.zeros(1, np.int64)
    trust = establish_trust(
        said([0.9]), labels, "cross-validation", said([0.9]), labels,
        features=Features(None, one, one),
    )  # fmt: skip
    assert trust.novelty is None
    assert "no known pictures to compare them with that were not trained on" in trust.novelty_note
