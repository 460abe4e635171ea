"""How each fault is made to show: what an operator would do, and what it leaves behind to trace."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from openstack.connection import Connection
from openstack.exceptions import HttpException, raise_from_response

IMAGE = "sandbox-linux"
PATIENCE_S = 120.0
Body = dict[str, Any]


class Provoker:
    """Asks the cloud for things that a fault keeps from being made; remembers what was made, to remove it."""

    def __init__(self, cloud: Connection) -> None:
        self.cloud = cloud
        self.image = next(iter(cloud.image.images(name=IMAGE))).id
        self.flavors = {flavor.name: flavor.id for flavor in cloud.compute.flavors(get_extra_specs=False)}
        self.made: list[tuple[str, str]] = []
        self.networks: dict[str, str] = {}

    # What is asked for

    def server(self, flavor: str = "m1.tiny", *, networks: Any = "none", image: str = "", wait: bool = True, **more: Any) -> str:
        """A server; its id, once it is ACTIVE or in ERROR; the request's id when it is refused."""
        wanted = self._body(flavor, networks=networks, imageRef=image or self.image, **more)
        made = self._asked("compute", "/servers", {"server": wanted})
        if not made.startswith("req-"):
            self.made.append(("compute", f"/servers/{made}"))
            if wait:
                self._settled("compute", f"/servers/{made}", "server")
        return made

    @property
    def newest_server(self) -> str:
        """The server that was made last."""
        return next(path.removeprefix("/servers/") for service, path in reversed(self.made) if service == "compute")

    def volume(self, size: int = 1, *, image: str = "") -> str:
        """A volume, settled; its id, or the request's when it is refused."""
        wanted: Body = {"name": f"dg-{uuid.uuid4().hex[:6]}", "size": size, **({"imageRef": image} if image else {})}
        made = self._asked("block_storage", "/volumes", {"volume": wanted})
        if not made.startswith("req-"):
            self.made.append(("block_storage", f"/volumes/{made}"))
            self._settled("block_storage", f"/volumes/{made}", "volume")
        return made

    def network(self, name: str, cidr: str, **about: Any) -> str:
        """The network of that name with a subnet, made once; its id."""
        if name not in self.networks:
            made = self.cloud.network.find_network(name) or self.cloud.network.create_network(name=name, **about)
            if not made.subnet_ids:
                self.cloud.network.create_subnet(name=name, network_id=made.id, ip_version=4, cidr=cidr)
            self.networks[name] = made.id
        return self.networks[name]

    def forget(self, name: str) -> None:
        """Delete the network of that name."""
        self.cloud.network.delete_network(self.networks.pop(name))

    def refused(self, service: str, path: str, body: Body) -> str:
        """A request that must not be granted; its id."""
        made = self._asked(service, path, body)
        assert made.startswith("req-"), f"{path}: made {made}, though it should have been refused"
        return made

    def afresh(self) -> Provoker:
        """The same with a new token: services keep the catalogue that came with the old one."""
        self.cloud.session.invalidate()
        return self

    # Other people's failures at the same time

    def decoys(self) -> None:
        """Requests that fail for reasons of their own: three servers, two volumes."""
        nothing = str(uuid.uuid4())
        self.refused("compute", "/servers", {"server": self._body("m1.tiny", imageRef=nothing)})
        self.refused("compute", "/servers", {"server": self._body("m1.tiny", availability_zone="no-such-zone")})
        self.refused("block_storage", "/volumes", {"volume": {"name": "dg-decoy", "size": 1, "imageRef": nothing}})
        self.server(self._huge())
        self.volume(5000)

    def _huge(self) -> str:
        """A flavor for which no host has room."""
        if "dg-huge" not in self.flavors:
            made = self.cloud.compute.create_flavor(name="dg-huge", id="dg-huge", ram=2**22, vcpus=200, disk=1)
            self.flavors["dg-huge"] = made.id
        return "dg-huge"

    def _body(self, flavor: str, **more: Any) -> Body:
        wanted = {"name": f"dg-{uuid.uuid4().hex[:6]}", "flavorRef": self.flavors.get(flavor, flavor), "networks": "none"}
        return {**wanted, "imageRef": self.image, **more}

    # Afterwards

    def clean(self) -> None:
        """Delete what was made, and wait until servers and volumes are gone."""
        for service, path in reversed(self.made):
            getattr(self.cloud, service).delete(path)
        for service, path in self.made:
            _until(lambda service=service, path=path: getattr(self.cloud, service).get(path).status_code == 404)  # type: ignore[misc]
        self.made.clear()

    def _asked(self, service: str, path: str, body: Body) -> str:
        request = f"req-{uuid.uuid4()}"
        version = "2.90" if service == "compute" else None
        answer = getattr(self.cloud, service).post(
            path, json=body, headers={"X-Openstack-Request-Id": request}, microversion=version
        )
        try:
            raise_from_response(answer)
        except HttpException:
            return request
        return str(next(iter(answer.json().values()))["id"])

    def _settled(self, service: str, path: str, key: str) -> None:
        proxy = getattr(self.cloud, service)
        _until(lambda: proxy.get(path).json()[key]["status"].upper() in ("ACTIVE", "ERROR", "AVAILABLE"))


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "did not settle"
        time.sleep(0.2)


def net(made: Provoker) -> str:
    """An ordinary network of a project."""
    return made.network("dg-net", "10.77.0.0/24")


def flat(made: Provoker) -> str:
    """A network on the physical network ``default``."""
    return made.network("dg-flat", "10.78.0.0/24", provider_network_type="flat", provider_physical_network="default")


def _on(network: Callable[[Provoker], str], **more: Any) -> Callable[[Provoker], str]:
    return lambda made: made.server(networks=[{"uuid": network(made)}], **more)


def on_network(made: Provoker, name: str, *, ip: str = "", **more: Any) -> str:
    """A server on the network of that name."""
    network = made.cloud.network.find_network(name, ignore_missing=False).id
    return made.server(networks=[{"uuid": network, **({"fixed_ip": ip} if ip else {})}], **more)


def _named(name: str, **more: Any) -> Callable[[Provoker], str]:
    return lambda made: on_network(made, name, **more)


def _stuck(made: Provoker) -> str:
    return str(made.cloud.block_storage.find_volume("fault-stuck", ignore_missing=False).id)


ASKS: dict[str, Callable[[Provoker], str]] = {
    "mapping-missing": _on(flat),
    "mapping-missing-on-host": _on(flat, availability_zone="nova:compute2"),
    "ovs-agent-dead": _on(net, availability_zone="nova:compute2"),
    "dhcp-agent-dead": lambda made: made.newest_server,
    "dhcp-off": _named("fault-dhcp-off"),
    "addresses-exhausted": _named("fault-full"),
    "fixed-ip-taken": _named("fault-taken", ip="10.66.3.50"),
    "no-way-in": _on(net, security_groups=[{"name": "fault-closed"}]),
    "port-bound-elsewhere": lambda made: made.newest_server,
    "compute-down": lambda made: made.server(),
    "compute-disabled": lambda made: made.server(),
    "ram-full": lambda made: made.server("m1.medium"),
    "vcpu-full": lambda made: made.server("m1.large"),
    "disk-full": lambda made: made.server("m1.small"),
    "aggregate-mismatch": lambda made: made.server("fault-ssd"),
    "zone-empty": lambda made: made.server(availability_zone="rack2"),
    "quota-instances": lambda made: made.server(),
    "quota-cores": lambda made: made.server(),
    "quota-ram": lambda made: made.server(),
    "quota-ports": lambda made: made.refused("network", "/ports", {"port": {"network_id": net(made)}}),
    "quota-networks": lambda made: made.refused("network", "/networks", {"network": {"name": "dg-more"}}),
    "quota-volumes": lambda made: made.volume(),
    "quota-gigabytes": lambda made: made.volume(),
    "image-corrupt": lambda made: made.volume(image=made.image),
    "image-mislabelled": lambda made: made.volume(image=made.image),
    "image-deleted": lambda made: made.server(image=made.image),
    "image-data-gone": lambda made: made.volume(image=made.image),
    "image-deactivated": lambda made: made.server(),
    "flavor-too-small": lambda made: made.server(),
    "backend-full": lambda made: made.volume(5),
    "backend-down": lambda made: made.volume(),
    "backend-broken": lambda made: made.volume(),
    "volume-stuck": _stuck,
    "neutron-password": _on(net),
    "placement-password": lambda made: made.server(wait=False),
    "glance-password": lambda made: made.server(),
    "cinder-password": lambda made: made.volume(),
    "endpoint-wrong": lambda made: made.afresh().server(),
    "clock-skew": _on(net, availability_zone="nova:compute2"),
    "log-disk-full": lambda made: made.server(availability_zone="nova:compute2"),
    "glance-down": lambda made: made.volume(image=made.image),
}
"""Fault to what provokes it; each gives the id to trace."""
