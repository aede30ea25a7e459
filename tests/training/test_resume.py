"""Training that was cut off and went on ends as training that was not: bit for bit."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from tellapart.data.split import Split
from tellapart.errors import RunError, UsageError
from tellapart.training import resume, trainer
from tellapart.training.checkpoint import SECONDS_VARIABLE, Checkpoint, Checkpoints
from tellapart.training.events import EpochEnded, Event, Noted
from tellapart.training.interruption import Interruption
from tellapart.training.recipe import Recipe
from tellapart.training.stopping import Stopped, Stopping

PICTURES, CLASSES = 200, 3
RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (PICTURES, 8, 8, 1), dtype=np.uint8)
LABELS = RNG.integers(0, CLASSES, PICTURES)
NONE = np.array([], np.int64)
PARTS = Split(np.arange(150), np.arange(150, 200), NONE, NONE, seed=0)
UNVALIDATED = Split(np.arange(150), NONE, NONE, NONE, seed=0)


@keras.saving.register_keras_serializable(package="tests")
class OwnNoise(keras.layers.Layer):  # type: ignore[misc]
    """Draws from Keras's random numbers and names no seed."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return inputs
        return inputs + 0.05 * keras.random.normal(keras.ops.shape(inputs))


def network() -> Any:
    trainer.set_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.RandomFlip(),
            OwnNoise(),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def how(**changes: Any) -> Recipe:
    settings: dict[str, Any] = {
        "name": "auto", "model": "own", "image_size": (8, 8), "channels": 1, "epochs": 3,
        "batch_size": 3, "loss": "categorical_crossentropy", "augment": "shift=0.2",
        "learning_rate": 0.01,
    }  # fmt: skip
    return Recipe(**(settings | changes))


class KilledError(Exception):
    """The process is gone."""


class Fragile(Checkpoints):
    """Checkpoints of a process that is gone once it has written so many."""

    def __init__(self, folder: Path, survives: int, stopping: Stopping | None = None) -> None:
        super().__init__(folder, stopping)
        self.survives = survives

    def write(self, checkpoint: Checkpoint) -> None:
        super().write(checkpoint)
        self.survives -= 1
        if self.survives == 0:
            raise KilledError


@dataclass
class Trained:
    weights: list[Any]
    history: list[dict[str, Any]]
    end: Any


def train(
    recipe: Recipe, checkpoints: Checkpoints | None, parts: Split = PARTS, **options: Any
) -> Trained:
    model = network()
    history = trainer.fit(
        model, PIXELS, LABELS, parts, recipe, lambda event: None, checkpoints=checkpoints, **options
    )
    rows = [
        {k: v for k, v in vars(event).items() if k not in ("seconds", "images_per_second")}
        for event in history.epochs
    ]
    return Trained([np.array(v) for v in model.variables], rows, history.end)


def train_in_pieces(recipe: Recipe, folder: Path, survives: int, parts: Split = PARTS) -> Trained:
    """Every process is gone after so many checkpoints, until one comes to the end."""
    for _ in range(500):
        try:
            return train(recipe, Fragile(folder, survives), parts)
        except KilledError:
            continue
    raise AssertionError("never came to an end")


def assert_same(one: Trained, other: Trained) -> None:
    assert one.history == other.history
    assert (one.end.reason, one.end.epochs_done, one.end.best_epoch) == (
        other.end.reason, other.end.epochs_done, other.end.best_epoch,
    )  # fmt: skip
    assert len(one.weights) == len(other.weights)
    for ours, theirs in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after each call of the compiled step, and after each epoch."""
    monkeypatch.setenv(SECONDS_VARIABLE, "0")


CASES: dict[str, dict[str, Any]] = {
    "adam": {},
    "conv-muon": {"optimizer": "conv-muon", "schedule": "one-cycle", "learning_rate": None},
    "stops early": {"early_stopping": 1, "epochs": 20, "learning_rate": 0.1},
    "best weights": {"restore_best_weights": True, "class_weight": "balanced"},
    "mixed": {"augment": "mixup,flip", "label_smoothing": 0.1},
}


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[] if case == "conv-muon" else pytest.mark.slow) for case in CASES],
)
def test_cut_off_in_the_middle_of_epochs(case: str, tmp_path: Path) -> None:
    # 50 batches of 3 an epoch, 2 in a call: 25 + 1 checkpoints an epoch, and one before validation.
    recipe = how(**CASES[case])
    straight = train(recipe, Checkpoints(tmp_path / "straight"))
    assert straight.end.reason == ("stopped early" if case == "stops early" else "finished")
    assert_same(straight, train_in_pieces(recipe, tmp_path / "pieces", survives=17))


@pytest.mark.slow
@pytest.mark.usefixtures("often")
def test_checkpoints_change_nothing(tmp_path: Path) -> None:
    recipe = how(epochs=2)
    assert_same(train(recipe, None), train(recipe, Checkpoints(tmp_path)))


@pytest.mark.slow
@pytest.mark.usefixtures("often")
def test_without_validation(tmp_path: Path) -> None:
    recipe = how(epochs=2, validation_split=0.0)
    straight = train(recipe, None, UNVALIDATED)
    assert_same(straight, train_in_pieces(recipe, tmp_path, 11, UNVALIDATED))


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize(
    "survives",
    [25, pytest.param(26, marks=pytest.mark.slow), pytest.param(27, marks=pytest.mark.slow)],
)
def test_cut_off_around_validation(survives: int, tmp_path: Path) -> None:
    """The last updates of an epoch, all of them but no validation, and a whole epoch."""
    recipe = how(epochs=2)
    with pytest.raises(KilledError):
        train(recipe, Fragile(tmp_path, survives))
    newest = Checkpoints(tmp_path).newest
    assert newest is not None
    assert (newest.epoch, newest.step) == {25: (0, 50), 26: (1, 0), 27: (1, 2)}[survives]
    assert_same(train(recipe, None), train(recipe, Checkpoints(tmp_path)))


@pytest.mark.usefixtures("often")
def test_what_is_over_is_not_trained_again(tmp_path: Path) -> None:
    recipe = how(epochs=1)
    straight = train(recipe, Checkpoints(tmp_path))
    newest = Checkpoints(tmp_path).newest
    assert newest is not None
    assert newest.epoch == 1
    again = Fragile(tmp_path, survives=1)  # another checkpoint would be one update too many
    assert_same(straight, train(recipe, again))


@pytest.mark.usefixtures("often")
def test_a_signal_writes_a_checkpoint_and_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECONDS_VARIABLE, "1000")
    stopping = Stopping()
    checkpoints = Fragile(tmp_path, survives=-1, stopping=stopping)
    seen: list[Event] = []

    def stop_in_the_second_epoch(event: Event) -> None:
        seen.append(event)
        if isinstance(event, EpochEnded):
            stopping.requested = 15

    with pytest.raises(Stopped) as stopped:
        trainer.fit(
            network(), PIXELS, LABELS, PARTS, how(), stop_in_the_second_epoch,
            checkpoints=checkpoints,
        )  # fmt: skip
    assert stopped.value.code == 143
    assert stopped.value.signal == "SIGTERM"
    newest = Checkpoints(tmp_path).newest
    assert newest is not None
    assert (newest.epoch, newest.step) == (1, 0)
    assert_same(train(how(), None), train(how(), Checkpoints(tmp_path)))


def test_ctrl_c_is_kept_from_where_it_was_pressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pressed once, training ends early; pressed again, the run can go on from there."""
    monkeypatch.setenv(SECONDS_VARIABLE, "1000")
    interruption = Interruption()

    def press(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 2:
            interruption.requested = True

    history = trainer.fit(
        network(), PIXELS, LABELS, PARTS, how(), press, interruption,
        checkpoints=Checkpoints(tmp_path),
    )  # fmt: skip
    assert history.end.reason == "interrupted"
    newest = Checkpoints(tmp_path).newest
    assert newest is not None
    assert (newest.epoch, newest.step) == (2, 2)
    assert_same(train(how(), None), train(how(), Checkpoints(tmp_path)))


@pytest.mark.usefixtures("often")
def test_a_checkpoint_that_cannot_be_written_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "checkpoints"
    blocked.write_text("a file where the folder should be")
    seen: list[Event] = []
    trainer.fit(
        network(), PIXELS, LABELS, PARTS, how(epochs=1), seen.append,
        checkpoints=Checkpoints(blocked),
    )  # fmt: skip
    warnings = [event for event in seen if isinstance(event, Noted)]
    assert warnings
    assert warnings[0].level == "warning"
    assert str(blocked) in warnings[0].text
    assert "Training goes on" in warnings[0].text


@pytest.mark.usefixtures("often")
def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    train(how(epochs=1), Checkpoints(tmp_path))
    other = keras.Sequential(
        [
            keras.Input((8, 8, 1), dtype="uint8"),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    with pytest.raises(RunError, match="arrays of the weights, and the network has"):
        trainer.fit(
            other, PIXELS, LABELS, PARTS, how(), lambda event: None,
            checkpoints=Checkpoints(tmp_path),
        )  # fmt: skip


@pytest.mark.usefixtures("often")
def test_other_batches_begin_the_epoch_anew(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        train(how(), Fragile(tmp_path, 30))
    history = train(how(batch_size=5), Checkpoints(tmp_path)).history
    assert [row["epoch"] for row in history] == [1, 2, 3]


def test_a_deadline_goes_on_with_its_schedule(tmp_path: Path) -> None:
    clock = FakeClock()
    from tellapart.training.deadline import Deadline

    batches, _ = trainer.make_batches(PIXELS, LABELS, PARTS, how(), CLASSES)
    first = Deadline(100.0, batches, validation_seconds=2.0, epochs=5, clock=clock)
    first.set_model(_with_learning_rate(0.5))
    first.on_train_begin()
    clock.now = 50.0
    state = first.state()
    second = Deadline(350.0, batches, validation_seconds=3.0, epochs=5, clock=clock)
    clock.now = 300.0  # 50 s of the budget are left
    second.set_model(_with_learning_rate(0.1))  # where the schedule had come to
    second.on_train_begin()
    second.go_on(state)
    assert second.state() == state  # 50 s of 100 s, from the highest learning rate of 0.5


def test_an_interval_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECONDS_VARIABLE, "often")
    with pytest.raises(UsageError, match=r"is 'often': expected seconds, such as 60 or 0\."):
        Checkpoints(tmp_path)


@pytest.mark.parametrize(("seconds", "written"), [(1.9, []), (2.1, ["000001.npz"])])
def test_checkpoints_wait_for_what_they_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, written: list[str]
) -> None:
    """A first one is taken to cost 0.02 s, and 2 s of training are worth that."""
    clock = itertools.chain([0.0], itertools.repeat(seconds))  # it began, and is done
    monkeypatch.setattr(resume, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    train(how(epochs=1, batch_size=50), Checkpoints(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == written


class FakeClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _with_learning_rate(rate: float) -> Any:
    model = network()
    model.compile(optimizer=keras.optimizers.SGD(rate))
    return model
