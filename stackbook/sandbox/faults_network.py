"""Faults of networks: mappings, agents, addresses, DHCP, security groups, bindings."""

from __future__ import annotations

from pathlib import Path

from stackbook.errors import BadInput
from stackbook.ini import IniText
from stackbook.sandbox.faults import Fault
from stackbook.sandbox.faults_bench import COMPUTES, CONTROLLER, Bench

INI = "/etc/neutron/plugins/ml2/openvswitch_agent.ini"
AGENT = "neutron-openvswitch-agent"
PHYSNET = "default"
HOSTS = (CONTROLLER, *COMPUTES)


def _map(bench: Bench, *mapped: str) -> None:
    """Have the physical network mapped on `mapped` only, and run the agents that this concerns with it."""
    for host in HOSTS:
        path = bench.home / "hosts" / host / INI.lstrip("/")
        items = _items(path)
        wanted = [item for item in items if not item.startswith(f"{PHYSNET}:")]
        if host in mapped:
            wanted = items if len(wanted) < len(items) else [*items, f"{PHYSNET}:br-ex"]
        if wanted != items:
            if host in mapped:
                bench.bridge(host, "br-ex")
            bench.set_option(host, INI, "ovs", "bridge_mappings", ",".join(wanted) or None)
            bench.restart(host, AGENT)


def _items(path: Path) -> list[str]:
    text = ",".join(IniText(path.read_bytes()).values("ovs", "bridge_mappings"))
    return [item.strip() for item in text.split(",") if item.strip()]


def _mapping_missing(bench: Bench) -> None:
    _map(bench)


def _mapping_missing_on_host(bench: Bench) -> None:
    _map(bench, CONTROLLER, "compute1")


def _ovs_agent_dead(bench: Bench) -> None:
    _kill_agent(bench, AGENT, "compute2")


def _dhcp_agent_dead(bench: Bench) -> None:
    _kill_agent(bench, "neutron-dhcp-agent", CONTROLLER)


def _kill_agent(bench: Bench, unit: str, host: str) -> None:
    bench.stop(host, unit)
    bench.silence("neutron", "agents", {"binary": unit, "host": host}, "heartbeat_timestamp")


def _network(bench: Bench, name: str, cidr: str, **subnet: object) -> tuple[str, str]:
    """A network of that name with a subnet; their ids."""
    network = bench.ask("network", "POST", "/networks", {"network": {"name": name}})["network"]["id"]
    bench.made("network", f"/networks/{network}")
    about = {"network_id": network, "ip_version": 4, "cidr": cidr, "name": name, **subnet}
    return network, bench.ask("network", "POST", "/subnets", {"subnet": about})["subnet"]["id"]


def _port(bench: Bench, network: str, **about: object) -> None:
    port = bench.ask("network", "POST", "/ports", {"port": {"network_id": network, **about}})["port"]["id"]
    bench.made("network", f"/ports/{port}")


def _dhcp_off(bench: Bench) -> None:
    _network(bench, "fault-dhcp-off", "10.66.1.0/24", enable_dhcp=False)


def _addresses_exhausted(bench: Bench) -> None:
    network, _ = _network(bench, "fault-full", "10.66.2.0/30", enable_dhcp=False)
    _port(bench, network, name="fault-full")


def _fixed_ip_taken(bench: Bench) -> None:
    network, subnet = _network(bench, "fault-taken", "10.66.3.0/24", enable_dhcp=False)
    _port(bench, network, name="fault-taken", fixed_ips=[{"subnet_id": subnet, "ip_address": "10.66.3.50"}])


def _no_way_in(bench: Bench) -> None:
    group = bench.ask("network", "POST", "/security-groups", {"security_group": {"name": "fault-closed"}})["security_group"]["id"]
    bench.made("network", f"/security-groups/{group}")


def _port_bound_elsewhere(bench: Bench) -> None:
    servers = [server for server in bench.conn.compute.servers(details=True, all_projects=True) if server.status == "ACTIVE"]
    ports = [(server, port) for server in servers for port in bench.conn.network.ports(device_id=server.id)]
    if not ports:
        raise BadInput("port-bound-elsewhere needs a server that is ACTIVE, with a port", hint="stackbook run server-from-volume")
    server, port = ports[-1]
    other = next(host for host in COMPUTES if host != server.compute_host)
    back = {"port": {"binding:host_id": port.binding_host_id}}
    bench.set_answer("network", f"/ports/{port.id}", {"port": {"binding:host_id": other}}, back)


SERVER = "openstack server create --image sandbox-linux --flavor m1.tiny"
FLAT = "openstack network create flat --provider-network-type flat --provider-physical-network default"
FAULTS = (
    Fault(
        "mapping-missing",
        "no host maps physical network default to a bridge",
        f"{FLAT}; openstack subnet create --network flat --subnet-range 192.0.2.0/24 flat; {SERVER} --network flat web",
        "physnet-unmapped",
        _mapping_missing,
    ),
    Fault(
        "mapping-missing-on-host",
        "compute2 does not map physical network default; the other hosts do",
        f"{SERVER} --network flat --availability-zone nova:compute2 web",
        "physnet-unmapped-on-host",
        _mapping_missing_on_host,
    ),
    Fault(
        "ovs-agent-dead",
        "the Open vSwitch agent on compute2 is dead",
        f"{SERVER} --network NET --availability-zone nova:compute2 web",
        "ovs-agent-down",
        _ovs_agent_dead,
    ),
    Fault("dhcp-agent-dead", "the DHCP agent is dead", "stackbook trace SERVER", "dhcp-agent-down", _dhcp_agent_dead),
    Fault(
        "dhcp-off",
        "network fault-dhcp-off has a subnet without DHCP",
        f"{SERVER} --network fault-dhcp-off web",
        "dhcp-off",
        _dhcp_off,
    ),
    Fault(
        "addresses-exhausted",
        "all addresses of network fault-full are used",
        f"{SERVER} --network fault-full web",
        "network-full",
        _addresses_exhausted,
    ),
    Fault(
        "fixed-ip-taken",
        "10.66.3.50 in network fault-taken belongs to another port",
        f"{SERVER} --nic net-id=fault-taken,v4-fixed-ip=10.66.3.50 web",
        "neutron-ip-taken",
        _fixed_ip_taken,
    ),
    Fault(
        "no-way-in",
        "security group fault-closed has no ingress rule",
        f"{SERVER} --network NET --security-group fault-closed web",
        "no-way-in",
        _no_way_in,
    ),
    Fault(
        "port-bound-elsewhere",
        "a server's port is bound to another host than its own",
        "stackbook trace SERVER",
        "port-bound-elsewhere",
        _port_bound_elsewhere,
    ),
)
