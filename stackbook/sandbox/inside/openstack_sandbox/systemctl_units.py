"""The units of a sandbox host, as the services recorded them and as their processes live."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from openstack_sandbox import kept, processes

_FAMILIES = {"keystone": "Identity", "placement": "Placement", "glance": "Image", "neutron": "Networking",
             "cinder": "Block Storage", "nova": "Compute"}  # fmt: skip


class Unit(NamedTuple):
    """One unit now."""

    name: str
    project: str = ""
    restartable: str = ""
    """``unit``: inside its project's process; ``process``: with it; empty: there is no such unit."""
    active: str = "inactive"
    sub: str = "dead"
    pid: int = 0
    started: float = 0.0
    """Seconds since the epoch; 0 when it never was."""
    changed: float = 0.0
    """When it came into its state; 0 where its process was killed and nobody wrote it down."""
    error: str = ""

    @classmethod
    def unknown(cls, name: str) -> Unit:
        """A unit that is not there."""
        return cls(name)

    @property
    def known(self) -> bool:
        """Whether there is such a unit."""
        return bool(self.restartable)

    @property
    def title(self) -> str:
        """Its description."""
        return f"OpenStack {_FAMILIES.get(self.project, self.project)} ({self.name})"


def canonical(word: str) -> str:
    """The name by which the sandbox knows a unit: without ``.service`` and RDO's prefix ``openstack-``."""
    return word.removesuffix(".service").removeprefix("openstack-")


def find(home: Path, host: str) -> dict[str, Unit]:
    """Every unit of `host` by name."""
    found = {}
    for path in sorted((home / "run" / "units" / host).glob("*.json")):
        try:
            record = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        found[record["name"]] = _unit(home, record, path.stat().st_mtime)
    return found


def _unit(home: Path, record: dict[str, Any], written: float) -> Unit:
    process = processes.running(home, record["project"])
    living = process is not None and process.pid == record["pid"]
    active, sub = _states(home, record, living)
    return Unit(
        name=record["name"],
        project=record["project"],
        restartable=record["restartable"],
        active=active,
        sub=sub,
        pid=record["pid"] if active == "active" else 0,
        started=float(record["started"]),
        changed=float(record["started"]) if active == "active" else 0.0 if record["state"] == "active" else written,
        error=record.get("error", ""),
    )


def _states(home: Path, record: dict[str, Any], living: bool) -> tuple[str, str]:
    if living:
        return {"active": ("active", "running"), "failed": ("failed", "failed")}.get(record["state"], ("inactive", "dead"))
    match processes.state(home, record["project"]):
        case "stopped" | "starting" if record["state"] == "active" and _outlives(home, record):
            return "active", "running"
        case "failed":
            return "failed", "failed"
        case "starting" | "ready":  # a new process that has not come to this unit yet
            return "activating", "start"
        case _:
            return "inactive", "dead"


def _outlives(home: Path, record: dict[str, Any]) -> bool:
    """Whether the unit is one that goes on without its process, which was ended for another unit's sake."""
    return kept.folder(home, record["host"], record["name"]).exists()
