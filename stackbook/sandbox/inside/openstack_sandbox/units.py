"""Units: what an operator starts and stops by name on a sandbox host, as with systemctl.

A unit's state is ``run/units/<host>/<name>.json``; a request to it is a file ``run/requests/<host>/<name>`` holding
``restart``, ``stop`` or ``start``, which is removed when it has been carried out.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from openstack_sandbox import kept, lifecycle
from openstack_sandbox.home import Home

Stop = Callable[[], object]
POLL_S = 0.3


def unit(home: Home, host: str, name: str, start: Callable[[], Stop]) -> None:
    """Start the unit `name` of `host` inside this process, and from then on obey requests to it.

    `start` reads its configuration afresh and returns what stops it. When it fails, the unit's state is ``failed``
    with the error, as with systemd: the process goes on.
    """
    one = _Unit(home, host, name, start)
    one.start()
    lifecycle.on_stop(one.end)
    _watched(one)


def lasting_unit(home: Home, host: str, name: str, files: Sequence[str], start: Callable[[Path], Stop]) -> None:
    """A `unit` that outlives its process when that ends for another unit's sake.

    `start` gets the folder in which it finds `files`: its project's folder in ``/etc`` of `host` when the unit is
    started or restarted itself; when only its process is, the copy of that day (see `kept`), and the unit keeps its
    state and start time.
    """
    one = _LastingUnit(home, host, name, files, start)
    one.resume()
    _watched(one)


def process_units(home: Home, project: str, names: Mapping[str, Sequence[str]]) -> None:
    """Record units that live and die with this whole process: `names` lists them by host."""
    records = [_Record(home, host, name, "process", project) for host in names for name in names[host]]
    for record in records:
        record.write("active")
    for record in records:
        lifecycle.on_stop(partial(record.write, "inactive"))


def _watched(one: _Unit) -> None:
    threading.Thread(target=one.watch, name=f"unit {one.name}", daemon=True).start()


class _Record:
    """The state file of one unit."""

    def __init__(self, home: Home, host: str, name: str, restartable: str, project: str) -> None:
        self.path = home.run("units", host) / f"{name}.json"
        self._fixed = {"project": project, "host": host, "name": name, "pid": os.getpid(), "restartable": restartable}
        self._started = 0.0

    def read(self) -> dict[str, Any]:
        """What an earlier process wrote last; empty when there is none."""
        try:
            return dict(json.loads(self.path.read_text()))
        except (OSError, ValueError):
            return {}

    def write(self, state: str, error: str | None = None, started: float | None = None) -> None:
        """Record `state`; `started` when it did not begin just now."""
        if state == "active" or started is not None:
            self._started = time.time() if started is None else started
        record = self._fixed | {"state": state, "started": self._started} | ({"error": error} if error else {})
        lifecycle.replace(self.path, json.dumps(record) + "\n")


class _Unit:
    """A unit inside this process."""

    def __init__(self, home: Home, host: str, name: str, start: Callable[[], Stop]) -> None:
        self._record = _Record(home, host, name, "unit", name.split("-", maxsplit=1)[0])
        self._request = home.run("requests", host) / name
        self._request.unlink(missing_ok=True)
        self.name = f"{name} on {host}"
        self._begin = start
        self._stop: Stop | None = None

    def start(self) -> None:
        """Start it, unless it runs; a failure becomes its state."""
        if self._stop is None:
            self._guarded(self._started, "active")

    def stop(self) -> None:
        """Stop it, if it runs; a failure becomes its state."""
        if self._stop is not None:
            stop, self._stop = self._stop, None
            self._guarded(stop, "inactive")

    def restart(self) -> None:
        self.stop()
        self.start()

    def end(self) -> None:
        """Record that the process ends; the unit goes with it."""
        self._record.write("inactive")

    def watch(self) -> None:
        """Carry out requests, for as long as the process lives."""
        verbs = {"start": self.start, "stop": self.stop, "restart": self.restart}
        while True:
            time.sleep(POLL_S)
            asked = _read(self._request)
            if asked in verbs:
                verbs[asked]()
                self._request.unlink(missing_ok=True)

    def _started(self) -> None:
        self._stop = self._begin()

    def _guarded(self, step: Callable[[], object], state: str, started: float | None = None) -> None:
        try:
            step()
        except (Exception, SystemExit) as error:
            reason = "".join(traceback.format_exception_only(error)).strip()
            logging.getLogger(__name__).exception("%s failed", self.name)
            self._record.write("failed", reason)
        else:
            self._record.write(state, started=started)


class _LastingUnit(_Unit):
    """A unit that outlives its process."""

    def __init__(self, home: Home, host: str, name: str, files: Sequence[str], start: Callable[[Path], Stop]) -> None:
        super().__init__(home, host, name, self._read_and_start)
        self._etc = home.etc(name.split("-", maxsplit=1)[0], host)
        self._copy = kept.folder(home.path, host, name)
        self._take = partial(kept.take, home.path, host, name, self._etc, files)
        self._start = start

    def resume(self) -> None:
        """Go on as before this process, or start when the host was rebooted since."""
        before = self._record.read()
        state, started = before.get("state"), before.get("started")
        if not self._copy.exists() or state is None:
            self.start()
        elif state == "active":
            self._begin = partial(self._start, self._copy)
            self._guarded(self._started, "active", started)
            self._begin = self._read_and_start
        else:
            self._record.write(state, before.get("error"), started)

    def _read_and_start(self) -> Stop:
        self._take()
        return self._start(self._etc)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""
