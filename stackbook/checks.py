"""Checks for preflight and proof: each returns its counterexamples, a row each; no rows means that all is well."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stackbook.proof import Proof

if TYPE_CHECKING:
    from stackbook.site import Site

Rows = list[dict[str, Any]]
OVS_AGENT_TYPE = "Open vSwitch agent"


def prove(claim: str, rows: Rows) -> Proof:
    """The claim with its counterexamples; raises ProofFailed, after showing them, when there are any."""
    return Proof(claim, rows).hold()


def warn(claim: str, rows: Rows) -> Proof:
    """The claim with its counterexamples, to be looked at; nothing stops on them."""
    return Proof(claim, rows)


def agents_alive(site: Site) -> Rows:
    """Network agents and compute services that do not report; dead ones can't bind a port or boot a server."""
    dead = [
        _row(
            f"{agent.agent_type} on {agent.host}", "does not report", "alive", f"systemctl status {agent.binary} on {agent.host}"
        )
        for agent in site.conn.network.agents()
        if not agent.is_alive
    ]
    down = [
        _row(f"{service.binary} on {service.host}", service.state, "up", f"systemctl status {service.binary} on {service.host}")
        for service in site.conn.compute.services()
        if service.state != "up"
    ]
    return dead + down


def mapping_reported(site: Site, physical_network: str) -> Rows:
    """Hosts whose Open vSwitch agent reports no bridge mapping for `physical_network`: no port of it can bind there."""
    return [
        _row(
            f"{agent.agent_type} on {agent.host}",
            f"bridge mappings {mappings or 'empty'}",
            physical_network,
            "set bridge_mappings in openvswitch_agent.ini and restart the agent",
        )
        for agent, mappings in _mappings(site)
        if physical_network not in mappings
    ]


def mapping_agrees(site: Site, physical_network: str, bridge: str) -> Rows:
    """Hosts whose agent maps `physical_network` to another bridge."""
    return [
        _row(
            f"{agent.agent_type} on {agent.host}",
            f"{physical_network}:{mappings[physical_network]}",
            f"{physical_network}:{bridge}",
            "use that bridge, or change the mapping on that host first",
        )
        for agent, mappings in _mappings(site)
        if mappings.get(physical_network, bridge) != bridge
    ]


def port_binds(site: Site, network: str) -> Rows:
    """Compute hosts on which a port of `network` does not bind; tried with a port each, which is removed again."""
    found = site.conn.network.find_network(network, ignore_missing=False)
    computes = sorted({service.host for service in site.conn.compute.services(binary="nova-compute") if service.state == "up"})
    return [row for host in computes for row in _bind(site, found.id, host)]


def _bind(site: Site, network_id: str, host: str) -> Iterator[dict[str, Any]]:
    neutron = site.conn.network
    port = neutron.create_port(
        name=f"stackbook-probe-{site.run.id}", network_id=network_id, binding_host_id=host, device_owner="stackbook:probe"
    )
    try:
        if port.binding_vif_type in ("binding_failed", "unbound"):
            yield _row(
                f"a port on {host}",
                port.binding_vif_type,
                "bound",
                f"grep 'Failed to bind port' in neutron-server.log, {port.id}",
            )
    finally:
        neutron.delete_port(port.id)


def ephemeral(site: Site, names: Sequence[str] = ()) -> Rows:
    """Servers (of these names; else all) that lose data when deleted: local disks, or volumes deleted with the server."""
    volumes = {volume.id: volume for volume in site.conn.block_storage.volumes(details=True, all_projects=True)}
    rows: Rows = []
    for server in site.conn.compute.servers(details=True, all_projects=True):
        if names and server.name not in names:
            continue
        if not server.attached_volumes:
            rows.append(
                _row(f"server {server.name}", "its disk is local to the compute host", "a bootable volume", "server-from-volume")
            )
        for attached in server.attached_volumes:
            if getattr(attached, "delete_on_termination", None) or attached.get("delete_on_termination"):
                name = volumes[attached["id"]].name if attached["id"] in volumes else attached["id"]
                rows.append(
                    _row(
                        f"server {server.name}",
                        f"volume {name} goes when it is deleted",
                        "delete_on_termination false",
                        f"openstack server volume update --preserve-on-termination {server.id} {attached['id']}",
                    )
                )
    return rows


def _mappings(site: Site) -> Iterator[tuple[Any, dict[str, str]]]:
    for agent in site.conn.network.agents(agent_type=OVS_AGENT_TYPE):
        configured = agent.configuration or {}
        configured = json.loads(configured) if isinstance(configured, str) else configured
        yield agent, configured.get("bridge_mappings") or {}


def _row(check: str, found: Any, expected: Any, hint: str) -> dict[str, Any]:
    return {"check": check, "found": found, "expected": expected, "hint": hint}
