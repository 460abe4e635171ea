"""One changing run per site at a time on this machine."""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackbook.errors import Busy

WAIT = 10.0
"""Seconds that a run waits for another one before it refuses."""


@contextmanager
def changing(site: str, run: str, wait: float = WAIT) -> Iterator[None]:
    """Hold the site's lock; raises Busy, naming the run that holds it, after `wait` seconds. A dead run holds nothing."""
    path = _folder() / (re.sub(r"[^\w.-]", "_", site) + ".lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor, site, wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"run": run, "pid": os.getpid()}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, site: str, wait: float) -> None:
    until = time.monotonic() + wait
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                holder = os.pread(descriptor, 4096, 0).decode(errors="replace") or "an unknown run"
                raise Busy(
                    f"site {site} is being changed by another run", found=holder, hint="wait for it: stackbook runs"
                ) from None
            time.sleep(0.2)


def _folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    folder = Path(state) / "stackbook" / "locks"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
