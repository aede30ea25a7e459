"""What listens to Keras's `fit`: events out, a request to stop in, the best weights kept."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import keras

from tellapart.training.batches import Batches
from tellapart.training.deadline import Deadline
from tellapart.training.events import BatchEnded, EpochEnded, Observer
from tellapart.training.interruption import Interruption

SECONDS_BETWEEN_BATCH_EVENTS = 0.1


class EpochOrder(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells the batches which epoch begins, so that each has an order of its own."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras before it asks for the first batch."""
        self.batches.epoch = epoch


class StopOnRequest(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends `fit` after the current batch once an interruption is requested."""

    def __init__(self, interruption: Interruption) -> None:
        super().__init__()
        self.interruption = interruption

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras after each update."""
        if self.interruption.requested:
            self.model.stop_training = True


class BestWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Remembers the weights of the epoch with the lowest validation loss, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.loss = math.inf
        self.epoch: int | None = None
        self.weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras after the epoch's validation."""
        loss = float((logs or {}).get("val_loss", math.inf))
        if loss < self.loss:
            self.loss, self.epoch = loss, epoch + 1
            self.weights = self.model.get_weights()

    def restore(self) -> None:
        """Puts the best weights back; without a validated epoch, leaves the last ones."""
        if self.weights is not None:
            self.model.set_weights(self.weights)


class Reporter(keras.callbacks.Callback):  # type: ignore[misc]
    """Turns what Keras tells its callbacks into events.

    Attributes:
        history: an event for each epoch that ended.
    """

    def __init__(
        self,
        emit: Observer,
        *,
        pictures: int,
        steps: int,
        epochs: int,
        deadline: Deadline | None = None,
    ) -> None:
        super().__init__()
        self.emit, self.deadline = emit, deadline
        self.pictures, self.steps, self._epochs = pictures, steps, epochs
        self.history: list[EpochEnded] = []
        self._epoch = 0
        self._steps_done = 0
        self._began = self._trained = self._reported = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras."""
        self._epoch, self._steps_done = epoch + 1, 0
        self._began = self._trained = time.monotonic()

    def go_on(self, step: int, seconds: float) -> None:
        """Lets the current epoch begin earlier: so many updates were made in so much time."""
        self._steps_done = step
        self._began = time.monotonic() - seconds

    @property
    def epoch_seconds(self) -> float:
        """How long the current epoch has taken so far."""
        return time.monotonic() - self._began

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras after each call of the compiled step, which may make several updates."""
        self._steps_done = min(batch + 1, self.steps)
        self._trained = time.monotonic()
        if self._trained - self._reported < SECONDS_BETWEEN_BATCH_EVENTS:
            return
        self._reported = self._trained
        logs = logs or {}
        self.emit(
            BatchEnded(
                self._epoch,
                self.epochs,
                self._steps_done,
                self.steps,
                float(logs.get("loss", math.nan)),
                float(logs.get("accuracy", math.nan)),
                self._rate(),
            )
        )

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras after the epoch's validation."""
        logs = logs or {}
        event = EpochEnded(
            epoch=epoch + 1,
            epochs=self.epochs,
            loss=float(logs.get("loss", math.nan)),
            accuracy=float(logs.get("accuracy", math.nan)),
            val_loss=_optional(logs, "val_loss"),
            val_accuracy=_optional(logs, "val_accuracy"),
            learning_rate=float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            seconds=time.monotonic() - self._began,
            images_per_second=self._rate(),
        )
        self.history.append(event)
        self.emit(event)

    @property
    def epochs(self) -> int:
        """Epochs in all; with a deadline, as many as are expected to fit."""
        return self._epochs if self.deadline is None else self.deadline.epochs

    @property
    def epoch_was_complete(self) -> bool:
        """Whether the last epoch saw all of its batches."""
        return self._steps_done >= self.steps

    def _rate(self) -> float:
        done = min(self._steps_done / self.steps, 1) * self.pictures
        return done / max(self._trained - self._began, 1e-9)


def _optional(logs: Mapping[str, Any], key: str) -> float | None:
    return float(logs[key]) if key in logs else None
