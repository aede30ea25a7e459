from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.results import (
    ClassScore,
    Evaluation,
    FailedPrediction,
    Interval,
    Mistake,
    Prediction,
    UnknownFigures,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17, table I, method 3 (Wilson's score interval)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # By hand: p = 1, n = 10: low = 1 / (1 + z²/n) = 1 / 1.384146
        (10, 10, 0.7225, 1.0000),
    ],
)
def test_wilson_interval_against_published_values(
    successes: int, count: int, low: float, high: float
) -> None:
    interval = wilson_interval(successes, count)
    assert interval.value == successes / count
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


@given(st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_contains_the_share_and_mirrors(trial: tuple[int, int]) -> None:
    successes, count = trial
    interval = wilson_interval(successes, count)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert interval.value in interval
    mirrored = wilson_interval(count - successes, count)
    assert mirrored.low == pytest.approx(1 - interval.high, abs=1e-12)


def test_more_confidence_makes_a_wider_interval() -> None:
    narrow, wide = wilson_interval(80, 100, 0.9), wilson_interval(80, 100, 0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize(("successes", "count"), [(-1, 5), (6, 5), (1, 0)])
def test_impossible_counts(successes: int, count: int) -> None:
    with pytest.raises(ValueError, match="expected 0 <= successes <= count"):
        wilson_interval(successes, count)


def test_interval_in_words_and_as_json() -> None:
    assert str(Interval(0.962, 0.929, 0.98, 200)) == "0.962 (95% interval 0.929 to 0.980)"
    nothing = wilson_interval(0, 0)
    assert str(nothing) == "not measured (no pictures)"
    assert math.isnan(nothing.value)
    assert nothing.to_json()["value"] is None
    json.dumps(nothing.to_json(), allow_nan=False)


def prediction() -> Prediction:
    return Prediction.of(
        "a.png", np.array([0.2, 0.5, 0.3], dtype=np.float32), ("cat", "dog", "eel")
    )


def test_prediction_takes_the_most_probable_class() -> None:
    assert prediction().label == "dog"
    assert prediction().probability == 0.5


@pytest.mark.parametrize(("k", "names"), [(1, "dog"), (2, "dog eel"), (5, "dog eel cat")])
def test_top_never_has_more_than_all_classes(k: int, names: str) -> None:
    top = prediction().top(k)
    assert [name for name, _ in top] == names.split()
    assert [p for _, p in top] == sorted((p for _, p in top), reverse=True)


def test_equally_probable_classes_keep_their_order() -> None:
    tied = Prediction.of("", np.array([0.25, 0.5, 0.25], dtype=np.float32), ("x", "y", "z"))
    assert [name for name, _ in tied.top(3)] == ["y", "x", "z"]
    both = Prediction.of("", np.array([0.5, 0.5], dtype=np.float32), ("x", "y"))
    assert both.label == "x" == both.top(1)[0][0]


def test_prediction_as_json() -> None:
    value = json.loads(json.dumps(prediction().to_json(k=2)))
    assert value["source"] == "a.png"
    assert value["label"] == "dog"
    assert [top["label"] for top in value["top"]] == ["dog", "eel"]


@pytest.mark.parametrize(
    ("threshold", "novelty", "limit", "because"),
    [
        (0.5, None, math.inf, None),
        (0.5001, None, math.inf, "probability"),
        (0.5, 3.0, 3.0, None),  # at the limit it still passes
        (0.5, 3.1, 3.0, "unknown"),
        (0.6, 3.1, 3.0, "unknown"),
        (0.6, 2.0, 3.0, "probability"),
        (0.5, 1e30, math.inf, None),
    ],
)
def test_why_a_prediction_is_unsure(
    threshold: float, novelty: float | None, limit: float, because: str | None
) -> None:
    row = np.array([0.2, 0.5, 0.3], np.float32)
    found = Prediction.of(
        "", row, ("cat", "dog", "eel"), threshold=threshold, novelty=novelty, novelty_limit=limit
    )
    assert found.unsure_because == because
    assert found.unsure is (because is not None)
    assert found.label == "dog"
    value = found.to_json()
    assert (value["unsure"], value["unsure_because"]) == (because is not None, because)
    assert value["novelty"] == novelty


def test_figures_of_unknown_pictures_as_json() -> None:
    share = wilson_interval(3, 4)
    figures = UnknownFigures(share, share, share, share, share)
    evaluation = Evaluation(("a", "b"), share, 0.5, (), np.zeros((2, 2), np.int64), ())
    assert "unknown" not in evaluation.to_json()
    value = replace(evaluation, unknown=figures).to_json()["unknown"]
    assert sorted(value) == [
        "auroc", "called_unknown", "known_called_unknown", "known_unsure", "unsure",
    ]  # fmt: skip
    assert value["auroc"]["value"] == 0.75


def test_evaluation_as_strict_json() -> None:
    evaluation = Evaluation(
        class_names=("cat", "dog"),
        accuracy=wilson_interval(0, 0),
        loss=math.nan,
        class_scores=(ClassScore("cat", 0, 0, None, None, None),),
        confusion=np.array([[1, 0], [2, 3]]),
        mistakes=(Mistake("a.png", "dog", "cat", 0.5),),
        unreadable=(FailedPrediction("b.png", "is empty"),),
    )
    value = json.loads(json.dumps(evaluation.to_json(), allow_nan=False))
    assert value["loss"] is None
    assert value["confusion_matrix"] == [[1, 0], [2, 3]]
    assert value["classes"][0]["precision"] is None
    assert value["top_mistakes"][0]["predicted"] == "cat"
    assert value["unreadable"] == [{"source": "b.png", "error": "is empty"}]
