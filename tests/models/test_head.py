"""The linear head: against scikit-learn, against hand-made figures, and its folds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import UsageError
from tellapart.models.head import (
    DEFAULT_STRENGTH,
    FOLDS,
    STRENGTHS,
    Head,
    HeldOut,
    choice,
    fit_head,
    problem,
)
from tellapart.models.head.folds import deal_folds, draw


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


def test_the_strength_follows_the_noise() -> None:
    """Labels at random deserve the strongest penalty; clear clusters a weaker one."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (200, 30)).astype(np.float32)
    random = fit_head(noise, rng.integers(0, 2, 200))
    assert random.strength == STRENGTHS[0]
    assert random.accuracy is not None
    assert 0.3 < random.accuracy < 0.7
    x, y = clusters(50, 4, 30, apart=2.0)
    clear = fit_head(x, y)
    assert clear.strength > STRENGTHS[2]
    assert clear.accuracy is not None
    assert clear.accuracy > 0.99
    assert clear.log_loss == min(trial.log_loss for trial in clear.trials)
    assert "lowest log loss in 5-fold cross-validation" in clear.note


def test_cross_validation_is_honest() -> None:
    """Copies without groups leak into the folds; with groups the accuracy is that of chance."""
    rng = np.random.default_rng(1)
    x = np.repeat(rng.normal(0, 1, (60, 200)), 4, axis=0).astype(np.float32)
    y = np.repeat(rng.integers(0, 2, 60), 4)
    leaking, honest = fit_head(x, y), fit_head(x, y, groups=np.repeat(np.arange(60), 4))
    assert leaking.accuracy is not None
    assert honest.accuracy is not None
    assert leaking.accuracy > 0.95
    assert honest.accuracy < 0.7


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


def test_three_pictures_a_class_are_enough_and_a_lone_one_is_always_learned_from() -> None:
    x, y = clusters(3, 6, 12, apart=3.0)
    y[y == 5] = [5, 0, 0]  # class 5 keeps a single picture
    head = fit_head(x, y)
    assert len(head.trials) >= 2
    assert "3-fold" in head.note
    folds = deal_folds(y, None, 0)
    assert folds is not None
    assert (folds[y == 5] == -1).all()
    assert head.probabilities(x).shape == (18, 6)


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=8),
    copies=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_folds_are_even_and_keep_groups(counts: list[int], copies: int, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), np.array(counts) * copies)
    groups = np.arange(len(labels)) // copies
    folds = deal_folds(labels, groups, seed)
    if np.median(counts) // 1 < 3:
        assert folds is None
        return
    assert folds is not None
    dealt = folds.max() + 1
    assert dealt == min(FOLDS, int(np.median(counts)))
    for group in np.unique(groups):
        assert len(set(folds[groups == group])) == 1
    for label, count in enumerate(counts):
        own = folds[(labels == label)][::copies]
        if count == 1:
            assert own.tolist() == [-1]
            continue
        sizes = np.bincount(own, minlength=dealt)
        assert sizes.max() - sizes.min() <= 1


def test_the_same_seed_gives_the_same_head() -> None:
    x, y = clusters(20, 3, 10)
    first, second = fit_head(x, y, seed=5), fit_head(x, y, seed=5)
    assert np.array_equal(first.weights, second.weights)
    assert first.trials == second.trials
    assert fit_head(x, y, seed=6).trials != first.trials


def test_a_large_set_is_chosen_on_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "MOST_CHOSEN_ON", 100)
    x, y = clusters(200, 3, 6, apart=1.5)
    folds = deal_folds(y, None, 0)
    assert folds is not None
    chosen = draw(y, folds, 100, 0)
    assert len(set(chosen.tolist())) == 100
    assert np.bincount(y[chosen]).tolist() in ([33, 33, 34], [33, 34, 33], [34, 33, 33])
    head = fit_head(x, y)
    assert head.accuracy is not None
    assert abs(head.accuracy - (head.probabilities(x).argmax(axis=1) == y).mean()) < 0.1


def test_many_classes_are_judged_on_fewer_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "MOST_LOGITS", 1)
    x, y = clusters(20, 4, 8, apart=2.0)
    head = fit_head(x, y)
    assert head.accuracy is not None
    assert head.accuracy > 0.8


def held_out(head: Head) -> HeldOut:
    assert head.held_out is not None
    return head.held_out


def test_what_is_held_out_agrees_with_the_cross_validated_figures() -> None:
    x, y = clusters(30, 3, 8, apart=1.5)
    head = fit_head(x, y)
    found = held_out(head)
    assert found.indices.tolist() == list(range(90))
    assert found.probabilities.shape == (90, 3)
    assert found.probabilities.dtype == np.float32
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(90), abs=1e-5)
    likelihood = found.probabilities[np.arange(90), y]
    assert head.accuracy == pytest.approx((found.probabilities.argmax(axis=1) == y).mean())
    assert head.log_loss == pytest.approx(-np.log(likelihood).mean(), abs=1e-4)


def test_nobody_is_held_out_by_a_fold_that_learned_from_it() -> None:
    """Copies under labels at random: a fold that had seen one would know the others."""
    rng = np.random.default_rng(1)
    x = np.repeat(rng.normal(0, 1, (60, 200)), 4, axis=0).astype(np.float32)
    y = np.repeat(rng.integers(0, 2, 60), 4)
    found = held_out(fit_head(x, y, groups=np.repeat(np.arange(60), 4)))
    assert (found.probabilities.argmax(axis=1) == y).mean() < 0.7


@pytest.mark.parametrize("limit", ["MOST_CHOSEN_ON", "MOST_LOGITS"])
def test_all_are_held_out_even_where_the_strength_is_chosen_on_a_part(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer pictures to learn from, or one fold at a time: nearly the same is said."""
    x, y = clusters(100, 4, 8, apart=2.0)
    whole = held_out(fit_head(x, y))
    monkeypatch.setattr(choice, limit, 200 if limit == "MOST_CHOSEN_ON" else 1)
    part = held_out(fit_head(x, y))
    assert part.indices.tolist() == whole.indices.tolist() == list(range(400))
    said, expected = part.probabilities.argmax(axis=1), whole.probabilities.argmax(axis=1)
    assert (said == expected).mean() > 0.97
    assert (part.probabilities.argmax(axis=1) == y).mean() > 0.9


def test_a_lone_picture_of_a_class_is_not_held_out() -> None:
    x, y = clusters(3, 6, 12, apart=3.0)
    y[y == 5] = [5, 0, 0]
    found = held_out(fit_head(x, y))
    assert set(range(18)) - set(found.indices.tolist()) == {int(np.flatnonzero(y == 5)[0])}


def test_where_no_strength_is_chosen_nothing_is_held_out() -> None:
    x, y = clusters(20, 3, 8)
    assert fit_head(x, y, strength=1.0).held_out is None
    assert fit_head(*clusters(2, 5, 12)).held_out is None


def test_what_is_held_out_softens_with_the_head() -> None:
    """At temperature 2 the odds of 9 to 1 become 3 to 1; a probability of 0 stays tiny."""
    held = HeldOut(np.array([0, 1]), np.array([[0.9, 0.1], [1, 0]], np.float32))
    head = Head(np.ones((1, 2), np.float32), np.zeros(2, np.float32), 1.0, held_out=held)
    soft = held_out(head.softened(2.0))
    assert soft.probabilities[0] == pytest.approx([0.75, 0.25], abs=1e-6)
    assert np.isfinite(soft.probabilities).all()
    assert soft.probabilities[1, 1] == pytest.approx(1e-15, rel=1e-3)
    assert soft.indices.tolist() == [0, 1]


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
