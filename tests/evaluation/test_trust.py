"""Temperature and threshold, fitted on some pictures and measured on others."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.errors import ModelError
from tellapart.evaluation.trust import establish_trust


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
