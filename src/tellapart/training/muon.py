"""Muon for convolutions: updates whose directions all have the same length."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tellapart.models.fast import FAST_NARROW
from tellapart.training.recipe import MUON_LEARNING_RATE

DEFAULT_MOMENTUM = 0.6

MOMENTUM = {FAST_NARROW: 0.8}
"""By network, where another one than the default learns more (docs/fast.md)."""


@keras.saving.register_keras_serializable(package="tellapart")
class ConvMuon(keras.optimizers.Muon):  # type: ignore[misc]
    """Keras's Muon, for the kernels of convolutions and of dense layers but the last.

    The gradient of a kernel, (height, width, in, out) taken as a matrix of height * width * in
    by out, is replaced by the nearest matrix whose singular values are all 1 (Jordan et al., Muon,
    2024). Before each update the kernel is brought back to the norm sqrt(out), as in airbench
    (Jordan, 94% on CIFAR-10 in 3.29 seconds, 2024), so that the learning rate is the angle that a
    kernel turns by; batch normalisation makes the norm of no importance. Everything else is trained
    by Adam.

    Args:
        learning_rate: of kernels, in shares of their norm.
        momentum: of the gradient of kernels (Nesterov).
        adam_learning_rate: of everything else, in the units of Adam, when `learning_rate` is at its
            highest.
        **options: of `keras.optimizers.Muon`.
    """

    def __init__(
        self,
        learning_rate: Any = MUON_LEARNING_RATE,
        *,
        momentum: float = DEFAULT_MOMENTUM,
        weight_decay: float | None = None,
        rms_rate: float | None = None,
        adam_weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            momentum=momentum,
            weight_decay=weight_decay,
            rms_rate=rms_rate,
            adam_weight_decay=adam_weight_decay,
            **options,
        )

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) != 4

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        outputs = variable.shape[-1]
        self.assign(m, self.momentum * m + gradient)
        step = gradient + self.momentum * m if self.nesterov else m
        direction = self.zeropower_via_newtonschulz5(
            ops.reshape(step, (-1, outputs)), self.ns_steps
        )
        length = ops.sqrt(ops.sum(ops.square(variable))) + 1e-12
        turned = variable * (outputs**0.5 / length) - lr * ops.reshape(direction, variable.shape)
        self.assign(variable, turned)
