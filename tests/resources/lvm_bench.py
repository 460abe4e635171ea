"""Real LVM on loop devices, kept apart from the machine's own disks: a private LVM directory and a filter."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from stackbook.config import HostSettings, SiteSettings
from stackbook.hosts import LocalHost
from stackbook.journal import new_run
from stackbook.site import Site

HOST = "storage1"
MIB = 1 << 20
CONF = """\
devices {{
  global_filter = [ {accepted} "r|.*|" ]
  obtain_device_list_from_udev = 0
  external_device_info_source = "none"
  use_devicesfile = 0
  hints = "none"
}}
global {{ activation = 0 use_lvmpolld = 0 notify_dbus = 0 locking_dir = "{folder}/lock" }}
backup {{ backup_dir = "{folder}/backup" archive_dir = "{folder}/archive" }}
log {{ syslog = 0 }}
"""
"""No device-mapper: volumes are made but not activated."""


class Bench:
    """Loop devices, of which LVM sees only these, and the machine that has them as a host of a site without a cloud."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loops: list[str] = []
        self.host = LocalHost(HostSettings(HOST))
        self._configure()

    def disk(self, size: int = 96 * MIB) -> str:
        """A new empty disk; its device."""
        backing = self.folder / f"disk{len(self.loops)}"
        with backing.open("wb") as stream:
            stream.truncate(size)
        device = run("losetup", "--find", "--show", str(backing)).strip()
        self.loops.append(device)
        self._configure()
        return device

    def site(self) -> Site:
        """The site, under a new run."""
        settings = SiteSettings("lab", "packstack", hosts={HOST: HostSettings(HOST, roles=("storage",))})
        return Site(settings, new_run("test", "lab", self.folder / "runs"))

    def groups(self) -> dict[str, list[str]]:
        """Volume groups and their disks, as LVM tells."""
        found: dict[str, list[str]] = {}
        for row in json.loads(run("pvs", "--reportformat", "json", "-o", "pv_name,vg_name"))["report"][0]["pv"]:
            found.setdefault(row["vg_name"], []).append(row["pv_name"])
        return {name: sorted(devices) for name, devices in found.items()}

    def close(self) -> None:
        """Give every loop device back."""
        for device in self.loops:
            run("losetup", "--detach", device)

    def _configure(self) -> None:
        accepted = "".join(f'"a|^{device}$|", ' for device in self.loops)
        (self.folder / "lvm.conf").write_text(CONF.format(accepted=accepted, folder=self.folder))


def run(*argv: str) -> str:
    """What the command printed; raises with what it said when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


def opened(folder: Path, setenv: Callable[[str, str], None]) -> Iterator[Bench]:
    """A bench in `folder`, closed in the end."""
    setenv("LVM_SYSTEM_DIR", str(folder))
    setenv("XDG_STATE_HOME", str(folder / "state"))
    bench = Bench(folder)
    try:
        yield bench
    finally:
        bench.close()
