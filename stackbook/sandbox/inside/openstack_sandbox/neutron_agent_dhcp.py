"""The dhcp agent: it makes a DHCP port in each network it serves, and says which ports have their leases ready."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neutron.agent.dhcp import agent as dhcp_agent
from neutron.common import utils
from neutron.conf.agent import common as agent_options
from neutron.conf.agent import dhcp as dhcp_options
from neutron_lib import constants
from neutron_lib.agent import topics
from oslo_config import cfg
from oslo_messaging import Target

from openstack_sandbox.home import Home
from openstack_sandbox.neutron_agent import Agent

Network = Any  # the agent's own model: a dict whose keys are attributes too


class DhcpAgent(Agent):
    """Stands in for ``neutron-dhcp-agent``."""

    UNIT = constants.AGENT_PROCESS_DHCP
    TYPE = constants.AGENT_TYPE_DHCP
    TOPIC = topics.DHCP_AGENT
    LOGGER = "neutron.agent.dhcp.agent"
    FILES = ("dhcp_agent.ini",)
    ZONED = True

    def __init__(self, home: Home, log_path: Path, etc: Path) -> None:
        super().__init__(home, log_path, etc)
        self._rpc = dhcp_agent.DhcpPluginApi(topics.PLUGIN, self.host)
        self._networks: dict[str, Network] = {}

    def options(self, conf: cfg.ConfigOpts) -> None:
        """Register what the agent's own files can hold."""
        agent_options.register_interface_driver_opts_helper(conf)
        dhcp_options.register_agent_dhcp_opts(conf)

    def configurations(self) -> dict[str, Any]:
        """What ``openstack network agent show`` lists."""
        networks = list(self._networks.values())
        return {
            "dhcp_driver": self.conf.dhcp_driver,
            "dhcp_lease_duration": self.conf.dhcp_lease_duration,
            "networks": len(networks),
            "subnets": sum(len(network.subnets) for network in networks),
            "ports": sum(len(network.ports) for network in networks),
        }

    def begin(self) -> None:
        """Hear of networks, subnets and ports, then register and work."""
        self.listen(self.TOPIC, _Messages(self))
        super().begin()
        self.log.info("DHCP agent started")

    def synchronize(self) -> None:
        """Fetch all networks scheduled to this agent."""
        self.log.info("Synchronizing state")
        active = {network.id: network for network in self._rpc.get_active_networks_info(enable_dhcp_filter=False)}
        self.log.info("All active networks have been fetched through RPC.")
        for gone in set(self._networks) - set(active):
            self.forget(gone)
        for network in active.values():
            self._serve(network)
        self.log.info("Synchronizing state complete")

    def refresh(self, network_id: str) -> None:
        """Fetch a network anew and serve it."""
        network = self._rpc.get_network_info(network_id)
        if network and network.admin_state_up:
            self.log.info("Starting network %s dhcp configuration", network_id)
            self._serve(network)
            self.log.info("Finished network %s dhcp configuration", network_id)
        else:
            self.forget(network_id)

    def refresh_of_subnet(self, subnet_id: str) -> None:
        """Fetch the network that has the subnet."""
        for network in list(self._networks.values()):
            if subnet_id in {subnet.id for subnet in network.subnets}:
                self.refresh(network.id)

    def forget(self, network_id: str) -> None:
        """Serve a network no more."""
        self._networks.pop(network_id, None)

    def lease(self, port: dict[str, Any]) -> None:
        """Make the lease of a new or changed port."""
        network = self._networks.get(port["network_id"])
        if network is None:
            return
        self.log.info("Trigger reload_allocations for port %s on network %s", port["id"], network.id)
        self._ready({port["id"]})

    def _serve(self, network: Network) -> None:
        before = self._networks.get(network.id)
        known = {port.id for port in before.ports} if before else set()
        self._networks[network.id] = network
        served = {subnet.id for subnet in network.subnets if subnet.enable_dhcp}
        own = self._own_port(network, served)
        if served:
            self._ready({port.id for port in network.ports} - known | own)

    def _own_port(self, network: Network, served: set[str]) -> set[str]:
        """The id of this agent's port in `network`, made, changed or removed so that it has an address per subnet."""
        device_id = utils.get_dhcp_agent_device_id(network.id, self.host)
        for port in network.ports:
            if port.device_id == device_id and {ip.subnet_id for ip in port.fixed_ips} == served:
                return {port.id}
            if port.device_id == device_id and not served:
                self._rpc.release_dhcp_port(network.id, device_id)
                return set()
            if port.device_id in (device_id, constants.DEVICE_ID_RESERVED_DHCP_PORT) and served:
                return self._adopt_port(network, port, device_id, served)
        return self._make_port(network, device_id, served) if served else set()

    def _make_port(self, network: Network, device_id: str, served: set[str]) -> set[str]:
        body = {
            "name": "",
            "admin_state_up": True,
            "device_id": device_id,
            "network_id": network.id,
            "project_id": network.project_id,
            "fixed_ips": [{"subnet_id": subnet_id} for subnet_id in sorted(served)],
        }
        made = self._rpc.create_dhcp_port({"port": body})
        return {made.id} if made else set()

    def _adopt_port(self, network: Network, port: Any, device_id: str, served: set[str]) -> set[str]:
        addresses = [ip for ip in port.fixed_ips if ip.subnet_id in served]
        kept = [{"subnet_id": ip.subnet_id, "ip_address": ip.ip_address} for ip in addresses]
        missing = [{"subnet_id": subnet_id} for subnet_id in sorted(served - {ip.subnet_id for ip in addresses})]
        body = {"network_id": network.id, "device_id": device_id, "fixed_ips": kept + missing}
        changed = self._rpc.update_dhcp_port(port.id, {"port": body})
        return {changed.id} if changed else set()

    def _ready(self, port_ids: set[str]) -> None:
        if port_ids:
            self._rpc.dhcp_ready_on_ports(sorted(port_ids))
            self.log.info("DHCP configuration for ports %s is completed", port_ids)


class _Messages:
    """What the server tells a dhcp agent."""

    target = Target(version="1.0")

    def __init__(self, agent: DhcpAgent) -> None:
        self._agent = agent

    def _network(self, context: Any, payload: dict[str, Any]) -> None:
        network_id = payload["network"]["id"] if "network" in payload else payload["network_id"]
        self._agent.do(lambda: self._agent.refresh(network_id))

    network_create_end = network_update_end = _network

    def network_delete_end(self, context: Any, payload: dict[str, Any]) -> None:
        self._agent.do(lambda: self._agent.forget(payload["network_id"]))

    def _subnet(self, context: Any, payload: dict[str, Any]) -> None:
        self._agent.do(lambda: self._agent.refresh(payload["subnet"]["network_id"]))

    subnet_create_end = subnet_update_end = _subnet

    def subnet_delete_end(self, context: Any, payload: dict[str, Any]) -> None:
        self._agent.do(lambda: self._agent.refresh_of_subnet(payload["subnet_id"]))

    def _port(self, context: Any, payload: dict[str, Any]) -> None:
        self._agent.do(lambda: self._agent.lease(payload["port"]))

    port_create_end = port_update_end = _port

    def port_delete_end(self, context: Any, payload: dict[str, Any]) -> None:
        """A lease that nobody can ask for any more."""

    def agent_updated(self, context: Any, payload: Any) -> None:
        self._agent.do(lambda: self._agent.log.info("agent_updated by server side %s!", payload))
        self._agent.do(self._agent.synchronize)
