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
