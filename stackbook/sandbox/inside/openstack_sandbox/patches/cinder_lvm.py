"""Cinder's LVM driver, as cinder.conf names it, on a host without device-mapper."""

from __future__ import annotations


def apply() -> None:
    """Let ``cinder.volume.drivers.lvm.LVMVolumeDriver`` be the driver that keeps files within that volume group."""
    from cinder.volume.drivers import lvm

    from openstack_sandbox.cinder_driver import VolumeGroupDriver

    lvm.LVMVolumeDriver = VolumeGroupDriver
