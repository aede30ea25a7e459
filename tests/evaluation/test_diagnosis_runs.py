"""The diagnosis of real trainings, seconds each; `tests/slow/` has longer ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest

import tellapart as ta
from tellapart.errors import ModelError
from tellapart.evaluation.diagnosis import Diagnosis, diagnose, facts_from_run
from tellapart.runs import RunFolder


def found_in(path: Path) -> dict[str, Diagnosis]:
    return {found.topic: found for found in diagnose(facts_from_run(RunFolder.open(path)))}


def found_after(path: Path, **options: Any) -> dict[str, Diagnosis]:
    ta.train("digits", out=path, observers=[], **options)
    return found_in(path)


def test_one_epoch_is_too_few(tmp_path: Path) -> None:
    found = found_after(tmp_path / "run", epochs=1)
    assert "after epoch 1, the loss was still falling" in found["still improving"].text
    assert not {"underfitting", "learning rate too low", "overfitting"} & set(found)


@pytest.mark.parametrize("rate", [0.3, 10.0])
def test_a_learning_rate_that_is_too_high(tmp_path: Path, rate: float) -> None:
    found = found_after(tmp_path / "run", model="classic-32", epochs=4, learning_rate=rate)
    assert f"learning rate of {rate:g}" in found["learning rate too high"].text
    assert "--learning-rate 0.001" in found["learning rate too high"].remedies[0][1]
    assert "chance level" not in found  # it follows from the learning rate


@pytest.mark.parametrize("model", ["classic-32", "fast"])
def test_a_learning_rate_that_is_too_low(tmp_path: Path, model: str) -> None:
    found = found_after(tmp_path / "run", model=model, epochs=4, learning_rate=1e-7)
    assert list(found) == ["learning rate too low"]
    assert "learning rate of 1e-07" in found["learning rate too low"].text


@keras.saving.register_keras_serializable("tests")
class Overflow(keras.layers.Layer):  # type: ignore[misc]
    """A mistake that people make: the logarithm of pixels, some of which are 0."""

    def call(self, inputs: Any) -> Any:
        return keras.ops.log(inputs)


def logarithms(input_shape: tuple[int, int, int], classes: int) -> Any:
    return keras.Sequential(
        [
            keras.Input(input_shape),
            Overflow(),
            keras.layers.Flatten(),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


def test_a_run_that_failed_with_nan_is_diagnosed(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a number"):
        ta.train("digits", model=logarithms, epochs=2, out=tmp_path / "run", observers=[])
    (found,) = found_in(tmp_path / "run").values()
    assert found.topic == "learning rate too high"
    assert "became NaN in epoch 1" in found.text
    assert "computes what is not a number" in found.text
