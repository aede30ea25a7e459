"""Checkpoints while Keras's `fit` runs, and training that goes on from one, bit for bit.

A checkpoint is made between two calls of the compiled step, or between two epochs. As batches are
a function of seed, epoch and place, what goes on from there makes the same updates.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tellapart.errors import TellapartError
from tellapart.training.batches import Batches
from tellapart.training.callbacks import BestWeights, Reporter
from tellapart.training.checkpoint import Checkpoint, Checkpoints, check_fits
from tellapart.training.deadline import Deadline
from tellapart.training.events import EpochEnded, Noted, Observer
from tellapart.training.interruption import Interruption

SECONDS_BETWEEN = 60.0
"""Within an epoch, a checkpoint is written no more often than that."""

MOST_OF_TRAINING = 0.01
"""So large a share of the time goes into checkpoints at most: the next one waits for it."""

FIRST_SECONDS, FIRST_BYTES_PER_SECOND = 0.02, 200e6
"""What a checkpoint is taken to cost until one was written."""


class Checkpointer(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes checkpoints; takes up training from the newest one. The last of the callbacks."""

    def __init__(
        self,
        checkpoints: Checkpoints,
        train: Batches,
        emit: Observer,
        *,
        epochs: int,
        best: BestWeights,
        reporter: Reporter,
        deadline: Deadline | None = None,
        early_stopping: Any = None,
        interruption: Interruption | None = None,
    ) -> None:
        super().__init__()
        self.checkpoints, self.emit = checkpoints, emit
        self.epochs, self.steps = epochs, len(train)
        self._batches = {"pictures": len(train.indices), "batch_size": train.batch_size}
        self._best, self._reporter = best, reporter
        self._deadline, self._early_stopping = deadline, early_stopping
        self._interruption = interruption
        self._epoch = self._step = 0
        self.logs: dict[str, float] = {}  # of the epoch so far
        self._began = self._written = time.monotonic()
        self._cost: float | None = (
            None  # seconds of the last one, or what the first is expected to take
        )
        self._kept_for_ctrl_c = False
        self._from: Checkpoint | None = None  # until it is taken up

    # What follows takes up training.

    def load(self, model: Any, checkpoint: Checkpoint) -> None:
        """Puts weights, optimizer and random state back, before `fit`.

        Raises:
            RunError: they are of another network.
        """
        self._from = checkpoint
        _assign("weights", _variables(model), checkpoint.arrays["variables"])
        _assign("optimizer", model.optimizer.variables, checkpoint.arrays["optimizer"])
        state = checkpoint.state
        if state["best"]["epoch"] is not None:
            self._best.loss, self._best.epoch = state["best"]["loss"], state["best"]["epoch"]
            self._best.weights = checkpoint.arrays["best"]
        self._reporter.history[:] = [EpochEnded(**row) for row in state["history"]]
        self._reporter.go_on(self.steps, 0.0)  # the last epoch was complete
        self._began = time.monotonic() - state["seconds"]
        if self._deadline is not None and state["deadline"] is not None:
            self._deadline.reached = state["deadline"]["reached"]

    @property
    def position(self) -> tuple[int, int]:
        """Complete epochs, and updates made in the next one, to go on from."""
        found = self._from
        if found is None:
            return 0, 0
        if found.state["batches"] != self._batches:  # the epoch's order is another one by now
            return found.epoch, 0
        return found.epoch, found.step

    @property
    def finished(self) -> bool:
        """Whether the checkpoint is of a training that was over."""
        found = self._from
        return found is not None and (found.state["stopped"] or found.epoch >= self.epochs)

    @property
    def seconds(self) -> float:
        """How long training has taken, in all processes."""
        return time.monotonic() - self._began

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras, once the others have set themselves back."""
        if self._from is None:
            return
        state = self._from.state
        if self._deadline is not None and state["deadline"] is not None:
            self._deadline.go_on(state["deadline"])
        if self._early_stopping is not None and state["early_stopping"] is not None:
            for name, value in state["early_stopping"].items():
                setattr(self._early_stopping, name, value)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras, once it has set metrics to zero."""
        self._epoch, self._step = epoch, 0
        if self._from is None:
            return
        _, step = self.position
        if step:
            self._step, self.logs = step, dict(self._from.state["logs"])
            self._reporter.go_on(step, self._from.state["epoch_seconds"])
            if step < self.steps:
                _assign("metrics", self.model.metrics_variables, self._from.arrays["metrics"])
        self._from = None

    # What follows writes checkpoints.

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras after each call of the compiled step."""
        self._step = min(batch + 1, self.steps)
        self.logs = dict(logs or {})
        stops = self.checkpoints.stopping.requested is not None
        gives_up = self._interruption is not None and self._interruption.requested
        if gives_up and not self._kept_for_ctrl_c:
            self._kept_for_ctrl_c = True  # a second Ctrl-C may follow
            self._write()
        elif stops or (self._step < self.steps and self._is_due(SECONDS_BETWEEN)):
            self._write()
        self.checkpoints.stopping.check()

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras before it validates: that may take long, too."""
        if self._step == self.steps and self._is_due(SECONDS_BETWEEN):
            self._write()

    def on_test_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras after each call of the validating step."""
        if self.checkpoints.stopping.requested is not None:
            if self._step == self.steps and not self._kept_for_ctrl_c:
                self._write()
            self.checkpoints.stopping.check()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras after validation, and after the other callbacks."""
        self._epoch, self._step, self.logs = epoch + 1, 0, {}
        stops = self.checkpoints.stopping.requested is not None
        # Of an epoch that Ctrl-C has cut short, what was before is kept.
        if not self._kept_for_ctrl_c and (stops or self._is_due(0.0)):
            self._write()
        self.checkpoints.stopping.check()

    def _is_due(self, least_seconds: float) -> bool:
        since = time.monotonic() - self._written
        every = self.checkpoints.every_seconds
        if every is not None:
            return since >= every
        return since >= least_seconds and since >= self._expected_cost() / MOST_OF_TRAINING

    def _expected_cost(self) -> float:
        if self._cost is None:
            kept = [*_variables(self.model), *self.model.optimizer.variables, *self.model.weights]
            size = sum(4 * math.prod(variable.shape) for variable in kept)
            self._cost = FIRST_SECONDS + size / FIRST_BYTES_PER_SECOND
        return self._cost

    def _write(self) -> None:
        """Writes a checkpoint; where that cannot be, says so, and training goes on."""
        began = time.monotonic()
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()  # the variables are behind what JAX computes with
        try:
            self.checkpoints.write(self._checkpoint())
        except TellapartError as error:
            self.emit(
                Noted(f"No checkpoint: {error} Training goes on; the last one is kept.", "warning")
            )
        self._written = time.monotonic()
        self._cost = self._written - began
        if self._deadline is not None:
            self._deadline.leave_out(self._cost)

    def _checkpoint(self) -> Checkpoint:
        metrics = self.model.metrics_variables if 0 < self._step < self.steps else []
        groups: dict[str, Sequence[Any]] = {
            "variables": _variables(self.model),
            "optimizer": self.model.optimizer.variables,
            "metrics": metrics,
            "best": self._best.weights or [],
        }
        return Checkpoint(
            self._epoch,
            self._step,
            self._state(),
            {name: list(map(_array, group)) for name, group in groups.items()},
        )

    def _state(self) -> dict[str, Any]:
        early, limit = self._early_stopping, self._deadline
        return {
            "stopped": self._step == 0 and bool(self.model.stop_training),
            "batches": self._batches,
            "logs": {name: float(value) for name, value in self.logs.items()},
            "history": [asdict(event) for event in self._reporter.history],
            "best": {"loss": self._best.loss, "epoch": self._best.epoch},
            "early_stopping": early
            and {
                "wait": int(early.wait),
                "best": None if early.best is None else float(early.best),
                "best_epoch": int(early.best_epoch),
                "stopped_epoch": int(early.stopped_epoch),
            },
            "deadline": limit and limit.state(),
            "seconds": self.seconds,
            "epoch_seconds": self._reporter.epoch_seconds,
            "spent": time.monotonic() - self.checkpoints.began,
        }


class Listeners(keras.callbacks.CallbackList):  # type: ignore[misc]
    """Makes one training, for the callbacks, of several calls of `fit`.

    Attributes:
        first_batch: of the current call, in its epoch.
        more: whether another call follows.
    """

    first_batch = 0
    more = False
    _begun = False

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras at the beginning of each `fit`."""
        if not self._begun:
            super().on_train_begin(logs)
        self._begun = True

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras at the end of each `fit`."""
        if not self.more:
            super().on_train_end(logs)

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras, which counts from where it began."""
        super().on_train_batch_begin(self.first_batch + batch, logs)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Called by Keras, which counts from where it began."""
        super().on_train_batch_end(self.first_batch + batch, logs)


def fit_from(
    model: Any,
    train: Batches,
    validation: Batches,
    callbacks: Sequence[Any],
    checkpointer: Checkpointer | None,
    epochs: int,
    feed: Callable[[Batches], Any] = Batches.for_keras,
) -> None:
    """Calls `fit` for what is left: the rest of an epoch, then whole ones.

    Args:
        model: compiled.
        train: of whole epochs.
        validation: may be empty.
        callbacks: in their order; the checkpointer comes after them.
        checkpointer: knows where to go on from; None: from the beginning.
        epochs: in all.
        feed: what `fit` is given of the batches to train on.
    """
    data = validation.for_keras() if len(validation) else None
    last = [] if checkpointer is None else [checkpointer]
    listeners = Listeners([*callbacks, *last], add_history=True, model=model)

    def fit(batches: Batches, first: int, last: int) -> None:
        model.fit(
            feed(batches),
            validation_data=data,
            initial_epoch=first,
            epochs=last,
            callbacks=listeners,
            shuffle=False,  # the batches come in an order of their own
            verbose=0,
        )

    epoch, step = (0, 0) if checkpointer is None else checkpointer.position
    if checkpointer is not None and step:
        listeners.more = epoch + 1 < epochs
        rest = replace(train, epoch=epoch, start=step * train.batch_size)
        build_metrics(model, train)
        if len(rest):
            listeners.first_batch = step
            fit(rest, epoch, epoch + 1)
            listeners.first_batch = 0
        else:
            _end_epoch(model, data, listeners, checkpointer, epoch)
        epoch += 1
        if model.stop_training:
            return
    listeners.more = False
    if epoch < epochs:
        fit(train, epoch, epochs)


def _end_epoch(
    model: Any, validation: Any, listeners: Listeners, checkpointer: Checkpointer, epoch: int
) -> None:
    """Does what `fit` does once an epoch's last batch was trained on."""
    model.stop_training = False
    listeners.on_train_begin()
    listeners.on_epoch_begin(epoch)
    logs: dict[str, Any] = dict(checkpointer.logs)
    if validation is not None:
        found = model.evaluate(validation, callbacks=listeners, return_dict=True, verbose=0)
        logs |= {f"val_{name}": value for name, value in found.items()}
    listeners.on_epoch_end(epoch, logs)


def build_metrics(model: Any, train: Batches) -> None:
    """Keras makes its metrics' variables with the first batch: too late to put values back."""
    one = replace(train, indices=train.indices[:1], augmentation=None, class_weights=None)
    model.evaluate(one.for_keras(), verbose=0)


def _variables(model: Any) -> list[Any]:
    """All that changes in training but the optimizer: weights, statistics, random state."""
    return [*model.variables, *_global_random_state()]


def _global_random_state() -> list[Any]:
    """What `keras.random` draws from where a layer of the user's names no seed."""
    from keras.src.random.seed_generator import global_seed_generator

    return [global_seed_generator().state]


def _assign(what: str, variables: Sequence[Any], arrays: Sequence[npt.NDArray[Any]]) -> None:
    expected = [(tuple(variable.shape), _array(variable).dtype.name) for variable in variables]
    check_fits(what, arrays, expected)
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _array(variable: Any) -> npt.NDArray[Any]:
    return np.array(keras.ops.convert_to_numpy(variable))
