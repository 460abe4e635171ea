"""The kinds of resources, for clouds and for hosts; each is imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "AnswerFile": "answer_file",
    "Disk": "disk",
    "DiskImage": "disk_image",
    "ExportedFile": "exported_file",
    "File": "file",
    "FloatingIP": "router",
    "Flavor": "flavor",
    "Image": "image",
    "IniOption": "ini",
    "KeyPair": "keypair",
    "Network": "network",
    "Package": "package",
    "OvsBridge": "ovs",
    "OvsExternalIds": "ovs",
    "OvsPort": "ovs",
    "PhysicalVolume": "lvm",
    "Port": "port",
    "Project": "identity",
    "Quota": "quota",
    "RoleAssignment": "identity",
    "Router": "router",
    "SecurityGroup": "security_group",
    "Server": "server",
    "Service": "service",
    "Subnet": "subnet",
    "User": "identity",
    "Volume": "volume",
    "VolumeGroup": "lvm",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605 - it is a list


def load() -> None:
    """Import every kind, so that any journal's records can be made resources again."""
    for home in set(_HOMES.values()):
        importlib.import_module(f"{__name__}.{home}")


def __getattr__(name: str) -> Any:
    """Import the kind that a notebook asks for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no kind {name!r} (kinds: {', '.join(__all__)})")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
