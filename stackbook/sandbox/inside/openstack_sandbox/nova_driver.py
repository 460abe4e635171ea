"""The sandbox's hypervisor: nova's in-tree fake driver with guests that last, real waiting and real bytes.

Registered as ``nova.virt.sandbox`` (nova loads drivers only from below ``nova.virt``).
"""

# ruff: noqa: D102 - what the methods are for is said in nova.virt.driver.ComputeDriver

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import nova.conf
from nova import exception
from nova.compute import power_state, task_states
from nova.console import type as consoles
from nova.network import neutron
from nova.objects import fields
from nova.virt import fake, hardware
from nova.virt import node as identity
from oslo_config import cfg
from oslo_log import log
from oslo_serialization import jsonutils

from openstack_sandbox import nova_devices
from openstack_sandbox.nova_console import console
from openstack_sandbox.nova_guests import Guest, Guests
from openstack_sandbox.nova_images import Images

CONF = nova.conf.CONF
LOG = log.getLogger("nova.virt.sandbox.driver")
CONF.register_opts(
    [
        cfg.IntOpt("vcpus", default=16, min=1),
        cfg.IntOpt("memory_mb", default=32768, min=1),
        cfg.IntOpt("disk_gb", default=500, min=1),
        cfg.StrOpt("guests_path", default="$state_path/guests"),
    ],
    group="sandbox",
)
HYPERVISOR_VERSION = 7_002_000
VNC_PORT = 5900
SYSTEM_GB = 20
"""Taken on a host's disk by the system and the image cache."""
_FORMATS = ("raw", "qcow2", "iso", "ami", "vhd", "vmdk", "vhdx", "ploop")


class SandboxDriver(fake.FakeDriver):  # type: ignore[misc]
    """Runs no guest, and keeps account of each as if it did."""

    capabilities = fake.FakeDriver.capabilities | {
        "supports_bfv_rescue": True,
        "supports_remote_managed_ports": False,
        "supports_accelerators": False,
        "supports_trusted_certs": False,
        **{f"supports_image_type_{name}": name in ("raw", "qcow2", "iso", "ami") for name in _FORMATS},
    }

    def __init__(self, virtapi: Any, read_only: bool = False) -> None:
        self.vcpus, self.memory_mb, self.local_gb = CONF.sandbox.vcpus, CONF.sandbox.memory_mb, CONF.sandbox.disk_gb
        super().__init__(virtapi, read_only)
        hypervisor = {"hypervisor_type": "QEMU", "hypervisor_version": HYPERVISOR_VERSION}
        modes = [(fields.Architecture.X86_64, kind, fields.VMMode.HVM) for kind in ("kvm", "qemu")]
        self.host_status_base.update(hypervisor, supported_instances=modes)
        self._up_since = time.time()

    def init_host(self, host: str) -> None:
        """Find the guests that an earlier nova-compute left running."""
        super().init_host(host)
        self.instances: Guests = Guests(Path(CONF.sandbox.guests_path))
        self._images = Images(Path(CONF.instances_path) / "_base")
        for guest in self.instances.everyone():
            self.resources.claim(guest.vcpus, guest.memory_mb, guest.disk_gb)

    # What the host has.

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        resources: dict[str, Any] = super().get_available_resource(nodename)
        if resources:
            resources["uuid"] = identity.read_local_node_uuid()
            resources["cpu_info"] = jsonutils.dumps(nova_devices.cpu(self.vcpus))
            resources["disk_available_least"] = self.local_gb - SYSTEM_GB - self.resources.local_gb_used
        return resources

    def get_nodenames_by_uuid(self, refresh: bool = False) -> dict[str, str]:
        return {identity.read_local_node_uuid(): self._host}

    def get_host_ip_addr(self) -> str:
        return str(CONF.my_ip)

    def get_host_uptime(self) -> str:
        minutes = int(time.time() - self._up_since) // 60
        days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
        up = f"{days} days, {hours:2d}:{rest:02d}" if days else f"{hours:2d}:{rest:02d}"
        return f" {time.strftime('%H:%M:%S')} up {up},  0 users,  load average: 0.08, 0.03, 0.01\n"

    def get_volume_connector(self, instance: Any) -> dict[str, Any]:
        initiator = f"iqn.1993-08.org.debian:01:{self._host}"
        return {"ip": CONF.my_ip, "initiator": initiator, "host": self._host, "multipath": False,
                "os_type": "linux", "platform": "x86_64"}  # fmt: skip

    def manage_image_cache(self, context: Any, all_instances: Any) -> None:
        self._images.keep_only({guest.image for guest in self.instances.everyone()})

    def default_root_device_name(self, instance: Any, image_meta: Any, root_bdm: Any) -> str:
        return "/dev/vda"

    # A guest's life.

    def spawn(self, context: Any, instance: Any, image_meta: Any, injected_files: Any, admin_password: Any,
              allocations: Any, network_info: Any = None, block_device_info: Any = None, power_on: bool = True,
              accel_info: Any = None) -> None:  # fmt: skip
        """Fetch the root disk, plug the ports and wait for neutron, then let the guest run."""
        guest = self._define(context, instance, network_info, block_device_info)
        try:
            self._await_ports(context, instance, network_info or [], power_on)
        except Exception:
            self.destroy(context, instance, network_info, block_device_info)
            raise
        self._set(guest, power_state.RUNNING if power_on else power_state.SHUTDOWN)

    def destroy(self, context: Any, instance: Any, network_info: Any, block_device_info: Any = None,
                destroy_disks: bool = True, destroy_secrets: bool = True) -> None:  # fmt: skip
        guest = self.instances.get(instance.uuid)
        if guest is None:
            LOG.info("During destroy, the guest was not found.", instance=instance)
            return
        del self.instances[guest.uuid]
        self.resources.release(guest.vcpus, guest.memory_mb, guest.disk_gb)
        LOG.info("Instance destroyed successfully.", instance=instance)

    def get_info(self, instance: Any, use_cache: bool = True) -> Any:
        return hardware.InstanceInfo(state=self._guest(instance).state)

    def power_off(self, instance: Any, timeout: int = 0, retry_interval: int = 0) -> None:
        self._set(self._guest(instance), power_state.SHUTDOWN)

    def power_on(self, context: Any, instance: Any, network_info: Any, block_device_info: Any = None,
                 accel_info: Any = None, share_info: Any = None) -> None:  # fmt: skip
        guest = self._guest(instance)
        guest.started = time.time()
        guest.interfaces |= nova_devices.interfaces(network_info or [])
        self._set(guest, power_state.RUNNING)

    def reboot(self, context: Any, instance: Any, network_info: Any, reboot_type: str, block_device_info: Any = None,
               bad_volumes_callback: Any = None, accel_info: Any = None, share_info: Any = None) -> None:  # fmt: skip
        if instance.uuid not in self.instances and reboot_type.lower() == "hard":
            self._define(context, instance, network_info, block_device_info)
        self.power_on(context, instance, network_info, block_device_info)

    def resume_state_on_host_boot(self, context: Any, instance: Any, network_info: Any, share_info: Any,
                                  block_device_info: Any = None) -> None:  # fmt: skip
        self.reboot(context, instance, network_info, "hard", block_device_info)

    def pause(self, instance: Any) -> None:
        self._set(self._guest(instance), power_state.PAUSED)

    def unpause(self, instance: Any) -> None:
        self._set(self._guest(instance), power_state.RUNNING)

    def suspend(self, context: Any, instance: Any) -> None:
        self._set(self._guest(instance), power_state.SUSPENDED)

    def resume(self, context: Any, instance: Any, network_info: Any, block_device_info: Any = None,
               share_info: Any = None) -> None:  # fmt: skip
        self._set(self._guest(instance), power_state.RUNNING)

    def unrescue(self, context: Any, instance: Any) -> None:
        self._set(self._guest(instance), power_state.RUNNING)

    # Devices.

    def plug_vifs(self, instance: Any, network_info: Any) -> None:
        guest = self.instances.get(instance.uuid)
        if guest is not None:
            guest.interfaces |= nova_devices.interfaces(network_info)
            self.instances.save(guest)

    def attach_interface(self, context: Any, instance: Any, image_meta: Any, vif: Any) -> None:
        guest = self._guest(instance)
        if vif["id"] in guest.interfaces:
            raise exception.InterfaceAttachFailed(instance_uuid=instance.uuid)
        guest.interfaces |= nova_devices.interfaces([vif])
        self.instances.save(guest)

    def detach_interface(self, context: Any, instance: Any, vif: Any) -> None:
        guest = self._guest(instance)
        if guest.interfaces.pop(vif["id"], None) is None:
            raise exception.InterfaceDetachFailed(instance_uuid=instance.uuid)
        self.instances.save(guest)

    def attach_volume(self, context: Any, connection_info: Any, instance: Any, mountpoint: str, disk_bus: Any = None,
                      device_type: Any = None, encryption: Any = None) -> None:  # fmt: skip
        guest = self._guest(instance)
        guest.volumes[mountpoint] = nova_devices.volume_id(connection_info)
        self.instances.save(guest)

    def detach_volume(self, context: Any, connection_info: Any, instance: Any, mountpoint: str,
                      encryption: Any = None) -> None:  # fmt: skip
        guest = self.instances.get(instance.uuid)
        if guest is not None and mountpoint in guest.volumes:
            del guest.volumes[mountpoint]
            self.instances.save(guest)

    def swap_volume(self, context: Any, old_connection_info: Any, new_connection_info: Any, instance: Any,
                    mountpoint: str, resize_to: int) -> None:  # fmt: skip
        self.attach_volume(context, new_connection_info, instance, mountpoint)

    # Copies and moves.

    def snapshot(self, context: Any, instance: Any, image_id: str, update_task_state: Any) -> None:
        """Upload the guest's root disk as the image `image_id`."""
        if instance.uuid not in self.instances:
            raise exception.InstanceNotRunning(instance_id=instance.uuid)
        LOG.info("Beginning live snapshot process", instance=instance)
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        update_task_state(task_state=task_states.IMAGE_UPLOADING, expected_state=task_states.IMAGE_PENDING_UPLOAD)
        base = self.instances[instance.uuid].image
        self._images.upload(context, image_id, base, nova_devices.snapshot_metadata(instance))
        LOG.info("Snapshot image upload complete", instance=instance)

    def migrate_disk_and_power_off(self, context: Any, instance: Any, dest: str, flavor: Any, network_info: Any,
                                   block_device_info: Any = None, timeout: int = 0,
                                   retry_interval: int = 0) -> str:  # fmt: skip
        self.power_off(instance)
        return "[]"

    def finish_migration(self, context: Any, migration: Any, instance: Any, disk_info: Any, network_info: Any,
                         image_meta: Any, resize_instance: bool, allocations: Any, block_device_info: Any = None,
                         power_on: bool = True, share_info: Any = None) -> None:  # fmt: skip
        guest = self._define(context, instance, network_info, block_device_info)
        self._set(guest, power_state.RUNNING if power_on else power_state.SHUTDOWN)

    def finish_revert_migration(self, context: Any, instance: Any, network_info: Any, migration: Any,
                                block_device_info: Any = None, power_on: bool = True,
                                share_info: Any = None) -> None:  # fmt: skip
        guest = self.instances.get(instance.uuid) or self._define(context, instance, network_info, block_device_info)
        self._set(guest, power_state.RUNNING if power_on else power_state.SHUTDOWN)

    def post_live_migration(self, context: Any, instance: Any, block_device_info: Any,
                            migrate_data: Any = None) -> None:  # fmt: skip
        self.destroy(context, instance, None, block_device_info)

    def post_live_migration_at_destination(self, context: Any, instance: Any, network_info: Any,
                                           block_migration: bool = False,
                                           block_device_info: Any = None) -> None:  # fmt: skip
        guest = self._define(context, instance, network_info, block_device_info)
        self._set(guest, power_state.RUNNING)

    # What a user sees of it.

    def get_console_output(self, context: Any, instance: Any) -> str:
        return console(self._guest(instance))

    def get_vnc_console(self, context: Any, instance: Any) -> Any:
        number = sorted(self.instances).index(self._guest(instance).uuid)
        return consoles.ConsoleVNC(host=CONF.vnc.server_proxyclient_address, port=VNC_PORT + number)

    # Inside.

    def _guest(self, instance: Any) -> Guest:
        guest = self.instances.get(instance.uuid)
        if guest is None:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        return guest

    def _set(self, guest: Guest, state: int) -> None:
        guest.state = state
        self.instances.save(guest)

    def _define(self, context: Any, instance: Any, network_info: Any, block_device_info: Any) -> Guest:
        """Make the guest, paused, with its disks and interfaces."""
        image = instance.image_ref or ""
        if image:
            LOG.info("Creating image(s)", instance=instance)
            self._fetch(context, instance, image)
        flavor = instance.flavor
        guest = Guest(
            uuid=instance.uuid, name=instance.name, hostname=instance.hostname, state=power_state.PAUSED,
            vcpus=flavor.vcpus, memory_mb=flavor.memory_mb, disk_gb=flavor.root_gb if image else 0, image=image,
            interfaces=nova_devices.interfaces(network_info or []), volumes=nova_devices.volumes(block_device_info),
            started=time.time(),
        )  # fmt: skip
        if guest.uuid not in self.instances:
            self.resources.claim(guest.vcpus, guest.memory_mb, guest.disk_gb)
        self.instances[guest.uuid] = guest
        return guest

    def _fetch(self, context: Any, instance: Any, image: str) -> None:
        try:
            self._images.fetch(context, image)
        except exception.ImageNotFound:
            if instance.task_state is None or instance.task_state == task_states.SPAWNING:
                raise
            # The image is gone, but a guest that moves brings its disk along.
            LOG.info("Image %s doesn't exist anymore on image service", image, instance=instance)

    def _await_ports(self, context: Any, instance: Any, network_info: Any, power_on: bool) -> None:
        """Wait until neutron says that each port that is down was plugged, as the libvirt driver does."""
        timeout = CONF.vif_plugging_timeout if power_on else 0
        down = {vif["id"] for vif in network_info if vif.get("active", True) is False} if timeout else set()
        events = [("network-vif-plugged", port) for port in down]
        try:
            with self.virtapi.wait_for_instance_event(instance, events, timeout=timeout, error_callback=_plugging_failed):
                self.plug_vifs(instance, network_info)
                if down:
                    # The agent may have been faster than this guest: such an event will not come again.
                    active = _active_ports(context, instance)
                    self.virtapi.exit_wait_early([event for event in events if event[1] in active])
        except exception.InstanceEventTimeout:
            if CONF.vif_plugging_is_fatal:
                raise exception.VirtualInterfaceCreateException from None


def _plugging_failed(event_name: str, instance: Any) -> None:
    LOG.error("Neutron Reported failure on event %s for instance %s", event_name, instance.uuid, instance=instance)
    if CONF.vif_plugging_is_fatal:
        raise exception.VirtualInterfaceCreateException


def _active_ports(context: Any, instance: Any) -> set[str]:
    client = neutron.get_client(context, admin=True)
    ports = client.list_ports(device_id=instance.uuid, fields=["id", "status"])["ports"]
    return {port["id"] for port in ports if port["status"] == "ACTIVE"}
