"""Choosing a head's strength: the folds, what they are judged by, and what they hold out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.models.head import FOLDS, STRENGTHS, Head, HeldOut, choice, fit_head
from tellapart.models.head.folds import deal_folds, draw
from tests.models.test_head import clusters


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
