"""Events of a run, to all who watch it."""

from __future__ import annotations

from collections.abc import Sequence

from tellapart.training.events import UNRECORDED, Event, Observer


class Broadcast:
    """Hands each event to every observer; one that joins later is told what it missed."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = list(observers)
        self._past: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Tells them all."""
        if not isinstance(event, UNRECORDED):
            self._past.append(event)
        for observer in self._observers:
            observer(event)

    def join(self, observer: Observer) -> None:
        """Adds an observer."""
        for event in self._past:
            observer(event)
        self._observers.append(observer)
