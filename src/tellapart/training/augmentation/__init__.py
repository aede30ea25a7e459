"""Augmentation: each epoch sees every training picture a little differently.

It happens on the batches, before the network: the network itself, and so the classifier file,
knows nothing of it. NumPy alone, so that every backend trains on the same pictures.
"""

from tellapart.training.augmentation.choice import choose_augmentation
from tellapart.training.augmentation.geometry import moves
from tellapart.training.augmentation.numbers import draw
from tellapart.training.augmentation.parse import PRESETS, parse_augmentation
from tellapart.training.augmentation.pictures import augment, mix
from tellapart.training.augmentation.spec import Augmentation

__all__ = [
    "PRESETS",
    "Augmentation",
    "augment",
    "choose_augmentation",
    "draw",
    "mix",
    "moves",
    "parse_augmentation",
]
