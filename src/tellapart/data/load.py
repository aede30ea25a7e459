"""`load`: one way in for every kind of data."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tellapart.data.archive import load_archive
from tellapart.data.arrays import Labelled, load_arrays, load_npz
from tellapart.data.classes import check_number
from tellapart.data.csv import load_csv
from tellapart.data.dataset import Dataset
from tellapart.data.folder import load_folder
from tellapart.data.listing import archive_kind
from tellapart.errors import DataError, UsageError, did_you_mean
from tellapart.files import similar_path
from tellapart.images import EXTENSIONS

Arrays = tuple[Any, Any]
"""Pictures and labels: x (n, height, width[, channels]) and y (n,)."""

ACCEPTED = (
    "Expected a folder, a zip or tar archive, an .npz file, a .csv file, or a name from the catalog"
)

_ARCHIVE_ENDINGS = re.compile(r"(\.tar)?\.(zip|tar|gz|tgz|bz2|tbz2|tbz|xz|txz|npz|csv|tsv)$", re.I)


def load(
    data: str | os.PathLike[str] | Arrays | Dataset,
    *,
    test: Arrays | None = None,
    class_names: Sequence[str] | None = None,
    name: str | None = None,
    to_train_on: bool = True,
) -> Dataset:
    """Loads a data set, whatever it is.

    Args:
        data: a folder with a folder for each class; the same with train/, val/ and test/ above;
            a zip or tar archive of either; an .npz or .csv file; a name from the catalog
            ("mnist"); a tuple of arrays (x, y); or a data set, which is returned as it is. A
            path that exists comes before a name from the catalog.
        test: with arrays, the (x, y) to test on.
        class_names: with arrays, the names of labels 0, 1, ...
        name: instead of the name that `data` suggests.
        to_train_on: whether what cannot be trained on is refused: a single class, a class without
            training pictures. Any labelled pictures will do to evaluate on.

    Returns:
        The data set: what there is. Nothing is decoded yet.

    Raises:
        DataError: there is no such data, or it holds nothing to train on.
        UsageError: `test` or `class_names` with something that is not arrays.
    """
    if isinstance(data, Dataset):
        if to_train_on:
            check_number(data.count_by_class(), data.location)
        return data if name is None else replace(data, name=name)
    if isinstance(data, tuple):
        return _load_tuple(data, test, class_names, name or "arrays", to_train_on)
    if not isinstance(data, (str, os.PathLike)):
        raise UsageError(f"Data of type {type(data).__name__}. {ACCEPTED}, or arrays (x, y).")
    location = os.fspath(data)
    if not location.strip():  # an unset shell variable; `Path("")` would be the current folder
        raise DataError(f"The name of the data is empty. {ACCEPTED}.")
    path = Path(location).expanduser()
    is_npz = path.suffix.lower() == ".npz"
    if test is not None or (class_names is not None and not is_npz):
        option = "class_names" if test is None else "test"
        raise UsageError(f"{option} goes with arrays (x, y), not with {location!r}.")
    dataset = _load_named(location, path, class_names, to_train_on)
    return dataset if name is None else replace(dataset, name=name)


def _load_tuple(
    data: Arrays,
    test: Arrays | None,
    class_names: Sequence[str] | None,
    name: str,
    to_train_on: bool,
) -> Dataset:
    for pair in (data, test):
        if pair is not None and len(pair) != 2:
            raise UsageError(f"A tuple of {len(pair)}: expected two arrays, (x, y).")
    blocks = [Labelled(*data)]
    if test is not None:
        blocks = [Labelled(*data, "train"), Labelled(*test, "test", "test x", "test y")]
    return load_arrays(blocks, class_names=class_names, name=name, to_train_on=to_train_on)


def _load_named(
    location: str, path: Path, class_names: Sequence[str] | None, to_train_on: bool
) -> Dataset:
    from tellapart.data.catalog import CATALOG, load_catalog

    catalog_name = location.lower().replace("_", "-")
    if not _exists(path):
        if catalog_name in CATALOG:
            return load_catalog(catalog_name)
        raise _not_found(location, path, list(CATALOG))
    dataset = _load_path(path, _short_name(path), location, class_names, to_train_on)
    if catalog_name in CATALOG:
        note = f"'{location}' is read from the path of that name, not from the catalog."
        dataset = replace(dataset, notes=(*dataset.notes, note))
    return dataset


def _load_path(
    path: Path, name: str, location: str, class_names: Sequence[str] | None, to_train_on: bool
) -> Dataset:
    suffix = path.suffix.lower()
    if path.is_dir():
        return load_folder(path, name, location, to_train_on=to_train_on)
    if not path.is_file():
        raise DataError(f"{location} is neither a file nor a folder. {ACCEPTED}.")
    if suffix == ".npz":
        return load_npz(path, name, location, class_names=class_names, to_train_on=to_train_on)
    if suffix in (".csv", ".tsv"):
        return load_csv(path, name, location, to_train_on=to_train_on)
    try:
        kind = archive_kind(path)
    except OSError as error:
        raise DataError(f"Cannot read {location}: {error.strerror or error}.") from error
    if kind is not None:
        return load_archive(path, kind, name, location, to_train_on=to_train_on)
    if suffix in EXTENSIONS:
        raise DataError(f"{location} is a single picture. {ACCEPTED}.")
    raise DataError(
        f"{location} is not an archive that can be read, or its start is damaged. {ACCEPTED}."
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # no file can have such a name
        return False


def _not_found(location: str, path: Path, catalog: list[str]) -> DataError:
    hint = ""
    if len(path.parts) == 1:
        hint = did_you_mean(location.lower(), catalog)
    hint = hint or similar_path(path)
    return DataError(
        f"There is no file, folder or catalog data set '{location}'.{hint} {ACCEPTED}: "
        f"{', '.join(catalog)}."
    )


def _short_name(path: Path) -> str:
    """Returns a name that is fit for a folder on any system."""
    stem = _ARCHIVE_ENDINGS.sub("", path.absolute().resolve().name)
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.")[:60] or "data"
