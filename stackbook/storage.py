"""Cinder's volumes on LVM: the disks of a host as a table, what the backend needs, and what proves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stackbook.errors import BadInput, CloudFailed
from stackbook.ini import IniText
from stackbook.render.frame import frame
from stackbook.resources import IniOption, PhysicalVolume, Service, VolumeGroup
from stackbook.resources.block_devices import BlockDevice, block_devices, physical_volumes, real_path
from stackbook.resources.inventory import collect
from stackbook.resources.waiting import settled
from stackbook.services import service

if TYPE_CHECKING:
    from stackbook.plans import Resource
    from stackbook.render.frame import Frame
    from stackbook.site import Site

Rows = list[dict[str, Any]]
VOLUME = "cinder-volume"
DRIVER = "cinder.volume.drivers.lvm.LVMVolumeDriver"
TARGET_HELPERS = {"debian": "tgtadm", "kolla": "tgtadm"}
"""What exports a volume by iSCSI, where it is not the kernel's own target, as on RHEL and its kin."""
PACKSTACK_FILE = "/var/lib/cinder/cinder-volumes"
PACKSTACK_UNIT = "openstack-losetup"
GIB = 1 << 30
REPORTED_S = 150.0
"""Seconds until a restarted backend's capacity has reached the scheduler: cinder reports it every 60."""


def disks(site: Site, host: str) -> Frame:
    """Every block device of `host`, what lives on it and who uses it; one row each, sizes in bytes."""
    return frame([device.row for device in block_devices(site.host(host))])


def cinder_on_lvm(
    site: Site, host: str, devices: Sequence[str], *, group: str, backend: str, erase: Sequence[str] = ()
) -> list[Resource]:
    """What makes `backend` of cinder-volume on `host` keep its volumes in volume group `group` on exactly `devices`.

    `erase` agrees, disk by disk as ``/dev/sdc=SERIAL``, to lose what lives there. A target helper that is configured
    stays. Raises BadInput for a consent that names no disk of `devices`.
    """
    agreed = _consents(devices, erase)
    volumes = [PhysicalVolume(host=host, device=one, group=group, erase_serial=agreed.get(one)) for one in devices]
    path = service(VOLUME).config(site.settings.layout)[0]
    content = site.host(host).read(path)
    text = IniText(content or b"", f"{host}:{path}")
    enabled = _last(text, "DEFAULT", "enabled_backends")
    helper = _last(text, backend, "target_helper") or TARGET_HELPERS.get(site.settings.layout, "lioadm")
    options = {"volume_driver": DRIVER, "volume_group": group, "volume_backend_name": backend, "target_helper": helper}
    return [
        *volumes,
        VolumeGroup(host=host, name=group, devices=tuple(devices)),
        *(IniOption(host=host, path=path, section=backend, option=name, value=value) for name, value in options.items()),
        IniOption(host=host, path=path, section="DEFAULT", option="enabled_backends", value=_with(enabled, backend)),
        Service(host=host, name=VOLUME, fresh=True),
    ]


def volumes_left_behind(site: Site, host: str, backend: str, group: str) -> Rows:
    """Volumes that the backend keeps elsewhere than in `group`: it would not find them any more."""
    path = service(VOLUME).config(site.settings.layout)[0]
    text = IniText(site.host(host).read(path) or b"", f"{host}:{path}")
    now = {name: _last(text, backend, name) for name in ("volume_driver", "volume_group")}
    if now["volume_group"] == group or not now["volume_driver"]:
        return []
    place = "os-vol-host-attr:host"
    lost = [row for row in collect(site, ["volumes"])["volumes"] if _serves(str(row.get(place)), host, backend)]
    found = f"{len(lost)} with {now['volume_driver']}, group {now['volume_group'] or 'none'}"
    hint = "choose another name for the new backend, and retype the volumes later"
    return [{"check": f"volumes of backend {backend}", "found": found, "expected": f"in {group}", "hint": hint}] if lost else []


def loop_files(site: Site, host: str, group: str) -> Rows:
    """Disks of `group` that are files behind a loop device, as Packstack makes them for a proof of concept.

    Every write of a volume then passes the host's own file system; its size is fixed; it fills the system's disk; and
    where the loop device is not set up again after a reboot, all volumes are missing.
    """
    found = [device for device in block_devices(site.host(host)) if device.group == group and device.backing]
    return [_loop_row(device, group) for device in found]


def _loop_row(device: BlockDevice, group: str) -> dict[str, Any]:
    packstack = device.backing == PACKSTACK_FILE
    unit = f"systemctl disable --now {PACKSTACK_UNIT}; " if packstack else ""
    whose = "Packstack's file for a proof of concept" if packstack else "a file"
    return {
        "check": f"{device.path} of {group}",
        "found": f"{whose}: {device.backing}, {device.size / GIB:.0f} GiB",
        "expected": "a disk",
        "hint": f"name both, disks={device.path},DISK; pvmove {device.path} where volumes lie on it; then name DISK alone; "
        f"at last {unit}losetup --detach {device.path}; rm {device.backing}",
    }


def pool_reported(site: Site, host: str, backend: str, group: str) -> Rows:
    """What the scheduler is told of the backend's pool, where that is not the size of the volume group; waits for the report."""
    size = sum(volume.size for volume in physical_volumes(site.host(host)) if volume.group == group) / GIB

    def poll() -> dict[str, Any]:
        pools = [pool for pool in collect(site, ["pools"])["pools"] if _serves(str(pool.get("name")), host, backend)]
        return pools[0] if pools else {}

    def busy(pool: dict[str, Any]) -> str:
        total = pool.get("total_capacity_gb")
        told = f"{total} GiB" if pool else "no pool"
        return "" if _close(total, size) else f"waiting for {size:.1f} GiB, reported: {told}"

    try:
        settled(poll, busy, what=f"the pool of {host}@{backend}", limit=REPORTED_S)
    except CloudFailed:
        told = busy(poll())
        hint = f"/var/log/cinder on {host}: why does {VOLUME} not report?"
        return [{"check": f"pool of {host}@{backend}", "found": told, "expected": f"{size:.1f} GiB", "hint": hint}]
    return []


def other_disks(before: Frame, site: Site, host: str, devices: Sequence[str], group: str) -> Rows:
    """What changed on disks of `host` since `before`, other than `devices` and those that were in the group."""
    own = {real_path(site.host(host), device) for device in devices}
    old = {str(row["device"]): row for row in before.to_dict("records")}
    new = {str(row["device"]): row for row in disks(site, host).to_dict("records")}
    ours = own | {name for name, row in old.items() if f"volume group {group}" in str(row["lives_there"])}
    return [
        {"device": name, "before": _seen(old.get(name)), "after": _seen(new.get(name))}
        for name in sorted({*old, *new} - ours)
        if _seen(old.get(name)) != _seen(new.get(name))
    ]


def _seen(row: Any) -> str:
    return "" if row is None else f"{row['size']} bytes, {row['lives_there']}, {row['in_use']}"


def _serves(pool: str, host: str, backend: str) -> bool:
    """Whether ``host@backend#pool`` is of this host, whichever of its names cinder uses."""
    where, _, rest = pool.partition("@")
    return rest.partition("#")[0] == backend and where.partition(".")[0] == host.partition(".")[0]


def _close(total: Any, size: float) -> bool:
    return isinstance(total, (int, float)) and abs(total - size) < 0.1


def _consents(devices: Sequence[str], erase: Sequence[str]) -> dict[str, str]:
    agreed: dict[str, str] = {}
    for consent in erase:
        device, _, serial = consent.partition("=")
        if device not in devices or not serial:
            raise BadInput(
                f"erase={consent!r}: expected DISK=SERIAL with one of the disks {', '.join(devices)}",
                hint="run without it: the refusal tells the serial to name",
            )
        agreed[device] = serial
    return agreed


def _last(text: IniText, section: str, option: str) -> str:
    found = text.values(section, option)
    return found[-1] if found else ""


def _with(listed: str, name: str) -> str:
    names = [item.strip() for item in listed.split(",") if item.strip()]
    return listed if name in names else ",".join([*names, name])
