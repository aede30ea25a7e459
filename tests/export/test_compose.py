"""The one-file classifier of a backbone and a head, and the same in Keras."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tellapart.bundle import Bundle
from tellapart.classifier import Classifier
from tellapart.errors import ExportError
from tellapart.evaluation.novelty import NoveltyModel, fit_novelty_cross_validated
from tellapart.evaluation.novelty_threshold import fit_novelty_threshold
from tellapart.export.compose import compose
from tellapart.export.parity import check_parity
from tellapart.images import ImageSpec
from tellapart.models.backbones import get_backbone
from tellapart.models.backbones.engine import FeatureExtractor
from tellapart.models.backbones.transfer import build_transfer_model
from tellapart.models.head import Head

SIZE = (64, 96)
BUNDLE = Bundle(("a", "b", "c"), ImageSpec(*SIZE), provenance={"data": "made-up"})
LITE = get_backbone("efficientnet-lite0")


def make_head(classes: int = 3, features: int = 1280) -> Head:
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.3, (features, classes)).astype(np.float32)
    return Head(weights, np.array([0.5, 0, -0.5], np.float32)[:classes], strength=1.0)


def pictures(count: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3), np.uint8)


def save(
    tmp_path: Path, head: Head, bundle: Bundle = BUNDLE, novelty: NoveltyModel | None = None
) -> Path:
    path = tmp_path / "classifier.onnx"
    path.write_bytes(compose(LITE.onnx(SIZE), head, bundle, novelty))
    return path


def test_the_file_gives_what_features_and_head_give(tmp_path: Path) -> None:
    head, pixels = make_head(), pictures(6)
    classifier = Classifier.load(save(tmp_path, head))
    assert classifier.bundle == BUNDLE
    features = FeatureExtractor(LITE, SIZE, "onnxruntime").features(pixels)
    expected = head.probabilities(features)
    found = classifier.probabilities(pixels)
    assert np.abs(found - expected).max() < 1e-5
    assert len(set(found.argmax(axis=1))) > 1 or np.ptp(found[:, 0]) > 1e-3


def test_the_keras_network_gives_the_same_and_loads_without_tellapart(tmp_path: Path) -> None:
    head, pixels = make_head(), pictures(6)
    model = build_transfer_model(LITE, SIZE, 3, head=head)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    expected = Classifier.load(save(tmp_path, head)).probabilities(pixels)
    assert np.abs(np.asarray(loaded(pixels)) - expected).max() < 1e-4
    # Each layer is Keras's own, so nothing of tellapart is looked up.
    assert not [layer for layer in loaded.layers if "tellapart" in type(layer).__module__]
    assert loaded.layers[-1].name == "output"
    assert loaded.output_shape == (None, 3)


def test_the_temperature_divides_the_logits(tmp_path: Path) -> None:
    head, pixels = make_head(), pictures(4)
    warm = Classifier.load(save(tmp_path, head, replace(BUNDLE, temperature=2.0)))
    logits = head.logits(FeatureExtractor(LITE, SIZE, "onnxruntime").features(pixels))
    powers = np.exp(logits / 2 - (logits / 2).max(axis=1, keepdims=True))
    expected = powers / powers.sum(axis=1, keepdims=True)
    assert np.abs(warm.probabilities(pixels) - expected).max() < 1e-5
    soft = build_transfer_model(LITE, SIZE, 3, head=head.softened(2.0))
    assert np.abs(np.asarray(soft(pixels)) - expected).max() < 1e-4


def test_the_novelty_is_that_of_features_and_softened_probabilities(tmp_path: Path) -> None:
    head, pixels = make_head(), pictures(12)
    features = FeatureExtractor(LITE, SIZE, "onnxruntime").features(pixels)
    p = head.softened(2.0).probabilities(features)
    novelty, scores = fit_novelty_cross_validated(features[:8], p[:8])
    limit = fit_novelty_threshold(scores).to_json()
    bundle = replace(BUNDLE, temperature=2.0, novelty=limit)
    classifier = Classifier.load(save(tmp_path, head, bundle, novelty))
    assert classifier.bundle == bundle
    expected = novelty.score(features, p)
    found = classifier.predict(pixels)
    assert np.abs([answer.novelty for answer in found] - expected).max() < 1e-3
    assert np.ptp(expected) > 0.1
    assert np.abs([answer.probabilities for answer in found] - p).max() < 1e-5
    named = [(str(number), partial(np.asarray, row)) for number, row in enumerate(pixels)]
    parity = check_parity(classifier.path, named, p, expected)
    assert parity.max_novelty_difference is not None
    assert 0 < parity.max_novelty_difference < 1e-3


def test_parts_that_do_not_fit_are_all_named() -> None:
    bundle = Bundle(("a", "b"), ImageSpec(32, 32))
    with pytest.raises(ExportError) as caught:
        compose(LITE.onnx(SIZE), make_head(3, 7), bundle)
    assert str(caught.value) == (
        "Backbone, head and metadata do not fit: the backbone takes 'pixels' of [64, 96, 3], the "
        "metadata 'pixels' of [32, 32, 3]; the backbone gives [1280] features, the head takes 7; "
        "the head tells 3 classes apart, the metadata name 2."
    )
