"""Which core runs which pictures, on the network of tests/tiny_classifier.py."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart import network as module
from tellapart import onnx_session
from tellapart.classifier import Classifier
from tellapart.network import Network
from tests.tiny_classifier import save_classifier

PICTURE = 6 * 8 * 3


class Runs:
    """Notes each run of a session: its pictures, its threads, and the thread that called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.threads: list[int] = []
        self.callers: set[str] = set()

        def noted(session: Any, pixels: Any) -> Any:
            self.sizes.append(len(pixels))
            self.threads.append(session.get_session_options().intra_op_num_threads)
            self.callers.add(threading.current_thread().name)
            return onnx_session.run(session, pixels)

        monkeypatch.setattr(module, "run", noted)


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return Classifier.load(save_classifier(tmp_path / "classifier.onnx"))._network


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(monkeypatch)


@pytest.fixture
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(module, "usable_cores", lambda: request.param)
    monkeypatch.setattr("tellapart.onnx_session.usable_cores", lambda: request.param)
    return int(request.param)


def some(count: int) -> Any:
    return np.random.default_rng(count).integers(0, 256, (count, 6, 8, 3), np.uint8)


@pytest.mark.parametrize("cores", [1, 3], indirect=True)
def test_a_single_picture_is_shared_by_all_cores(cores: int, network: Network, runs: Runs) -> None:
    network.run(some(1))
    network.run(some(1))
    assert (runs.sizes, runs.threads) == ([1, 1], [cores, cores])


@pytest.mark.parametrize(
    ("cores", "count", "batch_size", "sizes"),
    [
        (1, 5, 64, [5]),
        (2, 5, 64, [3, 2]),
        (2, 9, 4, [2, 2, 2, 2, 1]),  # two on each core are four
        (4, 3, 64, [1, 1, 1]),
        (4, 3, 1, [1, 1, 1]),
    ],
    indirect=["cores"],
)
def test_of_several_each_core_takes_its_own(
    cores: int, count: int, batch_size: int, sizes: list[int], network: Network, runs: Runs
) -> None:
    pixels = some(count)
    rows, novelty = network.run(pixels, batch_size)
    assert sorted(runs.sizes, reverse=True) == sizes
    assert set(runs.threads) == {1}
    assert len(runs.callers) <= min(cores, batch_size)
    assert novelty is None
    one_by_one = np.concatenate([network.run(pixels[k : k + 1])[0] for k in range(count)])
    np.testing.assert_allclose(rows, one_by_one, atol=1e-6)


def test_large_pictures_go_through_in_pieces(
    tmp_path: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_classifier(tmp_path / "novel.onnx", novelty={"threshold": None})
    monkeypatch.setattr(module, "MOST_VALUES", 2 * PICTURE + 1)
    pixels = np.stack([np.full((6, 8, 3), value, np.uint8) for value in (0, 255, 0, 0, 255)])
    rows, novelty = Classifier.load(path)._network.run_on_one_core(pixels)
    assert runs.sizes == [2, 2, 1]
    assert runs.callers == {threading.current_thread().name}
    assert rows == pytest.approx(np.full((5, 3), 1 / 3), abs=1e-6)
    assert novelty is not None
    assert novelty == pytest.approx([0, 3, 0, 0, 3], abs=1e-5)  # black and white
    runs.sizes.clear()
    monkeypatch.setattr(module, "MOST_VALUES", 1)  # a picture that is larger goes alone
    Classifier.load(path)._network.run_on_one_core(pixels[:2])
    assert runs.sizes == [1, 1]


@pytest.mark.parametrize("cores", [2], indirect=True)
def test_no_picture_takes_no_run(cores: int, network: Network, runs: Runs) -> None:
    rows, novelty = network.run(some(0))
    assert (rows.shape, str(rows.dtype)) == ((0, 3), "float32")
    assert novelty is None
    assert not runs.sizes
