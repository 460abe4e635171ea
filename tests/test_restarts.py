"""Restarts of services: chosen, ordered, stopped at the first that fails, proved."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stackbook import apply, plan, verify, what_runs
from stackbook.config import HostSettings, SiteSettings
from stackbook.errors import BadInput, StackbookError
from stackbook.journal import new_run
from stackbook.render.table import records
from stackbook.restarts import apis, configuration_reads, hosts_answer, others_run, restarts, silent
from stackbook.site import Site
from tests import fake_docker

OLD = "2026-01-01T00:00:00.5Z"
RUNS = {name: fake_docker.container(OLD) for name in ("neutron_server", "neutron_l3_agent", "nova_compute")}


@pytest.fixture
def kolla(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Two hosts with containers, the compute host named first, and a third where nothing answers; nor does the cloud."""
    monkeypatch.chdir(tmp_path)
    auth = {"auth_url": "http://127.0.0.1:9/v3", "username": "admin", "password": "x", "project_name": "admin"}
    (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {"nowhere": {"auth": auth}}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    fake_docker.install(tmp_path / "compute1", "docker", RUNS)
    fake_docker.install(tmp_path / "controller1", "docker", RUNS)
    (tmp_path / "dead").mkdir()
    roles = {"compute1": ("compute",), "controller1": ("controller",), "dead": ()}
    hosts = {name: HostSettings(name, roles=role, root=str(tmp_path / name)) for name, role in roles.items()}
    (tmp_path / "dead/usr/bin").mkdir(parents=True)
    for engine in ("docker", "podman"):
        (tmp_path / "dead/usr/bin" / engine).write_text("#!/bin/sh\necho the daemon is gone >&2\nexit 1\n")
        (tmp_path / "dead/usr/bin" / engine).chmod(0o755)
    return Site(SiteSettings("here", "kolla", cloud="nowhere", hosts=hosts), new_run("test", "here", tmp_path / "runs"))


def containers(site: Site, host: str) -> dict[str, dict[str, str]]:
    """The containers of a host."""
    return dict(json.loads((site.host(host).root / "usr/bin/containers.json").read_text()))


@pytest.mark.parametrize("name", ["", "*", "neutron*", "all", "ALL", "everything"])
def test_never_everything(kolla: Site, name: str) -> None:
    """A wildcard is refused, and what may be named is told."""
    with pytest.raises(BadInput, match="never everything at once"):
        restarts(kolla, name)


def test_order(kolla: Site) -> None:
    """Controllers first, host after host, and on each the services that others ask first."""
    assert [(one.host, one.name) for one in restarts(kolla, "neutron")] == [
        ("controller1", "neutron-server"),
        ("controller1", "neutron-l3-agent"),
        ("compute1", "neutron-server"),
        ("compute1", "neutron-l3-agent"),
    ]
    assert [one.host for one in restarts(kolla, "nova-compute", ["compute1"])] == ["compute1"]
    with pytest.raises(BadInput, match="no host of here runs heat-engine"):
        restarts(kolla, "heat-engine")


def test_what_runs(kolla: Site, tmp_path: Path) -> None:
    """What is down comes first; a host or an API that does not answer is a row; an older configuration is told."""
    state = tmp_path / "controller1/usr/bin/containers.json"
    ended = {**RUNS["neutron_l3_agent"], "Status": "exited", "ExitCode": 1, "FinishedAt": "2026-02-03T04:05:06Z"}
    state.write_text(json.dumps({**RUNS, "neutron_l3_agent": ended}))
    file = tmp_path / "compute1/etc/kolla/nova-compute/nova.conf"
    file.parent.mkdir(parents=True)
    file.write_text("[DEFAULT]\n")
    first, second, third, *rest = records(what_runs(kolla))
    assert (first["host"], first["state"]) == ("dead", "unreachable")
    assert (second["service"], second["state"]) == ("API", "unavailable")
    assert (third["host"], third["service"], third["state"], third["since"]) == (
        "controller1", "neutron-l3-agent", "failed", "2026-02-03 04:05:06",
    )  # fmt: skip
    told = {(row["host"], row["service"]): row["configuration"] for row in rest}
    assert told["compute1", "nova-compute"] == "newer: restart"
    assert told["controller1", "nova-compute"] == "as it runs"


def test_stops_at_the_first_that_fails(kolla: Site, tmp_path: Path) -> None:
    """A service that does not come back ends the run; the next host keeps running what it ran."""
    state = tmp_path / "controller1/usr/bin/containers.json"
    state.write_text(json.dumps({**RUNS, "nova_compute": {**RUNS["nova_compute"], "Broken": True}}))
    planned = plan(restarts(kolla, "nova-compute", before="2026-02-01"), kolla)
    assert len(planned) == 2
    with pytest.raises(StackbookError, match="nova-compute is failed"):
        apply(planned, kolla, approve=planned.digest)
    assert containers(kolla, "compute1") == RUNS


def test_preflight_and_proof_without_an_api(kolla: Site, tmp_path: Path) -> None:
    """A file that would be refused, a host that does not answer and an API that does not are rows; what went down is one."""
    file = tmp_path / "compute1/etc/kolla/nova-compute/nova.conf"
    file.parent.mkdir(parents=True)
    file.write_text("[DEFAULT]\ndebug = true\nno delimiter\n")
    wanted = restarts(kolla, "nova-compute")
    (row,) = configuration_reads(kolla, wanted)
    assert "line 3" in row["found"]
    (kolla.host("compute1").root / "usr/bin/hostname").write_text("#!/bin/sh\nexit 1\n")
    (kolla.host("compute1").root / "usr/bin/hostname").chmod(0o755)
    assert [row["check"] for row in hosts_answer(kolla)] == ["host compute1"]
    assert {row["check"] for row in silent(kolla, wanted, patience=0)} == {"API"}
    assert len(apis(kolla)) == 6
    before = what_runs(kolla)
    assert others_run(before, kolla, wanted) == []
    (tmp_path / "compute1/usr/bin/containers.json").write_text(json.dumps({"nova_compute": RUNS["nova_compute"]}))
    with pytest.raises(StackbookError, match="2 counterexample"):
        others_run(before, kolla, wanted)


def test_restart_on_the_sandbox(site: Site) -> None:
    """A service that reports is restarted, proved to report since, and is not restarted again."""
    moment = datetime.now(UTC).isoformat()
    before = what_runs(site, "nova-compute", "neutron-dhcp-agent")
    assert {row["reports"] for row in records(before)} == {"alive"}
    wanted = restarts(site, "neutron-dhcp-agent", before=moment)
    planned = plan(wanted, site)
    assert [change.address for change in planned.plan] == ["service/controller1/neutron-dhcp-agent"]
    apply(planned, site, approve=planned.digest)
    assert verify(planned, site) == silent(site, wanted) == apis(site) == others_run(before, site, wanted) == []
    assert not len(plan(restarts(site, "neutron-dhcp-agent", before=moment), site))
