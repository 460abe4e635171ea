"""What runs on hosts: systemd's answers and containers', read alike; names by layout."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbook import apply, plan, verify
from stackbook.config import LAYOUTS, HostSettings, SiteSettings
from stackbook.errors import BadInput, Refused, StackbookError
from stackbook.hosts import Host
from stackbook.journal import new_run
from stackbook.plans import Plan
from stackbook.resources import Service
from stackbook.services import SERVICES, service
from stackbook.site import Site
from stackbook.units import container, stamped, started, states
from tests import fake_docker

SHOWN = """\
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
ActiveEnterTimestamp=Mon 2026-11-23 17:16:16.250000 UTC
StateChangeTimestamp=Mon 2026-11-23 17:16:16.250000 UTC

LoadState=loaded
ActiveState=failed
SubState=failed
UnitFileState=enabled
ActiveEnterTimestamp=Mon 2026-11-23 09:00:00.000001 UTC
StateChangeTimestamp=Mon 2026-11-23 16:00:00.000000 UTC

LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
ActiveEnterTimestamp=
StateChangeTimestamp=
"""
"""As systemd 252 prints ``systemctl show A B C --property=… --timestamp=us+utc``."""
OLD = SHOWN.replace(".250000", "").replace(".000001", "").replace(".000000", "").replace("=\n", "=n/a\n")
"""As systemd 219 prints it, with ``TZ=UTC`` in its environment, which knows no ``--timestamp``."""


def systemctl(root: Path, answer: str, *, old: bool = False) -> Host:
    """A host whose ``systemctl show`` prints `answer`, whatever it is asked."""
    folder = root / "usr" / "bin"
    folder.mkdir(parents=True)
    refused = 'case "$*" in *--timestamp*) echo "unrecognized option" >&2; exit 1;; esac\n' if old else ""
    (folder / "systemctl").write_text(f"#!/bin/sh\n{refused}cat <<'END'\n{answer}END\n")
    (folder / "systemctl").chmod(0o755)
    return site(root, "packstack").host("h1")


def site(root: Path, layout: str) -> Site:
    """A site of one host, whose ``/`` is `root`, without a cloud."""
    hosts = {"h1": HostSettings("h1", roles=("compute",), root=str(root))}
    return Site(SiteSettings("here", layout, hosts=hosts), new_run("test", "here", root / "runs"))


@pytest.mark.parametrize("old", [False, True])
def test_systemctl_show(tmp_path: Path, old: bool) -> None:
    """Running, failed and absent units are told apart, whatever form systemd has for times."""
    host = systemctl(tmp_path, OLD if old else SHOWN, old=old)
    found = states(host, "packstack", ["neutron-server", "neutron-l3-agent", "neutron-dhcp-agent"])
    server, l3, dhcp = found.values()
    assert (server.active, server.running, server.enabled) == ("active", True, True)
    assert server.started == started("Mon 2026-11-23 17:16:16 UTC") if old else 1795454176.25
    assert (l3.active, l3.running, round(l3.since)) == ("failed", False, round(started("Mon 2026-11-23 16:00:00.0 UTC")) + old)
    assert (dhcp.active, dhcp.known, dhcp.started) == ("absent", False, 0.0)


def test_an_answer_that_lacks_units_is_an_error(tmp_path: Path) -> None:
    """States are not given to the wrong units."""
    host = systemctl(tmp_path, SHOWN)
    with pytest.raises(StackbookError, match="told of 3 of 2 units"):
        states(host, "packstack", ["neutron-server", "neutron-l3-agent"])


RUNNING, FAILED, _ = SHOWN.split("\n\n")
UNUSED = "LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled"


@pytest.mark.parametrize(
    ("shown", "unit"),
    [((RUNNING, UNUSED), "openstack-nova-api"), ((UNUSED, RUNNING), "httpd"), ((FAILED, RUNNING), "openstack-nova-api")],
)
def test_one_of_several_units(tmp_path: Path, shown: tuple[str, str], unit: str) -> None:
    """Of units that stand for one another the one in use is taken; one that should run and failed is not passed over."""
    assert states(systemctl(tmp_path, "\n\n".join(shown) + "\n"), "packstack", ["nova-api"])["nova-api"].unit == unit


HORIZON = RUNNING
"""The web server, which runs for the dashboard."""


@pytest.mark.parametrize("own", [RUNNING, FAILED, FAILED.replace("=enabled", "=disabled")])
def test_a_unit_of_its_own_before_the_web_server(tmp_path: Path, own: str) -> None:
    """On Debian keystone has a unit; Apache, which runs there for the dashboard, is not taken for it, nor restarted."""
    host = systemctl(tmp_path, f"{own}\n\n{HORIZON}\n")
    assert states(host, "debian", ["keystone"])["keystone"].unit == "keystone"


def test_where_a_service_logs() -> None:
    """By layout, and by the unit that a host has where that names the file."""
    server = service("neutron-server")
    assert server.log("packstack", "neutron-server") == "/var/log/neutron/server.log"
    assert server.log("debian", "neutron-api") == "/var/log/neutron/neutron-api.log"
    assert service("keystone").log("debian", "apache2") == "/var/log/keystone/keystone.log"
    assert server.log("kolla", "neutron_server") == "/var/log/kolla/neutron/neutron-server.log"
    assert server.log("devstack", "devstack@neutron-api") == "journalctl -u devstack@neutron-api"


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_container_stamps(moment: datetime) -> None:
    """Docker's and Podman's stamps are read to the microsecond, nanoseconds and offsets included."""
    assert abs(stamped(moment.strftime("%Y-%m-%dT%H:%M:%S.%f789Z")) - moment.timestamp()) < 1e-3
    assert abs(stamped(moment.strftime("%Y-%m-%dT%H:%M:%S.%f+02:00")) + 7200 - moment.timestamp()) < 1e-3
    assert stamped(fake_docker.NEVER) == 0.0


def test_states_of_containers() -> None:
    """Stopped is inactive, ended by itself with an error is failed, and a health check's word is passed on."""
    told = fake_docker.container("2026-11-23T17:16:16.123456789Z")
    assert container("c", f'{json.dumps(told)} "always"').enabled
    assert container("c", f'{json.dumps({**told, "Health": {"Status": "unhealthy"}})} ""').sub == "unhealthy"
    assert container("c", f'{json.dumps({**told, "Status": "exited", "ExitCode": 143})} "no"').active == "inactive"
    assert container("c", f'{json.dumps({**told, "Status": "exited", "ExitCode": 2})} "no"').active == "failed"
    assert container("c", f'{json.dumps({**told, "Status": "restarting"})} "no"').active == "restarting"


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_a_container_is_restarted_after_its_configuration(tmp_path: Path, engine: str) -> None:
    """In Kolla's layout the file is Kolla's, the restart is the container's, and a second plan is empty."""
    containers = {
        "nova_compute": fake_docker.container("2026-01-01T00:00:00.000000001Z"),
        "fluentd": fake_docker.container("2026-01-01T00:00:00Z"),
    }
    state = fake_docker.install(tmp_path, engine, containers)
    written = tmp_path / "etc/kolla/nova-compute/nova.conf"
    written.parent.mkdir(parents=True)
    written.write_text("[DEFAULT]\n")
    here = site(tmp_path, "kolla")
    planned = plan([Service(host="h1", name="nova-compute", fresh=True)], here)
    assert "restart: its configuration is newer" in str(planned)
    assert "fresh" not in str(planned)
    apply(planned, here, approve=planned.digest)
    assert verify(planned, here) == []
    assert json.loads(state.read_text())["fluentd"] == containers["fluentd"]
    os.utime(written)
    assert [change.after for change in plan([Service(host="h1", name="nova-compute", fresh=True)], here).plan] == [
        {"fresh": True}
    ]


def test_a_container_that_systemd_keeps_is_restarted_by_systemd(tmp_path: Path) -> None:
    """Kolla's newer releases put a unit over each container, which would undo what is done to it behind its back."""
    fake_docker.install(tmp_path, "docker", {"nova_compute": fake_docker.container("2026-01-01T00:00:00Z")})
    restart = f"exec {tmp_path}/usr/bin/docker restart nova_compute"
    shown = f"cat <<'END'\n{RUNNING}\nEND"
    program = tmp_path / "usr/bin/systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ncase $1 in show) {shown}\n;; restart) {restart};; esac\n')
    program.chmod(0o755)
    here = site(tmp_path, "kolla")
    planned = plan([Service(host="h1", name="nova-compute", started_after="2026-02-01")], here)
    apply(planned, here, approve=planned.digest)
    assert "restart kolla-nova_compute-container" in (tmp_path / "asked").read_text().splitlines()
    assert verify(planned, here) == []


def test_a_container_that_does_not_come_back(tmp_path: Path) -> None:
    """The plan stops at the first that fails: the next one keeps running."""
    old = fake_docker.container("2026-01-01T00:00:00Z")
    state = fake_docker.install(tmp_path, "docker", {"neutron_server": {**old, "Broken": True}, "neutron_l3_agent": old})
    here = site(tmp_path, "kolla")
    wanted = [Service(host="h1", name=name, started_after="2026-02-01") for name in ("neutron-server", "neutron-l3-agent")]
    planned = plan(wanted, here)
    with pytest.raises(
        StackbookError, match=r"neutron-server is failed after its restart[\s\S]*/var/log/kolla/neutron/neutron-server.log"
    ):
        apply(planned, here, approve=planned.digest)
    assert json.loads(state.read_text())["neutron_l3_agent"] == old


def test_refused_on_containers(tmp_path: Path) -> None:
    """A container that is not there, and starting one with its host, are refused while planning; no engine is an error."""
    here = site(tmp_path, "kolla")
    fake_docker.install(tmp_path, "docker", {"nova_compute": fake_docker.container("2026-01-01T00:00:00Z")})
    with pytest.raises(Refused, match="looked for nova_api"):
        plan([Service(host="h1", name="nova-api")], here)
    with pytest.raises(Refused, match="Kolla's to set"):
        plan([Service(host="h1", name="nova-compute", enabled=False)], here)


def said(plan: Plan) -> list[list[str]]:
    """The words of each change."""
    return [[words for words in change.said.values() if words] for change in plan]


def test_words(tmp_path: Path) -> None:
    """A stopped service is started, not restarted; a running one is stopped."""
    containers = {
        "nova_api": fake_docker.container("2026-01-01T00:00:00Z", "exited"),
        "nova_compute": fake_docker.container("2026-01-01T00:00:00Z"),
    }
    fake_docker.install(tmp_path, "docker", containers)
    wanted = [Service(host="h1", name="nova-api", fresh=True), Service(host="h1", name="nova-compute", running=False)]
    assert said(plan(wanted, site(tmp_path, "kolla")).plan) == [["start"], ["stop"]]


@pytest.mark.parametrize("text", ["now", "", "yesterday", "2999-01-01T00:00:00Z"])
def test_a_restart_names_a_moment(tmp_path: Path, text: str) -> None:
    """What is no moment, or lies ahead, would be restarted again and again."""
    fake_docker.install(tmp_path, "docker", {"nova_compute": fake_docker.container("2026-01-01T00:00:00Z")})
    with pytest.raises(BadInput, match="the time now is"):
        plan([Service(host="h1", name="nova-compute", started_after=text)], site(tmp_path, "kolla"))


def test_names_by_layout() -> None:
    """The names of the issue's table, and for any service in any layout files and a log."""
    compute, server = service("nova-compute"), service("neutron-server")
    assert [compute.units(layout)[0] for layout in LAYOUTS] == [
        "openstack-nova-compute", "nova-compute", "nova_compute", "devstack@n-cpu", "nova-compute",
    ]  # fmt: skip
    assert compute.log("packstack") == "/var/log/nova/nova-compute.log"
    assert compute.log("kolla") == "/var/log/kolla/nova/nova-compute.log"
    assert server.log("packstack") == "/var/log/neutron/server.log"
    assert server.config("debian") == ("/etc/neutron/neutron.conf", "/etc/neutron/plugins/ml2/ml2_conf.ini")
    assert server.config("kolla") == ("/etc/kolla/neutron-server/neutron.conf", "/etc/kolla/neutron-server/ml2_conf.ini")
    assert service("heat-engine").units("kolla") == ("heat_engine",)
    for known in SERVICES:
        for layout in LAYOUTS:
            if known.units(layout):
                assert known.config(layout) and known.log(layout), (known.name, layout)


def test_what_to_type_to_look_at_a_service() -> None:
    """A hint names the unit or container that the layout has, not the service's own name."""
    compute = service("nova-compute")
    assert compute.look("packstack") == "systemctl status openstack-nova-compute"
    assert compute.look("devstack") == "systemctl status devstack@n-cpu"
    assert compute.look("kolla") == "docker ps --all --filter name=nova_compute"
    assert service("ovn-controller").look("debian") == "systemctl status ovn-controller"
