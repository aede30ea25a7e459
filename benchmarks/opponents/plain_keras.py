"""The textbook's script in plain Keras + TensorFlow: what a reader of a tutorial would run.

    python plain_keras.py mnist.tar.gz    classic-28, 3 epochs, batch 32, 10% validation
    python plain_keras.py cifar10.tar.gz  classic-32, 15 epochs, batch 64, 20% validation, one-hot

It reads the archive in one go into arrays, which is the fastest way with these two libraries, and
does nothing but load, train, evaluate and print: no export, no plots, no report. Given a `.npz`
with the pictures decoded already, it reads that.
"""

import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras import layers
from pictures import read


def mnist_network() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def cifar10_network() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def main(path: str, seed: int) -> None:
    keras.utils.set_random_seed(seed)
    began = time.monotonic()
    x_train, y_train, x_test, y_test = read(path)
    print(f"read {time.monotonic() - began:.1f} s")
    # Keras takes the validation share from the end, so the order must not be by class.
    order = np.random.default_rng(seed).permutation(len(x_train))
    x_train, y_train = x_train[order], y_train[order]
    x_train, x_test = x_train.astype("float32") / 255, x_test.astype("float32") / 255
    if "mnist" in path:
        x_train, x_test = x_train[..., None], x_test[..., None]
        model, loss, epochs, batch, share = (
            mnist_network(), "sparse_categorical_crossentropy", 3, 32, 0.1,
        )  # fmt: skip
    else:
        y_train, y_test = keras.utils.to_categorical(y_train), keras.utils.to_categorical(y_test)
        model, loss, epochs, batch, share = (
            cifar10_network(), "categorical_crossentropy", 15, 64, 0.2,
        )  # fmt: skip
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    began = time.monotonic()
    history = model.fit(
        x_train, y_train, epochs=epochs, batch_size=batch, validation_split=share, verbose=2
    )
    seconds = time.monotonic() - began
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"fit {seconds:.1f} s, training accuracy {history.history['accuracy'][-1]:.4f}")
    print(f"test accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
