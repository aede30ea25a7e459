"""A predictor that can be worked out by hand: a picture says itself what it shows.

b"cat 7"          cat
b"unsure dog"     unsure, dog at best
b"broken"         cannot be read
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from tellapart.collection.content import open_quietly
from tellapart.images import Raw
from tellapart.results import FailedPrediction, Prediction

NAMES = ("cat", "dog")


class Stub:
    """Answers with the first word of a file, or with the second one where that is "unsure"."""

    def __init__(self, class_names: tuple[str, ...] = NAMES) -> None:
        self.class_names = class_names
        self.path = Path("stub")
        self.asked: list[str] = []

    def predict_stream(
        self,
        pictures: Iterable[tuple[str, Callable[[], Raw]]],
        /,
        *,
        batch_size: int = 32,
        isolated: bool = False,
    ) -> Iterator[Prediction | FailedPrediction]:
        """Answers for each picture, in their order."""
        for name, read in pictures:
            self.asked.append(name)
            content = read()
            if not isinstance(content, bytes) or content.startswith(b"broken"):
                yield FailedPrediction(name, "cannot be read")
                continue
            words = content.decode().split()
            unsure = words[0] == "unsure"
            probabilities = np.full(len(self.class_names), 0.1, np.float32)
            probabilities[self.class_names.index(words[unsure])] = 0.6
            yield Prediction.of(
                name, probabilities, self.class_names, threshold=0.9 if unsure else 0.0
            )


def fill(folder: Path, **files: str) -> Path:
    """Writes files with odd times; a name has `__` for a slash and `_` for a dot."""
    for number, (name, content) in enumerate(files.items()):
        write(folder / name.replace("__", "/").replace("_", "."), content, number)
    return folder


def write(path: Path, content: str, number: int = 0) -> Path:
    """Writes a file whose times end in nanoseconds that no rounding would keep."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    changed = 1_600_000_000_123_456_789 + number
    os.utime(path, ns=(changed + 11, changed))  # after the change: reading then leaves it alone
    return path


Look = dict[str, tuple[str, int, int, int]]


def look(folder: Path) -> Look:
    """All files below a folder, journals apart: content, mode, change and access."""
    found: Look = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".tellapart" not in path.parts:
            status = path.lstat()
            name = path.relative_to(folder).as_posix()
            times = (status.st_mode, status.st_mtime_ns, status.st_atime_ns)
            with open_quietly(path.resolve()) as stream:  # or looking would leave a trace
                found[name] = (stream.read().decode(errors="replace"), *times)
    return found


def names(folder: Path) -> list[str]:
    """The names of all files below a folder, journals apart."""
    return list(look(folder))
