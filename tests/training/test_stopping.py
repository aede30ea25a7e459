"""SIGTERM and SIGHUP: a way out that leaves something to go on from."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from tellapart.training.stopping import SIGNALS, Stopped, Stopping

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no such signals there")


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_at_once_where_nothing_is_put_off(number: signal.Signals, code: int) -> None:
    with pytest.raises(Stopped) as stopped, Stopping().listening():
        send(number)
    assert stopped.value.code == code
    assert stopped.value.signal == number.name


def test_put_off_until_it_is_asked_for() -> None:
    stopping, done = Stopping(), []

    def work() -> None:
        with stopping.listening(), stopping.deferred():
            send(signal.SIGTERM)
            done.append("a checkpoint")
            stopping.check()
            done.append("too much")

    with pytest.raises(Stopped):
        work()
    assert done == ["a checkpoint"]


def test_put_off_until_the_end_of_the_block_at_the_latest() -> None:
    stopping, done = Stopping(), []

    def work() -> None:
        with stopping.listening():
            with stopping.deferred():
                send(signal.SIGTERM)
                done.append("the block")
            done.append("too much")

    with pytest.raises(Stopped):
        work()
    assert done == ["the block"]


def test_a_closed_terminal_sends_it_twice() -> None:
    stopping, done = Stopping(), []

    def work() -> None:
        with stopping.listening(), stopping.deferred():
            for _ in range(3):
                send(signal.SIGHUP)
                done.append("still there")

    with pytest.raises(Stopped):
        work()
    assert len(done) == 3


def test_asked_twice_it_ends_at_once() -> None:
    program = (
        "import os, signal, time\n"
        "from tellapart.training.stopping import Stopping\n"
        "stopping = Stopping()\n"
        "with stopping.listening(), stopping.deferred():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('once', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('twice', flush=True)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert ended.stdout == b"once\n"
    assert ended.returncode == -signal.SIGTERM


def test_what_was_there_before_comes_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Stopping().listening():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_nohup_means_it() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stopping().listening():
            send(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_the_main_thread_nothing_is_listened_to() -> None:
    before, inside = signal.getsignal(signal.SIGTERM), []

    def listen() -> None:
        with Stopping().listening():
            inside.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert inside == [before]
