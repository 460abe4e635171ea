"""Thirty steps that the six real services must pass together, from a project to a live migration.

Each step is a function of a connection as the sandbox's admin; it finds what earlier steps made by name. They run in the
order of STEPS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from openstack.exceptions import BadRequestException, ConflictException, ForbiddenException

from tests.sandbox.smoke_cloud import (
    PREFIX,
    WAIT_S,
    Cloud,
    as_user,
    available,
    boot,
    ended_in_error,
    host_of,
    moved,
    name,
    settled,
    start,
    the,
    until,
    upload,
)

Step = Callable[[Cloud], None]

FIXED_IP, MAC = "10.204.0.50", "fa:16:3e:20:40:50"
DISK = b"smoke test disk".ljust(2 * 1024 * 1024, b"\0") + b"its end".ljust(512, b"\0")
PARALLEL = 10


def project_with_user_and_role(cloud: Cloud) -> None:
    """A project, a user and a role assignment; the user logs in and sees the project."""
    project = cloud.identity.create_project(name=name("project"), domain_id="default")
    user = cloud.identity.create_user(name=name("user"), password="smoke-secret", default_project_id=project.id)
    member = cloud.identity.find_role("member", ignore_missing=False)
    cloud.identity.assign_project_role_to_user(project, user, member)
    assert [one.id for one in as_user(cloud).identity.user_projects(user)] == [project.id]


def quotas(cloud: Cloud) -> None:
    """Quotas of compute, volumes and network are kept as set."""
    project = cloud.identity.find_project(name("project"))
    cloud.compute.update_quota_set(project, instances=2, cores=4, ram=4096)
    cloud.block_storage.update_quota_set(project, volumes=5, gigabytes=20)
    cloud.network.update_quota(project.id, networks=3)
    assert cloud.compute.get_quota_set(project).cores == 4
    assert cloud.block_storage.get_quota_set(project).gigabytes == 20
    assert cloud.network.get_quota(project.id).networks == 3


def tenant_network(cloud: Cloud) -> None:
    """A network and a subnet, of the type that tenants get."""
    network = cloud.network.create_network(name=name("net"))
    cloud.network.create_subnet(name=name("subnet"), network_id=network.id, ip_version=4, cidr="10.204.0.0/24")
    assert network.provider_network_type == "vxlan"


def port_with_fixed_ip_and_mac(cloud: Cloud) -> None:
    """A port with the address and the MAC that were asked for; the same address again is refused."""
    network, subnet = the(cloud.network.find_network, "net"), the(cloud.network.find_subnet, "subnet")
    fixed = [{"subnet_id": subnet.id, "ip_address": FIXED_IP}]
    port = cloud.network.create_port(name=name("port"), network_id=network.id, mac_address=MAC, fixed_ips=fixed)
    assert (port.mac_address, port.fixed_ips[0]["ip_address"]) == (MAC, FIXED_IP)
    with pytest.raises(ConflictException, match="already allocated"):
        cloud.network.create_port(network_id=network.id, fixed_ips=fixed)


def security_group(cloud: Cloud) -> None:
    """A security group with a rule, on the port."""
    group = cloud.network.create_security_group(name=name("ssh"))
    rule = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    cloud.network.create_security_group_rule(security_group_id=group.id, **rule)
    port = cloud.network.update_port(the(cloud.network.find_port, "port"), security_group_ids=[group.id])
    assert port.security_group_ids == [group.id]


def flavors(cloud: Cloud) -> None:
    """Two flavors, one of them larger."""
    cloud.compute.create_flavor(name=name("small"), vcpus=1, ram=256, disk=1)
    cloud.compute.create_flavor(name=name("large"), vcpus=2, ram=512, disk=2)
    assert {flavor.vcpus for flavor in cloud.compute.flavors() if flavor.name.startswith(PREFIX)} == {1, 2}


def keypair(cloud: Cloud) -> None:
    """A keypair from a public key."""
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2VvOCW8Yg2l0SxPpBn6zl1qMdE0w2hQ1sUoJ1V1m5r smoke"
    assert cloud.compute.create_keypair(name=name("key"), public_key=key).fingerprint


def image_upload(cloud: Cloud) -> None:
    """An image, uploaded and read back byte for byte."""
    image = upload(cloud, "image", DISK)
    assert cloud.image.download_image(image).content == DISK


def volume_from_image(cloud: Cloud) -> None:
    """A volume made from the image, bootable."""
    image = the(cloud.image.find_image, "image")
    volume = cloud.block_storage.create_volume(name=name("root"), size=1, image_id=image.id)
    volume = available(cloud, volume)
    assert volume.is_bootable
    assert volume.volume_image_metadata["image_id"] == image.id


def volume_holds_the_images_bytes(cloud: Cloud) -> None:
    """The volume, made an image again, begins with the first image's bytes."""
    volume = the(cloud.block_storage.find_volume, "root")
    made = cloud.block_storage.upload_volume_to_image(volume, name("copy"), disk_format="raw", container_format="bare")
    image_id = made["image_id"]
    until(lambda: cloud.image.get_image(image_id).status == "active", "the image is active")
    assert cloud.image.get_image(image_id).size == 1024**3
    with cloud.image.download_image(image_id, stream=True) as content:
        assert next(content.iter_content(len(DISK))) == DISK
    available(cloud, volume)


def server_boots_from_volume_on_port(cloud: Cloud) -> None:
    """A server boots from the volume, on the port, to ACTIVE, once neutron has plugged the port."""
    disk = {"uuid": the(cloud.block_storage.find_volume, "root").id, "boot_index": 0, "source_type": "volume"}
    disk |= {"destination_type": "volume", "delete_on_termination": False}
    port = the(cloud.network.find_port, "port")
    server = boot(cloud, "server", block_device_mapping=[disk], networks=[{"port": port.id}], key_name=name("key"))
    assert [address["addr"] for one in server.addresses.values() for address in one] == [FIXED_IP]
    port = cloud.network.get_port(port)
    assert (port.status, port.binding_vif_type, port.binding_host_id) == ("ACTIVE", "ovs", server.compute_host)


def server_without_physical_network_fails(cloud: Cloud) -> None:
    """A server on a provider network that no host maps ends in ERROR, with the reason in its fault."""
    network = cloud.network.create_network(
        name=name("unmapped"), provider_network_type="flat", provider_physical_network="smokenet"
    )
    cloud.network.create_subnet(name=name("unmapped"), network_id=network.id, ip_version=4, cidr="10.205.0.0/24")
    server = start(cloud, "unmapped", "small", image="image", networks=[{"uuid": network.id}])
    server = ended_in_error(cloud, server)
    assert "Exceeded maximum number of retries" in server.fault["message"]


def vlan_network_needs_its_type_driver(cloud: Cloud) -> None:
    """On a fresh installation VLANs are refused; once configured, VLAN 204 can be made, once."""
    wanted = {"provider_network_type": "vlan", "provider_physical_network": "default", "provider_segmentation_id": 204}
    refused = ""
    try:
        network = cloud.network.create_network(name=name("vlan"), **wanted)
    except BadRequestException as error:
        refused = str(error)
    assert "vlan" in refused if refused else network.provider_segmentation_id == 204


def no_valid_host(cloud: Cloud) -> None:
    """A flavor that fits on no host: ERROR, "No valid host was found"."""
    cloud.compute.create_flavor(name=name("huge"), vcpus=1, ram=48 * 1024, disk=1)
    server = ended_in_error(cloud, start(cloud, "huge", "huge", image="image", networks="none"))
    assert "No valid host was found" in server.fault["message"]


def quota_refusal(cloud: Cloud) -> None:
    """The user's fifth core is refused with 403 before anything is made."""
    user = as_user(cloud)
    small, image = the(cloud.compute.find_flavor, "small"), the(cloud.image.find_image, "image")
    cloud.image.update_image(image, visibility="public")
    with pytest.raises(ForbiddenException, match="Quota exceeded"):
        user.compute.create_server(
            name=name("many"), flavor_id=small.id, image_id=image.id, networks="none", min_count=3, max_count=3
        )
    assert not list(user.compute.servers())


def instance_actions(cloud: Cloud) -> None:
    """What was done to the server is on record, with its request id and events."""
    server = the(cloud.compute.find_server, "server")
    created = next(iter(cloud.compute.server_actions(server)))
    assert created.action == "create"
    assert created.request_id.startswith("req-")
    assert cloud.compute.get_server_action(created, server).events


def console_output(cloud: Cloud) -> None:
    """The console shows the guest's login prompt."""
    server = the(cloud.compute.find_server, "server")
    assert f"{name('server')} login:" in cloud.compute.get_server_console_output(server)["output"]


def storage_pools(cloud: Cloud) -> None:
    """The scheduler knows a pool with room in it, in detail."""
    pools = list(cloud.block_storage.backend_pools())
    assert [float(pool.capabilities["free_capacity_gb"]) > 0 for pool in pools] == [True]


def attach_and_detach_volume(cloud: Cloud) -> None:
    """An empty volume is attached to the running server, and detached again."""
    server = the(cloud.compute.find_server, "server")
    volume = available(cloud, cloud.block_storage.create_volume(name=name("data"), size=1))
    cloud.compute.create_volume_attachment(server, volume=volume)
    cloud.block_storage.wait_for_status(volume, "in-use", interval=0.5, wait=WAIT_S)
    cloud.compute.delete_volume_attachment(server, volume)
    available(cloud, volume)


def extend_and_snapshot_volume(cloud: Cloud) -> None:
    """A volume grows; a snapshot of it becomes another volume."""
    volume = the(cloud.block_storage.find_volume, "data")
    cloud.block_storage.extend_volume(volume, 2)
    until(lambda: cloud.block_storage.get_volume(volume).size == 2, "the volume has grown")
    available(cloud, volume)
    snapshot = cloud.block_storage.create_snapshot(name=name("snapshot"), volume_id=volume.id)
    snapshot = cloud.block_storage.wait_for_status(snapshot, "available", interval=0.5, wait=WAIT_S)
    clone = cloud.block_storage.create_volume(name=name("clone"), size=2, snapshot_id=snapshot.id)
    assert available(cloud, clone).snapshot_id == snapshot.id


def attach_and_detach_interface(cloud: Cloud) -> None:
    """A second port is plugged into the running server, and unplugged."""
    server, network = the(cloud.compute.find_server, "server"), the(cloud.network.find_network, "net")
    plugged = cloud.compute.create_server_interface(server, net_id=network.id)
    until(lambda: cloud.network.get_port(plugged.port_id).status == "ACTIVE", "the port is active")
    cloud.compute.delete_server_interface(plugged, server)
    until(lambda: len(list(cloud.compute.server_interfaces(server))) == 1, "one interface is left")


def server_actions(cloud: Cloud) -> None:
    """Reboot, stop, start, pause, suspend: each ends in the state that it should."""
    compute, server = cloud.compute, the(cloud.compute.find_server, "server")
    actions: list[tuple[Callable[[], object], str]] = [
        (lambda: compute.reboot_server(server, "SOFT"), "ACTIVE"),
        (lambda: compute.reboot_server(server, "HARD"), "ACTIVE"),
        (lambda: compute.stop_server(server), "SHUTOFF"),
        (lambda: compute.start_server(server), "ACTIVE"),
        (lambda: compute.pause_server(server), "PAUSED"),
        (lambda: compute.unpause_server(server), "ACTIVE"),
        (lambda: compute.suspend_server(server), "SUSPENDED"),
        (lambda: compute.resume_server(server), "ACTIVE"),
    ]
    for act, status in actions:
        act()
        settled(cloud, server, status)


def server_from_image(cloud: Cloud) -> None:
    """A server with its disk on the host, from the image."""
    network = the(cloud.network.find_network, "net")
    boot(cloud, "local", image="image", networks=[{"uuid": network.id}])


def server_snapshot(cloud: Cloud) -> None:
    """Its snapshot is an image with the disk's bytes."""
    server = the(cloud.compute.find_server, "local")
    image = cloud.compute.create_server_image(server, name("shot"), wait=True, timeout=WAIT_S)
    content = cloud.image.download_image(image).content
    assert hashlib.sha256(content).digest() == hashlib.sha256(DISK).digest()


def rebuild_rescue_shelve(cloud: Cloud) -> None:
    """Rebuild, rescue and unrescue, shelve and unshelve."""
    compute, server = cloud.compute, the(cloud.compute.find_server, "local")
    compute.rebuild_server(server, image=the(cloud.image.find_image, "shot").id, name=name("local"))
    settled(cloud, server, "ACTIVE")
    compute.rescue_server(server)
    settled(cloud, server, "RESCUE")
    compute.unrescue_server(server)
    settled(cloud, server, "ACTIVE")
    compute.shelve_server(server)
    settled(cloud, server, "SHELVED_OFFLOADED")
    compute.unshelve_server(server)
    settled(cloud, server, "ACTIVE")


def resize(cloud: Cloud) -> None:
    """A resize moves the server to the other host; reverted it is back, confirmed it stays."""
    compute, server = cloud.compute, the(cloud.compute.find_server, "local")
    before, large = host_of(cloud, server), the(cloud.compute.find_flavor, "large")
    compute.resize_server(server, large)
    settled(cloud, server, "VERIFY_RESIZE")
    compute.revert_server_resize(server)
    settled(cloud, server, "ACTIVE")
    assert host_of(cloud, server) == before
    compute.resize_server(server, large)
    settled(cloud, server, "VERIFY_RESIZE")
    compute.confirm_server_resize(server)
    assert settled(cloud, server, "ACTIVE").flavor["vcpus"] == 2
    assert host_of(cloud, server) != before


def cold_migration(cloud: Cloud) -> None:
    """A cold migration moves the server, its port and its volume to the other host."""
    server = the(cloud.compute.find_server, "server")
    before = host_of(cloud, server)
    cloud.compute.migrate_server(server)
    settled(cloud, server, "VERIFY_RESIZE")
    cloud.compute.confirm_server_resize(server)
    settled(cloud, server, "ACTIVE")
    moved(cloud, server, before)


def live_migration(cloud: Cloud) -> None:
    """A live migration moves the running server back."""
    server = the(cloud.compute.find_server, "server")
    before = host_of(cloud, server)
    cloud.compute.live_migrate_server(server, block_migration="auto")
    settled(cloud, server, "ACTIVE", lambda: host_of(cloud, server) != before)
    moved(cloud, server, before)
    assert [one.status for one in cloud.compute.server_migrations(server)] == []


def parallel_servers(cloud: Cloud) -> None:
    """Ten servers, asked for at once by ten clients, are all ACTIVE."""
    network = the(cloud.network.find_network, "net")
    cloud.compute.update_quota_set(cloud.identity.find_project("admin"), instances=50, cores=-1, ram=-1)
    with ThreadPoolExecutor(PARALLEL) as clients:
        asked = [
            clients.submit(boot, cloud, f"parallel{n}", image="image", networks=[{"uuid": network.id}]) for n in range(PARALLEL)
        ]
    assert [one.result().status for one in asked] == ["ACTIVE"] * PARALLEL


def server_groups_and_aggregates(cloud: Cloud) -> None:
    """Anti-affinity puts two servers on two hosts; a host goes into an aggregate and out again."""
    group = cloud.compute.create_server_group(name=name("apart"), policy="anti-affinity")
    hint = {"scheduler_hints": {"group": group.id}, "image": "image", "networks": "none"}
    apart = [boot(cloud, f"apart{n}", **hint) for n in range(2)]
    assert len({server.compute_host for server in apart}) == 2
    aggregate = cloud.compute.create_aggregate(name=name("rack"))
    assert cloud.compute.add_host_to_aggregate(aggregate, "compute2").hosts == ["compute2"]
    cloud.compute.remove_host_from_aggregate(aggregate, "compute2")


def usage_and_statistics(cloud: Cloud) -> None:
    """Usage, hypervisors with their uptime, services and agents: all up."""
    project = cloud.identity.find_project("admin")
    assert cloud.compute.get_usage(project).total_vcpus_usage > 0
    hypervisors = list(cloud.compute.hypervisors(details=True))
    assert {one.name: one.state for one in hypervisors} == {"compute1": "up", "compute2": "up"}
    assert all("load average" in one.uptime for one in hypervisors)
    assert all(service.state == "up" for service in cloud.compute.services())
    assert all(agent.is_alive for agent in cloud.network.agents())


def router_trunk_and_qos(cloud: Cloud) -> None:
    """A router with an interface, a trunk, a QoS policy with a rule."""
    network = cloud.network
    router = network.create_router(name=name("router"))
    network.add_interface_to_router(router, subnet=the(network.find_subnet, "subnet"))
    parent = network.create_port(name=name("parent"), network_id=the(network.find_network, "net").id)
    assert network.create_trunk(name=name("trunk"), port_id=parent.id).port_id == parent.id
    policy = network.create_qos_policy(name=name("slow"))
    rule = network.create_qos_bandwidth_limit_rule(policy, max_kbps=1000, direction="egress")
    assert rule.max_kbps == 1000


def delete_servers(cloud: Cloud) -> None:
    """A deleted server is gone, its volume is free again, and placement gives its room back."""
    server = the(cloud.compute.find_server, "server")
    cloud.compute.delete_server(server)
    cloud.compute.wait_for_delete(server, interval=0.5, wait=WAIT_S)
    available(cloud, the(cloud.block_storage.find_volume, "root"))
    assert not the(cloud.network.find_port, "port").device_id


STEPS: tuple[Step, ...] = (
    project_with_user_and_role, quotas, tenant_network, port_with_fixed_ip_and_mac, security_group, flavors, keypair,
    image_upload, volume_from_image, volume_holds_the_images_bytes, server_boots_from_volume_on_port,
    server_without_physical_network_fails, vlan_network_needs_its_type_driver, no_valid_host, quota_refusal,
    instance_actions, console_output, storage_pools, attach_and_detach_volume, extend_and_snapshot_volume,
    attach_and_detach_interface, server_actions, server_from_image, server_snapshot, rebuild_rescue_shelve, resize,
    cold_migration, live_migration, parallel_servers, server_groups_and_aggregates, usage_and_statistics,
    router_trunk_and_qos, delete_servers,
)  # fmt: skip
