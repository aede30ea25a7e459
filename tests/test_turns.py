"""Threads that take turns: how many are at work, and what a lack of memory changes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tellapart.turns import Turns


class Memory:
    """Room for so many threads; one more and it is short."""

    def __init__(self, room: int) -> None:
        self.room, self.taken, self.most_taken = room, 0, 0
        self._lock = threading.Lock()

    def use(self, number: int) -> int:
        with self._lock:
            if self.taken >= self.room:
                raise MemoryError("no room")
            self.taken += 1
            self.most_taken = max(self.most_taken, self.taken)
        threading.Event().wait(0.002)
        with self._lock:
            self.taken -= 1
        return number


@pytest.mark.parametrize("room", [1, 2, 3, 8])
def test_fewer_threads_where_memory_is_short(room: int) -> None:
    turns, memory = Turns(8), Memory(room)
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(turns.take, lambda n=number: memory.use(n)) for number in range(100)]
        assert [job.result() for job in jobs] == list(range(100))
    assert memory.most_taken <= room
    assert turns.most >= max(1, room // 2)  # halved no more often than it takes


def test_what_does_not_fit_alone_is_said() -> None:
    turns, memory = Turns(4), Memory(0)
    with pytest.raises(MemoryError, match="no room"):
        turns.take(lambda: memory.use(0))
    assert turns.most == 1


def test_another_error_is_not_tried_again() -> None:
    calls = []

    def fail() -> None:
        calls.append(1)
        raise ValueError("broken")

    turns = Turns(4)
    with pytest.raises(ValueError, match="broken"):
        turns.take(fail)
    assert (len(calls), turns.most) == (1, 4)


def test_no_more_threads_than_turns() -> None:
    turns, memory = Turns(2), Memory(8)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: turns.take(lambda: memory.use(n)), range(50)))
    assert memory.most_taken <= 2
