"""The Open vSwitch agent: it decides what can be bound on its host, and brings ports up and down."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from neutron.agent import rpc as agent_rpc
from neutron.conf.agent import agent_extensions_manager, securitygroups_rpc
from neutron.conf.plugins.ml2.drivers import agent as agent_options
from neutron.conf.plugins.ml2.drivers import ovs_conf
from neutron_lib import constants
from neutron_lib import context as neutron_context
from neutron_lib.agent import topics
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins import directory
from neutron_lib.utils import helpers
from oslo_config import cfg

from openstack_sandbox import neutron_bridges, neutron_wiring
from openstack_sandbox.home import Home
from openstack_sandbox.neutron_agent import Agent
from openstack_sandbox.neutron_trunks import Trunks
from openstack_sandbox.neutron_wiring import Port

Details = dict[str, Any]


class OpenvswitchAgent(Agent):
    """Stands in for ``neutron-openvswitch-agent``."""

    UNIT = constants.AGENT_PROCESS_OVS
    TYPE = constants.AGENT_TYPE_OVS
    TOPIC = constants.L2_AGENT_TOPIC
    LOGGER = "neutron.plugins.ml2.drivers.openvswitch.agent.ovs_neutron_agent"
    FILES = ("plugins/ml2/openvswitch_agent.ini",)

    def __init__(self, home: Home, log_path: Path, etc: Path) -> None:
        super().__init__(home, log_path, etc)
        self._agent_id = f"ovs-agent-{self.host}"
        self._rpc = agent_rpc.PluginApi(topics.PLUGIN)
        self._trunks = Trunks(self)
        self._iteration = 0
        self._known: dict[str, tuple[Any, ...]] = {}
        self._check_tunnels()
        self.bridge_mappings = self._map_bridges()

    def options(self, conf: cfg.ConfigOpts) -> None:
        """Register what the agent's own files can hold."""
        ovs_conf.register_ovs_agent_opts(conf)
        agent_options.register_agent_opts(conf)
        securitygroups_rpc.register_securitygroups_opts(conf)
        agent_extensions_manager.register_agent_ext_manager_opts(conf)

    def configurations(self) -> dict[str, Any]:
        """What ``openstack network agent show`` lists."""
        ovs, agent = self.conf.OVS, self.conf.AGENT
        return {
            "bridge_mappings": self.bridge_mappings,
            "integration_bridge": ovs.integration_bridge,
            "tunnel_types": agent.tunnel_types,
            "tunneling_ip": str(ovs.local_ip) if ovs.local_ip else None,
            "l2_population": agent.l2_population,
            "arp_responder_enabled": agent.arp_responder and agent.l2_population,
            "enable_distributed_routing": agent.enable_distributed_routing,
            "in_distributed_mode": agent.enable_distributed_routing,
            "extensions": self.conf.agent.extensions,
            "datapath_type": ovs.datapath_type,
            "ovs_capabilities": {"datapath_types": ["netdev", "system"], "iface_types": ["internal", "tap", "vxlan"]},
            "vhostuser_socket_dir": ovs.vhostuser_socket_dir,
            portbindings.OVS_HYBRID_PLUG: self.conf.SECURITYGROUP.firewall_driver == "iptables_hybrid",
            "baremetal_smartnic": agent.baremetal_smartnic,
            "devices": len(self._known),
        }

    def begin(self) -> None:
        """Register and work, then hear of ports and trunks."""
        super().begin()
        neutron_wiring.listen(self.host, self._changed)
        self._trunks.listen()

    def stop(self) -> None:
        """Stop hearing of changes, then stop working."""
        if not self._stopped.is_set():
            neutron_wiring.listen(self.host, None)
            self._trunks.stop()
        super().stop()

    def synchronize(self) -> None:
        """Tell the others this host's tunnel end, and treat the ports that are plugged but not up."""
        for tunnel_type in self.conf.AGENT.tunnel_types:
            self._rpc.tunnel_sync(self.context, str(self.conf.OVS.local_ip), tunnel_type, self.host)
        admin = neutron_context.get_admin_context()
        ports = directory.get_plugin().get_ports(admin, filters={portbindings.HOST_ID: [self.host]})
        self.context.update_store()
        for port in ports:
            if neutron_wiring.plugged(port, self.host):
                if port["status"] == constants.PORT_STATUS_ACTIVE:
                    self._known[port["id"]] = _signature(port)
                else:
                    self._treat(port)

    def knows(self, port_id: str) -> bool:
        """Whether the port is plugged on this host."""
        return port_id in self._known

    def bring_up(self, port_ids: list[str]) -> None:
        """Ask the server for the ports, wire those whose network this host can carry, and report them up."""
        up: list[str] = []
        reply = self._rpc.get_devices_details_list_and_failed_devices(self.context, port_ids, self._agent_id, self.host)
        for details in reply["devices"]:
            device = details["device"]
            if "port_id" not in details:
                self.log.warning("Device %s not defined on plugin or binding failed", device)
                continue
            self.log.info("Port %(device)s updated. Details: %(details)s", {"device": device, "details": details})
            if self._can_carry(details):
                up.append(device)
        if up:
            self._report_devices(up, [])

    def take_down(self, port_ids: list[str]) -> None:
        """Report ports that were unplugged."""
        self.log.info("Ports %s removed", set(port_ids))
        self._rpc.update_device_list(self.context, [], port_ids, self._agent_id, self.host)

    def _treat(self, port: Port) -> None:
        started, port_id = time.time(), port["id"]
        added = port_id not in self._known
        self._known[port_id] = _signature(port)
        if port["admin_state_up"]:
            self.bring_up([port_id])
            self._trunks.wire(port)
        else:
            self.log.info("VIF port: %s admin state up disabled, putting on the dead VLAN", port_id)
            self._rpc.update_device_down(self.context, port_id, self._agent_id, self.host)
        self._count({"added": int(added), "updated": int(not added), "removed": 0}, started)

    def _remove(self, port_id: str) -> None:
        started = time.time()
        if self._known.pop(port_id, None):
            self.take_down([port_id])
            self._trunks.unwire(port_id)
            self._count({"added": 0, "updated": 0, "removed": 1}, started)

    def _report_devices(self, up: list[str], down: list[str]) -> None:
        reply = self._rpc.update_device_list(self.context, up, down, self._agent_id, self.host)
        if reply["failed_devices_up"]:
            self.log.error("Configuration for devices %s failed!", reply["failed_devices_up"])
        self.log.info("Configuration for devices up %(up)s and devices down %(down)s completed.", {"up": up, "down": down})

    def _count(self, ports: dict[str, int], started: float) -> None:
        self.log.info(
            "Agent rpc_loop - iteration:%(iter_num)d completed. Processed ports statistics: %(port_stats)s. "
            "Elapsed:%(elapsed).3f",
            {"iter_num": self._iteration, "port_stats": {"regular": ports}, "elapsed": time.time() - started},
        )
        self._iteration += 1

    def _changed(self, port_id: str, port: Port | None) -> None:
        """Decide in the server's thread whether a change concerns this agent: most are its own."""
        if port is None:
            if port_id in self._known:
                self.do(lambda: self._remove(port_id))
        elif self._known.get(port_id) != _signature(port) or _fell(port):
            self.do(lambda: self._treat(port))

    def _can_carry(self, details: Details) -> bool:
        kind, physical_network = details["network_type"], details["physical_network"]
        if kind in (constants.TYPE_VLAN, constants.TYPE_FLAT) and physical_network not in self.bridge_mappings:
            self.log.error(
                "Cannot provision %(kind)s network for net-id=%(net_uuid)s - no bridge for "
                "physical_network %(physical_network)s",
                {"kind": "VLAN" if kind == constants.TYPE_VLAN else kind, "net_uuid": details["network_id"],
                 "physical_network": physical_network},
            )  # fmt: skip
            return False
        return True

    def _check_tunnels(self) -> None:
        if self.conf.AGENT.tunnel_types and not self.conf.OVS.local_ip:
            self.log.error(
                "Tunneling can't be enabled with invalid local_ip '%s'. IP couldn't be found on this host's interfaces.",
                self.conf.OVS.local_ip,
            )
            raise SystemExit(1)

    def _map_bridges(self) -> dict[str, str]:
        try:
            mappings = helpers.parse_mappings(self.conf.OVS.bridge_mappings)
        except ValueError as error:
            raise ValueError(f"Parsing bridge_mappings failed: {error}.") from error
        for physical_network, bridge in mappings.items():
            names = {"physical_network": physical_network, "bridge": bridge}
            self.log.info("Mapping physical network %(physical_network)s to bridge %(bridge)s", names)
            if not neutron_bridges.exists(self.home, self.host, bridge):
                self.log.error(
                    "Bridge %(bridge)s for physical network %(physical_network)s does not exist. Agent terminated!",
                    names,
                )
                raise SystemExit(1)
        return dict(mappings)


def _signature(port: Port) -> tuple[Any, ...]:
    """What, when it changes, makes the agent wire a port anew."""
    addresses = tuple(sorted((ip["subnet_id"], ip["ip_address"]) for ip in port["fixed_ips"]))
    return port["device_id"], port["admin_state_up"], port["mac_address"], addresses


def _fell(port: Port) -> bool:
    """Whether the server took a port down that should be up, for example because it was bound again."""
    return bool(port["admin_state_up"] and port["status"] == constants.PORT_STATUS_DOWN)
