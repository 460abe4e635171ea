"""neutron-server in this process: its API, its RPC and report workers, its periodic tasks."""

from __future__ import annotations

from typing import Any

from openstack_sandbox import frame
from openstack_sandbox.home import Home

API_THREADS = 8


def read_configuration(home: Home) -> None:
    """Read neutron.conf and ml2_conf.ini, as neutron-server does, and set up its log."""
    from neutron.common import config

    etc = home.etc("neutron")
    files = [str(etc / "neutron.conf"), str(etc / "plugins" / "ml2" / "ml2_conf.ini")]
    config.register_common_config_options()
    config.init([], default_config_files=files, default_config_dirs=[], prog="neutron-server")
    config.setup_logging()
    config.set_config_defaults()


def start(home: Home) -> None:
    """Start the whole server and answer on the API's port."""
    read_configuration(home)
    from neutron import policy
    from neutron.server import api

    application = api.api_server()
    policy.init()  # now, since requests that came while another one loads the rules would be refused
    _start_workers()
    frame.wsgi(application, home.port("neutron"), threads=API_THREADS, access_log="neutron.wsgi")


def _start_workers() -> None:
    from neutron import service
    from neutron_lib.callbacks import events, registry, resources

    workers: list[Any] = [*service._get_rpc_workers(), *service._get_plugins_workers()]
    for worker in workers:
        worker.start()
    registry.publish(resources.PROCESS, events.AFTER_SPAWN, None)
