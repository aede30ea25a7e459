"""Fashion-MNIST: 70,000 grey pictures of clothes, 28x28 pixels (Xiao, Rasul and Vollgraf, 2017)."""

from __future__ import annotations

from collections.abc import Sequence

from tellapart.data.catalog.entry import Arrays, CatalogEntry
from tellapart.data.catalog.fetching import fetch_with_keras

# Keras downloads this one unchecked. The digests are of the arrays, so that they hold for the
# original files as for Debian's package `dataset-fashion-mnist`, from which they were taken.
SHA256 = {
    "x_train": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
    "y_train": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
    "x_test": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
    "y_test": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
}


def fetch() -> Sequence[Arrays]:
    """Gets Fashion-MNIST, and checks it."""
    return fetch_with_keras("fashion-mnist", "fashion-mnist", SHA256)


ENTRY = CatalogEntry(
    name="fashion-mnist",
    description="Clothes, shoes and bags: as small as MNIST, and harder.",
    pictures=70_000,
    picture_size=(28, 28, 1),
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    source="Zalando SE, 2017, https://github.com/zalandoresearch/fashion-mnist",
    licence="MIT",
    needs_download=True,
    fetch=fetch,
)
