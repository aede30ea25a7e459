"""How the learning rate goes over a training."""

from __future__ import annotations

import math
from typing import Any

import keras

WARM_UP = 0.1
"""The share of the training in which the learning rate rises to the optimizer's own."""


def one_cycle(progress: float) -> float:
    """What the learning rate is multiplied by when so much of the training is over, 0 to 1.

    A linear rise, then half a cosine down to 0 (Loshchilov and Hutter, 2017; Smith, 2018).
    """
    if progress < WARM_UP:
        return progress / WARM_UP
    return (1 + math.cos(math.pi * min((progress - WARM_UP) / (1 - WARM_UP), 1))) / 2


@keras.saving.register_keras_serializable(package="tellapart")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """`one_cycle` over a number of updates, computed where the training step is.

    Args:
        learning_rate: the highest.
        updates: of the whole training.
    """

    def __init__(self, learning_rate: float, updates: int) -> None:
        super().__init__()
        self.learning_rate, self.updates = learning_rate, updates

    def __call__(self, step: Any) -> Any:
        """The learning rate of an update, counted from 0."""
        ops = keras.ops
        # Between two updates: the first one is not lost, and the last one is not either.
        progress = (ops.cast(step, "float32") + 0.5) / self.updates
        falling = ops.clip((progress - WARM_UP) / (1 - WARM_UP), 0, 1)
        share = ops.where(
            progress < WARM_UP, progress / WARM_UP, (1 + ops.cos(math.pi * falling)) / 2
        )
        return self.learning_rate * share

    def get_config(self) -> dict[str, Any]:
        """What `from_config` takes."""
        return {"learning_rate": self.learning_rate, "updates": self.updates}
