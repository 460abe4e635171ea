"""A connection over SSH that is lost: before, or amid, a command that was counted out beforehand."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from stackbook.hosts.exchange import exchange

MOMENTS = ("before", "amid")


class Cuts:
    """Counts the commands that go over SSH, or those that hold one of `words`, and cuts the connection at one of them."""

    def __init__(self, amid_s: float, words: Sequence[str]) -> None:
        self._amid_s = amid_s
        self._words = words
        self.calls = 0
        self._at = -1
        self._moment = ""

    @contextmanager
    def at(self, number: int, moment: str) -> Iterator[None]:
        """Cut at the `number`-th command of those given here, at one of `MOMENTS`; -1: nowhere."""
        self.calls, self._at, self._moment = 0, number, moment
        yield
        self._at = -1

    def exchange(self, channel: Any, line: str, *arguments: Any) -> Any:
        """What the hosts' own `exchange` does, unless the connection is cut meanwhile."""
        counted = not self._words or any(word in line for word in self._words)
        self.calls += counted
        if counted and self.calls == self._at:
            wire = channel.get_transport().sock
            if self._moment == "before":
                _cut(wire)
            else:
                threading.Timer(self._amid_s, _cut, [wire]).start()
        return exchange(channel, line, *arguments)


def cuts(monkeypatch: pytest.MonkeyPatch, amid_s: float, *words: str) -> Cuts:
    """Put a `Cuts` in the place of what carries commands to hosts; `amid_s` seconds after a command began it is amid it."""
    found = Cuts(amid_s, words)
    monkeypatch.setattr("stackbook.hosts.ssh.exchange", found.exchange)
    return found


def at_each_step(attempt: Callable[[int, str], int], least: int) -> None:
    """Call `attempt` without a cut, and then with one before and amid each of the commands (`least`) that it says it took."""
    steps = attempt(-1, "")
    assert steps >= least
    for moment in MOMENTS:
        for number in range(1, steps + 1):
            attempt(number, moment)


def _cut(wire: socket.socket) -> None:
    wire.shutdown(socket.SHUT_RDWR)
