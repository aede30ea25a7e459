"""Data sets: where pictures and their labels come from, decoded once, split honestly.

dataset = load("photos/")                             what there is
store = open_store(dataset, ImageSpec(64, 64))        decoded, memory-mapped
parts = split(dataset, seed=0, exclude=store.failures)
store.pixels[parts.train]                             (n, 64, 64, 3) uint8
"""

from __future__ import annotations

from tellapart.data.cache import CacheEntry, cache_folder, clear_cache, list_cache
from tellapart.data.load import load
from tellapart.data.split import Split, split, write_split_csv
from tellapart.data.store import Store, open_store

__all__ = [
    "CacheEntry",
    "Split",
    "Store",
    "cache_folder",
    "clear_cache",
    "list_cache",
    "load",
    "open_store",
    "split",
    "write_split_csv",
]
