"""Checks for preflight and proof: each returns its counterexamples, a row each; no rows means that all is well."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stackbook.hosts import everywhere
from stackbook.proof import Proof
from stackbook.resources.links import links, operators_address, uses
from stackbook.resources.ovs import interface_errors, ports_of
from stackbook.resources.ovsdb import answers as open_vswitch
from stackbook.resources.reports import short
from stackbook.services import service
from stackbook.units import states
from stackbook.vlans import network_mtu, nic_of, switches

if TYPE_CHECKING:
    from stackbook.hosts import Host
    from stackbook.site import Site

Rows = list[dict[str, Any]]
SWITCHING = ("Open vSwitch agent", "OVN Controller agent", "OVN Controller Gateway agent")
"""Types of agents that map physical networks to bridges."""


def prove(claim: str, rows: Rows) -> Proof:
    """The claim with its counterexamples; raises ProofFailed, after showing them, when there are any."""
    return Proof(claim, rows).hold()


def warn(claim: str, rows: Rows) -> Proof:
    """The claim with its counterexamples, to be looked at; nothing stops on them."""
    return Proof(claim, rows)


def agents_alive(site: Site, starting: Sequence[str] = ()) -> Rows:
    """Network agents and compute services that do not report; dead ones can't bind a port or boot a server.

    Services in `starting` are started on the site's hosts by the plan itself: one that ended may be dead until then.
    """
    layout = site.settings.layout
    dead = [
        _row(f"{agent.agent_type} on {agent.host}", "does not report", "alive", _look(agent, layout))
        for agent in site.conn.network.agents()
        if not agent.is_alive and not (agent.binary in starting and _ended(site, agent))
    ]
    down = [
        _row(f"{told.binary} on {told.host}", told.state, "up", _look(told, layout))
        for told in site.conn.compute.services()
        if told.state != "up"
    ]
    return dead + down


def _ended(site: Site, agent: Any) -> bool:
    """Whether the agent's service is known to have ended, on a host of the site: one that hangs is not started by anything."""
    names = [name for name in site.hosts if short(name) == short(agent.host)]
    found = [states(site.host(name), site.settings.layout, [agent.binary])[agent.binary] for name in names]
    return any(state.known and not state.running for state in found)


def _look(told: Any, layout: str) -> str:
    return f"{service(told.binary).look(layout)} on {told.host}"


def mapping_reported(site: Site, physical_network: str) -> Rows:
    """Hosts whose Open vSwitch agent reports no bridge mapping for `physical_network`: no port of it can bind there."""
    return [
        _row(
            f"{agent.agent_type} on {agent.host}",
            f"bridge mappings {mappings or 'empty'}",
            physical_network,
            "set bridge_mappings in openvswitch_agent.ini and restart the agent; under OVN: ovn-bridge-mappings",
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


def nics_fit(site: Site, nic: str, bridge: str, physical_network: str) -> Rows:
    """Hosts whose interface for `bridge` is missing, carries something already, or is too small for the network's packets.

    `nic` is read as `vlans.nic_of` does; empty: nothing is asked.
    """
    mtu = network_mtu(site, physical_network)
    asked = {host: name for host in switches(site) if (name := nic_of(nic, host))}
    answers = everywhere([site.host(host) for host in asked], lambda host: list(_nic(host, asked[host.name], bridge, mtu)))
    silent = [_row(f"host {host}", error.what, "answers", error.hint or "") for host, error in answers.failed.items()]
    return silent + [row for found in answers.found.values() for row in found]


def _nic(host: Host, name: str, bridge: str, mtu: int) -> Iterator[dict[str, Any]]:
    known, subject = links(host), f"{name} on {host.name}"
    if name not in known:
        yield _row(subject, f"missing; there are {', '.join(sorted(known))}", "an interface for VLANs", "name another one as nic")
        return
    if name not in ports_of(host, bridge):
        for reason in uses(known, name, operators_address(host)):
            yield _row(subject, reason, "free", "name one as nic that carries nothing: you or the host would be cut off")
    if known[name].mtu < mtu:
        hint = f"ip link set {name} mtu {mtu}, on the switch too; or lower global_physnet_mtu"
        yield _row(subject, f"MTU {known[name].mtu}", f"MTU {mtu} or more", hint)


def vlan_free(site: Site, physical_network: str, vlan: int, network: str) -> Rows:
    """What uses the VLAN already: another network than `network`, or an interface of a host's own."""
    query = {"provider_physical_network": physical_network, "provider_segmentation_id": vlan, "provider_network_type": "vlan"}
    taken = [
        _row(f"VLAN {vlan}", f"network {found.name} ({found.id})", "free", "choose another VLAN, or use that network")
        for found in site.conn.network.networks(**query)
        if found.provider_segmentation_id == vlan and found.name != network
    ]
    answers = everywhere(site.hosts.values(), links)
    own = [
        _row(f"VLAN {vlan} on {host}", f"the host's own interface {link.name}", "free", "choose another VLAN")
        for host, known in answers.found.items()
        for link in known.values()
        if link.vlan == vlan
    ]
    return taken + own


def interfaces_work(site: Site) -> Rows:
    """Interfaces that Open vSwitch could not make work, on any host that switches."""
    asked = [site.host(host) for host in switches(site) if open_vswitch(site.host(host))]
    return [
        _row(f"{name} on {host}", error, "no error", f"ovs-vsctl show on {host}")
        for host, errors in everywhere(asked, interface_errors).found.items()
        for name, error in errors.items()
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
    for agent in site.conn.network.agents():
        if agent.agent_type in SWITCHING:
            configured = agent.configuration or {}
            configured = json.loads(configured) if isinstance(configured, str) else configured
            told = configured.get("bridge_mappings") or configured.get("bridge-mappings") or {}
            pairs = (entry.partition(":") for entry in told.split(",")) if isinstance(told, str) else None
            yield agent, {name: bridge for name, _, bridge in pairs} if pairs else told


def _row(check: str, found: Any, expected: Any, hint: str) -> dict[str, Any]:
    return {"check": check, "found": found, "expected": expected, "hint": hint}
