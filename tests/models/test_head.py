"""The linear head: against scikit-learn, against hand-made figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tellapart.errors import UsageError
from tellapart.models.head import (
    DEFAULT_STRENGTH,
    Head,
    fit_head,
    problem,
)


def clusters(
    count: int, classes: int, features: int, *, apart: float = 1.0, seed: int = 0
) -> tuple[Any, Any]:
    """`count` points a class around centres drawn at random; (n, features) and (n,)."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, apart, (classes, features))
    labels = np.arange(count * classes) % classes
    points = centres[labels] + rng.normal(0, 1, (len(labels), features))
    return points.astype(np.float32), labels


def scaled(x: Any) -> Any:
    """What the head does to features, written out: centred, and a mean variance of 1."""
    centred = x - x.mean(axis=0)
    return centred / np.sqrt((centred**2).mean())


@pytest.mark.parametrize(("count", "features"), [(40, 5), (8, 60)])
@pytest.mark.parametrize("strength", [0.03, 1.0])
def test_probabilities_are_those_of_scikit_learn(
    count: int, features: int, strength: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more pictures than features, and with fewer."""
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setattr(problem, "TOLERANCE", 1e-5)
    monkeypatch.setattr(problem, "MAX_STEPS", 1000)
    x, y = clusters(count, 3, features)
    theirs = LogisticRegression(C=strength, tol=1e-8, max_iter=5000).fit(scaled(x), y)
    ours = fit_head(x, y, strength=strength)
    assert np.abs(ours.probabilities(x) - theirs.predict_proba(scaled(x))).max() < 2e-3


def test_class_weight_is_that_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setattr(problem, "TOLERANCE", 1e-5)
    monkeypatch.setattr(problem, "MAX_STEPS", 1000)
    x, y = clusters(40, 3, 5)
    weight = {0: 4.0, 2: 0.5}
    theirs = LogisticRegression(class_weight=weight, tol=1e-8, max_iter=5000).fit(scaled(x), y)
    ours = fit_head(x, y, strength=1.0, class_weight=weight).probabilities(x)
    assert np.abs(ours - theirs.predict_proba(scaled(x))).max() < 2e-3
    assert ours[:, 0].mean() > fit_head(x, y, strength=1.0).probabilities(x)[:, 0].mean() + 0.02


def test_without_information_the_shares_of_the_classes_remain() -> None:
    """Features that never differ: only the bias, which is not penalised, can learn 3 to 1."""
    x, y = np.ones((8, 4), np.float32), np.array([0, 0, 0, 1] * 2)
    found = fit_head(x, y, strength=1.0).probabilities(x)
    assert found[0] == pytest.approx([0.75, 0.25], abs=1e-3)


def test_logits_and_probabilities_by_hand() -> None:
    """(1, 2) W + b = (1 + 4 + 0, -1 + 0 + 5 - ln 3)... = (5, 5 - ln 3); softmax = 3/4, 1/4."""
    bias = np.array([0, 6 - np.log(3)], np.float32)
    head = Head(np.array([[1, -1], [2, 0]], np.float32), bias, strength=1.0)
    x = np.array([[1, 2]], np.float32)
    assert head.logits(x)[0] == pytest.approx([5, 5 - np.log(3)], abs=1e-6)
    assert head.probabilities(x)[0] == pytest.approx([0.75, 0.25], abs=1e-6)
    # At temperature 2 the odds of 3 become their root.
    odds = np.divide(*head.softened(2.0).probabilities(x)[0])
    assert odds == pytest.approx(np.sqrt(3), abs=1e-5)
    assert head.accuracy is None
    assert head.log_loss is None


def test_views_share_a_fold_and_a_weight() -> None:
    """Views that are copies change nothing: each counts half."""
    x, y = clusters(30, 3, 8)
    plain, doubled = fit_head(x, y), fit_head(np.stack([x, x], axis=1), y)
    assert doubled.strength == plain.strength
    assert doubled.accuracy == pytest.approx(plain.accuracy, abs=0.02)
    assert np.abs(doubled.probabilities(x) - plain.probabilities(x)).max() < 0.02


@pytest.mark.parametrize("pictures", [1, 2])
def test_too_few_pictures_to_choose(pictures: int) -> None:
    x, y = clusters(pictures, 5, 12, apart=3.0)
    head = fit_head(x, y)
    assert head.strength == DEFAULT_STRENGTH
    assert head.trials == ()
    assert "Too few pictures a class to choose the penalty" in head.note
    assert (head.probabilities(x).argmax(axis=1) == y).all()


def test_the_same_seed_gives_the_same_head() -> None:
    x, y = clusters(20, 3, 10)
    first, second = fit_head(x, y, seed=5), fit_head(x, y, seed=5)
    assert np.array_equal(first.weights, second.weights)
    assert first.trials == second.trials
    assert fit_head(x, y, seed=6).trials != first.trials


@pytest.mark.parametrize(
    ("features", "labels", "options", "words"),
    [
        (np.zeros((4, 0)), [0, 1, 0, 1], {}, "Features of shape (4, 0)"),
        (np.zeros(4), [0, 1, 0, 1], {}, "Features of shape (4,)"),
        (np.zeros((4, 2)), [0, 1, 0], {}, "Labels of shape (3,)"),
        (np.zeros((2, 2)), [0.0, 1.0], {}, "type float64 for 2 pictures"),
        (np.zeros((2, 2)), [0, 0], {}, "Labels 0 to 0 with 1 classes: expected at least 2"),
        (np.zeros((2, 2)), [-1, 1], {}, "Labels -1 to 1"),
        (np.zeros((2, 2)), [0, 5], {"classes": 3}, "Labels 0 to 5 with 3 classes"),
        (np.zeros((2, 2)), [0, 1], {"groups": [1]}, "1 groups for 2 pictures"),
        (np.zeros((2, 2)), [0, 1], {"class_weight": {7: 1}}, "class_weight 7: 1: expected a class"),
        (np.zeros((2, 2)), [0, 1], {"class_weight": {0: -1}}, "a weight of 0 or more"),
        (np.array([[0, 0], [np.nan, 0]]), [0, 1], {}, "features of picture 1 are not all finite"),
    ],
)
def test_what_does_not_fit_is_refused(features: Any, labels: Any, options: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        fit_head(features.astype(np.float32), labels, **options)
    assert words in str(caught.value)
