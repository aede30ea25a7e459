"""CIFAR-10: 60,000 colour pictures of 32x32 pixels (Krizhevsky, 2009)."""

from __future__ import annotations

from collections.abc import Sequence

from tellapart.data.catalog.entry import Arrays, CatalogEntry
from tellapart.data.catalog.fetching import fetch_with_keras


def fetch() -> Sequence[Arrays]:
    """Gets CIFAR-10; Keras checks its sha256."""
    return fetch_with_keras("cifar10", "cifar-10-batches-py-target_archive")


ENTRY = CatalogEntry(
    name="cifar10",
    description="Small colour pictures of animals and vehicles.",
    pictures=60_000,
    picture_size=(32, 32, 3),
    class_names=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
    source="Alex Krizhevsky, 2009, https://www.cs.toronto.edu/~kriz/cifar.html",
    licence="not stated by its authors; free to use for research with a citation",
    needs_download=True,
    fetch=fetch,
)
