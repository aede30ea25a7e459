"""How long the first update takes beside its computing: tracing the step, and setting it up.

    python benchmarks/first_update.py --runs 3

`fast-narrow` on 28x28 grey pictures of noise, batches of 500, four updates a call as with a
`--budget`, each time in a new process: the first call of the training step less the median of the
others. In turns with `conv-muon`, with the same updates made by `keras.optimizers.Muon`, which goes
through the variables one by one, and with Keras's Adam.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import processes
from common import RESULTS, Row, spread, write_results
from tellapart.models.backend import import_keras

SHAPE, CLASSES, BATCH, CALLS, UPDATES_A_CALL = (28, 28, 1), 10, 500, 12, 4


def one_by_one() -> Any:
    """`conv-muon` as it was at first."""
    keras = import_keras()
    ops = keras.ops

    class OneByOne(keras.optimizers.Muon):  # type: ignore[misc, name-defined]
        def _should_use_adamw(self, variable: Any) -> bool:
            return len(variable.shape) != 4

        def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
            outputs = variable.shape[-1]
            self.assign(m, self.momentum * m + gradient)
            step = ops.reshape(gradient + self.momentum * m, (-1, outputs))
            direction = self.zeropower_via_newtonschulz5(step, self.ns_steps)
            length = ops.sqrt(ops.sum(ops.square(variable))) + 1e-12
            turned = variable * (outputs**0.5 / length)
            self.assign(variable, turned - lr * ops.reshape(direction, variable.shape))

    return OneByOne(0.05, momentum=0.6, weight_decay=None, adam_weight_decay=None)


def together() -> Any:
    import_keras()
    from tellapart.training.muon import ConvMuon

    return ConvMuon(0.05)


def adam() -> Any:
    return import_keras().optimizers.Adam()


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "conv-muon": together,
    "one by one": one_by_one,
    "adam": adam,
}


def measure(name: str) -> float:
    """Seconds of the first call of the step beside those of an ordinary one."""
    keras = import_keras()
    from tellapart.models.fast import FAST_NARROW, build_fast

    rng = np.random.default_rng(0)
    pictures = BATCH * CALLS * UPDATES_A_CALL
    pixels = rng.integers(0, 256, (pictures, *SHAPE), np.uint8)
    labels = keras.utils.to_categorical(rng.integers(0, CLASSES, pictures), CLASSES)
    model = build_fast(SHAPE, CLASSES, FAST_NARROW, training=True)
    optimizer = OPTIMIZERS[name]()
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, "categorical_crossentropy", steps_per_execution=UPDATES_A_CALL)
    ends: list[float] = []

    def note(*_: Any) -> None:
        ends.append(time.perf_counter())

    listener = keras.callbacks.LambdaCallback(
        on_epoch_begin=note, on_train_batch_end=lambda batch, logs: note()
    )
    model.fit(pixels, labels, BATCH, shuffle=False, verbose=0, callbacks=[listener])
    calls = np.diff(ends)
    return float(calls[0] - statistics.median(calls[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--measure", choices=OPTIMIZERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(measure(arguments.measure))
        return
    rows: list[Row] = []
    for run in range(arguments.runs):
        for name in OPTIMIZERS:
            finished = processes.run([sys.executable, __file__, "--measure", name])
            seconds = round(float(finished.output.splitlines()[-1]), 3)
            rows.append({"optimizer": name, "run": run, "seconds": seconds})
            print(rows[-1], flush=True)
    for name in OPTIMIZERS:
        seconds_of = [float(row["seconds"]) for row in rows if row["optimizer"] == name]
        print(f"{name:12} {spread(seconds_of)}")
    write_results(arguments.results / "first_update.csv", rows)


if __name__ == "__main__":
    main()
