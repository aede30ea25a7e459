"""Training images a second of plain Keras's `fit`, by TensorFlow as it comes or as it is told to.

    python keras_speed.py classic-32 20480 --epochs 3 --dtype mixed_bfloat16
    TF_ENABLE_ONEDNN_OPTS=1 python keras_speed.py classic-32 20480

Pictures of noise in memory, as float32 arrays in 0..1; the first epoch, which compiles, is left
out. Prints one line of JSON: {"images_per_second": ..., "onednn": ...}.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import keras  # before tellapart, which builds the network, tells TensorFlow something
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tellapart.models.classic import build_classic
from tellapart.models.fast import FAST, build_fast
from training_speed import CLASSES, TRAININGS, Training, images_per_second


def build(name: str, training: Training, dtype: str) -> Any:
    """The network in Keras's own layers, without the one that scales, which is for uint8."""
    if name == FAST:
        built = build_fast(training.shape, CLASSES)
    else:
        built = build_classic(name, training.shape, CLASSES, dtype=dtype)
    ours = keras.layers.InputLayer, keras.layers.Rescaling
    kept = [layer for layer in built.layers if not isinstance(layer, ours)]
    return keras.Sequential([keras.Input(training.shape), *kept])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", choices=TRAININGS)
    parser.add_argument("pictures", type=int)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--dtype", default="float32", help="Keras's dtype policy")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    training = TRAININGS[arguments.network]
    keras.utils.set_random_seed(arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    pixels = rng.random((arguments.pictures, *training.shape), np.float32)
    labels = rng.integers(0, CLASSES, arguments.pictures)
    one_hot = training.loss == "categorical_crossentropy"
    model = build(arguments.network, training, arguments.dtype)
    model.compile("adam", training.loss, metrics=["accuracy"])
    ends: list[float] = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
    )
    model.fit(
        pixels,
        keras.utils.to_categorical(labels) if one_hot else labels,
        batch_size=training.batch_size,
        epochs=arguments.epochs,
        callbacks=[note],
        verbose=0,
    )
    found = {
        "images_per_second": images_per_second(arguments.pictures, ends),
        "onednn": uses_onednn(),
    }
    print(json.dumps(found))


def uses_onednn() -> bool:
    from tensorflow.python.util import _pywrap_util_port

    return bool(_pywrap_util_port.IsMklEnabled())


if __name__ == "__main__":
    main()
