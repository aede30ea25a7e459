"""Every error that tellapart raises on purpose.

    TellapartError
    ├── UsageError              an option or argument that cannot be used (exit code 2)
    ├── DataError               a data set that cannot be trained on or evaluated
    │   ├── ArchiveError        an archive that is damaged or not safe to open
    │   ├── DownloadError       a catalog data set that could not be fetched
    │   └── ImageError          one picture that cannot be decoded
    │       └── SourceGoneError  nor any other: the folder or archive is gone
    ├── ModelError              a network that does not fit the pictures or the classes
    ├── ClassifierFileError     a classifier file that is not ours, too new or damaged
    ├── ExportError             a classifier file that disagrees with the trained model
    ├── RunError                a run folder that cannot be made, found or read
    ├── SortError               a collection that cannot be sorted, or a sort not taken back
    └── MissingDependencyError  an optional library that this call needs

A message says what was found, what was expected and what to do, with the value and the file.
"""

from __future__ import annotations


class TellapartError(Exception):
    """The base of all errors that tellapart raises on purpose.

    The command line prints the message without a traceback and exits with `exit_code`.
    """

    exit_code = 1


class UsageError(TellapartError):
    """An option or argument that cannot be used."""

    exit_code = 2


class DataError(TellapartError):
    """A data set that cannot be trained on or evaluated."""


class ArchiveError(DataError):
    """An archive that is damaged or not safe to open."""


class DownloadError(DataError):
    """A catalog data set that could not be fetched."""


class ImageError(DataError):
    """One picture that cannot be decoded.

    Attributes:
        name: the file, as the user knows it.
        reason: what is wrong with it, without the name.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class SourceGoneError(ImageError):
    """A picture that cannot be read, as its folder, archive or drive is no longer there.

    Attributes:
        source: the folder or archive.
    """

    def __init__(self, name: str, source: str) -> None:
        super().__init__(
            name,
            f"{source} is no longer there. Was it moved, or its drive or network disconnected? "
            "Bring it back, and try again.",
        )
        self.source = source


class ModelError(TellapartError):
    """A network that does not fit the pictures or the classes."""


class ClassifierFileError(TellapartError):
    """A classifier file that is not ours, too new or damaged."""


class ExportError(TellapartError):
    """A classifier file that disagrees with the trained model."""


class RunError(TellapartError):
    """A run folder that cannot be made, found or read."""


class SortError(TellapartError):
    """A collection that cannot be sorted, or a sort that cannot be taken back."""


class MissingDependencyError(TellapartError):
    """An optional library that this call needs."""


def did_you_mean(name: str, known: list[str]) -> str:
    """Returns " Did you mean 'x'?" for the closest known name, or an empty string."""
    import difflib

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" Did you mean '{close[0]}'?" if close else ""
