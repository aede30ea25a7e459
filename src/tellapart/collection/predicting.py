"""What each picture shows, written into the journal while the pictures stream by."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tellapart.collection.content import digest_bytes, open_quietly
from tellapart.collection.journal import Entry, Journal
from tellapart.images import Raw
from tellapart.limits import MAX_FILE_BYTES

if TYPE_CHECKING:
    from tellapart.results import FailedPrediction, Prediction

COMMIT_EVERY = 500
"""Pictures between two commits; a killed sort predicts no more than these anew."""


class Predictor(Protocol):
    """What sorts: a `Classifier`, or anything that answers like one."""

    class_names: tuple[str, ...]
    path: Path

    def predict_stream(
        self,
        pictures: Iterable[tuple[str, Callable[[], Raw]]],
        /,
        *,
        batch_size: int = 32,
        isolated: bool = False,
    ) -> Iterator[Prediction | FailedPrediction]:
        """Answers for each picture, a name and a function that reads it, in their order."""


def predict(
    journal: Journal,
    predictor: Predictor,
    on_progress: Callable[[str, int, int | None], None],
    *,
    batch_size: int,
) -> None:
    """Predicts the pictures that have no answer yet.

    A picture is read once: its digest is that of the very bytes that were predicted. It is decoded
    in another process: else a sort would be killed by a picture that makes the decoder crash, and
    killed again each time that it goes on.
    """
    from tellapart.results import FailedPrediction

    total = journal.count("listed", "predicted", "unreadable", pictures=True)
    done = total - journal.count("listed", pictures=True)
    columns = {name: place for place, name in enumerate(predictor.class_names)}
    digests: dict[int, bytes] = {}
    entries: deque[Entry] = deque()  # as far as they are on their way: two batches at most

    def pictures() -> Iterator[tuple[str, Callable[[], Raw]]]:
        for entry in journal.entries("listed"):
            if entry.is_picture:
                entries.append(entry)
                path = journal.source(entry)
                yield str(path), partial(_read, path, entry.id, digests)

    rows: list[tuple[object, ...]] = []
    answers = predictor.predict_stream(pictures(), batch_size=batch_size, isolated=True)
    for answer in answers:
        entry = entries.popleft()
        digest = digests.pop(entry.id, None)
        if isinstance(answer, FailedPrediction):
            rows.append(("unreadable", None, None, None, answer.error, digest, entry.id))
        else:
            column = columns[answer.label]
            because = answer.unsure_because
            rows.append(("predicted", column, answer.probability, because, None, digest, entry.id))
        done += 1
        on_progress("Predicting", done, total)
        if len(rows) >= COMMIT_EVERY:
            _write(journal, rows)
    _write(journal, rows)


def _read(path: Path, number: int, digests: dict[int, bytes]) -> Raw:
    """Returns a picture's content, and keeps its digest.

    Where it cannot be read, returns its path, which tells the classifier what ails it.
    """
    try:
        with open_quietly(path) as stream:
            if os.fstat(stream.fileno()).st_size > MAX_FILE_BYTES.value:
                return path
            content = stream.read()
    except OSError:
        return path
    digests[number] = digest_bytes(content)
    return content


def _write(journal: Journal, rows: list[tuple[object, ...]]) -> None:
    with journal.transaction():
        journal.execute_many(
            "UPDATE files SET state=?, class=?, probability=?, unsure=?, note=?, digest=? "
            "WHERE id=?",
            rows,
        )
    rows.clear()
