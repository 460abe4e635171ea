"""What a sandbox is made of; tests put small fakes in its place."""

from __future__ import annotations

import hashlib
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from stackbook.sandbox.inside.openstack_sandbox.home import HOSTS, PROJECTS

_HERE = Path(__file__).parent
_OUTSIDE_TEMPLATE = ("processes.py", "systemctl*.py", "seeds.py", "disks.py", "block_files.py", "rack*.py")


@dataclass(frozen=True)
class Recipe:
    """The services, the code that runs them, and the packages they need."""

    projects: tuple[str, ...] = PROJECTS
    """One process each; prepared and started in this order."""
    hosts: tuple[str, ...] = HOSTS
    inside: Path = _HERE / "inside"
    """The folder that holds the package ``openstack_sandbox``."""
    lock: Path = _HERE / "requirements.lock"

    @property
    def seeds(self) -> bool:
        """Whether a new sandbox gets something to begin with (flavors, an image)."""
        return (self.inside / "openstack_sandbox" / "seeds.py").exists()

    @property
    def rack(self) -> bool:
        """Whether its hosts have networks of their own."""
        return (self.inside / "openstack_sandbox" / "rack.py").exists()

    @property
    def version(self) -> str:
        """Which services: changes with the lock file."""
        return _digest(self.lock.read_bytes())

    @property
    def environment_key(self) -> str:
        """Which environment: the services' version and the Python that runs them."""
        return f"{self.version}-py{sys.version_info.major}.{sys.version_info.minor}-{platform.machine()}"

    @property
    def template_key(self) -> str:
        """Which template databases: changes with the code that prepares them."""
        files = [path for path in self.inside.rglob("*.py") if not any(map(path.match, _OUTSIDE_TEMPLATE))]
        named = {str(path.relative_to(self.inside)): path.read_bytes() for path in files}
        return _digest(*(part for name in sorted(named) for part in (name.encode(), named[name])))


REAL = Recipe()


def _digest(*parts: bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:12]
