from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import ModelError
from tellapart.evaluation.conformal import ConformalRule, fit_conformal

# Ten pictures of class 0, said with 0.5, 0.55, ... 0.95: scores of 0.5, 0.45, ... 0.05.
TOP = np.arange(10) * 0.05 + 0.5
P = np.stack([TOP, 1 - TOP], axis=1).astype(np.float32)
LABELS = np.zeros(10, np.int64)


def drawn(count: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(5, 0.5), count)
    labels = np.array([rng.choice(5, p=row) for row in p])
    return p.astype(np.float32), labels


def test_the_quantile() -> None:
    # ceil(11 · 0.8) = 9: the 9th smallest of 0.05, 0.1, ... 0.5 is 0.45
    rule = fit_conformal(P, LABELS, coverage=0.8)
    assert rule.quantile == pytest.approx(0.45)
    assert rule.note == (
        "Sets hold the right class with a probability of 80% or more: every class with a "
        "probability of 0.55 or more, fitted on 10 pictures."
    )


def test_a_whole_rank_is_not_rounded_up() -> None:
    # (9 + 1) · 0.7 is 7.000000000000001 in floats; the 7th of 0.1, 0.15, ... is 0.4, not 0.45.
    assert fit_conformal(P[:9], LABELS[:9], coverage=0.7).quantile == pytest.approx(0.4)


def test_the_fewest_pictures() -> None:
    # ceil((n + 1) · 0.9) is at most n from n = 9 on.
    assert fit_conformal(P[:9], LABELS[:9]).quantile == pytest.approx(0.5)
    few = fit_conformal(P[:8], LABELS[:8])
    assert few.quantile == 1
    assert "8 pictures are too few" in few.note
    assert "at least 9 are needed, 1 more" in few.note
    assert few.prediction_set(np.array([0.999, 0.001, 0.0])) == [0, 1, 2]


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_pictures(count: int) -> None:
    rule = fit_conformal(P[:count], LABELS[:count])
    words = {0: "0 pictures are too few", 1: "1 picture is too few"}
    assert words[count] in rule.note
    assert rule.quantile == 1


def test_the_most_probable_class_comes_first() -> None:
    rule = ConformalRule(0.8, 0.9, 100, "")
    assert rule.prediction_set(np.array([0.2, 0.1, 0.4, 0.3], np.float32)) == [2, 3, 0]
    assert rule.prediction_set(np.array([0.25, 0.25, 0.25, 0.25])) == [0, 1, 2, 3]


def test_a_set_is_never_empty() -> None:
    rule = ConformalRule(0.1, 0.9, 100, "")
    assert rule.prediction_set(np.array([0.3, 0.4, 0.3])) == [1]
    assert rule.sets(np.array([[0.3, 0.4, 0.3], [0.95, 0.05, 0.0]])).sum(axis=1).tolist() == [1, 1]


def test_all_predictions_equal() -> None:
    p, labels = np.full((50, 4), 0.25, np.float32), np.arange(50) % 4
    rule = fit_conformal(p, labels)
    assert rule.prediction_set(p[0]) == [0, 1, 2, 3]


def test_what_cannot_be_fitted() -> None:
    with pytest.raises(ModelError, match="not a number for 10 of 10"):
        fit_conformal(P * np.nan, LABELS)
    for coverage in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="expected above 0 and below 1"):
            fit_conformal(P, LABELS, coverage=coverage)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.99])
def test_new_pictures_are_covered_as_often_as_promised(coverage: float) -> None:
    found = []
    for seed in range(40):
        p, labels = drawn(600, seed)
        rule = fit_conformal(p[:200], labels[:200], coverage=coverage)
        found.append(rule.sets(p[200:])[np.arange(400), labels[200:]].mean())
    # Of one fit sqrt(c (1 - c) (1/200 + 1/400)), of the mean of 40 a sixth of that: 0.0054 at 0.8.
    room = 4 * math.sqrt(coverage * (1 - coverage) * (1 / 200 + 1 / 400) / 40)
    expected = math.ceil(201 * coverage) / 201
    assert np.mean(found) == pytest.approx(expected, abs=room)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.sampled_from([2, 3, 200]), st.integers(0, 2**32 - 1))
def test_the_pictures_it_was_fitted_on_are_covered(count: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(classes, 0.1), count).astype(np.float32)
    labels = rng.integers(0, classes, count)
    rule = fit_conformal(p, labels)
    assert rule.sets(p)[np.arange(count), labels].mean() >= 0.9 - 1e-9
    for row in p[:5]:
        found = rule.prediction_set(row)
        assert found[0] == row.argmax()
        assert np.all(np.diff(row[found]) <= 0)
    assert ConformalRule.from_json(json.loads(json.dumps(rule.to_json()))) == rule


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quantile": 1.5}, "quantile: 1.5: expected 0 to 1"),
        ({"quantile": math.nan, "coverage": "x"}, "quantile: nan: .*; coverage: 'x': expected"),
        ({"fitted_on": 1.5}, "fitted_on: 1.5: expected a whole number from 0"),
        ({"note": 3}, "note: 3: expected text"),
        ({"extra": 1}, "'extra': unknown field"),
    ],
)
def test_a_rule_that_is_damaged(change: dict[str, Any], words: str) -> None:
    value = fit_conformal(P, LABELS, coverage=0.8).to_json() | change
    with pytest.raises(ValueError, match=words):
        ConformalRule.from_json(value)


def test_a_rule_that_is_none() -> None:
    with pytest.raises(ValueError, match="quantile: missing; coverage: missing"):
        ConformalRule.from_json({})
    with pytest.raises(ValueError, match="expected an object"):
        ConformalRule.from_json(None)
