"""The score for unknown pictures: by hand, in NumPy, and in a classifier's graph."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from tellapart.errors import ModelError, UsageError
from tellapart.evaluation import novelty
from tellapart.evaluation.novelty import (
    NoveltyModel,
    fit_novelty,
    fit_novelty_cross_validated,
    thin,
)
from tellapart.evaluation.novelty_threshold import NoveltyThreshold, fit_novelty_threshold
from tellapart.export.novelty import append_novelty

Floats = npt.NDArray[np.float32]


def normal(count: int, deviations: npt.ArrayLike, seed: int) -> Floats:
    rows = np.random.default_rng(seed).normal(size=(count, np.size(deviations)))
    scaled: Floats = (rows * np.asarray(deviations)).astype(np.float32)
    return scaled


def certain(count: int, classes: int = 2) -> Floats:
    return np.eye(classes, dtype=np.float32)[np.arange(count) % classes]


# --- The score ----------------------------------------------------------------------------------


def test_distance_and_entropy_by_hand() -> None:
    model = NoveltyModel(
        mean=np.array([1, 0, 0], np.float32),
        axes=np.array([[1], [0], [0]], np.float32),
        deviations=np.array([2], np.float32),
        rest=0.5,
        distance_weight=3.0,
        entropy_weight=10.0,
        offset=-1.0,
    )
    features = np.array([[5, 0.3, 0.4], [1, 0, 0]], np.float32)
    p = np.array([[0.5, 0.5], [1, 0]], np.float32)
    # Along the axis (5 - 1) / 2 = 2, across it sqrt(0.3² + 0.4²) / 0.5 = 1: sqrt(2² + 1²).
    # The entropy of a coin is ln 2, that of certainty is 0.
    expected = [-1 + 3 * math.sqrt(5) + 10 * math.log(2), -1]
    assert model.score(features, p) == pytest.approx(expected, rel=1e-6)
    assert model.score(features, p).dtype == np.float32


def test_known_pictures_score_nought_on_average_and_strangers_far_more() -> None:
    deviations = np.linspace(1, 3, 20)
    model = fit_novelty(normal(2000, deviations, 0), normal(500, deviations, 1), certain(500))
    known = model.score(normal(500, deviations, 1), certain(500))
    assert known.mean() == pytest.approx(0, abs=1e-4)
    assert known.std() == pytest.approx(1, abs=1e-3)
    # An outlier along the narrowest direction, which is no larger than what is usual elsewhere.
    narrow = np.zeros((1, 20), np.float32)
    narrow[0, 0] = 9
    assert model.score(narrow, certain(1))[0] > 5


def test_an_undecided_answer_is_stranger() -> None:
    known = normal(300, np.ones(5), 0)
    p = np.random.default_rng(0).dirichlet([9, 1, 1], 300).astype(np.float32)
    model = fit_novelty(known, known, p)
    same = np.zeros((2, 5), np.float32)
    sure, unsure = model.score(same, np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]], np.float32))
    assert unsure > sure + 1


def test_few_axes_keep_what_is_left() -> None:
    deviations = np.array([5, 4, 1, 1, 1, 1, 1, 1])
    features = normal(4000, deviations, 0)
    model = fit_novelty(features, features, certain(4000), axes=2)
    assert model.axes.shape == (8, 2)
    assert model.deviations == pytest.approx([5, 4], rel=0.05)
    assert model.rest == pytest.approx(1, rel=0.05)
    assert np.abs(model.axes[:2]).max(axis=1) == pytest.approx([1, 1], abs=0.01)


def test_fewer_pictures_than_features_have_the_same_axes() -> None:
    # 12 features, of which 3 vary; from 11 pictures by one Gram matrix, with zeros from the other.
    few = np.hstack([normal(11, [5, 3, 1], 0), np.zeros((11, 9), np.float32)])
    many = np.concatenate([few, few])
    one, other = fit_novelty(few, few, certain(11)), fit_novelty(many, few, certain(11), axes=2)
    # 11 / 4 pictures an axis leave two axes; both data have the same mean and covariance.
    assert one.axes.shape == other.axes.shape == (12, 2)
    assert one.deviations == pytest.approx(other.deviations, rel=1e-4)
    assert one.rest == pytest.approx(other.rest, rel=1e-4)
    assert np.abs(one.axes.T @ other.axes) == pytest.approx(np.eye(2), abs=1e-3)
    tried = 3 * normal(20, np.ones(12), 1)
    expected = other.score(tried, certain(20))
    assert one.score(tried, certain(20)) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_fewer_pictures_than_features_that_are_all_equal() -> None:
    model = fit_novelty(np.ones((9, 20), np.float32), normal(9, np.ones(20), 0), certain(9))
    assert np.isfinite(model.score(normal(5, np.ones(20), 1), certain(5))).all()


def test_features_that_never_change_and_pictures_that_are_all_equal() -> None:
    features = np.ones((50, 4), np.float32)
    model = fit_novelty(features, features, certain(50))
    assert model.distance_weight == model.entropy_weight == 0  # nothing to scale them by
    assert model.score(features, certain(50)).tolist() == [0] * 50
    features = np.hstack([normal(50, [1, 1], 0), features[:, :2]])
    model = fit_novelty(features, features, certain(50))
    fired = features[:1] + np.array([0, 0, 3, 0], np.float32)
    assert model.score(fired, certain(1)) > model.score(features, certain(50)).max()


def test_thousands_of_pictures_are_thinned() -> None:
    features = normal(novelty.PICTURES + 3, np.ones(2), 0)
    kept = thin(features)
    assert len(kept) == novelty.PICTURES
    assert np.array_equal(kept[[0, -1]], features[[0, -1]])
    model = fit_novelty(features, features, certain(len(features)))
    assert model.mean == pytest.approx(kept.mean(axis=0), abs=1e-6)
    assert thin(np.arange(9), 4).tolist() == [0, 2, 5, 8]  # 8/3 apart: 0, 2.7, 5.3, 8
    assert thin(np.arange(3), 4).tolist() == [0, 1, 2]


def test_pictures_that_hardly_differ_do_not_make_rounding_decide() -> None:
    features = normal(100, np.ones(3), 0)
    p = np.full((100, 2), [1 - 1e-5, 1e-5], np.float32)
    p[:50] = [1, 0]
    model = fit_novelty(features, features, p)
    # The entropy of 1e-5 is 1.3e-4, its deviation half of that; the least that counts is 0.01.
    assert model.entropy_weight == pytest.approx(100)


def test_one_picture_of_each() -> None:
    model = fit_novelty(normal(1, np.ones(3), 0), normal(1, np.ones(3), 1), certain(1))
    assert np.isfinite(model.score(normal(5, np.ones(3), 2), certain(5))).all()


def test_pictures_that_judge_each_other() -> None:
    # 60 pictures of 80 features: those that are learned from lie nearer to their own axes than new
    # ones. Held out, they score as new ones do.
    deviations = np.linspace(0.5, 2, 80)
    features, p = normal(60, deviations, 0), certain(60)
    model, scores = fit_novelty_cross_validated(features, p)
    new = model.score(normal(400, deviations, 1), certain(400))
    assert scores.dtype == np.float32
    assert scores.mean() == pytest.approx(0, abs=1e-4)
    learned = model.score(features, p)
    assert abs(new.mean() - scores.mean()) < abs(new.mean() - learned.mean()) / 3


def test_two_pictures_can_judge_each_other_but_one_cannot() -> None:
    two = normal(2, np.ones(3), 0)
    assert np.isfinite(fit_novelty_cross_validated(two, certain(2))[1]).all()
    with pytest.raises(UsageError, match="1 picture: expected at least 2"):
        fit_novelty_cross_validated(two[:1], certain(1))


def test_what_cannot_be_fitted() -> None:
    features, p = normal(10, np.ones(3), 0), certain(10)
    with pytest.raises(ModelError, match="features are not finite numbers for some pictures"):
        fit_novelty(features * np.nan, features, p)
    with pytest.raises(ModelError, match="output are not finite"):
        fit_novelty(features, features, p + np.float32(np.inf))
    with pytest.raises(UsageError, match="expected a row for each"):
        fit_novelty(features, features, p[:3])
    with pytest.raises(UsageError, match="of one width"):
        fit_novelty(features, features[:, :2], p)
    with pytest.raises(UsageError, match="at least one to learn from"):
        fit_novelty(features[:0], features, p)
    with pytest.raises(UsageError, match=r"shape \(10, 2\): expected \(pictures, 3\)"):
        fit_novelty(features, features, p).score(features[:, :2], p)


# --- The threshold ------------------------------------------------------------------------------


def test_the_threshold_is_a_rank() -> None:
    # ceil(100 · 0.95) = 95: the 95th smallest of 1 to 99.
    found = fit_novelty_threshold(np.arange(1.0, 100)[::-1], kept=0.95)
    assert found.threshold == 95
    assert found.is_unknown(np.array([95, 95.5])).tolist() == [False, True]
    assert found.note == (
        "Pictures stranger than 95% of the known ones are called unknown, measured on 99 known "
        "pictures."
    )


def test_too_few_known_pictures() -> None:
    # ceil((n + 1) · 0.99) is at most n from n = 99 on.
    assert fit_novelty_threshold(np.arange(99.0), kept=0.99).threshold == 98
    few = fit_novelty_threshold(np.arange(98.0), kept=0.99)
    assert few.threshold == 97
    assert "stranger than all of 98 known pictures" in few.note
    assert "at least 99 are needed, 1 more" in few.note
    assert "all of 1 known picture are" in fit_novelty_threshold(np.ones(1)).note
    none = fit_novelty_threshold(np.zeros(0))
    assert none.threshold is None
    assert not none.is_unknown(np.array([1e9])).any()


def test_scores_that_are_none() -> None:
    with pytest.raises(ModelError, match="novelty scores are not finite"):
        fit_novelty_threshold(np.array([1, np.nan]))
    with pytest.raises(ValueError, match="expected above 0 and below 1"):
        fit_novelty_threshold(np.ones(3), kept=1.0)


def test_known_pictures_are_kept_as_often_as_promised() -> None:
    rng = np.random.default_rng(0)
    kept = []
    for _ in range(200):
        limit = fit_novelty_threshold(rng.normal(size=150), kept=0.95)
        kept.append(1 - limit.is_unknown(rng.normal(size=1000)).mean())
    # ceil(151 · 0.95) / 151 = 0.9536; one fit deviates by 0.019, the mean of 200 by 0.0014.
    assert np.mean(kept) == pytest.approx(144 / 151, abs=0.006)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"threshold": "x"}, "threshold: 'x': expected null or a number"),
        ({"threshold": math.nan}, "threshold: nan: expected null or a number"),
        ({"kept": 1}, "kept: 1: expected between 0 and 1"),
        ({"fitted_on": -1, "note": 1}, "fitted_on: -1: .*; note: 1: expected text"),
        ({"extra": 1}, "'extra': unknown field"),
    ],
)
def test_a_threshold_that_is_damaged(change: dict[str, Any], words: str) -> None:
    value = fit_novelty_threshold(np.arange(50.0)).to_json()
    with pytest.raises(ValueError, match=words):
        NoveltyThreshold.from_json(value | change)


def test_a_threshold_is_read_as_it_was_written() -> None:
    for scores in (np.arange(50.0), np.zeros(0)):
        found = fit_novelty_threshold(scores)
        assert NoveltyThreshold.from_json(json.loads(json.dumps(found.to_json()))) == found
    with pytest.raises(ValueError, match=r"threshold: missing; .*note: missing"):
        NoveltyThreshold.from_json({})
    with pytest.raises(ValueError, match="expected an object"):
        NoveltyThreshold.from_json(None)


# --- The graph ----------------------------------------------------------------------------------


def in_graph(model: NoveltyModel, features: Floats, p: Floats, opset: int = 13) -> Floats:
    """Scores of a graph that passes features and probabilities through."""
    ends = [
        (name, helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", values.shape[1]]))
        for name, values in (("features", features), ("probabilities", p))
    ]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["probabilities"], ["said"])],
        "g",
        [end for _, end in ends],
        [helper.make_tensor_value_info("said", TensorProto.FLOAT, ["batch", p.shape[1]])],
    )
    onnx_model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    onnx_model.ir_version = 8
    append_novelty(onnx_model, model, features="features", probabilities="said")
    onnx.checker.check_model(onnx_model, full_check=True)
    session = onnxruntime.InferenceSession(
        onnx_model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    given = {"features": features, "probabilities": p}
    return np.asarray(session.run(["novelty"], given)[0])


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 30), st.sampled_from([1, 7, 40]), st.integers(1, 50),
    st.sampled_from([2, 200]), st.sampled_from([13, 18]), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_graph_and_numpy_agree(
    count: int, width: int, axes: int, classes: int, opset: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    features = normal(count, rng.uniform(0, 3, width), seed) + np.float32(2)
    p = rng.dirichlet(np.full(classes, 0.05), count).astype(np.float32)  # with exact zeros
    model = fit_novelty(features, features, p, axes=axes)
    tried = np.concatenate([features, 20 * features])
    expected = model.score(tried, np.concatenate([p, p]))
    found = in_graph(model, tried, np.concatenate([p, p]), opset)
    assert found.shape == expected.shape
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_a_classifier_of_many_features_stays_small() -> None:
    features = normal(300, np.linspace(0.1, 3, 1280), 0)
    model = fit_novelty(features, features, certain(300))
    graph = helper.make_graph([], "g", [
        helper.make_tensor_value_info("f", TensorProto.FLOAT, ["batch", 1280]),
        helper.make_tensor_value_info("p", TensorProto.FLOAT, ["batch", 2]),
    ], [])  # fmt: skip
    onnx_model = helper.make_model(graph)
    append_novelty(onnx_model, model, features="f", probabilities="p")
    # 1,280 · 128 + 1,280 + 128 numbers of 4 bytes, and the names.
    assert onnx_model.ByteSize() < 4 * (1280 * 129 + 128) + 4096
    found = in_graph(model, features, certain(300))
    assert found == pytest.approx(model.score(features, certain(300)), rel=1e-4, abs=1e-4)


def test_the_score_of_a_keras_network_from_its_pixels(tmp_path: Path) -> None:
    import keras

    from tellapart.models.classic import build_classic
    from tellapart.models.penultimate import penultimate

    keras.utils.set_random_seed(0)
    opened = penultimate(build_classic("classic-28", (8, 8, 1), 3))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8)
    features, logits = opened.predict(pixels, verbose=0)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    model = fit_novelty(features, features, p)

    opened.export(tmp_path / "opened.onnx", format="onnx", verbose=False)
    graph = onnx.load(tmp_path / "opened.onnx")
    names = [end.name for end in graph.graph.output]
    graph.graph.node.append(helper.make_node("Softmax", [names[1]], ["p"], axis=-1))
    append_novelty(graph, model, features=names[0], probabilities="p")
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(["novelty"], {session.get_inputs()[0].name: pixels})
    assert found == pytest.approx(model.score(features, p), rel=1e-4, abs=1e-4)
