from __future__ import annotations

import math
import subprocess
import sys
import warnings

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, log_loss, precision_recall_fscore_support

from tellapart.errors import DataError, ModelError
from tellapart.evaluation import evaluate, most_confused, worst_mistakes
from tellapart.results import Evaluation, FailedPrediction

NAMES = ("cat", "dog", "eel", "fox")

# Five pictures; nobody predicts "eel", and there is no "fox" in the test part.
PROBABILITIES = np.array(
    [
        [0.7, 0.1, 0.1, 0.1],  # cat taken for cat
        [0.2, 0.6, 0.1, 0.1],  # cat taken for dog
        [0.1, 0.8, 0.05, 0.05],  # dog taken for dog
        [0.1, 0.1, 0.2, 0.6],  # dog taken for fox
        [0.5, 0.1, 0.3, 0.1],  # eel taken for cat
    ],
    dtype=np.float32,
)
LABELS = np.array([0, 0, 1, 1, 2])
SOURCES = ["e.png", "d.png", "c.png", "b.png", "a.png"]


def measured(**changes: object) -> Evaluation:
    arguments: dict[str, object] = {
        "probabilities": PROBABILITIES,
        "labels": LABELS,
        "class_names": NAMES,
        "sources": SOURCES,
    }
    return evaluate(**(arguments | changes))  # type: ignore[arg-type]


def test_accuracy_and_its_interval() -> None:
    accuracy = measured().accuracy
    assert accuracy.value == 2 / 5
    assert accuracy.count == 5
    # Wilson, 2 of 5: z = 1.959964, z²/n = 0.768292; centre (0.4 + 0.384146) / 1.768292,
    # half = 1.959964 / 1.768292 * sqrt(0.24/5 + 3.841459/100) = 0.325828
    assert accuracy.low == pytest.approx(0.117620, abs=2e-6)
    assert accuracy.high == pytest.approx(0.769276, abs=2e-6)


def test_loss_is_the_mean_negative_log_probability_of_the_actual_class() -> None:
    expected = -(math.log(0.7) + math.log(0.2) + math.log(0.8) + math.log(0.1) + math.log(0.3)) / 5
    assert measured().loss == pytest.approx(expected, rel=1e-6)


def test_loss_clips_as_keras_does() -> None:
    """An impossible actual class costs -log(1e-7) = 16.118, a certain one -log(1 - 1e-7)."""
    certain = np.array([[1.0, 0.0], [1.0, 0.0]])
    result = evaluate(certain, np.array([0, 1]), class_names="ab", sources="xy")
    assert result.loss == pytest.approx((1e-7 - math.log(1e-7)) / 2, rel=1e-9)
    right = evaluate(certain, np.array([0, 0]), class_names="ab", sources="xy")
    assert right.loss == pytest.approx(1e-7, rel=1e-6)


def test_confusion_has_actual_classes_in_rows() -> None:
    confusion = measured().confusion
    assert confusion.tolist() == [[1, 1, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert confusion.dtype == np.int64


def test_balanced_accuracy_is_the_mean_recall_of_the_classes_that_are_present() -> None:
    # cat 1 of 2, dog 1 of 2, eel 0 of 1; fox has no test pictures and does not count.
    assert measured().balanced_accuracy == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    assert measured().to_json()["balanced_accuracy"] == measured().balanced_accuracy
    nothing = measured(probabilities=PROBABILITIES[:0], labels=LABELS[:0], sources=[])
    assert nothing.balanced_accuracy is None


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 200), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_balanced_accuracy_agrees_with_scikit_learn(n: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    probabilities = rng.dirichlet(np.ones(classes), n)
    found = evaluate(
        probabilities,
        labels,
        class_names=[str(k) for k in range(classes)],
        sources=[str(i) for i in range(n)],
    )
    with warnings.catch_warnings():  # theirs warns of predicted classes that are not present
        warnings.simplefilter("ignore")
        theirs = balanced_accuracy_score(labels, probabilities.argmax(axis=1))
    assert found.balanced_accuracy == pytest.approx(theirs)


def test_class_scores() -> None:
    cat, dog, eel, fox = measured().class_scores
    # cat: 1 right, 2 predicted, 2 pictures; F1 = 2·1 / (2 + 2)
    assert (cat.name, cat.count, cat.predicted) == ("cat", 2, 2)
    assert (cat.precision, cat.recall, cat.f1) == (1 / 2, 1 / 2, 1 / 2)
    assert (dog.count, dog.predicted, dog.precision, dog.recall) == (2, 2, 0.5, 0.5)
    # eel has a picture but is never predicted: no precision; F1 = 0 / (1 + 0)
    assert (eel.count, eel.predicted, eel.precision, eel.recall, eel.f1) == (1, 0, None, 0, 0)
    # fox has no picture but is predicted: no recall
    assert (fox.count, fox.predicted, fox.precision, fox.recall, fox.f1) == (0, 1, 0, None, 0)


def test_every_figure_has_its_interval_or_none() -> None:
    cat, _, eel, fox = measured().class_scores
    # precision and recall 1 of 2: centre 0.5, half = 1.959964 / 2.920729 · sqrt(1/8 + z²/16)
    half = 1.959964 / 2.920729 * math.sqrt(1 / 8 + 3.841459 / 16)
    for interval in (cat.precision_interval, cat.recall_interval):
        assert interval is not None
        assert (interval.value, interval.count) == (0.5, 2)
        assert interval.high == pytest.approx(0.5 + half, abs=1e-6)
    assert cat.f1_interval is not None
    assert cat.f1_interval.value == pytest.approx(0.5)
    assert cat.f1_interval.count == 3
    assert eel.precision_interval is None
    assert eel.recall_interval is not None
    assert eel.f1_interval is not None
    assert fox.recall_interval is None
    assert fox.to_json()["recall_interval"] is None
    assert fox.to_json()["precision_interval"]["count"] == 1
    balanced = measured().balanced_accuracy_interval
    assert balanced is not None
    assert balanced.value == pytest.approx(1 / 3)
    assert balanced.count == 5
    nothing = measured(probabilities=PROBABILITIES[:0], labels=LABELS[:0], sources=[])
    assert nothing.balanced_accuracy_interval is None
    assert nothing.to_json()["balanced_accuracy_interval"] is None


def test_f1_differs_from_precision_and_recall() -> None:
    # a: 1 right, 1 predicted, 3 pictures: precision 1, recall 1/3, F1 = 2·1 / (3 + 1) = 1/2
    p = np.array([[1.0, 0], [0, 1.0], [0, 1.0]])
    score = evaluate(p, np.array([0, 0, 0]), class_names="ab", sources="xyz").class_scores[0]
    assert (score.precision, score.recall, score.f1) == (1, 1 / 3, 1 / 2)


def test_a_class_that_never_occurs_has_no_f1() -> None:
    p = np.array([[1.0, 0.0]])
    score = evaluate(p, np.array([0]), class_names="ab", sources="x").class_scores[1]
    assert (score.precision, score.recall, score.f1) == (None, None, None)


def test_mistakes_come_most_confident_first_then_by_name() -> None:
    mistakes = measured().mistakes
    assert [(m.source, m.actual, m.predicted) for m in mistakes] == [
        ("b.png", "dog", "fox"),  # 0.6, as sure as d.png, but before it by name
        ("d.png", "cat", "dog"),
        ("a.png", "eel", "cat"),
    ]
    assert mistakes[2].probability == pytest.approx(0.5)
    assert [m.source for m in measured(mistakes=1).mistakes] == ["b.png"]
    assert measured(mistakes=0).mistakes == ()


def test_worst_mistakes_are_the_rows_of_the_listed_mistakes() -> None:
    rows = worst_mistakes(PROBABILITIES, LABELS, SOURCES, 50)
    assert [SOURCES[i] for i in rows] == [m.source for m in measured().mistakes]


def test_most_confused_pairs() -> None:
    confusion = np.array([[5, 3, 0], [3, 7, 2], [0, 0, 9]])
    # 3 of 8 "a" are worse than 3 of 12 "b"
    assert most_confused(confusion, "abc", 9) == [("a", "b", 3), ("b", "a", 3), ("b", "c", 2)]
    assert most_confused(confusion, "abc", 1) == [("a", "b", 3)]


def test_no_pictures() -> None:
    result = evaluate(np.zeros((0, 2)), np.zeros(0, dtype=int), class_names="ab", sources=[])
    assert math.isnan(result.loss)
    assert result.accuracy.count == 0
    assert result.confusion.tolist() == [[0, 0], [0, 0]]
    assert result.mistakes == ()
    assert result.to_json()["loss"] is None


def test_unreadable_pictures_are_handed_on() -> None:
    bad = FailedPrediction("x.jpg", "is cut short (truncated)")
    assert measured(unreadable=[bad]).unreadable == (bad,)


def test_inputs_are_not_modified() -> None:
    probabilities, labels = PROBABILITIES.copy(), LABELS.copy()
    probabilities.setflags(write=False)
    labels.setflags(write=False)
    measured(probabilities=probabilities, labels=labels)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.uint64])
def test_any_integer_labels(dtype: type[np.integer]) -> None:
    # 200 classes: labels of 8 bits would overflow in row * classes + column
    count = 120
    p = np.eye(200, dtype=np.float16)[:count]
    names = [str(i) for i in range(200)]
    labels = np.arange(count).astype(dtype)
    result = evaluate(p, labels, class_names=names, sources=names[:count])
    assert result.accuracy.value == 1


NAN_ROW = np.full((1, 4), np.nan, dtype=np.float32)


@pytest.mark.parametrize(
    ("probabilities", "words"),
    [
        (np.vstack([NAN_ROW, PROBABILITIES[1:]]), "is not a number for 1 of 5 pictures: its wei"),
        (np.repeat(NAN_ROW, 5, axis=0), "is not a number for 5 of 5 pictures"),
        (np.where(PROBABILITIES > 0.65, np.inf, PROBABILITIES), "not a number for 2 of 5 pic"),
        (PROBABILITIES[:, :3], r"shape \(5, 3\): expected \(pictures, 4\).*Dense\(4, activation"),
        (PROBABILITIES[0], r"shape \(4,\)"),
        (PROBABILITIES * 10 - 3, "values go from -2.5 to 5 and a row sums to -2"),
        (PROBABILITIES * 0.5, "a row sums to 0.5; expected 0 to 1 and a sum of 1"),
        (np.eye(5, 4, dtype=np.int64), "type int64: expected floating-point"),
    ],
)
def test_output_that_is_not_probabilities(
    probabilities: npt.NDArray[np.float32], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        measured(probabilities=probabilities)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": LABELS[:4]}, r"shape \(4,\) for 5 predictions: expected \(5,\)"),
        ({"labels": np.eye(5, 4)}, "integers, not one-hot"),
        ({"labels": LABELS.astype(float)}, "type float64: expected integers"),
        ({"labels": LABELS + 2}, r"1 of 5 labels.*first is 4 for a.png: expected 0 to 3"),
        ({"labels": LABELS - 1}, r"2 of 5 labels.*first is -1 for e.png"),
        ({"sources": SOURCES[:2]}, "2 sources for 5 predictions"),
    ],
)
def test_labels_that_do_not_fit(changes: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        measured(**changes)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(2, 7), st.integers(0, 2**32 - 1))
def test_agrees_with_scikit_learn(n: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), n)
    labels = rng.integers(0, classes, n)
    names = [f"class {i}" for i in range(classes)]
    result = evaluate(p, labels, class_names=names, sources=[str(i) for i in range(n)])

    assert result.confusion.sum() == n
    assert result.confusion.trace() / n == result.accuracy.value
    assert len(result.mistakes) == min(50, n - result.confusion.trace())
    assert result.loss == pytest.approx(log_loss(labels, p, labels=list(range(classes))), rel=1e-5)
    expected = precision_recall_fscore_support(
        labels, p.argmax(axis=1), labels=list(range(classes)), zero_division=np.nan
    )
    for score, precision, recall, f1, count in zip(result.class_scores, *expected, strict=True):
        assert score.count == count
        for ours, theirs in ((score.precision, precision), (score.recall, recall), (score.f1, f1)):
            assert ours is None if math.isnan(theirs) else ours == pytest.approx(theirs)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_random_labels_give_chance_accuracy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, labels = rng.dirichlet(np.ones(10), 4000), rng.integers(0, 10, 4000)
    result = evaluate(p, labels, class_names="abcdefghij", sources=[str(i) for i in range(4000)])
    assert abs(result.accuracy.value - 0.1) < 6 * math.sqrt(0.1 * 0.9 / 4000)


def test_metrics_need_no_plotting_and_no_scipy() -> None:
    code = (
        "import sys, tellapart.evaluation.metrics, tellapart.evaluation.predictions\n"
        "heavy = {'matplotlib', 'scipy', 'sklearn', 'keras', 'tensorflow', 'PIL'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
