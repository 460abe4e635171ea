"""What is chosen for a machine: its flavor, its drivers, the way of each disk."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stackbook.errors import BadInput
from stackbook.migration.bundle import BundleDisk
from stackbook.migration.hardware import OLD_WINDOWS, Machine
from stackbook.migration.passage import passed

Row = dict[str, Any]
DRIVERS = ("safe", "virtio")
GLANCE_CAP = 1 << 40
"""Glance's own limit for an image, where a site has not changed it."""
WIRE, STORAGE = 117e6, 200e6
"""Bytes per second that times are told for: 1 Gbit/s, and a storage backend of modest speed."""
MARGIN = 1 << 20


def ranked(flavors: Iterable[Row], vcpus: int, ram_mib: int) -> list[tuple[Row, str]]:
    """The flavors that the machine fits into, the closest first, each with the reason."""
    fitting = [row for row in flavors if row["vcpus"] >= vcpus and row["ram"] >= ram_mib]
    return [(row, _reason(row, vcpus, ram_mib)) for row in sorted(fitting, key=lambda row: _excess(row, vcpus, ram_mib))]


def _excess(row: Row, vcpus: int, ram_mib: int) -> tuple[float, int, int, str]:
    more = row["vcpus"] / max(vcpus, 1) + row["ram"] / max(ram_mib, 1)
    return (
        more + (0.5 if row.get("extra_specs") else 0),
        row.get("disk") or 0,
        row.get("OS-FLV-EXT-DATA:ephemeral") or 0,
        row["name"],
    )


def _reason(row: Row, vcpus: int, ram_mib: int) -> str:
    told = [f"{row['vcpus']} vCPU for {vcpus}", f"{row['ram']} MiB for {ram_mib}"]
    if (row["vcpus"], row["ram"]) == (vcpus, ram_mib):
        told = [f"exactly {vcpus} vCPU, {ram_mib} MiB"]
    if row.get("extra_specs"):
        told.append("has extra specs: " + ", ".join(row["extra_specs"]))
    if row.get("disk"):
        told.append(f"its own disk of {row['disk']} GiB is not used")
    return "; ".join(told)


def properties(machine: Machine, disks: tuple[BundleDisk, ...], drivers: str) -> dict[str, str]:
    """The image properties that make the guest find the hardware it knows.

    ``safe`` is SATA and an Intel network card, which every guest of the last fifteen years has drivers for (IDE and
    the older card for what is older, or booted from IDE); ``virtio`` is for guests that are known to have its drivers.
    """
    if drivers not in DRIVERS:
        raise BadInput(f"drivers {drivers!r} is not one of {', '.join(DRIVERS)}")
    old = bool(OLD_WINDOWS.search(machine.guest)) or (disks[0].bus == "ide" and machine.firmware == "bios")
    found = {"hw_disk_bus": "ide" if old else "sata", "hw_vif_model": "e1000" if old else "e1000e"}
    if drivers == "virtio":
        found = {"hw_disk_bus": "virtio", "hw_vif_model": "virtio"}
    if machine.firmware == "uefi":
        found |= {"hw_firmware_type": "uefi", "hw_machine_type": "q35"}
    if machine.family in ("linux", "windows"):
        found["os_type"] = machine.family
    return found


def way(disk: BundleDisk) -> tuple[str, int]:
    """How a disk goes through an image, and at most how many bytes that sends."""
    if passed(disk):
        return "passed through as it is" + (", with its head put right" if disk.head else ""), disk.stored
    told = f"as a qcow2 stream (as it is, it would be refused: {disk.objection})" if disk.objection else "as a qcow2 stream"
    return told, disk.allocated + disk.size // 8192 + MARGIN


def seconds(disk: BundleDisk) -> tuple[float, float]:
    """About how long a disk takes: sent, fetched by cinder and written as raw; or written straight into the volume."""
    written = disk.allocated / STORAGE
    return 2 * way(disk)[1] / WIRE + written, written


def human(size: float) -> str:
    """A size in the unit that reads best."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
