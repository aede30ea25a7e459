"""Small real trainings: augmentation, class weights and deadlines do what they are for."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from tellapart.data.split import Split
from tellapart.training import trainer
from tellapart.training.events import EpochEnded, Event
from tellapart.training.recipe import Recipe


def recipe(**changes: Any) -> Recipe:
    settings: dict[str, Any] = {
        "name": "auto",
        "model": "tiny",
        "image_size": (8, 8),
        "channels": 1,
        "epochs": 3,
        "loss": "categorical_crossentropy",
    }
    return Recipe(**(settings | changes))


def parts(train: Any, validation: Any = ()) -> Split:
    none = np.array([], np.int64)
    return Split(np.asarray(train), np.array(validation, np.int64), none, none, seed=0)


def tiny(shape: tuple[int, int, int], classes: int, seed: int = 0) -> Any:
    trainer.set_seed(seed)
    return keras.Sequential(
        [
            keras.Input(shape, dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


def ignore(event: Event) -> None:
    """Nobody listens."""


def digits(size: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The digits of scikit-learn in the middle of black squares of `size` pixels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    room = (size - 8) // 2
    pixels = np.pad(found.images * 15.9, ((0, 0), (room, room), (room, room)))
    return pixels[..., None].astype(np.uint8), found.target.astype(np.int64)


def test_shifts_are_learned_from_shifted_pictures() -> None:
    """Trained on digits in the middle, tested on digits moved by up to two pixels."""
    pixels, labels = digits(12)
    rng = np.random.default_rng(0)
    moved = np.stack(
        [np.roll(picture, rng.integers(-2, 3, 2), (0, 1)) for picture in pixels[1000:]]
    )
    accuracy = {}
    for augment in ("none", "shift=0.17"):  # 0.17 · 12 = 2.04 pixels
        how = recipe(epochs=15, learning_rate=0.01, augment=augment)
        model = tiny((12, 12, 1), 10)
        trainer.fit(model, pixels, labels, parts(range(1000)), how, ignore)
        said = trainer.predict(model, moved, np.arange(len(moved))).argmax(axis=1)
        accuracy[augment] = float((said == labels[1000:]).mean())
    assert accuracy["shift=0.17"] > accuracy["none"] + 0.2


def test_validation_pictures_are_left_as_they_are() -> None:
    split, augmented = (
        parts([0, 1], [2, 3]),
        recipe(augment="strong,mixup", class_weight="balanced"),
    )
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), np.uint8)
    train, validation = trainer.make_batches(pixels, np.array([0, 1, 1, 0]), split, augmented, 2)
    assert train.augmentation is not None
    assert train.class_weights is not None
    seen, shown = validation.take(0, 0)  # no third array: nothing is weighed
    assert (seen == pixels[[2, 3]]).all()
    assert shown.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("augment", ["light", "strong,mixup,cutmix"])
def test_one_seed_one_result(augment: str) -> None:
    pixels, labels = digits(8)
    weights = []
    for _ in range(2):
        model = tiny((8, 8, 1), 10)
        trainer.fit(
            model, pixels, labels, parts(range(300)), recipe(augment=augment, epochs=2), ignore
        )
        weights.append(model.get_weights())
    assert all((one == other).all() for one, other in zip(*weights, strict=True))


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_class_weights_are_those_of_keras(loss: str) -> None:
    """One update by one batch of all pictures: the same as `fit(class_weight=...)`."""
    pixels, labels = digits(8)
    rows = np.concatenate([np.flatnonzero(labels == 0)[:30], np.flatnonzero(labels == 1)[:10]])
    labels = np.minimum(labels, 1)
    ours, theirs = (tiny((8, 8, 1), 2) for _ in range(2))
    plain = recipe(epochs=1, batch_size=40, loss=loss, class_weight="balanced", optimizer="sgd")
    trainer.fit(ours, pixels, labels, parts(rows), plain, ignore)
    theirs.compile("sgd", loss)
    targets = labels[rows] if loss.startswith("sparse") else np.eye(2)[labels[rows]]
    # 40 / (2 · 30) and 40 / (2 · 10)
    weights = {0: 2 / 3, 1: 2.0}
    theirs.fit(pixels[rows], targets, batch_size=40, class_weight=weights, verbose=0, shuffle=False)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_a_deadline_ends_training_with_the_best_weights() -> None:
    pixels, labels = digits(8)
    looks = itertools.count(1)
    events: list[Event] = []
    model = tiny((8, 8, 1), 10)
    history = trainer.fit(
        model,
        pixels,
        labels,
        parts(range(320), range(320, 640)),
        recipe(epochs=200),
        events.append,
        deadline=400.0,
        clock=lambda: float(next(looks)),  # a second passes whenever somebody looks
    )
    assert next(looks) - 1 <= 400
    assert history.end.reason == "finished"
    assert 1 <= history.end.epochs_done < 200
    losses = [event.val_loss for event in history.epochs]
    assert history.end.best_epoch == 1 + int(np.argmin([loss or 9 for loss in losses]))
    kept = model.evaluate(pixels[320:640], np.eye(10)[labels[320:640]], verbose=0)
    assert kept[0] == pytest.approx(min(loss or 9 for loss in losses), rel=1e-5)
    last = [event for event in events if isinstance(event, EpochEnded)][-1]
    assert last.epochs < 200  # by then it is known how many fit
    assert last.learning_rate < 0.0002  # annealed from 0.001


def test_the_budget_of_a_recipe_is_a_deadline() -> None:
    pixels, labels = digits(8)
    looks = itertools.count(1)
    history = trainer.fit(
        tiny((8, 8, 1), 10),
        pixels,
        labels,
        parts(range(320)),
        recipe(epochs=200, budget_seconds=100),
        ignore,
        clock=lambda: float(next(looks)),
    )
    assert next(looks) - 1 <= 101  # the first look began it, at 1
    assert history.end.reason == "finished"
    assert history.end.best_epoch is None  # nothing to choose by without validation


@pytest.mark.parametrize(
    ("height", "width", "batch"),
    [
        (8, 8, 512),  # never more
        (32, 32, 512),  # 2**19 / 1,024
        (40, 40, 327),  # 2**19 / 1,600
        (64, 64, 128),
        (224, 224, 128),  # never fewer
    ],
)
def test_more_small_pictures_are_predicted_at_a_time(height: int, width: int, batch: int) -> None:
    assert trainer.prediction_batch(np.zeros((1, height, width, 3), np.uint8)) == batch


def test_predictions_are_those_of_the_pictures_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "PREDICTION_BATCH", 2)
    monkeypatch.setattr(trainer, "LARGEST_PREDICTION_BATCH", 3)
    pixels = np.arange(8, dtype=np.uint8).reshape(8, 1, 1, 1)
    model = keras.Sequential([keras.Input((1, 1, 1), dtype="uint8"), keras.layers.Flatten()])
    said = trainer.predict(model, pixels, np.array([7, 0, 3, 3, 5, 1, 2]))
    assert said[:, 0].tolist() == [7, 0, 3, 3, 5, 1, 2]
    assert trainer.predict(model, pixels, np.zeros(0, np.int64)).shape == (0, 1)


def test_the_narrow_network_has_a_momentum_of_its_own() -> None:
    momenta = {
        model: trainer.make_optimizer(recipe(model=model, optimizer="conv-muon")).momentum
        for model in ("fast", "fast-narrow", "fast-wide", "classic-28")
    }
    assert momenta == {"fast": 0.6, "fast-narrow": 0.8, "fast-wide": 0.6, "classic-28": 0.6}
