"""What a decoding process does: rows of pictures, until its parent goes."""

from __future__ import annotations

import json
import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

import numpy as np

from tellapart.decoding.frames import read_frame, write_frame
from tellapart.decoding.maker import Make, Maker, make_each
from tellapart.errors import ImageError
from tellapart.images import LargeImageError, Raw, refusing_large


def main() -> None:
    """Answers each request of the parent's, in turn."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    requests = os.fdopen(0, "rb", closefd=False)
    write_frame(answers, {"ready": True}, [])
    while True:
        try:
            head, content = read_frame(requests)
        except EOFError:
            return
        try:
            unmade, rows = _make(head, content)
            answer: tuple[dict[str, Any], list[memoryview]] = ({"unmade": unmade}, rows)
        except Exception:  # a fault of our own: the parent shows it
            answer = {"fault": traceback.format_exc()}, []
        try:
            write_frame(answers, *answer)
        except BrokenPipeError:
            return


def _make(head: dict[str, Any], content: bytes) -> tuple[dict[str, str | None], list[memoryview]]:
    """Returns what has no row, by place in the request, and the rows of the others in order.

    The former is a reason, or None for a large picture that is to come again, alone.
    """
    make = _load(head["function"], json.dumps(head["arguments"]))
    unmade: dict[str, str | None] = {}
    rows: list[memoryview] = []
    with nullcontext() if head["alone"] else refusing_large():
        made = make_each(make, list(_raws(head, content)), head["names"])
    for place, row in enumerate(made):
        if isinstance(row, LargeImageError):
            unmade[str(place)] = None
        elif isinstance(row, ImageError):
            unmade[str(place)] = row.reason
        else:
            rows.append(np.ascontiguousarray(row).reshape(-1).view(np.uint8).data)
    return unmade, rows


def _raws(head: dict[str, Any], content: bytes) -> Iterator[Raw]:
    start = 0
    for size, shape in zip(head["sizes"], head["shapes"], strict=True):
        own = content[start : start + size]
        start += size
        yield own if shape is None else np.frombuffer(own, np.uint8).reshape(shape)


@lru_cache(maxsize=8)
def _load(function: str, arguments: str) -> Make:
    return Maker(function, json.loads(arguments), (), np.uint8).load()
