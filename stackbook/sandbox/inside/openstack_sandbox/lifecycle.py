"""A service process from its ready mark to its end."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from openstack_sandbox.home import Home

_stoppers: list[Callable[[], None]] = []
_locks: list[int] = []  # held open for as long as the process lives
_LAST_WORDS_S = 0.4


def claim(home: Home, project: str) -> None:
    """Hold ``run/<project>.lock`` until this process ends, and remove an older process's ready mark.

    Raises RuntimeError when a living process holds the lock: this home's `project` already runs.
    """
    descriptor = os.open(home.run() / f"{project}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RuntimeError(f"already running as process {os.read(descriptor, 32).decode().strip()}") from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    _locks.append(descriptor)
    _mark(home, project).unlink(missing_ok=True)


def ready(home: Home, project: str) -> None:
    """Write ``run/<project>.ready`` (JSON: pid, ready), to be removed at the end: the API of `project` answers."""
    on_stop(lambda: _mark(home, project).unlink(missing_ok=True))
    replace(_mark(home, project), json.dumps({"pid": os.getpid(), "ready": time.time()}) + "\n")


def on_stop(stopper: Callable[[], None]) -> None:
    """Call `stopper` when the process is told to stop; the last one registered goes first."""
    _stoppers.append(stopper)


def wait() -> None:
    """Block until SIGTERM or SIGINT, call the registered stoppers for at most 0.4 s, and end the process."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    told.wait()
    stopping = threading.Thread(target=_stop, daemon=True)
    stopping.start()
    stopping.join(_LAST_WORDS_S)
    os._exit(0)  # services leave non-daemon threads that would keep a normal exit waiting


def replace(path: Path, text: str) -> None:
    """Write `text` to `path` (mode 0600) so that a reader sees the old or the new text, never a part."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    os.replace(draft, path)


def _mark(home: Home, project: str) -> Path:
    return home.run() / f"{project}.ready"


def _stop() -> None:
    for stopper in reversed(_stoppers):
        try:
            stopper()
        except Exception:
            logging.getLogger(__name__).exception("stopping failed")
