from __future__ import annotations

import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.data import list_cache, load, split
from tellapart.data.catalog import CATALOG, load_catalog
from tellapart.data.catalog.cifar100 import CLASS_NAMES
from tellapart.errors import DataError, DownloadError, MissingDependencyError


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, load_data: Callable[[], Any]) -> None:
    """Takes the place of keras.datasets.<name>, so that Keras is not even imported."""
    module = types.ModuleType(f"keras.datasets.{name}")
    module.load_data = load_data  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, f"keras.datasets.{name}", module)


def arrays(size: tuple[int, ...], classes: int) -> Any:
    """Pictures and labels as Keras returns them, 3 training and 2 test pictures a class."""
    rng = np.random.default_rng(0)

    def part(each: int) -> Any:
        y = np.tile(np.arange(classes, dtype=np.uint8), each)
        y = y[:, None] if len(size) == 3 else y
        return rng.integers(0, 256, (len(y), *size)).astype(np.uint8), y

    return part(3), part(2)


def test_entries() -> None:
    assert {
        entry.name: (entry.pictures, entry.classes, entry.picture_size, entry.needs_download)
        for entry in CATALOG.values()
    } == {
        "digits": (1797, 10, (8, 8, 1), False),
        "mnist": (70_000, 10, (28, 28, 1), True),
        "fashion-mnist": (70_000, 10, (28, 28, 1), True),
        "cifar10": (60_000, 10, (32, 32, 3), True),
        "cifar100": (60_000, 100, (32, 32, 3), True),
    }
    for name, entry in CATALOG.items():
        assert name == entry.name
        assert entry.description
        assert entry.licence
        assert entry.source
    assert list(CLASS_NAMES) == sorted(set(CLASS_NAMES))


def test_digits() -> None:
    from sklearn.datasets import load_digits

    dataset = load("digits")
    assert len(dataset) == 1797
    assert dataset.class_names == tuple("0123456789")
    assert dataset.name == dataset.location == "digits"
    original = load_digits()
    assert dataset.labels.tolist() == original.target.tolist()
    # Level 5 of 16 is 5 · 255 / 16 = 79.7, so 80; in the first picture at row 0, column 2.
    assert original.images[0][0, 2] == 5
    first = dataset.source.read(0)
    assert isinstance(first, np.ndarray)
    assert first[0, 2] == 80
    assert first.max() <= 255
    # 1797 · 0.2 = 359.4; (1797 - 359) · 0.2 = 287.6.
    assert split(dataset).counts() == {
        "train": 1150,
        "validation": 288,
        "calibration": 0,
        "test": 359,
    }


def test_the_second_time_scikit_learn_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    first = load("digits")
    assert [(entry.kind, entry.location) for entry in list_cache()] == [("arrays", "digits")]
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    second = load("digits")
    assert second.source.key == first.source.key
    assert np.array_equal(second.source.read(1796), first.source.read(1796))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["mnist", "cifar10", "cifar100"])
def test_keras_loaders(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    entry = CATALOG[name]
    height, width, channels = entry.picture_size
    size = (height, width) if channels == 1 else (height, width, channels)
    data = arrays(size, entry.classes)
    calls = []

    def load_data() -> Any:
        calls.append(name)
        print("Downloading data from ...")
        return data

    stand_in(monkeypatch, name, load_data)
    for _ in range(2):
        dataset = load(name)
        assert len(dataset) == 5 * entry.classes
        assert dataset.class_names == entry.class_names
        assert dataset.sizes[0] == entry.picture_size
        last = dataset.source.read(len(dataset) - 1)
        assert np.array_equal(last, data[1][0][-1])  # type: ignore[arg-type]
        assert split(dataset).counts()["test"] == 2 * entry.classes
    assert calls == [name]


def test_progress_stays_off_standard_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load_data() -> Any:
        print("Downloading data from ...")
        return arrays((28, 28), 10)

    stand_in(monkeypatch, "mnist", load_data)
    load("mnist")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "Downloading data from ...\n"


def test_fashion_mnist_is_checked(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    stand_in(monkeypatch, "fashion_mnist", lambda: arrays((28, 28), 10))
    with pytest.raises(
        DownloadError, match=r"the sha256 of x_train is [0-9a-f]{64}, expected 2e48"
    ):
        load("fashion-mnist")
    assert list(own_cache.iterdir()) == []


def test_class_names_are_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    data = arrays((28, 28), 10)
    stand_in(monkeypatch, "fashion_mnist", lambda: data)
    monkeypatch.setattr("tellapart.data.catalog.fashion_mnist.SHA256", {})
    dataset = load("fashion_mnist")
    assert dataset.class_names[:2] == ("Ankle boot", "Bag")
    named = [dataset.class_names[label] for label in dataset.labels[:10]]
    assert tuple(named) == CATALOG["fashion-mnist"].class_names


def test_no_network(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    def load_data() -> Any:
        raise Exception("URL fetch failure on https://x/mnist.npz: None -- Name not known")  # noqa: TRY002

    stand_in(monkeypatch, "mnist", load_data)
    monkeypatch.setenv("KERAS_HOME", str(Path("keras") / "home"))
    with pytest.raises(DownloadError) as caught:
        load("mnist")
    said = str(caught.value)
    assert "'mnist' could not be downloaded: URL fetch failure on https://x/mnist.npz" in said
    assert "tellapart train path/to/mnist.tar.gz" in said
    assert str(Path("keras") / "home" / "datasets" / "mnist.npz") in said
    assert list(own_cache.iterdir()) == []


def test_no_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras.datasets.mnist", None)
    with pytest.raises(MissingDependencyError, match="'mnist' is fetched by Keras, which cannot"):
        load("mnist")


def test_unknown_name() -> None:
    with pytest.raises(DataError, match=r"no data set 'cifar11'. Did you mean 'cifar10'"):
        load_catalog("cifar11")


REAL_KERAS = """
import urllib.error
from keras.src.utils import file_utils
from tellapart.data import load
from tellapart.errors import DownloadError

def unreachable(*_):
    raise urllib.error.URLError("Name or service not known")

def other_content(origin, target, *_):
    open(target, "wb").write(b"<html>log in to the network</html>")

for retrieve in (unreachable, other_content):
    file_utils.urlretrieve = retrieve
    try:
        load("mnist")
    except DownloadError as error:
        print(str(error).splitlines()[0])
"""


def test_the_errors_of_keras_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REAL_KERAS],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"KERAS_HOME": str(tmp_path)},
    )
    unreachable, other_content = done.stdout.splitlines()
    assert unreachable.startswith("'mnist' could not be downloaded: URL fetch failure on https://")
    assert unreachable.endswith("Name or service not known")
    assert "Incomplete or corrupted file detected" in other_content
