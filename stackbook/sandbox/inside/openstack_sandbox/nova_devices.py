"""What the hypervisor makes of nova's descriptions of ports, volumes, processors and images."""

from __future__ import annotations

from typing import Any


def interfaces(network_info: Any) -> dict[str, dict[str, object]]:
    """The ports of `network_info`, as a guest remembers them."""
    return {
        vif["id"]: {
            "mac": vif["address"],
            "ips": [ip["address"] for ip in vif.fixed_ips()],
            "network": vif["network"]["id"],
            "bridge": vif["network"].get("bridge"),
            "device": vif.get("devname"),
        }
        for vif in network_info
    }


def volumes(block_device_info: Any) -> dict[str, str]:
    """The volumes of `block_device_info` by mount point."""
    mapping = (block_device_info or {}).get("block_device_mapping") or []
    return {bdm["mount_device"]: volume_id(bdm["connection_info"]) for bdm in mapping if bdm.get("mount_device")}


def volume_id(connection_info: Any) -> str:
    """The volume that cinder's `connection_info` leads to; empty when it does not say."""
    info = connection_info or {}
    return str(info.get("serial") or (info.get("data") or {}).get("volume_id") or "")


def cpu(vcpus: int) -> dict[str, Any]:
    """What a host with `vcpus` says about its processor."""
    topology = {"cells": 1, "sockets": 1, "cores": vcpus, "threads": 1}
    return {"arch": "x86_64", "model": "Nehalem", "vendor": "Intel", "topology": topology, "features": ["pge", "clflush"]}


def snapshot_metadata(instance: Any) -> dict[str, Any]:
    """What glance is told about the image made from the disk of `instance`."""
    image = instance.image_meta
    properties = {
        "image_location": "snapshot",
        "image_state": "available",
        "owner_id": instance.project_id,
        "kernel_id": instance.kernel_id,
        "ramdisk_id": instance.ramdisk_id,
    }
    return {
        "status": "active",
        "disk_format": (image.disk_format if image.obj_attr_is_set("disk_format") else None) or "raw",
        "container_format": (image.container_format if image.obj_attr_is_set("container_format") else None) or "bare",
        "properties": {name: value for name, value in properties.items() if value is not None},
    }
