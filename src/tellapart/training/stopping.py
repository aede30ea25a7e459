"""SIGTERM, and SIGHUP of a terminal that is closed: training stops in a state to go on from."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(
    signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if name in signal.Signals.__members__
)
"""Windows has no SIGHUP."""


class Stopped(SystemExit):
    """The process was asked to end; its exit code says by which signal, as a shell's does.

    Attributes:
        signal: "SIGTERM" or "SIGHUP".
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number).name


class Stopping:
    """Turns a signal into `Stopped`: at once, or once a checkpoint is written.

    Attributes:
        requested: the signal that came; None: none did.
    """

    def __init__(self) -> None:
        self.requested: int | None = None
        self._deferred = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listens while the block runs; outside the main thread it cannot.

        Signals that are ignored stay so: `nohup` means it.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        heard = [number for number in SIGNALS if before[number] is not signal.SIG_IGN]
        for number in heard:
            signal.signal(number, self._on_signal)
        try:
            yield
        finally:
            for number in heard:
                signal.signal(number, before[number])

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Whoever runs the block calls `check` where it can stop."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        self.check()

    def check(self) -> None:
        """Raises `Stopped` where it was asked for."""
        if self.requested is not None:
            raise Stopped(self.requested)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested is None:
            self.requested = number
            if not self._deferred:
                raise Stopped(number)
        elif number == signal.SIGTERM:
            # Asked twice: at once. Not so by SIGHUP, of which a closed terminal sends several.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
