"""Starts the stand-ins for neutron's agents, each a unit that is restarted by itself, and only so."""

from __future__ import annotations

from functools import partial

from openstack_sandbox import frame, neutron_logs
from openstack_sandbox.home import CONTROLLER, HOSTS, Home


def start(home: Home) -> None:
    """Start the Open vSwitch agents of all hosts, and the controller's l3, dhcp and metadata agents."""
    from neutron.conf.agent import common
    from oslo_config import cfg

    from openstack_sandbox.neutron_agent import Agent
    from openstack_sandbox.neutron_agent_dhcp import DhcpAgent
    from openstack_sandbox.neutron_agent_l3 import L3Agent
    from openstack_sandbox.neutron_agent_metadata import MetadataAgent
    from openstack_sandbox.neutron_agent_ovs import OpenvswitchAgent
    from openstack_sandbox.patches import neutron_agent_clock

    neutron_agent_clock.apply()
    common.register_agent_state_opts_helper(cfg.CONF)  # neutron's RPC classes look there for their time-out
    neutron_logs.install()
    places: list[tuple[str, type[Agent]]] = [(host, OpenvswitchAgent) for host in HOSTS]
    places += [(CONTROLLER, agent) for agent in (L3Agent, DhcpAgent, MetadataAgent)]
    for host, agent in places:
        frame.lasting_unit(home, host, agent.UNIT, agent.files(), partial(agent.launch, home, host))
