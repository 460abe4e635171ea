"""Faults of passwords and addresses between services."""

from __future__ import annotations

from collections.abc import Callable

from stackbook.sandbox.faults import Fault
from stackbook.sandbox.faults_bench import COMPUTES, CONTROLLER, Bench

NOVA = "/etc/nova/nova.conf"
CLOSED = "http://127.0.0.1:9"
"""Nothing listens on the port ``discard``."""


def _password(section: str) -> Callable[[Bench], None]:
    """A password in nova.conf that is not the user's any more; nova keeps tokens in memory, so all of it is restarted."""

    def make(bench: Bench) -> None:
        for host in (CONTROLLER, *COMPUTES):
            bench.set_option(host, NOVA, section, "password", "no-longer-so")
        bench.restart_project("nova")

    return make


def _placement_password(bench: Bench) -> None:
    """Without placement nova's scheduler and conductor do not even start."""
    _password("placement")(bench)
    for binary in ("nova-scheduler", "nova-conductor"):
        bench.silence("nova", "services", {"binary": binary}, "updated_at", "last_seen_up")


def _own_password(project: str, path: str) -> Callable[[Bench], None]:
    """A password with which a project can't check its users' tokens any more."""

    def make(bench: Bench) -> None:
        bench.set_option(CONTROLLER, path, "keystone_authtoken", "password", "no-longer-so")
        bench.restart_project(project)

    return make


def _endpoint_wrong(bench: Bench) -> None:
    service = bench.ask("identity", "GET", "/services?type=image")["services"][0]["id"]
    for endpoint in bench.ask("identity", "GET", f"/endpoints?service_id={service}")["endpoints"]:
        body = {"endpoint": {"url": CLOSED}}
        bench.set_answer("identity", f"/endpoints/{endpoint['id']}", body, {"endpoint": {"url": endpoint["url"]}}, "PATCH")


def _glance_down(bench: Bench) -> None:
    bench.stop(CONTROLLER, "glance-api")


SERVER = "openstack server create --image sandbox-linux --flavor m1.tiny --network NET web"
FAULTS = (
    Fault("neutron-password", "nova has a wrong password for neutron", SERVER, "keystone-auth", _password("neutron")),
    Fault("placement-password", "nova has a wrong password for placement", SERVER, "keystone-auth", _placement_password),
    Fault(
        "glance-password",
        "glance has a wrong password of its own",
        SERVER,
        "keystone-auth",
        _own_password("glance", "/etc/glance/glance-api.conf"),
    ),
    Fault(
        "cinder-password",
        "cinder has a wrong password of its own",
        "openstack volume create --size 1 disk",
        "keystone-auth",
        _own_password("cinder", "/etc/cinder/cinder.conf"),
    ),
    Fault(
        "endpoint-wrong", "the catalogue sends image requests to a closed port", SERVER, "endpoint-unreachable", _endpoint_wrong
    ),
    Fault(
        "glance-down",
        "glance-api is stopped",
        "openstack volume create --size 1 --image ID disk",
        "endpoint-unreachable",
        _glance_down,
    ),
)
