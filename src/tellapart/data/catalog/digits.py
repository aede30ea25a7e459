"""The 1,797 handwritten digits of 8x8 pixels inside scikit-learn: no download."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tellapart.data.catalog.entry import Arrays, CatalogEntry
from tellapart.errors import MissingDependencyError


def fetch() -> Sequence[Arrays]:
    """Gets the digits; their grey levels 0 to 16 become 0 to 255."""
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "The digits are a part of scikit-learn, which is not installed: "
            "pip install scikit-learn"
        ) from error

    digits = load_digits()
    x = np.rint(digits.images * 255 / 16).astype(np.uint8)
    return [Arrays(x, digits.target.astype(np.int64), None)]


ENTRY = CatalogEntry(
    name="digits",
    description="Handwritten digits, very small: a first experiment in seconds.",
    pictures=1797,
    picture_size=(8, 8, 1),
    class_names=tuple("0123456789"),
    source="UCI ML hand-written digits (Alpaydin and Kaynak, 1998), test set, from scikit-learn",
    licence="CC BY 4.0",
    needs_download=False,
    fetch=fetch,
)
