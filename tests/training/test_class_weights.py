from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from tellapart.training.class_weights import (
    LARGEST_RATIO,
    class_weights,
    count_classes,
    describe_class_weights,
    imbalance,
)


def test_weights_are_inverse_to_counts_with_a_mean_of_one() -> None:
    # 40 pictures in 2 classes: 40 / (2 · 30) and 40 / (2 · 10); 30 · 2/3 + 10 · 2 = 40
    assert class_weights(np.array([30, 10])).tolist() == pytest.approx([2 / 3, 2])


def test_a_handful_of_pictures_does_not_lead() -> None:
    # Inverse: 1/1000 and 1/2, cut to 10/1000. 1000 · 1 + 2 · 10 = 1020 for 1002 pictures.
    weights = class_weights(np.array([1000, 2]))
    assert weights.tolist() == pytest.approx([1002 / 1020, 10020 / 1020])


def test_a_class_without_training_pictures() -> None:
    assert np.isfinite(class_weights(np.array([8, 0, 2]))).all()
    assert imbalance(np.array([8, 0, 2])) == 4
    assert imbalance(np.array([0, 0])) == 1


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=50))
def test_properties(counts: list[int]) -> None:
    pictures = np.array(counts)
    weights = class_weights(pictures).astype(float)
    assert (weights * pictures).sum() / pictures.sum() == pytest.approx(1, rel=1e-5)
    assert weights.max() <= LARGEST_RATIO * weights.min() * (1 + 1e-5)
    assert (np.diff(weights[np.argsort(pictures, kind="stable")]) <= 1e-6).all()
    if imbalance(pictures) <= LARGEST_RATIO:
        labels = np.repeat(np.arange(len(counts)), counts)
        theirs = compute_class_weight("balanced", classes=np.arange(len(counts)), y=labels)
        assert weights == pytest.approx(theirs, rel=1e-5)


def test_counting() -> None:
    assert count_classes(np.array([2, 0, 2]), 4).tolist() == [1, 0, 2, 0]


def test_the_sentence_has_the_numbers() -> None:
    text = describe_class_weights(np.array([300, 60, 0]), ("cat", "dog", "eel"))
    assert "300 pictures of 'cat', 60 of 'dog'. In training each" in text
    assert "counts about 5.0 times as much" in text
    assert "--class-weight none" in text
