"""Training through Keras's `fit`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.data.split import Split
from tellapart.data.streaming import PixelRows
from tellapart.errors import UsageError
from tellapart.models.backend import import_keras
from tellapart.training.augmentation import parse_augmentation
from tellapart.training.batches import Batches
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.class_weights import class_weights, count_classes
from tellapart.training.events import EpochEnded, Observer, TrainingEnded
from tellapart.training.interruption import Interruption
from tellapart.training.recipe import CONV_MUON, Recipe

MAX_STEPS_PER_EXECUTION = 16
"""Updates made in one call of the compiled step: fewer calls, and still prompt to interrupt."""

PROMPT_STEPS_PER_EXECUTION = 4
"""With a deadline, which can only be kept between two calls."""

PREDICTION_BATCH, LARGEST_PREDICTION_BATCH = 128, 512
"""Pictures that are predicted at a time at the least and, of small ones, at the most: 10,000 of
28x28 pixels take a fifth longer in batches of 128 (`fast-narrow`, two cores)."""

PREDICTION_PIXELS = 2**19
"""A batch of predictions holds so many places of pixels, where it is neither the least nor most."""

TIMED_BATCHES = 4
"""So many batches of the validation part tell how long all of it takes."""


@dataclass(frozen=True)
class History:
    """What training leaves behind beside the weights."""

    epochs: tuple[EpochEnded, ...]
    end: TrainingEnded


def set_seed(seed: int) -> None:
    """Seeds Python, NumPy and the backend, for initial weights, dropout and augmentation."""
    import_keras().utils.set_random_seed(seed)


def fit(
    model: Any,
    pixels: PixelRows,
    labels: npt.NDArray[np.int64],
    split: Split,
    recipe: Recipe,
    emit: Observer,
    interruption: Interruption | None = None,
    *,
    checkpoints: Checkpoints | None = None,
    deadline: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> History:
    """Trains `model` in place.

    A requested interruption ends training after the current batch and keeps the best weights so
    far; `History.end.reason` tells. So does a deadline, before which the learning rate is annealed
    (see `Deadline`).

    Args:
        model: a `keras.Model`, (batch, *pixels.shape[1:]) uint8 to (batch, classes).
        pixels: (n, height, width, channels) uint8, memory-mapped or not.
        labels: (n,) int64.
        split: which pictures train and which validate.
        recipe: how.
        emit: is told of batches and epochs.
        interruption: asked after each batch; None: nothing interrupts.
        checkpoints: to write them to, and to go on from the newest; None: there are none.
        deadline: when training must be over, the last validation included, by the clock; None:
            the recipe's budget from now on, where it has one.
        clock: seconds, from any beginning.

    Raises:
        UsageError: an optimizer that Keras does not know.
        RunError: the checkpoint is of another network.
        Stopped: a signal asked for it; a checkpoint is written.
    """
    keras = import_keras()
    from tellapart.training import callbacks, on_device, resume
    from tellapart.training.deadline import Deadline

    train, validation = make_batches(pixels, labels, split, recipe, model.output_shape[-1])
    limit = None
    if deadline is None and recipe.budget_seconds is not None:
        deadline = clock() + recipe.budget_seconds
    optimizer = make_optimizer(recipe)
    if recipe.schedule == "one-cycle" and deadline is None:  # which has a cycle of its own
        _follow(optimizer, len(train) * recipe.epochs)
    _compile(model, optimizer, recipe, steps=len(train), prompt=deadline is not None)
    if deadline is not None:
        limit = Deadline(
            deadline,
            train,
            validation_seconds=time_validation(model, validation, clock),
            epochs=recipe.epochs,
            clock=clock,
        )
    there = on_device.belongs_on_device(model, train)
    if there:
        resume.build_metrics(model, train)
    best = callbacks.BestWeights()
    reporter = callbacks.Reporter(
        emit,
        pictures=len(split.train),
        steps=len(train),
        epochs=recipe.epochs,
        deadline=limit,
    )
    listeners = [callbacks.EpochOrder(train), best, limit, reporter]
    if interruption is not None:
        listeners.append(callbacks.StopOnRequest(interruption))
    early = None
    if recipe.early_stopping:
        early = keras.callbacks.EarlyStopping("val_loss", patience=recipe.early_stopping)
    listeners.append(early)
    began = time.monotonic()
    kept = None
    if checkpoints is not None:
        kept = resume.Checkpointer(
            checkpoints,
            train,
            emit,
            epochs=recipe.epochs,
            best=best,
            reporter=reporter,
            deadline=limit,
            early_stopping=early,
            interruption=interruption,
        )
        if checkpoints.newest is not None:
            kept.load(model, checkpoints.newest)
    if kept is None or not kept.finished:
        with contextlib.ExitStack() as stack:
            if checkpoints is not None:
                stack.enter_context(checkpoints.stopping.deferred())
            feed: Callable[[Batches], Any] = Batches.for_keras
            if there:
                moved = on_device.move(model, train, prompt=limit is not None)
                stack.callback(moved.release)
                feed = moved.feed
            heard = [listener for listener in listeners if listener is not None]
            resume.fit_from(model, train, validation, heard, kept, recipe.epochs, feed)
    interrupted = interruption is not None and interruption.requested
    keep_best = recipe.restore_best_weights or interrupted or limit is not None
    if keep_best:
        best.restore()
    complete = len(reporter.history) - (not reporter.epoch_was_complete)
    in_time = limit is not None and limit.reached  # as many epochs as fit is all that was asked
    reason: Any = "finished" if complete == recipe.epochs or in_time else "stopped early"
    end = TrainingEnded(
        reason="interrupted" if interrupted else reason,
        epochs_done=complete,
        best_epoch=best.epoch if keep_best else None,
        seconds=time.monotonic() - began if kept is None else kept.seconds,
    )
    emit(end)
    return History(tuple(reporter.history), end)


def make_batches(
    pixels: PixelRows,
    labels: npt.NDArray[np.int64],
    split: Split,
    recipe: Recipe,
    classes: int,
) -> tuple[Batches, Batches]:
    """Makes the batches to train and to validate on; augmentation and weights are for the first.

    Args:
        pixels: (n, height, width, channels) uint8.
        labels: (n,) int64.
        split: which pictures train and which validate.
        recipe: batch size, order, loss, augmentation, class weights.
        classes: how many there are.
    """
    one_hot = classes if recipe.loss == "categorical_crossentropy" else None
    weights = None
    if recipe.class_weight == "balanced":
        weights = class_weights(count_classes(labels[split.train], classes))
    train = Batches(
        pixels,
        labels,
        split.train,
        recipe.batch_size,
        one_hot,
        recipe.seed,
        parse_augmentation(recipe.augment) or None,
        weights,
    )
    return train, Batches(
        pixels, labels, split.validation, max(recipe.batch_size, PREDICTION_BATCH), one_hot
    )


def time_validation(model: Any, validation: Batches, clock: Callable[[], float]) -> float:
    """How many seconds a validation takes once it is compiled, which is done here."""
    if not len(validation):
        return 0.0

    def take(batches: int) -> Batches:
        return replace(validation, indices=validation.indices[: batches * validation.batch_size])

    model.evaluate(take(1).for_keras(), verbose=0)
    few = take(TIMED_BATCHES)
    began = clock()
    model.evaluate(few.for_keras(), verbose=0)
    return (clock() - began) * len(validation.indices) / len(few.indices)


def prediction_batch(pixels: PixelRows) -> int:
    """How many of these pictures, (n, height, width, channels), are predicted at a time."""
    height, width = pixels.shape[1:3]
    fitting = PREDICTION_PIXELS // (height * width)
    return max(PREDICTION_BATCH, min(LARGEST_PREDICTION_BATCH, fitting))


def predict(
    model: Any, pixels: PixelRows, indices: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """The network's probabilities, (len(indices), classes) float32.

    Holds `prediction_batch` pictures at a time, however many there are.
    """
    # Batch by batch: `Model.predict` sets up a pipeline first, which takes longer than 10,000
    # small pictures do.
    size = prediction_batch(pixels)
    rows = [
        np.asarray(model.predict_on_batch(pixels[indices[start : start + size]]))
        for start in range(0, len(indices), size)
    ]
    if not rows:
        return np.zeros((0, model.output_shape[-1]), np.float32)
    return np.concatenate(rows).astype(np.float32, copy=False)


def make_optimizer(recipe: Recipe) -> Any:
    """Makes the recipe's `keras.optimizers.Optimizer`.

    Raises:
        UsageError: Keras does not know it.
    """
    keras = import_keras()
    if recipe.optimizer == CONV_MUON:
        from tellapart.training.muon import DEFAULT_MOMENTUM, MOMENTUM, ConvMuon

        optimizer: Any = ConvMuon(momentum=MOMENTUM.get(recipe.model, DEFAULT_MOMENTUM))
    else:
        try:
            optimizer = keras.optimizers.get(recipe.optimizer)
        except ValueError as error:
            raise UsageError(
                f"Keras knows no optimizer '{recipe.optimizer}'. Try adam, adamw, sgd, rmsprop or "
                f"{CONV_MUON}."
            ) from error
    if recipe.learning_rate is not None:
        optimizer.learning_rate = recipe.learning_rate
    return optimizer


def _follow(optimizer: Any, updates: int) -> None:
    """Lets the learning rate go through one cycle in that many updates."""
    from tellapart.training.schedule import OneCycle

    highest = float(import_keras().ops.convert_to_numpy(optimizer.learning_rate))
    optimizer.learning_rate = OneCycle(highest, updates)


def _compile(model: Any, optimizer: Any, recipe: Recipe, *, steps: int, prompt: bool) -> None:
    keras = import_keras()
    loss: Any = recipe.loss
    if recipe.label_smoothing:
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)
    on_tensorflow = keras.backend.backend() == "tensorflow"
    # Or its variables are made while the step is traced, and TensorFlow traces it once more.
    optimizer.build(model.trainable_variables)
    model.compile(
        optimizer=optimizer,
        loss=loss,
        metrics=["accuracy"],
        steps_per_execution=_steps_per_execution(steps, prompt) if on_tensorflow else 1,
    )


def _steps_per_execution(steps: int, prompt: bool) -> int:
    """At least 20 calls an epoch, so that progress moves; few enough to save their cost."""
    most = PROMPT_STEPS_PER_EXECUTION if prompt else MAX_STEPS_PER_EXECUTION
    return max(1, min(most, steps // 20))
