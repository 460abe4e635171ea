"""Neutron: the API with ML2 and the real ``openvswitch`` driver, and stand-ins for the agents, in one process."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

from openstack_sandbox import frame, neutron_agent_conf, neutron_conf, neutron_ml2_conf
from openstack_sandbox.home import COMPUTES, CONTROLLER, HOSTS, Home
from openstack_sandbox.patches import (
    config_dirs,
    neutron_cache_driver,
    neutron_first_worker,
    neutron_imports,
    neutron_object_push,
    neutron_transport,
)

PROJECT = "neutron"
ML2 = "neutron/plugins/ml2"
NO_POLICY = "# Rules that differ from the defaults of neutron.\n"
"""Where the file or the folder ``policy.d`` is absent, oslo.policy looks for it in ten places at each check."""
TUNNEL_IPS = {"controller1": "10.0.0.11", "compute1": "10.0.0.31", "compute2": "10.0.0.32"}
"""Each host's ``local_ip``, with the numbers of the official installation guide."""


def patch() -> None:
    """Make neutron run on threads in one process, on SQLite."""
    gc.disable()  # until it serves: imports make no garbage, and looking for it takes a fifth of the start
    neutron_imports.apply()
    config_dirs.apply()
    frame.patch_sqlite()
    neutron_transport.apply()
    neutron_first_worker.apply()


def configure(home: Home) -> None:
    """Write neutron's files below ``/etc`` of each host where they are absent."""
    etc = home.etc(PROJECT)
    frame.write(etc / "neutron.conf", neutron_conf.server_conf(home, frame.database_url(home, PROJECT)))
    frame.write(etc / "api-paste.ini", _shipped_api_paste(home))
    frame.write(etc / "policy.yaml", NO_POLICY)
    (etc / "policy.d").mkdir(exist_ok=True)
    frame.write(etc / "l3_agent.ini", neutron_agent_conf.l3_agent())
    frame.write(etc / "dhcp_agent.ini", neutron_agent_conf.dhcp_agent())
    frame.write(etc / "metadata_agent.ini", neutron_agent_conf.metadata_agent(home.service_password))
    frame.write(home.etc(ML2) / "ml2_conf.ini", neutron_ml2_conf.ml2_conf())
    for host in COMPUTES:
        frame.write(home.etc(PROJECT, host) / "neutron.conf", neutron_conf.host_conf(home, host))
    for host in HOSTS:
        frame.write(home.etc(ML2, host) / "openvswitch_agent.ini", neutron_ml2_conf.openvswitch_agent(TUNNEL_IPS[host]))


def prepare(home: Home) -> None:
    """Make the database."""
    from openstack_sandbox import neutron_database

    neutron_database.make(home)


def adopt(home: Home) -> None:
    """Make the state folders; nothing in neutron's database depends on its home."""
    for host in HOSTS:
        (home.host(host) / "var" / "lib" / "neutron" / "lock").mkdir(parents=True, exist_ok=True)


def serve(home: Home) -> None:
    """Serve neutron until the process is told to stop."""
    adopt(home)
    from openstack_sandbox import neutron_agents, neutron_server

    neutron_cache_driver.apply()
    neutron_object_push.apply()
    neutron_server.start(home)
    neutron_agents.start(home)
    frame.process_units(home, PROJECT, {CONTROLLER: ["neutron-server"]})
    frame.ready(home, PROJECT)
    _collect_garbage()
    frame.wait()


def _collect_garbage() -> None:
    gc.collect()
    gc.freeze()  # what neutron consists of stays for good: later searches need not look at it
    gc.enable()


def _shipped_api_paste(home: Home) -> str:
    """The ``api-paste.ini`` of the installed neutron, with this host's path for the health check's switch."""
    text = (Path(sys.prefix) / "etc" / "neutron" / "api-paste.ini").read_text()
    return text.replace("/var/lib/neutron", os.fspath(home.host() / "var" / "lib" / "neutron"))
