"""Ctrl-C as a request: training ends after the current batch, and the run is still whole."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_NOTICE = b"\nStopping training, and finishing the run. Ctrl-C again gives it up.\n"


class Interruption:
    """Turns the first Ctrl-C into a request; a second one raises KeyboardInterrupt as usual.

    Attributes:
        requested: whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.requested = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listens for SIGINT while the block runs; outside the main thread it cannot."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._on_signal)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        if sys.stderr is not None and sys.stderr.isatty():
            with suppress(OSError):  # the terminal is gone
                os.write(2, _NOTICE)  # print() may be what was interrupted
