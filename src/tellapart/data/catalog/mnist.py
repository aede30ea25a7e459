"""MNIST: 70,000 handwritten digits of 28x28 pixels (LeCun, Cortes and Burges, 1998)."""

from __future__ import annotations

from collections.abc import Sequence

from tellapart.data.catalog.entry import Arrays, CatalogEntry
from tellapart.data.catalog.fetching import fetch_with_keras


def fetch() -> Sequence[Arrays]:
    """Gets MNIST; Keras checks its sha256."""
    return fetch_with_keras("mnist", "mnist.npz")


ENTRY = CatalogEntry(
    name="mnist",
    description="Handwritten digits: where everybody starts.",
    pictures=70_000,
    picture_size=(28, 28, 1),
    class_names=tuple("0123456789"),
    source="Yann LeCun, Corinna Cortes and Christopher Burges, 1998",
    licence="CC BY-SA 3.0",
    needs_download=True,
    fetch=fetch,
)
