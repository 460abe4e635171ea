"""Ending a run early: by its deadline or a signal, first politely, then surely."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from stackbook.runbook.process import Kernel

PATIENCE = 5.0
"""Seconds that an interrupted cell has to end by itself and write its last journal line."""
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
"""Signal to the exit code of the run that it ended."""


class Stop:
    """Interrupts the running cell when asked to, and kills the kernel if it has not ended `PATIENCE` seconds later."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.reason = ""
        """``timeout`` or the signal's name; empty while nothing asked to stop."""
        self._killer = threading.Timer(PATIENCE, kernel.kill)
        self._killer.daemon = True

    def now(self, reason: str) -> None:
        """Stop for `reason`; the second time, without patience."""
        if self.reason:
            self.kernel.kill()
        else:
            self.reason = reason
            self.kernel.interrupt()
            self._killer.start()

    @property
    def exit_code(self) -> int:
        """130, 143 or 129 after a signal; 0 otherwise."""
        return next((code for number, code in SIGNALS.items() if number.name == self.reason), 0)

    @contextmanager
    def watching(self, timeout: float | None) -> Iterator[None]:
        """Stop at the deadline, `timeout` seconds from now, and at signals (in the main thread) while the block runs."""
        deadline = threading.Timer(timeout or 0, self.now, ["timeout"])
        deadline.daemon = True
        if timeout:
            deadline.start()
        with self._signals():
            try:
                yield
            finally:
                deadline.cancel()
                self._killer.cancel()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def caught(number: int, _: FrameType | None) -> None:
            self.now(signal.Signals(number).name)

        before = {number: signal.signal(number, caught) for number in SIGNALS}
        try:
            yield
        finally:
            for number, previous in before.items():
                signal.signal(number, previous)
