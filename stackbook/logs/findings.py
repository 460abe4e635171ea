"""What the APIs' answers say about a failure: agents, services, mappings, room, addresses, images.

A finding tells how things are now, so it explains only what a log or a fault points to, or stands alone for a subject that
shows no symptom.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from stackbook.logs.asking import Answers, Row
from stackbook.logs.chain import Hit
from stackbook.logs.evidence import Evidence
from stackbook.logs.signatures import Signatures
from stackbook.logs.subject import Subject, moment

OVS = "Open vSwitch agent"
PASSING = (
    "creating",
    "deleting",
    "attaching",
    "detaching",
    "extending",
    "downloading",
    "uploading",
    "reserved",
    "retyping",
    "maintenance",
)
"""States that a volume leaves by itself."""
PATIENCE = timedelta(minutes=10)
"""How long a volume may be in one of them."""


MOST_PROJECTS = 30
"""Projects whose quotas are asked for, when the log does not say whose request it was."""


@dataclass(frozen=True)
class Case:
    """What the rules look at."""

    subject: Subject
    answers: Answers
    hits: Sequence[Hit]

    def named(self, name: str) -> list[str]:
        """Everything that the log's lines call `name`, each once."""
        found = (hit.evidence.values.get(name, "") for hit in self.hits)
        return list(dict.fromkeys(value for value in found if value))

    def seen(self, *ids: str) -> bool:
        """Whether one of these signatures was."""
        return any(hit.signature.id in ids for hit in self.hits)

    @property
    def ports(self) -> list[Row]:
        """The subject's ports."""
        return self.subject.related.get("ports", [])


Told = tuple[str, Evidence]
Rule = Callable[[Case], Iterable[Told]]


def findings(case: Case, known: Signatures) -> list[Hit]:
    """Every finding that the APIs' answers give."""
    return [Hit(known[id], evidence) for rule in RULES for id, evidence in rule(case)] if case.answers.reachable else []


def _told(id: str, asked: str, text: str, *, host: str = "", time: Any = None, linked: bool = False, **values: Any) -> Told:
    named = {name: str(value) for name, value in values.items() if value not in (None, "")}
    return id, Evidence(
        host, f"API: {asked}", moment(time), text, linked=linked, values={**({"host": host} if host else {}), **named}
    )


# Networks


def mappings(case: Case) -> Iterator[Told]:
    """Physical networks of ports that did not bind: reported by no agent, or not by the host's."""
    for physnet, network in _physical_networks(case):
        reported = {agent["host"]: _mappings(agent) for agent in case.answers.agents if agent["agent_type"] == OVS}
        if not reported:
            continue
        able = {host: mapped[physnet] for host, mapped in reported.items() if physnet in mapped}
        about = {"physnet": physnet, "bridge": next(iter(able.values()), "br-ex"), **_network_values(case, network)}
        asked = "GET /v2.0/agents"
        if not able:
            listed = ", ".join(sorted(reported))
            yield _told(
                "physnet-unmapped", asked, f"no Open vSwitch agent maps physical network {physnet} (agents on {listed})", **about
            )
            continue
        for host in sorted(set(reported) - set(able)):
            others = ", ".join(sorted(able))
            text = f"the Open vSwitch agent on {host} maps {reported[host] or 'nothing'}; {physnet} is mapped on {others}"
            yield _told("physnet-unmapped-on-host", asked, text, host=host, **about)


def _physical_networks(case: Case) -> list[tuple[str, str]]:
    """Physical network and id of a network with it, of what failed to bind."""
    named = [
        (hit.evidence.values["physnet"], hit.evidence.values.get("network", ""))
        for hit in case.hits
        if "physnet" in hit.evidence.values
    ]
    for port in case.ports:
        if port.get("binding:vif_type") == "binding_failed":
            network = case.answers.network(port["network_id"]) or {}
            named.append((str(network.get("provider:physical_network") or ""), port["network_id"]))
    return list({physnet: (physnet, network) for physnet, network in named if physnet}.values())


def _network_values(case: Case, id: str) -> dict[str, Any]:
    network = case.answers.network(id) if id else None
    if not network:
        return {"vlan": "", "network_name": "", "cidr": ""}
    subnet = next(iter(case.answers.subnets(id)), {})
    vlan = network.get("provider:segmentation_id") if network.get("provider:network_type") == "vlan" else ""
    return {"vlan": vlan, "network_name": network.get("name"), "cidr": subnet.get("cidr"), "gateway": subnet.get("gateway_ip")}


def _mappings(agent: Row) -> dict[str, str]:
    told = agent.get("configurations") or {}
    told = json.loads(told) if isinstance(told, str) else told
    return dict(told.get("bridge_mappings") or {})


def agents(case: Case) -> Iterator[Told]:
    """Neutron agents that do not report."""
    ids = {
        OVS: "ovs-agent-down",
        "DHCP agent": "dhcp-agent-down",
        "L3 agent": "l3-agent-down",
        "Metadata agent": "metadata-agent-down",
    }
    for agent in case.answers.agents:
        if not agent.get("alive") and agent["agent_type"] in ids:
            text = f"{agent['agent_type']} on {agent['host']} does not report (last heartbeat {agent.get('heartbeat_timestamp')})"
            yield _told(
                ids[agent["agent_type"]],
                "GET /v2.0/agents",
                text,
                host=agent["host"],
                time=agent.get("heartbeat_timestamp"),
                agent=agent["binary"],
            )


def addresses(case: Case) -> Iterator[Told]:
    """Networks whose addresses are used up; subnets of the subject's ports without DHCP."""
    for network in case.named("network"):
        told = case.answers.one("network", f"/network-ip-availabilities/{network}", "network_ip_availability")
        if told and told["total_ips"] <= told["used_ips"]:
            text = f"network {told['network_name']} has {told['total_ips']} addresses, of which {told['used_ips']} are used"
            yield _told("network-full", f"GET /v2.0/network-ip-availabilities/{network}", text, network=network)
    for subnet in _subnets(case):
        if not subnet.get("enable_dhcp"):
            name = f"{subnet.get('name') or subnet['id']} ({subnet['cidr']})"
            text = f"subnet {name} has enable_dhcp false: its servers get no address by themselves"
            yield _told("dhcp-off", f"GET /v2.0/subnets/{subnet['id']}", text, linked=True, subnet=subnet["id"])


def _subnets(case: Case) -> Iterator[Row]:
    used = {fixed["subnet_id"] for port in case.ports for fixed in port.get("fixed_ips", ())}
    for network in dict.fromkeys(port["network_id"] for port in case.ports):
        yield from (subnet for subnet in case.answers.subnets(network) if subnet["id"] in used)


def ports(case: Case) -> Iterator[Told]:
    """Ports of the subject that are bound elsewhere, are down, or let nothing in."""
    for port in case.ports:
        bound, asked = str(port.get("binding:host_id") or ""), f"GET /v2.0/ports/{port['id']}"
        about = {"port": port["id"], "linked": True}
        server = _host_of_server(case, port)
        if server and bound and bound != server:
            yield _told(
                "port-bound-elsewhere",
                asked,
                f"port {port['id']} is bound to {bound}, its server runs on {server}",
                bound=bound,
                on=server,
                **about,
            )
        if port.get("binding:vif_type") == "binding_failed":
            yield _told(
                "port-binding-failed", asked, f"port {port['id']} on {bound}: vif_type binding_failed", host=bound, **about
            )
        if (
            port.get("port_security_enabled", True)
            and port.get("device_id")
            and not any(_lets_in(case, group) for group in port.get("security_groups", ()))
        ):
            names = ", ".join(_group(case, group).get("name", group) for group in port.get("security_groups", ())) or "none"
            yield _told(
                "no-way-in", asked, f"port {port['id']}: no ingress rule in its security groups ({names})", groups=names, **about
            )


def _host_of_server(case: Case, port: Row) -> str:
    if case.subject.kind == "server":
        return case.subject.host
    owner = str(port.get("device_owner") or "")
    server = case.answers.one("compute", f"/servers/{port['device_id']}", "server") if owner.startswith("compute:") else None
    return str((server or {}).get("OS-EXT-SRV-ATTR:host") or "")


def _group(case: Case, id: str) -> Row:
    return case.answers.one("network", f"/security-groups/{id}", "security_group") or {}


def _lets_in(case: Case, id: str) -> bool:
    return any(rule.get("direction") == "ingress" for rule in _group(case, id).get("security_group_rules", ()))


# Compute


def compute_hosts(case: Case) -> Iterator[Told]:
    """Compute services that are down or disabled."""
    for service in case.answers.compute_services:
        if service["binary"] != "nova-compute":
            continue
        host, asked = service["host"], "GET /os-services"
        if service.get("state") == "down" or service.get("forced_down"):
            text = f"nova-compute on {host} is down (last report {service.get('updated_at')})"
            yield _told("compute-down", asked, text, host=host, time=service.get("updated_at"), filter="ComputeFilter")
        elif service.get("status") == "disabled":
            why = service.get("disabled_reason") or "no reason given"
            yield _told("compute-disabled", asked, f"nova-compute on {host} is disabled ({why})", host=host)


CLASSES = {
    "VCPU": ("vcpus", "no-room-vcpu", "vCPU"),
    "MEMORY_MB": ("ram", "no-room-ram", "MiB of memory"),
    "DISK_GB": ("disk", "no-room-disk", "GiB of disk"),
}


def room(case: Case) -> Iterator[Told]:
    """Of what the flavor asks, what no usable compute host has left."""
    if not case.seen("nova-no-allocation-candidates", "nova-novalidhost"):
        return
    asked = _asked_room(case)
    for kind, (_, id, unit) in CLASSES.items():
        wanted = asked.get(kind, 0)
        left = {name: _left(case, provider, kind) for name, provider in _usable(case)}
        if wanted and left and max(left.values()) < wanted:
            told = ", ".join(f"{name} {most}" for name, most in sorted(left.items()))
            yield _told(
                id,
                "GET placement inventories",
                f"{wanted} {unit} asked; the most that one request can get: {told}",
                wanted=wanted,
            )


def _asked_room(case: Case) -> Mapping[str, int]:
    server = case.subject.row if case.subject.kind == "server" else _server_of(case)
    flavor = server.get("flavor") or {}
    local = 0 if not server.get("image") else int(flavor.get("disk", 0)) + int(flavor.get("ephemeral", 0))
    return {"VCPU": int(flavor.get("vcpus", 0)), "MEMORY_MB": int(flavor.get("ram", 0)), "DISK_GB": local}


def _server_of(case: Case) -> Row:
    for server in case.named("server"):
        if row := case.answers.one("compute", f"/servers/{server}", "server"):
            return row
    return {}


def _usable(case: Case) -> list[tuple[str, str]]:
    return [
        (str(row["hypervisor_hostname"]), str(row["id"]))
        for row in case.answers.hypervisors
        if row.get("status") == "enabled" and row.get("state") == "up"
    ]


def _left(case: Case, provider: str, kind: str) -> int:
    stock, used = case.answers.inventory(provider)
    if kind not in stock:
        return 0
    entry = stock[kind]
    free = (entry["total"] - entry["reserved"]) * entry["allocation_ratio"] - used.get(kind, 0)
    return max(0, min(int(free), int(entry["max_unit"])))


# Volumes and images


def volume_hosts(case: Case) -> Iterator[Told]:
    """Volume services that are down or disabled."""
    for service in case.answers.volume_services:
        if service["binary"] != "cinder-volume":
            continue
        host, asked = service["host"], "GET /v3/os-services"
        if service.get("state") == "down":
            text = f"cinder-volume {host} is down (last report {service.get('updated_at')})"
            yield _told("volume-service-down", asked, text, time=service.get("updated_at"), backend=host)
        elif service.get("status") == "disabled":
            yield _told(
                "volume-service-disabled",
                asked,
                f"cinder-volume {host} is disabled ({service.get('disabled_reason') or 'no reason given'})",
                backend=host,
            )


def pools(case: Case) -> Iterator[Told]:
    """Pools without room for the volume."""
    size = int(case.subject.row.get("size") or 0) if case.subject.kind == "volume" else 0
    if not case.seen("cinder-no-backend", "cinder-capacity"):
        return
    for pool in case.answers.rows("block_storage", "/scheduler-stats/get_pools?detail=True", "pools"):
        free = (pool.get("capabilities") or {}).get("free_capacity_gb")
        if isinstance(free, (int, float)) and free < max(size, 1):
            yield _told(
                "pool-full",
                "GET /v3/scheduler-stats/get_pools",
                f"pool {pool['name']} has {free} GiB free; {size or 'a'} GiB asked",
                pool=pool["name"],
            )


def volumes(case: Case) -> Iterator[Told]:
    """Volumes of the subject that have been in a passing state for too long."""
    listed = [case.subject.row] if case.subject.kind == "volume" else case.subject.related.get("volumes", [])
    for volume in listed:
        since = moment(volume.get("updated_at") or volume.get("created_at"))
        if volume.get("status") in PASSING and since and datetime.now(UTC) - since > PATIENCE:
            text = f"volume {volume.get('name') or volume['id']} has been {volume['status']} since {since:%Y-%m-%d %H:%M} UTC"
            yield _told(
                "volume-stuck",
                f"GET /v3/volumes/{volume['id']}",
                text,
                time=since,
                linked=True,
                volume=volume["id"],
                status=volume["status"],
            )


def images(case: Case) -> Iterator[Told]:
    """Images that the subject needs and that are gone or not active."""
    known = {row["id"]: row for row in case.subject.related.get("images", [])}
    for image in dict.fromkeys([*known, *case.named("image")]):
        row = known.get(image) or case.answers.get("image", f"/images/{image}")
        if row is None:
            yield _told("image-gone", f"GET /v2/images/{image}", f"image {image} does not exist", image=image)
        elif row.get("status") != "active":
            yield _told(
                "image-inactive",
                f"GET /v2/images/{image}",
                f"image {row.get('name')} is {row.get('status')}",
                image=image,
                status=row.get("status"),
            )


def quotas(case: Case) -> Iterator[Told]:
    """Network quotas that are used up, of what a request was refused."""
    wanted = set(case.named("resource")) if case.seen("neutron-refused") else set()
    for project in case.answers.rows("identity", "/projects", "projects")[:MOST_PROJECTS] if wanted else ():
        path = f"/quotas/{project['id']}/details.json"
        for resource, told in (case.answers.one("network", path, "quota") or {}).items():
            limit, used = told.get("limit", -1), told.get("used", 0) + told.get("reserved", 0)
            if resource in wanted and 0 <= limit <= used:
                text = f"project {project['name']}: {used} of {limit} {resource}s in use"
                yield _told(
                    "quota-full", f"GET /v2.0{path}", text, resource=resource, project=project["name"], used=used, limit=limit
                )


RULES: tuple[Rule, ...] = (mappings, agents, addresses, ports, compute_hosts, room, volume_hosts, pools, volumes, images, quotas)
