"""One command over an open SSH channel: input sent, output and errors collected, within a time and a number of bytes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paramiko import Channel

BLOCK = 65536
LOST = -1
"""Paramiko's exit code of a command whose server told none."""


class TooLongError(Exception):
    """The command did not end in time."""


class TooMuchError(Exception):
    """The command answered more than was asked for."""


class LostError(Exception):
    """The connection ended before the command did."""


class _Stream(threading.Thread):
    """Collects what a channel gives on one of its streams, up to a limit."""

    def __init__(self, channel: Channel, take: Callable[[int], bytes], limit: int) -> None:
        super().__init__(daemon=True)
        self.got = bytearray()
        self.too_much = False
        self._channel, self._take, self._limit = channel, take, limit

    def run(self) -> None:
        """Collect until the stream ends."""
        while block := self._take(BLOCK):
            self.got += block
            if len(self.got) > self._limit:
                self.too_much = True
                self._channel.close()


def exchange(channel: Channel, line: str, sent: bytes, timeout: float, limit: int) -> tuple[int, bytes, bytes]:
    """Exit code, output and errors of the shell line `line`, given `sent`.

    Raises TooLongError after `timeout` seconds, TooMuchError beyond `limit` bytes, LostError when the connection ends.
    """
    until = time.monotonic() + timeout
    channel.exec_command(line)
    streams = [_Stream(channel, take, limit) for take in (channel.recv, channel.recv_stderr)]
    for thread in (*streams, threading.Thread(target=_send, args=(channel, sent), daemon=True)):
        thread.start()
    for stream in streams:
        stream.join(max(0.0, until - time.monotonic()))
    if any(stream.too_much for stream in streams):
        raise TooMuchError
    if any(stream.is_alive() for stream in streams) or not channel.status_event.wait(max(0.0, until - time.monotonic())):
        raise TooLongError
    if channel.exit_status == LOST:
        raise LostError
    return channel.exit_status, bytes(streams[0].got), bytes(streams[1].got)


def _send(channel: Channel, sent: bytes) -> None:
    with contextlib.suppress(OSError, EOFError):  # a command may end without reading its input; its exit code tells
        channel.sendall(sent)
        channel.shutdown_write()
