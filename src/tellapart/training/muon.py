"""Muon for convolutions: updates whose directions all have the same length."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import keras
from keras import ops

from tellapart.models.fast import FAST_NARROW
from tellapart.training.orthogonal import orthogonalise
from tellapart.training.recipe import MUON_LEARNING_RATE

DEFAULT_MOMENTUM = 0.6

MOMENTUM = {FAST_NARROW: 0.8}
"""By network, where another one than the default learns more (docs/fast.md)."""

MEAN_DECAY, SQUARES_DECAY, EPSILON = 0.9, 0.999, 1e-7
"""Adam's beta 1, beta 2 and epsilon, Keras's own."""


@keras.saving.register_keras_serializable(package="tellapart")
class ConvMuon(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Muon for the kernels of convolutions, Adam for everything else.

    The gradient of a kernel, (height, width, in, out) taken as a matrix of height * width * in
    by out, is replaced by the nearest matrix whose singular values are all 1 (Jordan et al., Muon,
    2024). Before each update the kernel is brought back to the norm sqrt(out), as in airbench
    (Jordan, 94% on CIFAR-10 in 3.29 seconds, 2024), so that the learning rate is the angle that a
    kernel turns by; batch normalisation makes the norm of no importance.

    Adam (Kingma and Ba, 2015) sees all that is no kernel as one vector, and kernels whose matrices
    have the same smaller side go through Muon together. `keras.optimizers.Muon`, a variable at a
    time, makes twice as many operations, and all are traced and set up before the first update
    (docs/fast.md). Not for `tf.distribute`.

    Args:
        learning_rate: of kernels, in shares of their norm.
        momentum: of the gradient of kernels (Nesterov).
        ns_steps: of the iteration of Newton and Schulz.
        adam_lr_ratio: Adam's learning rate by that of kernels.
        **options: of `keras.optimizers.Optimizer`.
    """

    def __init__(
        self,
        learning_rate: Any = MUON_LEARNING_RATE,
        *,
        momentum: float = DEFAULT_MOMENTUM,
        ns_steps: int = 5,
        adam_lr_ratio: float = 1.0,
        name: str = "conv_muon",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, name=name, **options)
        self.momentum, self.ns_steps, self.adam_lr_ratio = momentum, ns_steps, adam_lr_ratio

    def build(self, variables: Sequence[Any]) -> None:
        """Makes the state: a momentum for each kernel, and Adam's two vectors."""
        if self.built:
            return
        super().build(variables)
        self._momentums = {
            index: self.add_variable_from_reference(variable, "momentum")
            for index, variable in enumerate(variables)
            if _is_kernel(variable)
        }
        self._sizes = {
            index: math.prod(variable.shape)
            for index, variable in enumerate(variables)
            if index not in self._momentums
        }
        length = (sum(self._sizes.values()),)
        self._mean = self.add_variable(length, dtype="float32", name="mean")
        self._squares = self.add_variable(length, dtype="float32", name="squares")

    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any], learning_rate: Any
    ) -> None:
        """Called by Keras: all variables, which it would give to `update_step` one by one."""
        rate = ops.cast(learning_rate, "float32")
        gradients = {
            self._get_variable_index(variable): gradient
            for gradient, variable in zip(grads, trainable_variables, strict=True)
        }
        self._turn_kernels(gradients, rate)
        if self._sizes:
            self._move_others(gradients, rate * self.adam_lr_ratio)

    def _turn_kernels(self, gradients: Mapping[int, Any], rate: Any) -> None:
        groups = defaultdict(list)
        for index, momentum in self._momentums.items():
            if index not in gradients:  # nothing led from it to the loss
                continue
            kernel, gradient = self._trainable_variables[index], gradients[index]
            moved = self.momentum * momentum + gradient
            self.assign(momentum, moved)
            matrix = ops.reshape(gradient + self.momentum * moved, (-1, kernel.shape[-1]))
            groups[min(matrix.shape)].append((kernel, matrix))
        for group in groups.values():
            kernels, matrices = zip(*group, strict=True)
            directions = orthogonalise(matrices, self.ns_steps)
            for kernel, direction in zip(kernels, directions, strict=True):
                self.assign(kernel, _turned(kernel, direction, rate))

    def _move_others(self, gradients: Mapping[int, Any], rate: Any) -> None:
        gradient = ops.concatenate(
            [
                ops.reshape(gradients[index], (size,)) if index in gradients else ops.zeros((size,))
                for index, size in self._sizes.items()
            ]
        )
        mean = self._mean + (1 - MEAN_DECAY) * (gradient - self._mean)
        squares = self._squares + (1 - SQUARES_DECAY) * (ops.square(gradient) - self._squares)
        self.assign(self._mean, mean)
        self.assign(self._squares, squares)
        # Both begin at 0, which makes them too small at first.
        updates = ops.cast(self.iterations + 1, "float32")
        rate = rate * ops.sqrt(1 - SQUARES_DECAY**updates) / (1 - MEAN_DECAY**updates)
        steps = rate * mean / (ops.sqrt(squares) + EPSILON)
        *ends, _ = accumulate(self._sizes.values())
        pieces = ops.split(steps, ends) if ends else [steps]
        for index, step in zip(self._sizes, pieces, strict=True):
            variable = self._trainable_variables[index]
            self.assign_sub(variable, ops.reshape(step, variable.shape))

    def get_config(self) -> dict[str, Any]:
        """What `from_config` takes."""
        config: dict[str, Any] = super().get_config()
        return config | {
            "momentum": self.momentum,
            "ns_steps": self.ns_steps,
            "adam_lr_ratio": self.adam_lr_ratio,
        }


def _is_kernel(variable: Any) -> bool:
    return len(variable.shape) == 4


def _turned(kernel: Any, direction: Any, rate: Any) -> Any:
    """The kernel, of norm sqrt(out), moved against a matrix (height * width * in, out)."""
    value = ops.convert_to_tensor(kernel)
    length = ops.sqrt(ops.sum(ops.square(value))) + 1e-12
    scale = kernel.shape[-1] ** 0.5 / length
    return value * scale - rate * ops.reshape(direction, kernel.shape)
