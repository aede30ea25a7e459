from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from tellapart.errors import DataError, ModelError
from tellapart.evaluation.selective import NEVER, UnsureRule, fit_unsure, risk_coverage

Floats = npt.NDArray[np.float32]


def pictures(*groups: tuple[float, int, int]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Groups of (top probability, right ones, wrong ones), as probabilities of two classes."""
    top = np.concatenate([np.full(right + wrong, p) for p, right, wrong in groups])
    labels = np.concatenate([[0] * right + [1] * wrong for _, right, wrong in groups])
    return np.stack([top, 1 - top], axis=1).astype(np.float32), labels.astype(np.int64)


def calibrated(count: int, seed: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Pictures whose probabilities are the truth, right in 83 of 100 cases."""
    rng = np.random.default_rng(seed)
    top = 0.5 + 0.5 * rng.beta(2, 1, count)
    labels = (rng.random(count) > top).astype(np.int64)
    return np.stack([top, 1 - top], axis=1).astype(np.float32), labels


# --- The curve ----------------------------------------------------------------------------------


def test_accuracy_against_the_share_that_is_answered() -> None:
    curve = risk_coverage(*pictures((0.9, 3, 1), (0.7, 1, 1), (0.6, 1, 3)))
    assert curve.threshold == pytest.approx([0.9, 0.7, 0.6])
    # 4, 6 and 10 of 10 are answered; of these 3, 4 and 5 are right.
    assert curve.answered == pytest.approx([0.4, 0.6, 1])
    assert curve.accuracy == pytest.approx([3 / 4, 4 / 6, 5 / 10])
    assert curve.count == 10


def test_a_long_curve_is_thinned_for_json_and_keeps_its_ends() -> None:
    curve = risk_coverage(*calibrated(5000, 0))
    written = json.loads(json.dumps(curve.to_json(), allow_nan=False))
    assert len(written["answered"]) == len(written["accuracy"]) == 200
    assert written["answered"][0] == curve.answered[0]
    assert written["answered"][-1] == 1


def test_a_curve_without_pictures() -> None:
    curve = risk_coverage(np.zeros((0, 3), np.float32), np.zeros(0, int))
    assert curve.to_json() == {"threshold": [], "answered": [], "accuracy": [], "count": 0}


# --- The rule -----------------------------------------------------------------------------------


def test_the_fewest_pictures_that_prove_a_promise() -> None:
    # Without a mistake: 0.95^44 = 0.105 is above a chance of error of 0.1, 0.95^45 = 0.099 below.
    proven = fit_unsure(*pictures((0.9, 45, 0)))
    assert proven.proven
    assert proven.threshold == 0
    assert proven.more_needed is None
    short = fit_unsure(*pictures((0.9, 44, 0)))
    assert not short.proven
    assert short.more_needed == 1
    assert short.threshold == 0.95
    assert "44 pictures are too few to prove it: at least 1 more are needed" in short.note
    assert "what has a probability of 95% itself is answered" in short.note


def test_another_promise_and_another_confidence() -> None:
    # 0.9^22 = 0.098 and 0.9^21 = 0.109; 0.95^59 = 0.0485 and 0.95^58 = 0.051
    for promise, confidence, fewest in ((0.9, 0.9, 22), (0.95, 0.95, 59)):
        for count, proven in ((fewest, True), (fewest - 1, False)):
            p, labels = pictures((0.99, count, 0))
            rule = fit_unsure(p, labels, promise=promise, confidence=confidence)
            assert rule.proven is proven


def test_the_threshold_lies_halfway_to_the_first_picture_that_is_not_answered() -> None:
    # 100 answers at 0.9 without a mistake; with the 100 at 0.6, of which half are wrong, 25% are.
    p, labels = pictures((0.9, 100, 0), (0.6, 50, 50))
    rule = fit_unsure(p, labels)
    assert rule.threshold == pytest.approx(0.75)
    assert (rule.answered.value, rule.answered.count) == (0.5, 200)
    assert (rule.right.value, rule.right.count) == (1, 100)
    assert rule.answers(p).tolist() == [True] * 100 + [False] * 100
    assert rule.note == (
        "Answers from 0.750 on are right with a probability of 95% or more (a promise that is "
        "kept in 90% of such fits). Of 200 pictures, 50.0% are answered, 100.0% of these rightly."
    )


def test_the_binomial_test_decides() -> None:
    # One group of 132: the upper Clopper-Pearson bound at 90% for 3 mistakes is 0.04997, and for
    # 4 it is 0.0596. 66 pictures, half of them, cannot forgive a mistake at 95%: one row of tests.
    for wrong, proven in ((3, True), (4, False)):
        assert (beta.ppf(0.9, wrong + 1, 132 - wrong) <= 0.05) is np.bool_(proven)
        assert fit_unsure(*pictures((0.9, 132 - wrong, wrong))).proven is proven


def test_one_sure_mistake_does_not_end_the_search_where_there_are_many_pictures() -> None:
    # The first row of tests ends at the mistake; the second starts with half of the pictures.
    p, labels = pictures((0.999, 1, 1), (0.99, 60, 0), (0.9, 338, 0))
    assert fit_unsure(p, labels).threshold == 0


def test_more_pictures_that_would_suffice() -> None:
    # 100 pictures with 2 mistakes: not proven. 5% more at a time, with rounding against us, until
    # the test passes: 3 mistakes need 132, 4 need 158.
    rule = fit_unsure(*pictures((0.9, 98, 2)))
    assert not rule.proven
    assert rule.more_needed is not None
    assert 30 <= rule.more_needed <= 100
    assert f"at least {rule.more_needed} more are needed" in rule.note


def test_a_network_that_no_number_of_pictures_would_prove() -> None:
    rule = fit_unsure(*pictures((0.9, 700, 300)))
    assert not rule.proven
    assert rule.more_needed is None
    assert "A better network is needed" in rule.note
    # 0.9 is below the promise of 0.95, so nothing is answered.
    assert rule.threshold == 0.95
    assert rule.answered.value == 0
    assert "Of 1,000 pictures, 0.0% are answered." in rule.note


def test_probabilities_that_are_plainly_wrong_are_not_fallen_back_on() -> None:
    rule = fit_unsure(*pictures((0.99, 700, 300)))
    assert rule.threshold == NEVER
    assert not rule.answers(np.array([[1.0, 0.0]])).any()
    assert "nothing is answered, for the probabilities do not keep it either" in rule.note


def test_one_picture() -> None:
    rule = fit_unsure(*pictures((0.8, 1, 0)))
    assert (rule.proven, rule.threshold, rule.more_needed) == (False, 0.95, 44)
    assert "1 picture is too few to prove it: at least 44 more are needed." in rule.note


def test_no_picture() -> None:
    rule = fit_unsure(np.zeros((0, 3), np.float32), np.zeros(0, int))
    assert (rule.proven, rule.threshold, rule.more_needed) == (False, 0.95, 45)
    assert "There are no pictures to prove it on; 45 are needed at least." in rule.note
    assert UnsureRule.from_json(json.loads(json.dumps(rule.to_json()))).fitted_on == 0


def test_200_classes() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(200, 0.01), 400).astype(np.float32)
    rule = fit_unsure(p, p.argmax(axis=1))
    assert rule.proven
    assert rule.right.value == 1


def test_what_cannot_be_fitted() -> None:
    p, labels = pictures((0.9, 3, 0))
    with pytest.raises(ModelError, match="not a number for 3 of 3"):
        fit_unsure(p * np.nan, labels)
    with pytest.raises(DataError, match="expected 0 to 1"):
        fit_unsure(p, labels + 5)
    for options in ({"promise": 1.0}, {"confidence": 0.0}, {"promise": math.nan}):
        with pytest.raises(ValueError, match="expected above 0 and below 1"):
            fit_unsure(p, labels, **options)


def test_the_promise_is_kept_as_often_as_it_says() -> None:
    """On pictures whose probabilities are known, what is answered can be checked exactly."""
    p, _ = calibrated(200_000, seed=0)
    top = p.max(axis=1)
    broken = answered = 0
    for seed in range(1, 201):
        rule = fit_unsure(*calibrated(400, seed))
        if rule.proven:
            answered += 1
            broken += top[top >= rule.threshold].mean() < 0.95
    assert answered >= 40
    # 10% of 200 may break it, and three standard deviations of 4.2.
    assert broken <= 20 + 13


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 300), st.integers(2, 8), st.integers(0, 2**32 - 1))
def test_any_predictions(count: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(classes, 0.2), count).astype(np.float32).round(2)
    p[:, 0] += 1 - p.sum(axis=1)
    labels = np.where(rng.random(count) < 0.8, p.argmax(axis=1), rng.integers(0, classes, count))
    rule = fit_unsure(p, labels)
    answered = rule.answers(p)
    assert rule.answered.count == count
    assert rule.right.count == answered.sum()
    if count:
        assert rule.answered.value == answered.mean()
    if rule.proven:
        assert rule.right.value > 0.95
    assert UnsureRule.from_json(json.loads(json.dumps(rule.to_json(), allow_nan=False))).to_json()


# --- Reading ------------------------------------------------------------------------------------


def test_a_rule_is_read_as_it_was_written() -> None:
    rule = fit_unsure(*pictures((0.9, 100, 0), (0.6, 50, 50)))
    assert UnsureRule.from_json(json.loads(json.dumps(rule.to_json()))) == rule


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"threshold": 3}, "threshold: 3: expected 0 to 2"),
        ({"threshold": math.nan}, "threshold: nan: expected 0 to 2"),
        ({"threshold": True}, "threshold: True: expected"),
        ({"promise": "high"}, "promise: 'high': expected 0 to 1"),
        ({"proven": 1}, "proven: 1: expected true or false"),
        ({"answered": {"value": 1}}, "expected an interval"),
        ({"fitted_on": -1}, "fitted_on: -1: expected a whole number from 0"),
        ({"more_needed": 0.5}, "more_needed: 0.5: expected null or a whole number"),
        ({"note": None}, "note: None: expected text"),
        ({"extra": 1}, "'extra': unknown field"),
    ],
)
def test_a_rule_that_is_damaged(change: dict[str, Any], words: str) -> None:
    value = fit_unsure(*pictures((0.9, 100, 0))).to_json()
    with pytest.raises(ValueError, match=words):
        UnsureRule.from_json(value | change)


def test_all_problems_of_a_rule_are_listed() -> None:
    with pytest.raises(ValueError, match=r"threshold: missing; .*note: missing"):
        UnsureRule.from_json({})
    with pytest.raises(ValueError, match="expected an object"):
        UnsureRule.from_json([1])
