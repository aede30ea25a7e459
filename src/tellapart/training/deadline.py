"""Training against the clock: as many epochs as fit, the learning rate annealed by their end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras

from tellapart.training.batches import Batches
from tellapart.training.schedule import one_cycle

LEAST_SECONDS = 1.5
"""Training takes so long at the least, after its first call and beside the validation."""

RECENT_CALLS = 16
"""The slowest of so many calls of the training step is what the next one may take."""


class Deadline(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends `fit` before a deadline, the last validation included.

    The learning rate goes through `one_cycle` by then. That a schedule should end with the budget,
    whatever the budget, is due to Li, Yumer and Ramanan (Budgeted training, 2020): better than the
    start of a schedule made for more time.

    Where less than `LEAST_SECONDS` is left after the first call of the training step, the deadline
    is put off, and at least one more call is made: a network that has made one update knows
    nothing, and a classifier is what a budget is for.
    The first call compiles, and is no part of the schedule. How many updates fit depends on the
    machine: runs with a deadline do not repeat bit for bit.

    Attributes:
        epochs: how many are expected to begin before the deadline.
        reached: whether it ended training.
    """

    def __init__(
        self,
        deadline: float,
        train: Batches,
        *,
        validation_seconds: float,
        epochs: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args are: a time of the clock, what is trained on, what validation takes, most epochs."""
        super().__init__()
        self.deadline, self.clock = deadline, clock
        self.epochs = self.most_epochs = epochs
        self.reached = False
        self._steps = len(train)
        self._calls: list[float] = []  # seconds of the first call and of the recent ones
        self._validation_seconds = validation_seconds
        self._epoch = self._step = 0
        self._learning_rate = 0.0
        self._began = self._last = clock()
        self._schedule_began = self._began

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras."""
        self._began = self._schedule_began = self.clock()
        self._learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def state(self) -> dict[str, Any]:
        """What `go_on` takes."""
        return {
            "seconds": self.clock() - self._began,
            "schedule_seconds": self.clock() - self._schedule_began,
            "learning_rate": self._learning_rate,
            "validation_seconds": self._validation_seconds,
            "reached": self.reached,
        }

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Takes up the schedule of an interrupted training; called once `fit` has begun."""
        self._began = self.clock() - state["seconds"]
        self._schedule_began = self.clock() - state["schedule_seconds"]
        self._learning_rate = state["learning_rate"]
        self._validation_seconds = state["validation_seconds"]

    def leave_out(self, seconds: float) -> None:
        """Does not count what was done between two calls of the step as part of the next one."""
        self._last += seconds

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras."""
        self._epoch, self._step = epoch, 0
        self._last = self.clock()

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras before each call of the compiled step: sets the learning rate."""
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()  # or JAX trains on with the optimizer's old state
        rate = self._learning_rate * one_cycle(self._progress(self.clock()))
        self.model.optimizer.learning_rate = rate

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras after each call of the compiled step, which may make several updates."""
        now = self.clock()
        seconds = now - self._last
        if not self._calls:  # it compiles
            self._schedule_began += seconds
        self._calls = [*self._calls[:1], *self._calls[1:][-RECENT_CALLS:], seconds]
        self._step, self._last = batch + 1, now
        least = now + LEAST_SECONDS + self._validation_seconds
        if len(self._calls) == 1 and self.deadline < least:
            self.deadline = least  # and how long another call takes is not known yet
        else:
            self._stop_if_late(now)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras after validation: another epoch only if it can make a step."""
        now = self.clock()
        self._validation_seconds = max(self._validation_seconds, now - self._last)
        self._stop_if_late(now)

    def _stop_if_late(self, now: float) -> None:
        call = max(self._calls[1:], default=self._calls[0])
        if now + call + self._validation_seconds > self.deadline:
            self.reached = self.model.stop_training = True
        done = self._epoch + self._step / self._steps
        fit = done * (self.deadline - self._began) / max(now - self._began, 1e-9)
        self.epochs = max(self._epoch + 1, min(self.most_epochs, math.ceil(fit)))

    def _progress(self, now: float) -> float:
        """The share of what training may take that is over, by time or by epochs: 0 to 1."""
        began = self._schedule_began
        room = self.deadline - self._validation_seconds - began
        by_time = (now - began) / room if room > 0 else 1.0
        by_epochs = (self._epoch + self._step / self._steps) / self.most_epochs
        return min(max(by_time, by_epochs), 1.0)
