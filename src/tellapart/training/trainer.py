"""Training through Keras's `fit`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.data.split import Split
from tellapart.errors import UsageError
from tellapart.images import Pixels
from tellapart.models.backend import import_keras
from tellapart.training.batches import Batches
from tellapart.training.events import EpochEnded, Observer, TrainingEnded
from tellapart.training.interruption import Interruption
from tellapart.training.recipe import Recipe

MAX_STEPS_PER_EXECUTION = 16
"""Updates made in one call of the compiled step: fewer calls, and still prompt to interrupt."""

PREDICTION_BATCH = 128


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
    pixels: Pixels,
    labels: npt.NDArray[np.int64],
    split: Split,
    recipe: Recipe,
    emit: Observer,
    interruption: Interruption | None = None,
) -> History:
    """Trains `model` in place.

    A requested interruption ends training after the current batch and keeps the best weights so
    far; `History.end.reason` tells.

    Args:
        model: a `keras.Model`, (batch, *pixels.shape[1:]) uint8 to (batch, classes).
        pixels: (n, height, width, channels) uint8, memory-mapped or not.
        labels: (n,) int64.
        split: which pictures train and which validate.
        recipe: how.
        emit: is told of batches and epochs.
        interruption: asked after each batch; None: nothing interrupts.

    Raises:
        UsageError: an optimizer that Keras does not know.
    """
    keras = import_keras()
    from tellapart.training import callbacks

    classes = model.output_shape[-1] if recipe.loss == "categorical_crossentropy" else None
    train = Batches(pixels, labels, split.train, recipe.batch_size, classes, recipe.seed)
    validation = Batches(pixels, labels, split.validation, max(recipe.batch_size, 128), classes)
    _compile(model, recipe, steps=len(train))
    best = callbacks.BestWeights()
    reporter = callbacks.Reporter(
        emit, pictures=len(split.train), steps=len(train), epochs=recipe.epochs
    )
    listeners = [
        callbacks.EpochOrder(train),
        best,
        reporter,
    ]
    if interruption is not None:
        listeners.append(callbacks.StopOnRequest(interruption))
    if recipe.early_stopping:
        listeners.append(keras.callbacks.EarlyStopping("val_loss", patience=recipe.early_stopping))
    began = time.monotonic()
    model.fit(
        train.for_keras(),
        validation_data=validation.for_keras() if len(split.validation) else None,
        epochs=recipe.epochs,
        callbacks=listeners,
        shuffle=False,  # the batches come in an order of their own
        verbose=0,
    )
    interrupted = interruption is not None and interruption.requested
    keep_best = recipe.restore_best_weights or interrupted
    if keep_best:
        best.restore()
    complete = len(reporter.history) - (not reporter.epoch_was_complete)
    reason: Any = "finished" if complete == recipe.epochs else "stopped early"
    end = TrainingEnded(
        reason="interrupted" if interrupted else reason,
        epochs_done=complete,
        best_epoch=best.epoch if keep_best else None,
        seconds=time.monotonic() - began,
    )
    emit(end)
    return History(tuple(reporter.history), end)


def predict(model: Any, pixels: Pixels, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """The network's probabilities, (len(indices), classes) float32.

    Holds PREDICTION_BATCH pictures at a time, however many there are.
    """
    # Batch by batch: `Model.predict` sets up a pipeline first, which takes longer than 10,000
    # small pictures do.
    rows = [
        np.asarray(model.predict_on_batch(pixels[indices[start : start + PREDICTION_BATCH]]))
        for start in range(0, len(indices), PREDICTION_BATCH)
    ]
    if not rows:
        return np.zeros((0, model.output_shape[-1]), np.float32)
    return np.concatenate(rows).astype(np.float32, copy=False)


def make_optimizer(recipe: Recipe) -> Any:
    """Makes the recipe's `keras.optimizers.Optimizer`.

    Raises:
        UsageError: Keras does not know it.
    """
    try:
        optimizer = import_keras().optimizers.get(recipe.optimizer)
    except ValueError as error:
        raise UsageError(
            f"Keras knows no optimizer '{recipe.optimizer}'. Try adam, adamw, sgd or rmsprop."
        ) from error
    if recipe.learning_rate is not None:
        optimizer.learning_rate = recipe.learning_rate
    return optimizer


def _compile(model: Any, recipe: Recipe, *, steps: int) -> None:
    keras = import_keras()
    loss: Any = recipe.loss
    if recipe.label_smoothing:
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)
    on_tensorflow = keras.backend.backend() == "tensorflow"
    model.compile(
        optimizer=make_optimizer(recipe),
        loss=loss,
        metrics=["accuracy"],
        steps_per_execution=_steps_per_execution(steps) if on_tensorflow else 1,
    )


def _steps_per_execution(steps: int) -> int:
    """At least 20 calls an epoch, so that progress moves; few enough to save their cost."""
    return max(1, min(MAX_STEPS_PER_EXECUTION, steps // 20))
