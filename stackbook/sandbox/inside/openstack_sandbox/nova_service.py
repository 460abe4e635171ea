"""nova: compute API, scheduler, conductor, and a nova-compute on each compute host, in one process."""

from __future__ import annotations

import gc
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from openstack_sandbox import frame, nova_cells, nova_conf, nova_runtime
from openstack_sandbox.home import COMPUTES, CONTROLLER, Home

API_THREADS = 10
UNUSED = ("openstack.connection", "nova.virt.ironic.driver")
"""Imported by nova in any case, for services that are not here; together a sixth of its start."""
NEEDED_S = 60
"""How long keystone and placement may take to answer, when all projects are started at once."""


def patch() -> None:
    """Choose native threads, before nova is imported, and let several hosts live in one process."""
    gc.disable()  # until it serves: imports make no garbage, and the collector's search for it takes long
    os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "1"
    from nova import monkey_patch

    monkey_patch.patch(backend="threading")
    from openstack_sandbox.patches import (
        config_dirs,
        lazy_imports,
        neutron_transport,
        nova_executors,
        nova_options,
        nova_ping,
        nova_threads,
    )

    config_dirs.apply()
    lazy_imports.apply(*UNUSED)
    frame.patch_sqlite()
    nova_ping.apply()
    neutron_transport.apply()
    nova_threads.apply()
    nova_options.apply()
    nova_executors.apply()


def configure(home: Home) -> None:
    """Write ``/etc/nova/nova.conf`` of each host, the API's pipeline, and each compute node's identity."""
    frame.write(home.etc("nova") / "nova.conf", nova_conf.controller_conf(home))
    frame.write(home.etc("nova") / "api-paste.ini", (Path(sys.prefix) / "etc/nova/api-paste.ini").read_text())
    frame.write(home.etc("nova") / "policy.yaml", "# Rules that differ from nova's defaults.\n")
    (home.etc("nova") / "policy.d").mkdir(exist_ok=True)
    for host in (CONTROLLER, *COMPUTES):
        (home.host(host) / "var" / "lib" / "nova" / "tmp").mkdir(parents=True, exist_ok=True)
    for host in COMPUTES:
        frame.write(home.etc("nova", host) / "nova.conf", nova_conf.compute_conf(home, host))
        frame.write(home.host(host) / "var" / "lib" / "nova" / "compute_id", nova_conf.compute_id(home, host))


def prepare(home: Home) -> None:
    """Make nova's databases, with the cells in them."""
    nova_runtime.load(home)
    nova_cells.make_databases(home)


def adopt(home: Home) -> None:
    """Let the cells name the databases of this home."""
    nova_cells.point_to(home)


def serve(home: Home) -> None:
    """Start the services in the order in which they need each other."""
    nova_runtime.load(home)
    nova_runtime.register_driver()
    entrance = nova_runtime.Entrance(home)
    for project in ("keystone", "placement"):
        _await(home.url(project))
    for service in ("conductor", "scheduler"):
        frame.unit(home, CONTROLLER, f"nova-{service}", nova_runtime.starter(home, CONTROLLER, service))
    frame.unit(home, CONTROLLER, "nova-api", entrance.open)
    frame.wsgi(entrance, home.port("nova"), API_THREADS, None)
    for host in COMPUTES:
        frame.unit(home, host, "nova-compute", nova_runtime.starter(home, host, "compute"))
    nova_cells.map_hosts()
    frame.ready(home, "nova")
    gc.collect()
    gc.freeze()
    gc.enable()
    frame.wait()


def _await(url: str) -> None:
    """Wait until `url` answers, whatever it says; goes on after NEEDED_S, and lets the services complain."""
    end = time.monotonic() + NEEDED_S
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
