"""The guests of one hypervisor, each saved as a JSON file: they outlive nova-compute, as on a real host."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path

from openstack_sandbox import frame


@dataclass
class Guest:
    """A virtual machine as its hypervisor knows it."""

    uuid: str
    name: str
    hostname: str
    state: int
    """A ``nova.compute.power_state``."""
    vcpus: int
    memory_mb: int
    disk_gb: int
    image: str
    """Id of the image from which its root disk was made; empty when it boots from a volume."""
    interfaces: dict[str, dict[str, object]] = field(default_factory=dict)
    """By port id: mac, ips, network, bridge, device."""
    volumes: dict[str, str] = field(default_factory=dict)
    """Volume ids by mount point."""
    started: float = 0.0
    """When it was last switched on, in seconds since the epoch."""

    def __getitem__(self, name: str) -> object:
        """The fake driver's way to ask."""
        return getattr(self, name)


class Guests(dict[str, Guest]):
    """The guests of a host by server id; what is set or deleted here is on disk at once."""

    def __init__(self, folder: Path) -> None:
        """Read the guests saved in `folder`."""
        self._folder = folder
        self._lock = threading.RLock()
        guests = (Guest(**json.loads(path.read_text())) for path in sorted(folder.glob("*.json")))
        super().__init__((guest.uuid, guest) for guest in guests)

    def __setitem__(self, uuid: str, guest: Guest) -> None:
        with self._lock:
            super().__setitem__(uuid, guest)
            self.save(guest)

    def __delitem__(self, uuid: str) -> None:
        with self._lock:
            super().__delitem__(uuid)
            self._path(uuid).unlink(missing_ok=True)

    def save(self, guest: Guest) -> None:
        """Write what changed in `guest`."""
        with self._lock:
            if guest.uuid in self:
                frame.replace(self._path(guest.uuid), json.dumps(asdict(guest), indent=1) + "\n")

    def everyone(self) -> list[Guest]:
        """The guests at this moment."""
        with self._lock:
            return list(self.values())

    def _path(self, uuid: str) -> Path:
        return self._folder / f"{uuid}.json"
