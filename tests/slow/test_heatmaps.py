"""Heat maps on real photos, and with gradients from JAX in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tellapart as ta
from tellapart.data.split import read_split_csv
from tellapart.explanation.heatmaps import explain_pixels, explain_pixels_from_classifier
from tellapart.images import decode
from tellapart.models.registry import load_keras_file
from tests.explanation.heatmap_networks import corner_network

DATA = Path(os.environ.get("TELLAPART_DATA", Path(__file__).parents[2].parent / "shared" / "data"))

pytestmark = pytest.mark.slow

ON_JAX = """
import sys
import numpy as np
from tellapart.explanation.heatmaps import explain_pixels
from tellapart.models.registry import load_keras_file
import keras
assert keras.backend.backend() == "jax"
pixels = np.load(sys.argv[2])
classes = np.arange(len(pixels)) % 2
np.save(sys.argv[3], explain_pixels(load_keras_file(__import__("pathlib").Path(sys.argv[1])),
                                    pixels, classes, method="hires-cam"))
"""


@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="jax is not installed (make slow does)"
)
def test_jax_draws_the_map_that_tensorflow_draws(tmp_path: Path) -> None:
    model = corner_network()
    model.save(tmp_path / "model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), dtype=np.uint8)
    np.save(tmp_path / "pixels.npy", pixels)
    arguments = [str(tmp_path / name) for name in ("model.keras", "pixels.npy", "maps.npy")]
    subprocess.run(
        [sys.executable, "-c", ON_JAX, *arguments],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        check=True,
    )
    expected = explain_pixels(model, pixels, np.arange(40) % 2, method="hires-cam")
    assert expected.any()
    np.testing.assert_allclose(np.load(tmp_path / "maps.npy"), expected, atol=1e-5)


def test_flowers(tmp_path: Path) -> None:
    """On real photos: file and Keras agree, and hiding what is strong hurts more than the rest."""
    archive = DATA / "flowers17.zip"
    if not archive.exists():
        pytest.skip(f"{archive} is missing; TELLAPART_DATA names the folder that holds it")
    run = ta.train(
        archive, recipe="transfer", epochs=0, validation_split=0.1, out=tmp_path / "run",
        observers=[],
    )  # fmt: skip
    data = ta.load(archive)
    parts = read_split_csv(run.path / "split.csv")
    validation = [i for i, path in enumerate(data.paths) if parts.get(path) == "validation"]
    classifier = ta.Classifier.load(run.path)
    pixels = np.stack([decode(data.source.read(i), classifier.image_spec) for i in validation[::5]])
    rows = classifier.probabilities(pixels)
    said = rows.argmax(axis=1)
    maps = explain_pixels_from_classifier(classifier, pixels, said)
    model = load_keras_file(run.path / "model.keras")
    np.testing.assert_allclose(explain_pixels(model, pixels, said), maps, atol=5e-3)

    strong = maps >= np.quantile(maps, 0.75, axis=(1, 2), keepdims=True)
    weak = maps <= np.quantile(maps, 0.25, axis=(1, 2), keepdims=True)
    left = []
    for hidden in (strong, weak):
        grey = pixels.mean(axis=(1, 2), keepdims=True).astype(np.uint8)
        covered = np.where(hidden[..., np.newaxis], grey, pixels)
        left.append(classifier.probabilities(covered)[np.arange(len(said)), said].mean())
    assert left[0] < left[1] - 0.2
