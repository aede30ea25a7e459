"""Training against the clock, with a clock that tells what the test wants."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tellapart.training.batches import Batches
from tellapart.training.deadline import Deadline


class Clock:
    """Stands still unless told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Fit:
    """What Keras's `fit` does of calls, a second or what is said for each."""

    def __init__(self, deadline: float, *, validation: float = 0.0, epochs: int = 200) -> None:
        self.clock = Clock()
        pixels, labels = np.zeros((100, 1, 1, 1), np.uint8), np.zeros(100, np.int64)
        train = Batches(pixels, labels, np.arange(80), 10)  # 8 steps an epoch
        self.deadline = Deadline(
            self.clock() + deadline,
            train,
            validation_seconds=validation,
            epochs=epochs,
            clock=self.clock,
        )
        self.model = SimpleNamespace(
            stop_training=False, optimizer=SimpleNamespace(learning_rate=0.5)
        )
        self.deadline.set_model(self.model)
        self.rates: list[float] = []
        self.steps = 0
        self.epochs = epochs

    def run(self, *, first: float = 1.0, step: float = 1.0, validation: float = 0.0) -> float:
        """Returns the seconds that it took."""
        began = self.clock()
        self.deadline.on_train_begin()
        for epoch in range(self.epochs):
            self.deadline.on_epoch_begin(epoch)
            for batch in range(8):
                self.deadline.on_train_batch_begin(batch)
                self.rates.append(self.model.optimizer.learning_rate)
                self.clock.now += first if not self.steps else step
                self.steps += 1
                self.deadline.on_train_batch_end(batch)
                if self.model.stop_training:
                    break
            self.clock.now += validation
            self.deadline.on_epoch_end(epoch)
            if self.model.stop_training:
                break
        return self.clock() - began


def test_it_ends_in_time_and_uses_the_time() -> None:
    fit = Fit(20.5)
    assert fit.run() == 20  # a 21st step would end at 21
    assert fit.steps == 20
    assert fit.deadline.reached


def test_the_last_validation_is_in_the_time() -> None:
    # 8 steps, 3 s, 8 steps, 3 s: 22. With 2 more steps and 3 s it is 27; a third would make 28.
    fit = Fit(27.5, validation=3)
    assert fit.run(validation=3) == 27
    assert fit.steps == 18


def test_no_epoch_begins_that_could_not_make_a_step() -> None:
    # 8 steps and 3 s are 11; another step and validation would end at 15.
    fit = Fit(14.5, validation=3)
    assert fit.run(validation=3) == 11
    assert fit.steps == 8


def test_a_validation_that_takes_longer_than_expected() -> None:
    # Expected 1 s, it takes 4: 8 steps and 4 s are 12. Two more steps and 4 s are 18; a third, 19.
    fit = Fit(18.5, validation=1)
    assert fit.run(validation=4) == 18
    assert fit.steps == 10


def test_a_little_is_always_trained() -> None:
    # After the first call, at 30 s, the deadline is put off to 33.5 s: 1.5 s of training, and the
    # 2 s of validation. After 7 calls, at 31.5 s, an eighth and 2 s would end at 33.75 s.
    fit = Fit(-3, validation=2)
    assert fit.run(first=30, step=0.25, validation=2) == 30 + 6 * 0.25 + 2
    assert fit.steps == 7
    assert fit.deadline.reached
    assert fit.rates[-1] > 0


def test_all_epochs_done_before_the_deadline() -> None:
    fit = Fit(1000, epochs=3)
    assert fit.run() == 24
    assert not fit.deadline.reached
    # The rate still ends where it should, since the end was known.
    assert fit.rates[-1] < 0.01 * 0.5


def test_the_learning_rate_rises_and_ends_near_zero_with_the_time() -> None:
    fit = Fit(101)
    fit.run()
    assert fit.rates[0] == 0
    assert fit.rates[1] < 0.01 * 0.5  # the first call compiles, and is no part of the 100 s
    assert max(fit.rates) == 0.5
    assert np.argmax(fit.rates) == 11  # a tenth of 100 s
    assert (np.diff(fit.rates[11:]) < 0).all()
    assert fit.rates[-1] < 0.001 * 0.5


def test_slower_machine_same_schedule() -> None:
    """At the same share of the time the rate is the same, however many steps that is."""
    fast, slow = Fit(101), Fit(101)
    fast.run(step=1)
    slow.run(step=4)
    assert slow.rates[10] == pytest.approx(fast.rates[1 + 9 * 4])


def test_the_expected_epochs() -> None:
    fit = Fit(80.5)
    fit.deadline.on_train_begin()
    fit.deadline.on_epoch_begin(0)
    for batch in range(4):
        fit.deadline.on_train_batch_begin(batch)
        fit.clock.now += 1
        fit.deadline.on_train_batch_end(batch)
    # Half an epoch in 4 of 80.5 seconds: 10.06 epochs, so an eleventh begins.
    assert fit.deadline.epochs == 11
