"""The JAX backend, in processes of its own: a backend is chosen once a process."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tellapart.training.checkpoint import SECONDS_VARIABLE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("jax") is None, reason="jax is not installed (make slow does)"
    ),
]

SCRIPT = """
import json
import sys
import tellapart as ta
run = ta.train("digits", epochs=20, backend="jax", seed=3, out=sys.argv[1], observers=[])
weights = sum(float(abs(w).sum()) for w in run.model.get_weights())
print(json.dumps({
    "accuracy": run.evaluation.accuracy.value,
    "weights": weights,
}))
"""


def train_on_jax(out: Path) -> dict[str, Any]:
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(out)],
        env={key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(finished.stdout))


def test_a_run_on_jax_is_whole_and_repeats_itself(tmp_path: Path) -> None:
    first, second = train_on_jax(tmp_path / "a"), train_on_jax(tmp_path / "b")
    assert first["accuracy"] >= 0.96
    assert first == second
    info = json.loads((tmp_path / "a" / "run.json").read_text())
    assert info["backend"] == "jax"
    assert info["parity"]["checked"] == 359
    assert info["parity"]["max_difference"] <= 1e-4
    assert 0 < info["parity"]["max_novelty_difference"] <= 0.01


ON_DEVICE = """
import json
import sys
import numpy as np
from tellapart.data.split import Split
from tellapart.models import registry
from tellapart.training import trainer
from tellapart.training.on_device import with_jax
from tellapart.training.recipe import Recipe

rng = np.random.default_rng(0)
pixels, labels = rng.integers(0, 256, (360, 12, 12, 3), np.uint8), rng.integers(0, 4, 360)
none = np.zeros(0, np.int64)
split = Split(np.arange(300), np.arange(300, 360), none, none, 0)
recipe = Recipe(
    name="classic", model="classic-28", image_size=(12, 12), channels=3, epochs=3, batch_size=32,
    **json.loads(sys.argv[1]),
)
found, calls = [], []
train = with_jax.OnDevice._train


def counted(self, *args):
    calls.append(self._model.steps_per_execution)
    return train(self, *args)


with_jax.OnDevice._train = counted
for room in (0, 1e12):
    with_jax.room = lambda: room
    trainer.set_seed(0)
    model = registry.build("classic-28", (12, 12, 3), 4).model
    history = trainer.fit(model, pixels, labels, split, recipe, lambda event: None)
    losses = [(row.loss, row.val_loss, row.accuracy) for row in history.epochs]
    found.append((model.get_weights(), losses))
(own, own_losses), (other, other_losses) = found
print(json.dumps({
    "weights": max(float(np.abs(a - b).max()) for a, b in zip(own, other)),
    "losses": float(np.abs(np.subtract(own_losses, other_losses)).max()),
    "calls": calls,
    "afterwards": model.steps_per_execution,
}))
"""


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"augment": "flip,shift=0.1", "class_weight": "balanced"},
        {"loss": "categorical_crossentropy", "label_smoothing": 0.1, "schedule": "one-cycle"},
    ],
)
def test_an_epoch_in_one_call_makes_the_same_updates(options: dict[str, Any]) -> None:
    """As on an accelerator; here the device is the processor."""
    finished = subprocess.run(
        [sys.executable, "-c", ON_DEVICE, json.dumps(options)],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(finished.stdout)
    assert found["weights"] < 1e-5
    assert found["losses"] < 1e-5
    assert found["calls"] == [10, 10, 10]  # one an epoch, of 300 pictures in batches of 32
    assert found["afterwards"] == 1


RESUMED = """
import sys
from pathlib import Path
from tellapart.training.on_device import with_jax
from tests.training import test_resume as cases

# With JAX, Keras wants every layer to name its random numbers.
cases.OwnNoise.call = lambda self, inputs, training=False: inputs
with_jax.room = lambda: 1e12
with_jax.MOST_UPDATES = 10  # of 50 an epoch: five calls, and a checkpoint after each
recipe = cases.how()
straight = cases.train(recipe, None)
written = []
write = cases.Fragile.write


def noted(self, checkpoint):
    written.append(checkpoint.step)
    write(self, checkpoint)


cases.Fragile.write = noted
# With 1 it would be killed for ever by the checkpoint that is written before each validation.
for survives in (2, 3):
    folder = Path(sys.argv[1]) / str(survives)
    cases.assert_same(straight, cases.train_in_pieces(recipe, folder, survives))
    last = written[survives - 1 :: survives]  # of each process but the one that came to the end
    print(survives, len([step for step in last if 0 < step < 50]) >= 3)
    written.clear()
"""


def test_what_was_cut_off_in_the_middle_of_an_epoch_goes_on(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    finished = subprocess.run(
        [sys.executable, "-c", RESUMED, str(tmp_path)],
        env=os.environ
        | {
            "KERAS_BACKEND": "jax",
            SECONDS_VARIABLE: "0",
            "PYTHONPATH": os.pathsep.join([str(root), str(root / "src")]),
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.stdout.split() == ["2", "True", "3", "True"], finished.stderr


def test_a_backend_cannot_change_within_a_process() -> None:
    code = (
        "import keras, tellapart as ta\n"
        "try: ta.train('digits', backend='jax', observers=[])\n"
        "except ta.TellapartError as error: print(error)\n"
    )
    environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
    finished = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert "Keras already runs on 'tensorflow' in this process" in finished.stdout
