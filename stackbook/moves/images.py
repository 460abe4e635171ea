"""Single disks: a file into glance, an image or volume back into a file."""

from __future__ import annotations

import os

from stackbook.errors import BadInput
from stackbook.migration.bundle import inspect
from stackbook.resources import DiskImage, ExportedFile

SET = ("hw_firmware_type", "hw_machine_type", "hw_disk_bus", "hw_vif_model", "os_type")


def image(
    file: str, *, name: str = "", disk: str = "", visibility: str = "", min_ram: int = 0, properties: str = ""
) -> DiskImage:
    """The image that a disk file, or the disk `disk` of a bundle, becomes.

    `properties` are ``key=value`` pairs separated by commas. Firmware and operating system are those of the bundle.
    """
    bundle = inspect(file)
    if not disk and len(bundle.disks) > 1:
        names = ", ".join(found.name for found in bundle.disks)
        raise BadInput(f"{file}: it holds {len(bundle.disks)} disks", found=names, hint="name one as disk")
    found = bundle.disk(disk) if disk else bundle.disks[0]
    known = {"hw_firmware_type": "uefi", "hw_machine_type": "q35"} if bundle.machine.firmware == "uefi" else {}
    known |= {"os_type": bundle.machine.family} if bundle.machine.family in ("linux", "windows") else {}
    return DiskImage(
        name=name or os.path.basename(file).rpartition(".")[0],
        source=found.source,
        bundle=bundle.path,
        seen=found.seen,
        min_disk=found.gib,
        min_ram=min_ram or None,
        visibility=visibility or None,
        properties={**known, **_pairs(properties)} or None,
    )


def export(path: str, *, image: str = "", volume: str = "", format: str = "raw") -> ExportedFile:
    """The file that an image, or a volume that is not in use, becomes; `format` is what cinder writes a volume as."""
    if bool(image) == bool(volume):
        raise BadInput("image-export: name an image or a volume, and not both")
    path = os.path.abspath(os.path.expanduser(path))
    return ExportedFile(path=path, image=image or None, volume=volume or None, format=format if volume else None)


def _pairs(text: str) -> dict[str, str]:
    found = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise BadInput(f"properties: {item!r} is no pair", hint="key=value, separated by commas")
        found[key.strip()] = value.strip()
    return found
