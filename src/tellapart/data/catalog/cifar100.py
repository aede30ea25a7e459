"""CIFAR-100: 60,000 colour pictures of 32x32 pixels in 100 classes (Krizhevsky, 2009)."""

from __future__ import annotations

from collections.abc import Sequence

from tellapart.data.catalog.entry import Arrays, CatalogEntry
from tellapart.data.catalog.fetching import fetch_with_keras


def fetch() -> Sequence[Arrays]:
    """Gets CIFAR-100 with its fine labels; Keras checks its sha256."""
    return fetch_with_keras("cifar100", "cifar-100-python-target_archive")


CLASS_NAMES = tuple(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle
    bowl boy bridge bus butterfly camel can castle caterpillar cattle
    chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur
    dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard
    lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain
    mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
    plain plate poppy porcupine possum rabbit raccoon ray road rocket
    rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor
    train trout tulip turtle wardrobe whale willow_tree wolf woman worm
    """.split()  # noqa: SIM905
)

ENTRY = CatalogEntry(
    name="cifar100",
    description="Small colour pictures of 100 things; 500 of each to learn from.",
    pictures=60_000,
    picture_size=(32, 32, 3),
    class_names=CLASS_NAMES,
    source="Alex Krizhevsky, 2009, https://www.cs.toronto.edu/~kriz/cifar.html",
    licence="not stated by its authors; free to use for research with a citation",
    needs_download=True,
    fetch=fetch,
)
