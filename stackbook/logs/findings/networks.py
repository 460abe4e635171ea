"""Networks: mappings, agents, addresses, ports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from stackbook.logs.asking import Row
from stackbook.logs.findings.case import Case, Told, finding

OVS = "Open vSwitch agent"


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
            yield finding(
                "physnet-unmapped", asked, f"no Open vSwitch agent maps physical network {physnet} (agents on {listed})", **about
            )
            continue
        for host in sorted(set(reported) - set(able)):
            others = ", ".join(sorted(able))
            text = f"the Open vSwitch agent on {host} maps {reported[host] or 'nothing'}; {physnet} is mapped on {others}"
            yield finding("physnet-unmapped-on-host", asked, text, host=host, **about)


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
            yield finding(
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
            yield finding("network-full", f"GET /v2.0/network-ip-availabilities/{network}", text, network=network)
    for subnet in _subnets(case):
        if not subnet.get("enable_dhcp"):
            name = f"{subnet.get('name') or subnet['id']} ({subnet['cidr']})"
            text = f"subnet {name} has enable_dhcp false: its servers get no address by themselves"
            yield finding("dhcp-off", f"GET /v2.0/subnets/{subnet['id']}", text, linked=True, subnet=subnet["id"])


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
            yield finding(
                "port-bound-elsewhere",
                asked,
                f"port {port['id']} is bound to {bound}, its server runs on {server}",
                bound=bound,
                on=server,
                **about,
            )
        if port.get("binding:vif_type") == "binding_failed":
            yield finding(
                "port-binding-failed", asked, f"port {port['id']} on {bound}: vif_type binding_failed", host=bound, **about
            )
        if (
            port.get("port_security_enabled", True)
            and port.get("device_id")
            and not any(_lets_in(case, group) for group in port.get("security_groups", ()))
        ):
            names = ", ".join(_group(case, group).get("name", group) for group in port.get("security_groups", ())) or "none"
            yield finding(
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
