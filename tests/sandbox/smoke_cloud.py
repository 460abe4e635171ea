"""What the smoke steps share: names, waiting, and cleaning up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openstack.exceptions import ResourceFailure

Cloud = Any
"""An openstack.connection.Connection; its type offers every version of each API at once."""

PREFIX = "smoke"
WAIT_S = 120


def clean(cloud: Cloud) -> None:
    """Remove everything that bears a smoke test's name, and give the admin's project its quotas back."""
    for things, remove, wait in _leftovers(cloud):
        for thing in things:
            remove(thing)
        for thing in things:
            wait(thing)
    cloud.compute.revert_quota_set(cloud.identity.find_project("admin"))


def _leftovers(cloud: Cloud) -> Iterator[tuple[list[Any], Callable[[Any], object], Callable[[Any], object]]]:
    """What is to go, in this order: the things of a kind, what removes one, what waits until it is gone."""
    compute, network, storage = cloud.compute, cloud.network, cloud.block_storage

    def delete_router(router: Any) -> None:
        for port in network.ports(device_id=router.id):
            network.remove_interface_from_router(router, port=port)
        network.delete_router(router)

    def gone(proxy: Any) -> Callable[[Any], object]:
        return lambda thing: proxy.wait_for_delete(thing, interval=0.5, wait=WAIT_S)

    def at_once(_thing: Any) -> None:
        pass

    yield ours(compute.servers(all_projects=True)), compute.delete_server, gone(compute)
    yield ours(compute.server_groups()), compute.delete_server_group, at_once
    yield ours(compute.aggregates()), compute.delete_aggregate, at_once
    yield ours(compute.keypairs()), compute.delete_keypair, at_once
    yield ours(compute.flavors()), compute.delete_flavor, at_once
    yield ours(storage.snapshots()), storage.delete_snapshot, gone(storage)
    yield ours(storage.volumes()), storage.delete_volume, gone(storage)
    yield ours(cloud.image.images()), cloud.image.delete_image, at_once
    yield ours(network.routers()), delete_router, at_once
    yield ours(network.trunks()), network.delete_trunk, at_once
    yield ours(network.ports()), network.delete_port, at_once
    yield ours(network.networks()), network.delete_network, at_once
    yield ours(network.security_groups()), network.delete_security_group, at_once
    yield ours(network.qos_policies()), network.delete_qos_policy, at_once
    yield ours(cloud.identity.users()), cloud.identity.delete_user, at_once
    yield ours(cloud.identity.projects()), cloud.identity.delete_project, at_once


def ours(things: Any) -> list[Any]:
    """Those of `things` that bear a smoke test's name."""
    return [thing for thing in things if (thing.name or "").startswith(PREFIX)]


def name(short: str) -> str:
    """The name that the thing called `short` has in the cloud."""
    return f"{PREFIX}-{short}"


def the(find: Callable[..., Any], short: str) -> Any:
    """What an earlier step made; raises NotFoundException when it did not."""
    return find(name(short), ignore_missing=False)


def as_user(cloud: Cloud) -> Cloud:
    """A connection as the user of `project_with_user_and_role`."""
    return cloud.connect_as(
        username=name("user"), password="smoke-secret", project_name=name("project"), project_id=None,
        user_domain_id="default", project_domain_id="default",
    )  # fmt: skip


def upload(cloud: Cloud, short: str, data: bytes) -> Any:
    """An active raw image with `data`."""
    image = cloud.image.create_image(name=name(short), disk_format="raw", container_format="bare", data=data)
    return cloud.image.get_image(image)


def start(cloud: Cloud, short: str, flavor: str = "small", image: str | None = None, **details: Any) -> Any:
    """Ask for a server."""
    if image:
        details["image_id"] = the(cloud.image.find_image, image).id
    return cloud.compute.create_server(name=name(short), flavor_id=the(cloud.compute.find_flavor, flavor).id, **details)


def boot(cloud: Cloud, short: str, **details: Any) -> Any:
    """Ask for a server, and wait until it is ACTIVE."""
    server = start(cloud, short, **details)
    return cloud.compute.wait_for_server(server, interval=1, wait=WAIT_S)


def ended_in_error(cloud: Cloud, server: Any) -> Any:
    """The server as it is after it failed to boot."""
    with pytest.raises(ResourceFailure):
        cloud.compute.wait_for_server(server, interval=1, wait=WAIT_S)
    return cloud.compute.get_server(server)


def settled(cloud: Cloud, server: Any, status: str, also: Callable[[], bool] = lambda: True) -> Any:
    """The server, once it has `status`, no task is under way, and `also` is true."""

    def done() -> bool:
        now = cloud.compute.get_server(server)
        assert now.status != "ERROR", now.fault
        return now.status == status and now.task_state is None and also()

    until(done, f"{server.name} is {status}")
    return cloud.compute.get_server(server)


def available(cloud: Cloud, volume: Any) -> Any:
    """The volume, once it is available."""
    return cloud.block_storage.wait_for_status(volume, "available", interval=0.5, wait=WAIT_S)


def host_of(cloud: Cloud, server: Any) -> str:
    """The compute host that the server is on."""
    return str(cloud.compute.get_server(server).compute_host)


def moved(cloud: Cloud, server: Any, before: str) -> None:
    """Check that the server, and with it its port, is no longer on the host `before`."""
    after = host_of(cloud, server)
    assert after != before
    port = next(iter(cloud.network.ports(device_id=server.id)))
    assert port.binding_host_id == after
    until(lambda: cloud.network.get_port(port).status == "ACTIVE", "the port is active")


def until(done: Callable[[], bool], what: str) -> None:
    """Wait until `done`; fails after WAIT_S, saying that `what` did not come true."""
    end = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < end, f"after {WAIT_S} s still not so: {what}"
        time.sleep(0.5)
