"""Files that belong to a picture and travel with it: sidecars, RAW files, live photos.

    holiday.jpg
    holiday.xmp         stem and one of `BESIDE`
    holiday.CR2
    holiday.jpg.xmp     the whole name and one of `BEHIND`

Upper and lower case are the same in endings, and not in stems.
"""

from __future__ import annotations

BESIDE = frozenset(
    (
        # what is known of a picture, or was done to it
        ".xmp", ".aae", ".thm", ".json", ".pp3", ".dop", ".wav",
        # the film of a live photo
        ".mov", ".mp4",
        # what the camera's sensor saw
        ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf",
        ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
        # the same picture in a format that is not read here
        ".heic", ".heif", ".avif",
    )
)  # fmt: skip
"""Endings, in lower case, that stand for a picture's own."""

BEHIND = (".supplemental-metadata.json", ".xmp", ".json", ".aae", ".thm", ".pp3", ".dop")
"""Endings, in lower case, that follow a picture's whole name."""


def companion_of(name: str) -> tuple[str, str] | None:
    """Returns whose companion a file would be: the picture's whole name, and its stem.

    None where the ending is that of no companion. "a.jpg.xmp" belongs to "a.jpg", or to a picture
    with the stem "a.jpg"; "a.cr2" to a picture with the stem "a".
    """
    lower = name.lower()
    for ending in BEHIND:
        if lower.endswith(ending) and len(name) > len(ending):
            base = name[: -len(ending)]
            return base, base
    dot = name.rfind(".")
    return ("", name[:dot]) if dot > 0 and lower[dot:] in BESIDE else None
