"""Suspicious labels: by hand, in bad shape, and found again after flipping some."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import DataError, ModelError
from tellapart.evaluation.suspicious import (
    Suspicion,
    find_suspicious,
    label_quality,
    suspicious_below,
)
from tellapart.models.head import fit_head


def test_by_hand() -> None:
    """Class 0 gives its own label (0.9 + 0.9 + 0.9 + 0.06) / 4 = 0.69 on average.

    0.06 / 0.69 = 0.087 is below a fifth. In class 1 the mean is (0.8 + 0.2) / 2 = 0.5, and the
    picture with 0.2, although 0 is more probable, has 0.4 of it: not suspicious.
    """
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.06, 0.94], [0.2, 0.8], [0.8, 0.2]])
    labels = np.array([0, 0, 0, 0, 1, 1])
    assert label_quality(p, labels)[3:] == pytest.approx([0.06 / 0.69, 1, 0.4])
    (found,) = find_suspicious(p, labels)
    assert (found.index, found.given, found.suggested) == (3, 0, 1)
    assert found.score == pytest.approx(0.06 / 0.69)


def test_fewer_classes_leave_more_to_a_wrong_label() -> None:
    """0.4 / 2 = 0.2; from 4 classes on, a tenth. The same 0.15 of 1 on average is judged so."""
    assert [suspicious_below(classes) for classes in (2, 3, 4, 200)] == [0.2, 0.4 / 3, 0.1, 0.1]
    p = np.array([[1.0, 0]] * 85 + [[0.15, 0.85]])
    assert len(find_suspicious(p, np.zeros(86, np.int64))) == 1
    more = np.hstack([p, np.zeros((86, 2))])
    assert find_suspicious(more, np.zeros(86, np.int64)) == ()


def test_the_most_suspicious_comes_first() -> None:
    """Usual in class 0: (18 · 1 + 0.02 + 0 + 0.02) / 21 = 0.8590; of equal ones the surer leads."""
    p = np.array([[1.0, 0, 0]] * 18 + [[0.02, 0.5, 0.48], [0, 1, 0], [0.02, 0.08, 0.9]])
    found = find_suspicious(p, np.zeros(21, np.int64))
    assert [(one.index, one.suggested) for one in found] == [(19, 1), (20, 2), (18, 1)]
    assert found[0].score == 0
    assert found[1].score == found[2].score == pytest.approx(0.02 / (18.04 / 21))


def test_a_small_class_that_is_hardly_believed_in_is_not_all_wrong() -> None:
    """Two pictures among a hundred: 3% is little, and usual for their class."""
    p = np.array([[0.99, 0.01]] * 100 + [[0.97, 0.03], [0.97, 0.03]])
    assert find_suspicious(p, np.array([0] * 100 + [1] * 2)) == ()


def test_a_class_that_is_thought_impossible_gives_no_reason_to_suspect() -> None:
    p = np.array([[1.0, 0.0]] * 4)
    assert label_quality(p, np.array([0, 0, 1, 1])).tolist() == [1, 1, 1, 1]
    assert find_suspicious(p, np.array([0, 0, 1, 1])) == ()


def test_nothing_to_look_at() -> None:
    assert find_suspicious(np.empty((0, 3)), np.empty(0, np.int64)) == ()


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 60),
    classes=st.sampled_from([2, 3, 200]),
    sharpness=st.sampled_from([0.01, 1.0, 30.0]),
    seed=st.integers(0, 2**31),
)
def test_whatever_the_probabilities(n: int, classes: int, sharpness: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, sharpness, (n, classes))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    labels = rng.integers(0, classes, n)
    quality = label_quality(p, labels)
    assert np.isfinite(quality).all()
    assert ((quality >= 0) & (quality <= 1)).all()
    found = find_suspicious(p, labels)
    assert len({one.index for one in found}) == len(found)
    assert list(found) == sorted(found, key=lambda one: one.score)
    for one in found:
        assert one.given == labels[one.index]
        assert one.suggested == p[one.index].argmax() != one.given
        assert 0 <= one.score < suspicious_below(classes)


@pytest.mark.parametrize("classes", [2, 10, 200])
def test_flipped_labels_are_found(classes: int) -> None:
    """Clear clusters, 5% of the labels moved to another class, judged by the head's folds."""
    rng = np.random.default_rng(0)
    right = np.arange(max(200, 12 * classes)) % classes
    centres = rng.normal(0, 1, (classes, 40))
    x = (centres[right] + rng.normal(0, 0.5, (len(right), 40))).astype(np.float32)
    wrong = rng.permutation(len(right))[: len(right) // 20]
    labels = right.copy()
    labels[wrong] = (right[wrong] + rng.integers(1, classes, len(wrong))) % classes
    held_out = fit_head(x, labels).held_out
    assert held_out is not None
    assert len(held_out.indices) == len(right)
    found = find_suspicious(held_out.probabilities, labels)
    hits = [one for one in found if one.index in set(wrong.tolist())]
    assert len(hits) >= 0.8 * len(wrong)
    assert len(hits) >= 0.9 * len(found)
    assert all(one.suggested == right[one.index] for one in hits)


@pytest.mark.parametrize(
    ("probabilities", "labels", "error", "words"),
    [
        ([[np.nan, 1.0]], [0], ModelError, "not a number for 1 of 1 pictures"),
        ([[0.9, 0.9]], [0], ModelError, "a row sums to 1.8"),
        ([[0.5, 0.5]], [0, 1], DataError, "Labels of shape (2,) for 1 predictions"),
        ([[0.5, 0.5]], [2], DataError, "do not name a class; the first is 2"),
    ],
)
def test_what_does_not_fit_is_refused(
    probabilities: list[list[float]], labels: list[int], error: type[Exception], words: str
) -> None:
    p: npt.NDArray[np.float64] = np.array(probabilities)
    with pytest.raises(error) as caught:
        find_suspicious(p, np.array(labels))
    assert words in str(caught.value)


def test_a_suspicion_is_a_value() -> None:
    assert Suspicion(1, 0, 2, 0.05) == Suspicion(1, 0, 2, 0.05)
