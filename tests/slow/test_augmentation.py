"""Augmentation and deadlines on TensorFlow and on JAX, in processes of their own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("jax") is None, reason="jax is not installed (make slow does)"
    ),
]

SCRIPT = """
import hashlib, itertools, json
import numpy as np
from sklearn.datasets import load_digits
from tellapart.data.split import Split
from tellapart.models import registry
from tellapart.training import trainer
from tellapart.training.recipe import Recipe

digits = load_digits()
pixels, labels = digits.images[..., None].astype(np.uint8) * 15, digits.target.astype(np.int64)
none = np.array([], np.int64)
split = Split(np.arange(640), np.arange(640, 960), none, none, 0)
recipe = Recipe(
    "auto", "classic-32", (8, 8), 1, 100, loss="categorical_crossentropy",
    augment="strong,flip=none,mixup=0.1,cutmix", class_weight="balanced",
)
train, _ = trainer.make_batches(pixels, labels, split, recipe, 10)
digest = hashlib.sha256()
for epoch in range(2):
    train.epoch = epoch
    source = train.for_keras()
    steps = source if hasattr(source, "as_numpy_iterator") else map(source.__getitem__, range(20))
    for step in steps:
        for array in step:
            digest.update(np.ascontiguousarray(np.asarray(array)).tobytes())
looks = itertools.count(1)
trainer.set_seed(0)
model = registry.build("classic-32", (8, 8, 1), 10).model
history = trainer.fit(
    model, pixels, labels, split, recipe, lambda event: None,
    deadline=400.0, clock=lambda: float(next(looks)),
)
print(json.dumps({
    "batches": digest.hexdigest(),
    "overrun": max(0, next(looks) - 1 - 400),
    "rates": [epoch.learning_rate for epoch in history.epochs],
    "val_loss": [epoch.val_loss for epoch in history.epochs],
}))
"""


def on(backend: str) -> dict[str, Any]:
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(finished.stdout))


def test_both_backends_see_the_same_pictures_and_keep_the_deadline() -> None:
    tensorflow, jax = on("tensorflow"), on("jax")
    assert tensorflow["batches"] == jax["batches"]
    for found in (tensorflow, jax):
        assert found["overrun"] == 0
        assert found["rates"][-1] < 0.1 * max(found["rates"])
        assert found["val_loss"][-1] < found["val_loss"][0] - 0.1
