"""The pictures of a run that ended earlier: its data, loaded again and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tellapart.data import load
from tellapart.data.audit import SIGNATURES
from tellapart.data.catalog import CATALOG
from tellapart.data.catalog.kept import is_kept
from tellapart.data.columns import open_column
from tellapart.data.dataset import Dataset
from tellapart.data.relabel import relabel
from tellapart.data.store import fingerprint
from tellapart.data.streaming import StreamedPixels
from tellapart.errors import TellapartError
from tellapart.explanation.prediction.view import view_of_run
from tellapart.report.pictures import NoPictures, Pictures
from tellapart.runs import RunFolder

ARRAYS = "arrays"
"""What `run.json` says of pictures that are in no file."""

_NAMED = "`tellapart report` with --data names it."


def find_pictures(
    folder: RunFolder,
    data: str | None = None,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> Pictures | NoPictures:
    """Loads the data of a run again.

    It must be the very data: the source's key is that of the run, or else, where files were copied
    or moved, all pictures and classes are (their fingerprint, for which all are read).

    Args:
        folder: of the run.
        data: where the data is now; None: where it was.
        on_progress: called with the number of pictures read so far, and of all.

    Returns:
        The pictures; or why there are none.

    Raises:
        TellapartError: `data` was named and cannot be loaded.
        RunError: `run.json` cannot be read.
    """
    info = folder.read_info()
    about = info.get("data") or {}
    location = data or about.get("location")
    if location is None:
        return NoPictures("run.json does not say what the run was trained on.")
    if location == ARRAYS and data is None:
        return NoPictures(f"They were arrays in memory. Where they are in a file, {_NAMED}")
    if data is None and _needs_download(location):
        return NoPictures(
            f"{location} would have to be downloaded again: "
            f"`tellapart report {folder.path} --data {location}` does that."
        )
    try:
        dataset = load(location)
        spec = view_of_run(folder).image_spec
        changed = "" if _same_key(dataset, about) else _difference(dataset, info, on_progress)
    except TellapartError as error:
        if data is not None:
            raise
        return NoPictures(f"{error} Where the data is elsewhere now, {_NAMED}")
    if changed:
        return NoPictures(changed)
    return Pictures.of(dataset, StreamedPixels(dataset, spec, {}))


def _same_key(dataset: Dataset, about: Mapping[str, Any]) -> bool:
    """Whether the source says so; of a run that took some of the pictures, their source."""
    return bool(dataset.source.key == str(about.get("key")).rpartition(" of ")[2])


def _difference(
    dataset: Dataset,
    info: Mapping[str, Any],
    on_progress: Callable[[int, int], None] | None,
) -> str:
    """Compares by content; says what differs, or "" for nothing."""
    corrected = (info.get("asked") or {}).get("labels")
    if corrected is not None:
        dataset = relabel(dataset, Path(corrected))
    digests = open_column(dataset, SIGNATURES, on_progress=on_progress).digests
    if fingerprint(dataset, digests) == info["data"].get("fingerprint"):
        return ""
    return (
        f"{dataset.location} is not what this run was trained on, or has changed since: it has "
        f"another fingerprint. Where the data is elsewhere now, {_NAMED}"
    )


def _needs_download(location: str) -> bool:
    name = location.lower().replace("_", "-")
    entry = CATALOG.get(name)
    if entry is None or not entry.needs_download or Path(location).expanduser().exists():
        return False
    return not is_kept(entry)
