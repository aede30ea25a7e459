"""Fetches arrays through Keras's loaders, which download, check and keep the original files."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.data.catalog.entry import Arrays
from tellapart.errors import DownloadError, MissingDependencyError
from tellapart.tensorflow_variables import set_defaults

KERAS_NAMES = {
    "mnist": "mnist",
    "fashion-mnist": "fashion_mnist",
    "cifar10": "cifar10",
    "cifar100": "cifar100",
}


def fetch_with_keras(
    name: str, kept_as: str, sha256: Mapping[str, str] | None = None
) -> Sequence[Arrays]:
    """Gets the training and the test part of a data set.

    Keras checks the sha256 of what it downloads, except where it knows none; `sha256` is for those.

    Args:
        name: in the catalog.
        kept_as: the file or folder that Keras makes in its own cache.
        sha256: of the bytes of x_train, y_train, x_test and y_test.

    Raises:
        DownloadError: there is no network, or what came is not the data set.
        MissingDependencyError: Keras is not installed.
    """
    place = _keras_folder() / kept_as
    (x_train, y_train), (x_test, y_test) = _load(name, place)
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    for array_name, expected in (sha256 or {}).items():
        found = hashlib.sha256(np.ascontiguousarray(arrays[array_name]).data).hexdigest()
        if found != expected:
            raise DownloadError(
                f"'{name}' is not what was published: the sha256 of {array_name} is {found}, "
                f"expected {expected}. Remove {place} and try again."
            )
    return [
        Arrays(x_train, y_train.ravel().astype(np.int64), "train"),
        Arrays(x_test, y_test.ravel().astype(np.int64), "test"),
    ]


def _load(name: str, place: Path) -> Any:
    """Calls the loader; its progress goes to standard error, for standard output may carry JSON."""
    set_defaults()  # Keras imports it
    try:
        with contextlib.redirect_stdout(sys.stderr):
            loader = importlib.import_module(f"keras.datasets.{KERAS_NAMES[name]}")
            return loader.load_data()
    except ImportError as error:
        raise MissingDependencyError(
            f"'{name}' is fetched by Keras, which cannot be imported here ({error}). Install "
            "keras and tensorflow, or give a folder or an archive."
        ) from error
    except Exception as error:  # `get_file` raises plain Exception where the network fails
        raise DownloadError(
            f"'{name}' could not be downloaded: {error}\n"
            f"Without a network, give a folder or an archive of the pictures instead:\n"
            f"  tellapart train path/to/{name}.tar.gz\n"
            f"or put the original file where Keras looks for it: {place}"
        ) from error


def _keras_folder() -> Path:
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets"
