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

from openstack_sandbox import lifecycle
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
    threading.Thread(target=one.watch, name=f"unit-{host}-{name}", daemon=True).start()


def process_units(home: Home, project: str, names: Mapping[str, Sequence[str]]) -> None:
    """Record units that live and die with this whole process: `names` lists them by host."""
    records = [_Record(home, host, name, "process", project) for host in names for name in names[host]]
    for record in records:
        record.write("active")
    for record in records:
        lifecycle.on_stop(partial(record.write, "inactive"))


class _Record:
    """The state file of one unit."""

    def __init__(self, home: Home, host: str, name: str, restartable: str, project: str) -> None:
        self.path = home.run("units", host) / f"{name}.json"
        self._fixed = {"project": project, "host": host, "name": name, "pid": os.getpid(), "restartable": restartable}
        self._started = 0.0

    def write(self, state: str, error: str | None = None) -> None:
        if state == "active":
            self._started = time.time()
        record = self._fixed | {"state": state, "started": self._started} | ({"error": error} if error else {})
        lifecycle.replace(self.path, json.dumps(record) + "\n")


class _Unit:
    """A unit inside this process."""

    def __init__(self, home: Home, host: str, name: str, start: Callable[[], Stop]) -> None:
        self._record = _Record(home, host, name, "unit", name.split("-")[0])
        self._request = home.run("requests", host) / name
        self._request.unlink(missing_ok=True)
        self._name = f"{name} on {host}"
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

    def _guarded(self, step: Callable[[], object], state: str) -> None:
        try:
            step()
        except (Exception, SystemExit) as error:
            reason = "".join(traceback.format_exception_only(error)).strip()
            logging.getLogger(__name__).exception("%s failed", self._name)
            self._record.write("failed", reason)
        else:
            self._record.write(state)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""
