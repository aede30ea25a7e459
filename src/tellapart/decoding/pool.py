"""The decoding processes: started when they are needed, kept for the next sweep."""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, TypeGuard, cast

import numpy as np
import numpy.typing as npt

from tellapart.decoding.frames import read_frame, write_frame
from tellapart.decoding.maker import Maker, Rows
from tellapart.errors import TellapartError
from tellapart.images import Raw
from tellapart.limits import DECODE_SECONDS, LIMITS

CRASHED = "makes the decoder crash"
HANGS = f"takes more than {{}} seconds to decode ({DECODE_SECONDS.variable} raises it)"
"""The largest pictures that are accepted take a few seconds."""

_START = (
    "import sys; sys.path.append(sys.argv[1]); from tellapart.decoding.worker import main; main()"
)


Sent = bytes | npt.NDArray[np.uint8]
"""An encoded picture, or a picture's pixels."""


def can_be_sent(raw: Raw) -> TypeGuard[Sent]:
    """Whether `make_rows` takes a picture."""
    return isinstance(raw, bytes) or (isinstance(raw, np.ndarray) and raw.dtype == np.uint8)


def make_rows(maker: Maker, raws: Sequence[Sent], names: Sequence[str]) -> list[Rows | str]:
    """Makes a row of each picture, in another process. Safe to call from several threads.

    As many processes are used as threads call at once; they are kept for the next call, and end
    with this process. A picture with which the decoder crashes or hangs costs no other one. Very
    large pictures are decoded one at a time (`images.LARGE_PIXELS`).

    Args:
        maker: what to make.
        raws: n encoded pictures, or pixels as `images.decode` takes them.
        names: n names, for errors.

    Returns:
        For each picture its row, or why there is none.

    Raises:
        TellapartError: decoding processes cannot be started.
    """
    try:
        rows = _ask(maker, raws, names)
    except _LostError:  # one of them is to blame, or none: each for itself
        rows = [_try_twice(maker, raw, name) for raw, name in zip(raws, names, strict=True)]
    return [
        _make_alone(maker, raws[place], names[place]) if row is None else row
        for place, row in enumerate(rows)
    ]


def _try_twice(maker: Maker, raw: Sent, name: str) -> Rows | str | None:
    """The first time, the machine may have been short of memory; a hang is not waited for again."""
    for last in (False, True):
        try:
            return _ask(maker, [raw], [name])[0]
        except _LostError as lost:
            if last or lost.reason != CRASHED:
                return lost.reason
    raise AssertionError("unreachable")


def _make_alone(maker: Maker, raw: Sent, name: str) -> Rows | str:
    """Makes the row of a large picture while no other one of them is in memory."""
    with _one_large_at_a_time:
        try:
            row = _ask(maker, [raw], [name], alone=True)[0]
        except _LostError as lost:
            return lost.reason
    assert row is not None  # noqa: S101 (nothing is put off when it is alone)
    return row


class _LostError(Exception):
    """The process ended before it had answered."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _ask(
    maker: Maker, raws: Sequence[Sent], names: Sequence[str], *, alone: bool = False
) -> list[Rows | str | None]:
    """Returns rows, reasons, and None for large pictures, which are made when they are `alone`."""
    try:
        process = _idle.pop()
    except IndexError:
        process = _Decoder()
    answered = False
    try:
        process.wait_until_ready()
        rows = process.ask(maker, raws, names, alone=alone)
        answered = True
        return rows
    finally:
        if answered:
            _idle.append(process)
        else:
            process.end()


class _Decoder:
    """One decoding process."""

    def __init__(self) -> None:
        for limit in LIMITS:  # one that cannot be read is said here, before it stops work there
            _ = limit.value
        self._timed_out = False
        self._ready = False
        root = str(Path(__file__).parents[2])
        # -P: a numpy.py in the user's folder is not ours to run. One BLAS thread: none is needed.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        self._to = cast("IO[bytes]", self._process.stdin)
        self._from = cast("IO[bytes]", self._process.stdout)

    def wait_until_ready(self) -> None:
        """Returns when it can be asked.

        Raises:
            TellapartError: it did not come to that.
        """
        if self._ready:
            return
        try:
            read_frame(self._from)
        except EOFError:
            code = self._process.wait()
            self.end()
            raise TellapartError(
                f"A process that decodes pictures ended with {code} as it started. Is there "
                "enough memory, and may this user start more processes?"
            ) from None
        self._ready = True

    def ask(
        self, maker: Maker, raws: Sequence[Sent], names: Sequence[str], *, alone: bool
    ) -> list[Rows | str | None]:
        """Sends pictures and waits for their rows."""
        contents = list(map(_content, raws))
        head = {
            "function": maker.function,
            "arguments": dict(maker.arguments),
            "sizes": [content.nbytes for content in contents],
            "shapes": [raw.shape if isinstance(raw, np.ndarray) else None for raw in raws],
            "names": list(names),
            "alone": alone,
        }
        # One picture's time for all: it is there for the one that hangs, and most take no time.
        seconds = DECODE_SECONDS.value
        watch = threading.Timer(seconds, self._give_up)
        watch.daemon = True
        watch.start()
        try:
            write_frame(self._to, head, contents)
            answer, content = read_frame(self._from)
        except (EOFError, OSError):
            raise _LostError(HANGS.format(seconds) if self._timed_out else CRASHED) from None
        finally:
            watch.cancel()
        return _rows(answer, content, maker, len(raws))

    def _give_up(self) -> None:
        self._timed_out = True
        self._process.kill()

    def end(self) -> None:
        """Ends the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for stream in (self._to, self._from):
            with contextlib.suppress(OSError):  # what could not be sent cannot be flushed
                stream.close()


def _content(raw: Sent) -> memoryview:
    if isinstance(raw, bytes):
        return memoryview(raw)
    return np.ascontiguousarray(raw).reshape(-1).data


def _rows(
    answer: dict[str, Any], content: bytes, maker: Maker, count: int
) -> list[Rows | str | None]:
    if "fault" in answer:
        raise RuntimeError(f"In a decoding process:\n{answer['fault']}")
    unmade = {int(place): reason for place, reason in answer["unmade"].items()}
    made = iter(np.frombuffer(content, maker.dtype).reshape(count - len(unmade), *maker.shape))
    return [unmade[place] if place in unmade else next(made) for place in range(count)]


_idle: list[_Decoder] = []
"""Appending to a list and taking from it are atomic."""

_one_large_at_a_time = threading.Lock()


def start_ahead() -> None:
    """Starts a process that will be needed soon, and does not wait for it."""
    if not _idle:
        _idle.append(_Decoder())


def end_idle() -> None:
    """Ends the processes that nobody waits for."""
    while _idle:
        _idle.pop().end()


atexit.register(end_idle)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_idle.clear)  # a fork's pipes are its parent's
