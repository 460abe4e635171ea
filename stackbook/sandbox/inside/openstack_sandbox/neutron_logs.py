"""Each agent's log lines go to that agent's own file on its own host, although all agents share neutron's process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from openstack_sandbox import clock, journal

_CURRENT: ContextVar[Path | None] = ContextVar("log_file", default=None)


def install() -> None:
    """Put a switch in front of the server's log file; call after oslo.log is set up, once."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, logging.FileHandler):
            root.removeHandler(handler)
            root.addHandler(_Switch(handler))


def host_root() -> Path | None:
    """The root folder of the host whose agent this thread works for; None for the server."""
    path = _CURRENT.get()
    return path.parents[3] if path else None


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Send what this thread logs inside the block to `path`."""
    token = _CURRENT.set(path)
    try:
        yield
    finally:
        _CURRENT.reset(token)


class _Switch(logging.Handler):
    """Passes each record to the file of the agent whose work it comes from, else to the server's."""

    def __init__(self, server: logging.FileHandler) -> None:
        super().__init__(server.level)
        self._server = server
        self._files: dict[Path, logging.FileHandler] = {}

    def handle(self, record: logging.LogRecord) -> Any:
        """Let the chosen file's handler do everything, its own lock included."""
        path = _CURRENT.get()
        return (self._server if path is None else self._file(path)).handle(record)

    def _file(self, path: Path) -> logging.FileHandler:
        with self.lock:  # type: ignore[union-attr]  # a handler has a lock from its creation on
            if path not in self._files:
                root = path.parents[3]
                file = journal.LogFile(path, root)
                if self._server.formatter:
                    file.setFormatter(clock.formatter(self._server.formatter, root))
                self._files[path] = file
            return self._files[path]
