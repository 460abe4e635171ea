"""The l3 agent: it takes routers to its host, so that their ports are bound, and reports floating IPs in service."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from neutron.agent.l3 import agent as l3_agent
from neutron.conf.agent import agent_extensions_manager
from neutron.conf.agent import common as agent_options
from neutron.conf.agent.l3 import config
from neutron.services.portforwarding.constants import PORT_FORWARDING
from neutron_lib import constants
from neutron_lib.agent import topics
from neutron_lib.callbacks import events, registry
from oslo_config import cfg
from oslo_messaging import Target
from oslo_utils import uuidutils

from openstack_sandbox.home import Home
from openstack_sandbox.neutron_agent import Agent

Router = dict[str, Any]

_FORWARDING_EVENTS = (events.AFTER_CREATE, events.AFTER_UPDATE, events.AFTER_DELETE)
_FLOATING_IPS = (constants.FLOATINGIP_KEY, "_pf_floatingips")
"""Where a router lists its floating IPs: those of ports, and those with port forwardings."""


class L3Agent(Agent):
    """Stands in for ``neutron-l3-agent``."""

    UNIT = constants.AGENT_PROCESS_L3
    TYPE = constants.AGENT_TYPE_L3
    TOPIC = topics.L3_AGENT
    LOGGER = "neutron.agent.l3.agent"
    FILES = ("l3_agent.ini",)
    ZONED = True

    def __init__(self, home: Home, log_path: Path, etc: Path) -> None:
        super().__init__(home, log_path, etc)
        self._rpc = l3_agent.L3PluginApi(topics.L3PLUGIN, self.host)
        self._routers: dict[str, Router] = {}

    def options(self, conf: cfg.ConfigOpts) -> None:
        """Register what the agent's own files can hold."""
        config.register_l3_agent_config_opts(config.OPTS, conf)
        agent_options.register_interface_driver_opts_helper(conf)
        agent_extensions_manager.register_agent_ext_manager_opts(conf)

    def configurations(self) -> dict[str, Any]:
        """What ``openstack network agent show`` lists."""
        routers = list(self._routers.values())
        return {
            "agent_mode": self.conf.agent_mode,
            "handle_internal_only_routers": self.conf.handle_internal_only_routers,
            "interface_driver": self.conf.interface_driver,
            "extensions": self.conf.agent.extensions,
            "routers": len(routers),
            "ex_gw_ports": sum(1 for router in routers if router.get("gw_port")),
            "interfaces": sum(len(router.get(constants.INTERFACE_KEY, ())) for router in routers),
            "floating_ips": sum(len(router.get(constants.FLOATINGIP_KEY, ())) for router in routers),
        }

    def begin(self) -> None:
        """Hear of routers and port forwardings, then register and work."""
        self.listen(self.TOPIC, _Messages(self))
        for event in _FORWARDING_EVENTS:
            registry.subscribe(self._forwarding_changed, PORT_FORWARDING, event)
        super().begin()
        self.log.info("L3 agent started")

    def stop(self) -> None:
        """Stop hearing of changes, then stop working."""
        for event in _FORWARDING_EVENTS:
            registry.unsubscribe(self._forwarding_changed, PORT_FORWARDING, event)
        super().stop()

    def synchronize(self) -> None:
        """Fetch all routers scheduled to this agent."""
        router_ids = self._rpc.get_router_ids(self.context)
        for gone in set(self._routers) - set(router_ids):
            self.remove(gone)
        self.update(router_ids)

    def update(self, router_ids: list[str]) -> None:
        """Fetch `router_ids` anew: the server binds their ports to this host as it answers."""
        if not router_ids:  # the server would take it as all
            return
        started, update_id = time.time(), uuidutils.generate_uuid()
        found = {router["id"]: router for router in self._rpc.get_routers(self.context, router_ids)}
        for router_id in router_ids:
            if router_id in found:
                self.log.info("Starting router update for %s, action 3, update_id %s.", router_id, update_id)
                self._serve(found[router_id])
                self.log.info(
                    "Finished a router update for %s, update_id %s. Time elapsed: %.3f",
                    router_id, update_id, time.time() - started,
                )  # fmt: skip
            else:
                self.remove(router_id)

    def remove(self, router_id: str) -> None:
        """Forget a router."""
        if self._routers.pop(router_id, None):
            self.log.info("Finished a router delete for %s, update_id %s. Time elapsed: %.3f",
                          router_id, uuidutils.generate_uuid(), 0.0)  # fmt: skip

    def _serve(self, router: Router) -> None:
        before = _floating_ips(self._routers.get(router["id"], {}))
        now = _floating_ips(router)
        self._routers[router["id"]] = router
        changed = {ip: constants.FLOATINGIP_STATUS_ACTIVE for ip, status in now.items() if status != "ACTIVE"}
        changed |= dict.fromkeys(before.keys() - now.keys(), constants.FLOATINGIP_STATUS_DOWN)
        if changed:
            self._rpc.update_floatingip_statuses(self.context, router["id"], changed)

    def _forwarding_changed(self, _resource: str, _event: str, _trigger: object, payload: Any) -> None:
        self.do(lambda: self.update(list(self._routers)))  # which router it is, a new forwarding does not know yet


class _Messages:
    """What the server tells an l3 agent."""

    target = Target(version="1.4")

    def __init__(self, agent: L3Agent) -> None:
        self._agent = agent

    def routers_updated(self, context: Any, routers: list[Any]) -> None:
        ids = [router["id"] if isinstance(router, dict) else router for router in routers]
        self._agent.do(lambda: self._agent.update(ids))

    def router_deleted(self, context: Any, router_id: str) -> None:
        self._agent.do(lambda: self._agent.remove(router_id))

    def router_added_to_agent(self, context: Any, payload: list[str]) -> None:
        self.routers_updated(context, payload)

    def router_removed_from_agent(self, context: Any, payload: dict[str, str]) -> None:
        self.router_deleted(context, payload["router_id"])

    def agent_updated(self, context: Any, payload: Any) -> None:
        self._agent.do(lambda: self._agent.log.info("agent_updated by server side %s!", payload))
        self._agent.do(self._agent.synchronize)

    def fipnamespace_delete_on_ext_net(self, context: Any, ext_net_id: str) -> None:
        """Nothing to clean up."""


def _floating_ips(router: Router) -> dict[str, str]:
    return {ip["id"]: ip["status"] for key in _FLOATING_IPS for ip in router.get(key, ())}
