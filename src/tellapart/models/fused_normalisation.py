"""Batch normalisation in one pass over the activations."""

from __future__ import annotations

from typing import Any

import keras


class FusedNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Keras's BatchNormalization, by TensorFlow's fused kernel where that is the backend.

    Keras computes mean and variance, and then normalises, in operations of their own: on two cores
    (256, 31, 31, 32) took 22 ms with its gradient, the fused kernel 6 ms. For training alone; the
    weights are those of the layer it derives from.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalises (batch, height, width, channels)."""
        if keras.backend.backend() != "tensorflow" or not training:
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            tf.cast(self.gamma, tf.float32),
            tf.cast(self.beta, tf.float32),
            epsilon=self.epsilon,
            is_training=True,
        )[:3]
        share = 1 - self.momentum
        self.moving_mean.assign(self.moving_mean + share * (mean - self.moving_mean))
        self.moving_variance.assign(
            self.moving_variance + share * (variance - self.moving_variance)
        )
        return outputs
