"""How nova's services run as units of one process: their start from their own nova.conf, and their stop."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from typing import Any

from openstack_sandbox import nova_logs
from openstack_sandbox.frame import Stop
from openstack_sandbox.home import CONTROLLER, Home
from openstack_sandbox.nova_units import CURRENT, Unit, run_as

DEFAULTS = {
    "executor_thread_pool_size": 8,
    "cell_worker_thread_pool_size": 8,
    "max_concurrent_builds": 8,
    "max_concurrent_snapshots": 8,
    # A service that stops: nova keeps 20 seconds of it for cleaning up, the rest is for the work under way.
    "manager_shutdown_timeout": 25,
}
"""Where nova's own defaults don't suit a process that is five services."""


def load(home: Home) -> None:
    """Read the controller's nova.conf, and set up databases, messaging and logs."""
    from nova import config, objects
    from oslo_config import cfg

    config.parse_args(["nova"], default_config_files=[str(home.etc("nova") / "nova.conf")])
    objects.register_all()
    objects.Service.enable_min_version_cache()
    _bound(cfg.CONF)
    nova_logs.set_up(_unit(home, CONTROLLER, "nova-api"))


def register_driver() -> None:
    """Put the driver below ``nova.virt``, the only place from which nova loads one."""
    import nova.virt

    driver = importlib.import_module("openstack_sandbox.nova_driver")
    sys.modules["nova.virt.sandbox"] = nova.virt.sandbox = driver


def starter(home: Home, host: str, service: str) -> Callable[[], Stop]:
    """What starts nova-`service` on `host`: afresh from its configuration each time."""

    def start() -> Stop:
        unit = _unit(home, host, f"nova-{service}")
        return run_as(unit, lambda: _start(unit, service))

    return start


class Entrance:
    """The compute API, which can be opened and closed while its port stays bound."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._open: tuple[Unit, Any] | None = None
        importlib.import_module("nova.api.openstack.wsgi_app")  # the slow part

    def open(self) -> Stop:
        """Load the API from nova.conf and api-paste.ini."""
        unit = _unit(self._home, CONTROLLER, "nova-api")
        self._open = unit, run_as(unit, lambda: _application(self._home))
        return self.close

    def close(self) -> None:
        """Answer 503 from now on."""
        self._open = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request, as the unit that is open."""
        if self._open is None:
            start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
            return [b"nova-api is stopped\n"]
        unit, application = self._open
        CURRENT.set(unit)
        return application(environ, start_response)  # type: ignore[no-any-return]


def _application(home: Home) -> Any:
    from nova import policy
    from nova.api.openstack import wsgi_app
    from oslo_config import cfg
    from paste import deploy

    policy.reset()
    policy.init()
    policy._ENFORCER.load_rules()  # now: requests that come at once would find the rules half loaded
    wsgi_app._setup_service(cfg.CONF.host, "osapi_compute")
    return deploy.loadapp(f"config:{home.etc('nova') / 'api-paste.ini'}", name="osapi_compute")


def _unit(home: Home, host: str, service: str) -> Unit:
    from oslo_context import context

    from openstack_sandbox.patches import nova_options

    # The services start one after the other in one thread: none may log under the request id of the one before.
    context._request_store.__dict__.pop("context", None)
    unit = Unit(service, host, home.etc("nova", host) / "nova.conf")
    nova_options.read(unit)
    nova_logs.open_file(unit)
    return unit


def _start(unit: Unit, topic: str) -> Stop:
    from nova import service

    alternative = {"topic_alt": "compute-alt"} if topic == "compute" else {}
    server = service.Service.create(binary=unit.service, topic=topic, **alternative)
    server.start()
    # Seen alive at once, not after the first interval: the scheduler would find no host until then.
    server.servicegroup_api._driver._report_state(server)

    def stop() -> None:
        run_as(unit, server.stop)
        unit.log.close()

    return stop


def _bound(conf: Any) -> None:
    """Fewer threads than on a server, since all hosts share this process; an operator's nova.conf comes first."""
    from oslo_messaging import server

    conf.register_opts(server._pool_opts)
    for option, value in DEFAULTS.items():
        conf.set_default(option, value)
