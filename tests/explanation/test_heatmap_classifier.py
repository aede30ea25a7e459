"""Maps from the classifier file alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from tellapart.bundle import Bundle, attach
from tellapart.classifier import Classifier
from tellapart.errors import ClassifierFileError, ModelError, UsageError
from tellapart.explanation.heatmaps import (
    explain_pixels,
    explain_pixels_from_classifier,
    explainer_of_classifier,
)
from tellapart.explanation.heatmaps.class_activation import as_large_as
from tellapart.explanation.heatmaps.pooled import PooledNetwork
from tellapart.export.compose import compose
from tellapart.export.onnx import export_classifier
from tellapart.images import ImageSpec
from tellapart.models import registry
from tellapart.models.backbones import get_backbone
from tellapart.models.backbones.transfer import build_transfer_model
from tellapart.models.backend import import_keras
from tellapart.models.head import Head
from tests.explanation.heatmap_networks import corner_network
from tests.test_classifier import LIGHT, run_python
from tests.tiny_classifier import make_bundle, make_model, save_classifier


@pytest.fixture
def tiny(tmp_path: Path) -> Classifier:
    """The mean colour decides; see tests/tiny_classifier.py."""
    return Classifier.load(save_classifier(tmp_path / "classifier.onnx"))


def save(model: Any, path: Path) -> Classifier:
    height, width, channels = model.input_shape[1:]
    names = tuple(f"class {number}" for number in range(model.output_shape[1]))
    bundle = Bundle(names, ImageSpec(height, width, channels), temperature=2.0)
    export_classifier(model, bundle, path)
    return Classifier.load(path)


def test_without_tensorflow_keras_and_matplotlib(tiny: Classifier) -> None:
    code = """
    import numpy as np
    from tellapart.classifier import Classifier
    from tellapart.explanation.heatmaps import explain_pixels_from_classifier
    classifier = Classifier.load(sys.argv[1])
    pixels = np.zeros((2, *classifier.image_spec.shape), np.uint8)
    pixels[:, :3, :4, 2] = 255  # red, green and blue
    for method in ("auto", "rise", "occlusion"):
        maps = explain_pixels_from_classifier(classifier, pixels, np.array([0, 2]), method=method)
        row, column = divmod(int(maps[0].argmax()), 8)
        print(method, maps.shape == (2, 6, 8), row < 3, column < 4, maps[1, :2, :2].max() < 0.2)
    """
    out = run_python(code, tiny.path, allowed=LIGHT)
    # The map of blue peaks in the blue corner; that corner does nothing for red.
    found = [line.split() for line in out.splitlines()]
    assert found == [[method, *["True"] * 4] for method in ("auto", "rise", "occlusion")]


def test_hires_cam_of_a_mean_by_hand(tiny: Classifier) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 6, 8, 3), dtype=np.uint8)
    network = PooledNetwork.of(tiny)
    assert network is not None
    sight = network.look(pixels, np.array([0, 1, 2]), 3)
    np.testing.assert_array_equal(sight.values, pixels)
    # d logit / d value = ln(8) / 255 / 48 in the class's own channel: blue, green, red
    gradient = np.log(8) / 255 / 48
    for number, channel in enumerate((2, 1, 0)):
        expected = np.zeros(3)
        expected[channel] = gradient
        np.testing.assert_allclose(sight.gradients[number, 5, 7], expected, rtol=1e-6)
    maps = explain_pixels_from_classifier(tiny, pixels, np.array([0, 1, 2]), method="hires-cam")
    own = np.stack([pixels[0, ..., 2], pixels[1, ..., 1], pixels[2, ..., 0]])
    np.testing.assert_allclose(maps, as_large_as(own.astype(float), (6, 8)), rtol=1e-5)


def test_the_file_says_the_same_as_keras(tmp_path: Path) -> None:
    keras = import_keras()
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((20, 24, 3), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(6, 3, strides=2, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    pixels = np.random.default_rng(0).integers(0, 256, (40, 20, 24, 3), dtype=np.uint8)
    classes = np.arange(40) % 4
    classifier = save(model, tmp_path / "classifier.onnx")
    found = explain_pixels_from_classifier(classifier, pixels, classes, method="hires-cam")
    expected = explain_pixels(model, pixels, classes, method="hires-cam")
    assert expected.any()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_backbone_with_a_head(tmp_path: Path) -> None:
    backbone = get_backbone("efficientnet-lite0")
    rng = np.random.default_rng(0)
    head = Head(
        weights=rng.normal(0, 0.1, (backbone.features, 3)).astype(np.float32),
        bias=np.zeros(3, np.float32),
        strength=1.0,
    )
    bundle = make_bundle(image_spec=ImageSpec(128, 128))
    path = tmp_path / "classifier.onnx"
    path.write_bytes(compose(backbone.onnx((128, 128)), head, bundle))
    classifier = Classifier.load(path)
    explainer = explainer_of_classifier(classifier)
    assert (explainer.method, explainer.note) == ("hires-cam", "")
    pixels = rng.integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    classes = np.array([[0, 1], [2, 0]])
    found = explainer.maps(pixels, classes)
    model = build_transfer_model(backbone, (128, 128), 3, head=head)
    for column in (0, 1):
        expected = explain_pixels(model, pixels, classes[:, column])
        assert expected.any()
        np.testing.assert_allclose(found[:, column], expected, atol=2e-3)


def test_behind_flatten_it_takes_keras(tmp_path: Path) -> None:
    model = corner_network()
    classifier = save(model, tmp_path / "classifier.onnx")
    assert PooledNetwork.of(classifier) is None
    with pytest.raises(ModelError) as caught:
        explainer_of_classifier(classifier, "hires-cam")
    assert str(caught.value) == (
        "The classifier file does not end in a mean over places and a linear head, without which "
        "hires-cam needs the network in Keras. Choose rise or occlusion, or name a run folder "
        "that holds model.keras."
    )
    model.save(tmp_path / "model.keras")
    explainer = explainer_of_classifier(classifier, "hires-cam", saved=tmp_path / "model.keras")
    assert explainer.method == "hires-cam"
    pixels = np.full((1, 4, 4, 1), 100, np.uint8)
    (heat,) = explainer.maps(pixels, np.array([[1]]))[0]
    assert np.unravel_index(heat.argmax(), (4, 4)) == (0, 3)


def test_a_large_one_that_ends_in_another_way_is_explained_by_rise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tellapart.explanation.heatmaps import explainers

    monkeypatch.setattr(explainers, "SMALL_SIDE", 3)
    classifier = save(corner_network(), tmp_path / "classifier.onnx")
    explainer = explainer_of_classifier(classifier)
    assert explainer.method == "rise"
    assert explainer.note == (
        "The classifier file does not end in a mean over places and a linear head, so rise makes "
        "the map, with 200 answers of the network a picture."
    )


@pytest.mark.parametrize(
    ("operator", "constant", "gradient"),
    [
        ("Mul", 4.0, 4.0), ("Div", 4.0, 0.25), ("Add", 4.0, 1.0), ("Sub", 4.0, 1.0),
        ("Sqrt", None, 0.5 / 10), ("Identity", None, 1.0), ("Exp", None, None),
    ],
)  # fmt: skip
def test_steps_between_mean_and_head(
    tmp_path: Path, operator: str, constant: float | None, gradient: float | None
) -> None:
    """The tiny classifier with a step behind its mean, on pictures whose mean is 100."""
    model = make_model()
    inputs = ["colour"]
    if constant is not None:
        inputs.append("constant")
        model.graph.initializer.append(
            onnx.numpy_helper.from_array(np.array(constant, np.float32), "constant")
        )
    model.graph.node[2].input[0] = "changed"
    model.graph.node.insert(2, helper.make_node(operator, inputs, ["changed"]))
    attach(model, make_bundle())
    path = tmp_path / "classifier.onnx"
    path.write_bytes(model.SerializeToString())
    network = PooledNetwork.of(Classifier.load(path))
    if gradient is None:  # not known here
        assert network is None
        return
    assert network is not None
    sight = network.look(np.full((1, 6, 8, 3), 100, np.uint8), np.array([2]), 3)
    expected = np.log(8) / 255 / 48 * gradient
    np.testing.assert_allclose(sight.gradients[0, 0, 0], [expected, 0, 0], rtol=1e-5)


def test_wrong_pixels_and_classes_are_named(tiny: Classifier) -> None:
    pixels = np.zeros((1, 6, 8, 3), np.uint8)
    with pytest.raises(UsageError, match=r"expected \(n, 6, 8, 3\) uint8"):
        explain_pixels_from_classifier(tiny, pixels[:, :5], np.array([0]))
    with pytest.raises(UsageError, match="Class 3: expected a number from 0 to 2"):
        explain_pixels_from_classifier(tiny, pixels, np.array([3]))


def test_a_network_that_gives_no_numbers(tmp_path: Path) -> None:
    model = make_model()
    weights = np.full((3, 3), np.nan, np.float32)
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "weights"))
    attach(model, make_bundle())
    path = tmp_path / "classifier.onnx"
    path.write_bytes(model.SerializeToString())
    classifier = Classifier.load(path)
    pixels = np.zeros((1, 6, 8, 3), np.uint8)
    with pytest.raises(ClassifierFileError, match="does not give probabilities that sum to 1"):
        explain_pixels_from_classifier(classifier, pixels, np.array([0]))
    with pytest.raises(ModelError, match="answers with NaN or infinity"):
        explain_pixels_from_classifier(classifier, pixels, np.array([0]), method="hires-cam")


def test_any_method_of_the_users_own_network(tmp_path: Path) -> None:
    keras = import_keras()
    inner = keras.Sequential(
        [keras.layers.Conv2D(3, 3), keras.layers.GlobalMaxPooling2D(), keras.layers.Dense(2)]
    )
    inner.build((None, 10, 10, 3))
    network = registry.build(inner, (10, 10, 3), 2).model
    classifier = save(network, tmp_path / "classifier.onnx")
    pixels = np.random.default_rng(1).integers(0, 256, (2, 10, 10, 3), dtype=np.uint8)
    for method in ("rise", "occlusion"):
        found = explain_pixels_from_classifier(classifier, pixels, np.array([0, 1]), method=method)
        expected = explain_pixels(network, pixels, np.array([0, 1]), method=method)
        assert found.shape == (2, 10, 10)
        if method == "occlusion":  # the temperature of 2 halves all log-odds of two classes
            np.testing.assert_allclose(found, expected, atol=1e-3)
