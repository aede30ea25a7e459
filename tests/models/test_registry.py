"""What users bring as a model, checked before training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tellapart.errors import ModelError, UsageError
from tellapart.models import registry

SHAPE = (8, 8, 3)


def small(activation: str | None = "softmax", classes: int = 4, shape: Any = SHAPE) -> Any:
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(classes, activation=activation),
        ],
        name="mine",
    )


def probabilities(network: registry.Network) -> np.ndarray[Any, Any]:
    pixels = np.random.default_rng(1).integers(0, 256, (5, *SHAPE), dtype=np.uint8)
    return np.asarray(network.model(pixels))


def test_a_users_model_is_given_pixels_from_0_to_1() -> None:
    seen = keras.Sequential([keras.Input(SHAPE), keras.layers.GlobalAveragePooling2D()])
    seen.add(keras.layers.Dense(4, activation="softmax"))
    network = registry.build(seen, SHAPE, 4)
    inner = keras.Model(network.model.inputs[0], network.model.get_layer("normalise").output)
    assert np.asarray(inner(np.full((1, *SHAPE), 255, np.uint8))).max() == pytest.approx(1.0)
    assert "scaled to 0..1" in " ".join(network.notes)


def test_a_model_that_normalises_itself_is_given_0_to_255() -> None:
    own = keras.Sequential([keras.Input(SHAPE), keras.layers.Rescaling(1 / 127.5, offset=-1)])
    own.add(keras.layers.Flatten())
    own.add(keras.layers.Dense(4, activation="softmax"))
    network = registry.build(own, SHAPE, 4)
    assert float(network.model.get_layer("normalise").scale) == 1.0
    assert "0..255" in " ".join(network.notes)


def test_logits_get_a_softmax_and_a_note() -> None:
    network = registry.build(small(activation=None), SHAPE, 4)
    assert np.allclose(probabilities(network).sum(axis=1), 1, atol=1e-6)
    assert "softmax was added" in " ".join(network.notes)


def test_logits_that_happen_to_lie_between_0_and_1_are_logits() -> None:
    own = small(activation=None)
    own.layers[-1].set_weights([np.full((3, 4), 0.1), np.array([0.1, 0.2, 0.3, 0.4])])
    assert "softmax was added" in " ".join(registry.build(own, SHAPE, 4).notes)


def test_a_sigmoid_output_is_refused() -> None:
    with pytest.raises(ModelError, match="ends in a sigmoid, whose answers do not add up to 1"):
        registry.build(small(activation="sigmoid"), SHAPE, 4)


def test_both_mismatches_are_reported_together() -> None:
    with pytest.raises(ModelError) as caught:
        registry.build(small(classes=5, shape=(9, 8, 3)), SHAPE, 4)
    assert "takes pictures of 9x8x3, but the pictures are 8x8x3" in str(caught.value)
    assert "gives 5 classes, but the data have 4" in str(caught.value)


def test_an_output_that_is_no_vector_is_refused() -> None:
    picture_out = keras.Sequential([keras.Input(SHAPE), keras.layers.Conv2D(4, 3)])
    with pytest.raises(ModelError, match=r"expected one output of \(batch, 4\)"):
        registry.build(picture_out, SHAPE, 4)


def test_a_sequential_without_input_is_built_for_the_pictures() -> None:
    open_ended = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4)], name="open")
    assert registry.fixed_input_shape(open_ended) is None
    network = registry.build(open_ended, SHAPE, 4)
    assert network.model.output_shape == (None, 4)
    assert network.model.count_params() == (8 * 8 * 3 + 1) * 4


class OwnClass(keras.Model):  # type: ignore[misc]
    def __init__(self, classes: int) -> None:
        super().__init__(name="own_class")
        self.pool = keras.layers.GlobalAveragePooling2D()
        self.decide = keras.layers.Dense(classes, activation="softmax")

    def call(self, pixels: Any) -> Any:
        return self.decide(self.pool(pixels))


@pytest.mark.parametrize("called_before", [False, True])
def test_a_model_of_a_class_of_ones_own_is_built_for_the_pictures(called_before: bool) -> None:
    own = OwnClass(4)
    if called_before:
        own(np.zeros((1, *SHAPE)))
    assert registry.fixed_input_shape(own) is None
    network = registry.build(own, SHAPE, 4)
    assert network.model.name == "own_class"
    assert network.model.count_params() == (3 + 1) * 4
    assert np.allclose(probabilities(network).sum(axis=1), 1, atol=1e-6)
    with pytest.raises(ModelError, match="gives 5 classes, but the data have 4"):
        registry.build(OwnClass(5), SHAPE, 4)


def test_a_model_that_cannot_be_built_says_where_to_begin() -> None:
    with pytest.raises(ModelError) as caught:
        registry.build(keras.Sequential(name="empty"), SHAPE, 4)
    assert "empty failed with ValueError: Sequential model empty cannot" in str(caught.value)
    assert str(caught.value).endswith(
        "To see its line, begin the model with keras.Input(input_shape)."
    )

    class Broken(keras.Model):  # type: ignore[misc]
        def call(self, pixels: Any) -> Any:
            return pixels.nothing

    with pytest.raises(ModelError) as caught:
        registry.build(Broken(name="broken"), SHAPE, 4)
    assert "broken failed in layer 'broken' with AttributeError: " in str(caught.value)
    assert "has no attribute 'nothing' (" in str(caught.value)
    assert "test_registry.py, line " in str(caught.value)


@pytest.mark.parametrize("begins", ["keras.Input(input_shape), ", ""])
def test_a_function_that_is_too_deep_is_told_by_layer_and_line(tmp_path: Path, begins: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from keras import layers\n"
        "import keras\n"
        "def build(input_shape, classes):\n"
        "    front = layers.MaxPooling2D(4)\n"  # 8x8 pixels become 2x2
        f"    return keras.Sequential([{begins}front, layers.Conv2D(4, 3, name='second'),\n"
        "        layers.Flatten(), layers.Dense(classes)])\n"
    )
    with pytest.raises(ModelError) as caught:
        registry.build(registry.resolve(f"{file}:build"), SHAPE, 4)
    line = 5 if begins else 3  # without an input, only where the function begins is known
    assert str(caught.value).startswith(
        f"build is too deep for pictures of 8x8x3: layer 'second' would be left without pixels "
        f"({file}, line {line}). Choose a larger --image-size, or a network with fewer layers."
    )


def test_a_function_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import keras\n"
        "def build(input_shape, classes):\n"
        "    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(),\n"
        "        keras.layers.Dense(classes, activation='softmax')])\n"
    )
    resolved = registry.resolve(f"{file}:build")
    assert registry.build(resolved, SHAPE, 4).model.output_shape == (None, 4)
    with pytest.raises(UsageError, match="has no function 'biuld'. Did you mean 'build'"):
        registry.resolve(f"{file}:biuld")
    with pytest.raises(UsageError, match="There is no file .*absent.py"):
        registry.resolve(str(tmp_path / "absent.py") + ":build")


def test_a_function_that_returns_no_model_is_refused() -> None:
    def build(input_shape: Any, classes: int) -> str:
        return "a model"

    with pytest.raises(ModelError, match=r"build\(\) returned str: expected a keras.Model"):
        registry.build(build, SHAPE, 4)


def test_a_function_with_other_arguments_is_refused() -> None:
    def build(width: int) -> Any:
        return small()

    with pytest.raises(ModelError, match=r"expected a function of\s+\(input_shape, classes\)"):
        registry.build(build, SHAPE, 4)


def test_an_unknown_name_suggests_the_closest() -> None:
    with pytest.raises(UsageError, match="Unknown model 'clasic-32'. Did you mean 'classic-32'"):
        registry.resolve("clasic-32")


def test_a_network_that_cannot_be_onnx_is_refused_with_its_reason() -> None:
    for name in ("convnexttiny", "ConvNeXt-Base"):
        with pytest.raises(
            UsageError, match=f"{name} is not among the pretrained networks: .*ONNX"
        ):
            registry.resolve(name)


def test_a_keras_file_round_trips(tmp_path: Path) -> None:
    small().save(tmp_path / "mine.keras")
    resolved = registry.resolve(tmp_path / "mine.keras")
    assert registry.fixed_input_shape(resolved) == SHAPE
    assert registry.build(resolved, SHAPE, 4).model.output_shape == (None, 4)


def test_a_damaged_keras_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "bad.keras").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(ModelError, match="bad.keras is not a .keras file, which is a zip archive"):
        registry.resolve(tmp_path / "bad.keras")


def test_a_keras_file_with_code_in_it_is_refused(tmp_path: Path) -> None:
    evil = keras.Sequential([keras.Input(SHAPE), keras.layers.Lambda(lambda x: x[:, 0, 0, :])])
    evil.save(tmp_path / "evil.keras")
    with pytest.raises(ModelError, match="evil.keras cannot be loaded"):
        registry.resolve(tmp_path / "evil.keras")


def test_a_keras_file_of_a_class_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    class Away(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x

    own = keras.Sequential([keras.Input(SHAPE), Away(), keras.layers.Flatten()])
    own.save(tmp_path / "away.keras")
    with pytest.raises(ModelError) as caught:
        registry.resolve(tmp_path / "away.keras")
    assert "cannot be loaded as a Keras model: Could not locate class 'Away'. " in str(caught.value)
    assert "import the module that defines it" in str(caught.value)
    assert len(str(caught.value)) < 600


def test_mistakes_in_a_users_file_are_told_by_their_place(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def build(:\n")
    with pytest.raises(ModelError, match=r"mine.py, line 1: invalid syntax"):
        registry.resolve(f"{file}:build")
    file.write_text("\nimport absent_library\n")
    with pytest.raises(ModelError, match=r"ModuleNotFoundError: No module .*mine.py, line 2\)"):
        registry.resolve(f"{file}:build")
    file.write_text("def build(input_shape, classes):\n    return 1 / 0\n")
    build = registry.resolve(f"{file}:build")
    with pytest.raises(ModelError, match=r"build failed with ZeroDivisionError: .*line 2\)"):
        registry.build(build, SHAPE, 4)
