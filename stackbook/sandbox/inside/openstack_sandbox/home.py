"""The sandbox's folder: where everything of one sandbox lies. Standard library only.

A home holds one sandbox::

    sandbox.json            name, version, ports, passwords, hosts (mode 0600)
    hosts/<host>/           a root folder per host: etc/, var/log/, var/lib/, usr/bin/
    data/                   databases (data/<project>.sqlite), images, volumes, keys, guests
    run/                    process ids, unit states, requests, ready marks

The services read the configuration files below ``hosts/``, as on a real host: an operator's edit counts from the next
restart of that service, and survives ``down`` and ``up``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTROLLER = "controller1"
COMPUTES = ("compute1", "compute2")
HOSTS = (CONTROLLER, *COMPUTES)
PROJECTS = ("keystone", "placement", "glance", "neutron", "cinder", "nova")
"""In the order in which they are prepared and started; one process each."""


@dataclass(frozen=True)
class Home:
    """One sandbox's folder, with the settings read from its ``sandbox.json``."""

    path: Path
    settings: dict[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> Home:
        """Read ``sandbox.json`` of the sandbox at `path`."""
        root = Path(path).resolve()
        return cls(root, json.loads((root / "sandbox.json").read_text()))

    def port(self, project: str) -> int:
        """The loopback port on which `project` (one of PROJECTS) answers."""
        return int(self.settings["ports"][project])

    def url(self, project: str, suffix: str = "") -> str:
        """The endpoint of `project`, for example ``http://127.0.0.1:41234/v3``."""
        return f"http://127.0.0.1:{self.port(project)}{suffix}"

    @property
    def admin_password(self) -> str:
        """Password of the user ``admin`` (domain Default, project admin)."""
        return str(self.settings["admin_password"])

    @property
    def service_password(self) -> str:
        """Password of the service users ``glance``, ``nova``, ``neutron``, ``cinder``, ``placement`` (project service)."""
        return str(self.settings["service_password"])

    def host(self, name: str = CONTROLLER) -> Path:
        """Root folder of the host `name`."""
        return self.path / "hosts" / name

    def etc(self, project: str, host: str = CONTROLLER) -> Path:
        """``/etc/<project>`` on `host`, made if missing."""
        return _folder(self.host(host) / "etc" / project)

    def log(self, project: str, service: str, host: str = CONTROLLER) -> Path:
        """``/var/log/<project>/<service>.log`` on `host`; its folder is made if missing."""
        return _folder(self.host(host) / "var" / "log" / project) / f"{service}.log"

    def data(self, *names: str) -> Path:
        """A folder below ``data/``, made if missing."""
        return _folder(self.path.joinpath("data", *names))

    def run(self, *names: str) -> Path:
        """A folder below ``run/``, made if missing."""
        return _folder(self.path.joinpath("run", *names))

    def database(self, project: str) -> Path:
        """The SQLite file of `project` (nova: ``nova_api``, ``nova``, ``nova_cell0``)."""
        return self.data() / f"{project}.sqlite"


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
