from __future__ import annotations

import numpy as np

from tellapart.evaluation.overlap import measure_overlap
from tellapart.results import wilson_interval

PROBABILITIES = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]], np.float32)
LABELS = np.array([0, 1, 1, 0])


def test_nothing_shared() -> None:
    assert measure_overlap(PROBABILITIES, LABELS, np.zeros(4, bool)) is None


def test_accuracy_without_copies() -> None:
    # The first and the second are right and known; of the other two, one is right.
    overlap = measure_overlap(PROBABILITIES, LABELS, np.array([True, True, False, False]))
    assert overlap is not None
    assert overlap.copies == 2
    assert overlap.accuracy_without == wilson_interval(1, 2)
    assert str(overlap).startswith(
        "2 test pictures have copies in the training data; without them the accuracy is 0.500 ("
    )
    assert overlap.to_json()["accuracy_without"]["value"] == 0.5


def test_everything_is_shared() -> None:
    overlap = measure_overlap(PROBABILITIES[:1], LABELS[:1], np.array([True]))
    assert str(overlap) == (
        "1 test picture has a copy in the training data; without it the accuracy is not known"
    )
