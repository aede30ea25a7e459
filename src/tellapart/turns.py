"""Threads that do the same work side by side, and fewer of them where memory is short."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class Turns:
    """How many threads may be at work at once.

    Attributes:
        most: so many. It is halved when that was too much for the memory that they share, and
            stays there.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._at_work = 0
        self._changed = threading.Condition()

    def take(self, work: Callable[[], Result]) -> Result:
        """Does some work when it is this thread's turn; safe to call from any number of threads.

        Args:
            work: is done again if it raises MemoryError while others may be at work.

        Raises:
            MemoryError: it takes more memory than there is with no other thread at work.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._at_work < self.most)
                self._at_work += 1
                allowed = self.most
            try:
                return work()
            except MemoryError:
                if allowed == 1:
                    raise
                with self._changed:
                    self.most = min(self.most, allowed // 2)
            finally:
                with self._changed:
                    self._at_work -= 1
                    self._changed.notify_all()
