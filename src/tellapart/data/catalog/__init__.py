"""Data sets that can be had by name; each is described, and fetched, by a file of its own.

Importing this imports nothing heavy: Keras and scikit-learn are used once, by the first fetch.
From then on the arrays are in the cache.
"""

from __future__ import annotations

from tellapart.data.catalog import cifar10, cifar100, digits, fashion_mnist, mnist
from tellapart.data.catalog.entry import Arrays, CatalogEntry
from tellapart.data.catalog.kept import load_entry
from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, did_you_mean

__all__ = ["CATALOG", "Arrays", "CatalogEntry", "load_catalog"]

CATALOG: dict[str, CatalogEntry] = {
    module.ENTRY.name: module.ENTRY for module in (digits, mnist, fashion_mnist, cifar10, cifar100)
}


def load_catalog(name: str) -> Dataset:
    """Loads a data set by its name, from the cache if it was loaded before.

    Raises:
        DataError: there is no data set of that name.
        DownloadError: it could not be fetched.
    """
    if name not in CATALOG:
        raise DataError(
            f"The catalog has no data set '{name}'.{did_you_mean(name, list(CATALOG))} It has "
            f"{', '.join(CATALOG)}."
        )
    return load_entry(CATALOG[name])
