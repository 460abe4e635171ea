"""Each fault in the real services: broken, provoked, traced, named, healed byte for byte."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from openstack.connection import Connection

from stackbook.desired import quota
from stackbook.errors import BadInput
from stackbook.logs.diagnose import diagnose
from stackbook.logs.diagnosis import Diagnosis
from stackbook.runbook.catalogue import find
from stackbook.runbook.coercion import coerced
from stackbook.sandbox import faults
from stackbook.sandbox.faults_bench import Bench
from stackbook.site import Site
from tests.conftest import SANDBOX

from .provoke import ASKS, Provoker, flat, net, on_network

KNOWN = faults.faults()
GONE_S = 20.0
"""Seconds that a service may take to delete what heal took away."""
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"
NEEDS_A_SERVER = ("dhcp-agent-dead", "port-bound-elsewhere")
Trace = Callable[[str], Diagnosis]
Ask = Callable[[Provoker], str]
PAIRS: dict[tuple[str, str], Ask] = {
    ("mapping-missing", "ovs-agent-dead"): lambda made: made.server(networks=[{"uuid": flat(made)}]),
    ("mapping-missing", "clock-skew"): lambda made: made.server(networks=[{"uuid": flat(made)}]),
    ("ram-full", "disk-full"): lambda made: made.server("m1.medium"),
    ("dhcp-off", "no-way-in"): lambda made: on_network(made, "fault-dhcp-off", security_groups=[{"name": "fault-closed"}]),
    ("dhcp-agent-dead", "port-bound-elsewhere"): lambda made: made.newest_server,
    ("dhcp-off", "log-disk-full"): lambda made: on_network(made, "fault-dhcp-off", availability_zone="nova:compute2"),
}
"""Faults that show together, and what shows both."""


@pytest.fixture(scope="module")
def made(cloud: Connection, sandbox: Path) -> Iterator[Provoker]:
    """Asks for things; what it made is removed at the end."""
    faults.heal(name=SANDBOX)
    provoker = Provoker(cloud)
    yield provoker
    provoker.clean()
    cloud.compute.delete_flavor("dg-huge", ignore_missing=True)
    for network in provoker.networks.values():
        cloud.network.delete_network(network)


@pytest.fixture(scope="module")
def named() -> Iterator[dict[str, list[str]]]:
    """Fault to the signatures that a trace named; with STACKBOOK_WRITE_DOCS it becomes the page's table."""
    results: dict[str, list[str]] = {}
    yield results
    if os.environ.get("STACKBOOK_WRITE_DOCS") and set(results) == set(KNOWN):
        PAGE.write_text(page(results))


@pytest.fixture
def trace(new_site: Callable[[], Site]) -> Trace:
    """Diagnoses an id on the sandbox."""
    return lambda given: diagnose(new_site(), given)


def files(home: Path) -> dict[str, tuple[bytes, int, int]]:
    """Every byte below the hosts' /etc, with permissions and times; the images; what else faults put on hosts."""
    folders = ("hosts/*/etc/**/*", "hosts/*/var/lib/clock", "data/images/*")
    found = (path for folder in folders for path in sorted(home.glob(folder)) if path.is_file())
    logs = {str(path): (b"", 0, 0) for path in home.glob("hosts/*/var/log/*/*.log") if path.is_symlink()}
    return {str(path): (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns) for path in found} | logs


ROWS = (
    ("glance", "SELECT id, status, deleted, deleted_at, disk_format, min_disk FROM images WHERE name = 'sandbox-linux'"),
    ("keystone", "SELECT id, url FROM endpoint"),
    ("nova", 'SELECT host, "binary", disabled, disabled_reason FROM services WHERE deleted = 0'),
    ("nova_api", "SELECT name FROM flavors WHERE name LIKE 'fault%'"),
    ("nova_api", "SELECT name FROM aggregates WHERE name LIKE 'fault%'"),
    ("cinder", "SELECT display_name, status FROM volumes WHERE deleted = 0 AND display_name LIKE 'fault%'"),
    ("neutron", "SELECT name FROM networks WHERE name LIKE 'fault%' UNION SELECT name FROM ports WHERE name LIKE 'fault%'"),
    ("neutron", "SELECT name FROM securitygroups WHERE name LIKE 'fault%'"),
)
"""What faults change in databases, or make through the APIs."""


def state(home: Path, cloud: Connection) -> dict[str, object]:
    """The rows that faults change, and the quotas that hold."""
    found: dict[str, object] = {}
    for database, query in ROWS:
        with closing(sqlite3.connect(f"file:{home}/data/{database}.sqlite?mode=ro", uri=True, timeout=60)) as base:
            found[query] = sorted(map(repr, base.execute(query)))
    paths = {"compute": "/os-quota-sets", "block_storage": "/os-quota-sets", "network": "/quotas"}
    for service, path in paths.items():
        found[service] = getattr(cloud, service).get(f"{path}/{cloud.current_project_id}").json()
    return found


def test_every_fault_is_provoked() -> None:
    """There are at least twenty, and none without its provocation."""
    assert len(KNOWN) >= 20
    assert set(ASKS) == set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_named(name: str, made: Provoker, trace: Trace, sandbox: Path, named: dict[str, list[str]]) -> None:
    """The cause that is named is the one that was caused, and it alone; healed, all files, rows and quotas are as before."""
    if name in NEEDS_A_SERVER:
        made.server(networks=[{"uuid": net(made)}])
    if name.startswith("quota-"):
        net(made)
    before = files(sandbox), state(sandbox, made.cloud)
    faults.break_(name, SANDBOX)
    try:
        found = trace(ASKS[name](made))
    finally:
        made.clean()
        faults.heal(name, SANDBOX)
        made.afresh()
    named[name] = [cause.signature for cause in found.causes]
    assert named[name] == [KNOWN[name].cause], repr(found)
    assert found.causes[0].evidence[0].evidence.text
    until = time.monotonic() + GONE_S
    while (files(sandbox), state(sandbox, made.cloud)) != before and time.monotonic() < until:
        time.sleep(0.5)  # services delete in their own time
    assert (files(sandbox), state(sandbox, made.cloud)) == before
    assert faults.broken(SANDBOX) == []


def test_two_at_once(made: Provoker, trace: Trace) -> None:
    """A server that fails on one host for one reason and on the other for another: both are named."""
    network = flat(made)
    faults.break_("mapping-missing-on-host", SANDBOX)
    faults.break_("compute-disabled", SANDBOX)
    try:
        first = trace(made.server(networks=[{"uuid": network}]))
        faults.heal("compute-disabled", SANDBOX)
        second = trace(made.server(networks=[{"uuid": network}], availability_zone="nova:compute2"))
    finally:
        made.clean()
        faults.heal(name=SANDBOX)
    assert [cause.signature for cause in first.causes] == ["compute-disabled"]
    assert [cause.signature for cause in second.causes] == ["physnet-unmapped-on-host"]


@pytest.mark.parametrize(("broken", "ask"), PAIRS.items(), ids=["+".join(pair) for pair in PAIRS])
def test_two_in_one(broken: tuple[str, str], ask: Ask, made: Provoker, trace: Trace) -> None:
    """What fails, or can't be reached, for two reasons: one trace names both, and no other."""
    made.server(networks=[{"uuid": net(made)}], availability_zone="nova:compute1")
    flat(made)
    try:
        for name in broken:
            faults.break_(name, SANDBOX)
        found = trace(ask(made))
    finally:
        made.clean()
        faults.heal(name=SANDBOX)
    assert {cause.signature for cause in found.causes} == {KNOWN[name].cause for name in broken}, repr(found)


@pytest.fixture
def vlan(made: Provoker, sandbox: Path) -> Iterator[str]:
    """A VLAN network, on a sandbox whose neutron has VLANs."""
    bench = Bench(SANDBOX, sandbox, [], lambda: None)
    ini = "/etc/neutron/plugins/ml2/ml2_conf.ini"
    bench.set_option("controller1", ini, "ml2", "type_drivers", "vlan,vxlan,flat")
    bench.set_option("controller1", ini, "ml2_type_vlan", "network_vlan_ranges", "default")
    bench.restart_project("neutron")
    about = {"network_type": "vlan", "physical_network": "default", "segmentation_id": 217}
    yield made.network("dg-vlan", "10.79.0.0/24", **{f"provider_{name}": value for name, value in about.items()})
    made.forget("dg-vlan")
    bench.undo()


def test_the_runbook_is_filled_in(made: Provoker, trace: Trace, vlan: str) -> None:
    """What failed on a VLAN names the runbook that mends it, with the parameters of that very network."""
    faults.break_("mapping-missing", SANDBOX)
    try:
        (cause,) = trace(made.server(networks=[{"uuid": vlan}])).causes
    finally:
        made.clean()
        faults.heal(name=SANDBOX)
    expected = {"vlan": 217, "cidr": "10.79.0.0/24", "gateway": "10.79.0.1", "name": "dg-vlan", "mapping": "default:br-ex"}
    assert cause.record()["runbook"] == {"name": "provider-vlan", "parameters": expected}
    asked = {one.name for one in find("provider-vlan").parameters}
    assert set(expected) <= asked


def test_a_quota_names_the_runbook_that_raises_it(made: Provoker, trace: Trace) -> None:
    """With the project, the quota that is full, and a limit that leaves room."""
    net(made)
    faults.break_("quota-ports", SANDBOX)
    try:
        (cause,) = trace(ASKS["quota-ports"](made)).causes
    finally:
        made.clean()
        faults.heal(name=SANDBOX)
    runbook = cause.record()["runbook"]
    assert (runbook["name"], runbook["parameters"]["project"]) == ("project-quotas", "admin")
    annotations = {one.name: one.type for one in find("project-quotas").parameters}
    (wanted,) = quota("admin", coerced(runbook["parameters"]["quotas"], annotations["quotas"])).values.items()
    assert wanted[0] == "ports" and wanted[1] > int(cause.values["limit"])


@pytest.mark.parametrize("name", ["mapping-missing-on-host", "image-corrupt", "aggregate-mismatch", "volume-stuck"])
def test_decoys_around_a_fault(name: str, made: Provoker, trace: Trace) -> None:
    """While others fail on the same hosts for reasons of their own, the one that was caused is named, and it alone."""
    faults.break_(name, SANDBOX)
    try:
        made.decoys()
        given = ASKS[name](made)
        made.decoys()
        found = trace(given)
    finally:
        made.clean()
        faults.heal(name=SANDBOX)
    assert [cause.signature for cause in found.causes] == [KNOWN[name].cause], repr(found)


@pytest.fixture
def full_of_riddles(sandbox: Path) -> Iterator[None]:
    """No hypervisor can save a guest: a failure that no signature knows."""
    folders = [sandbox / "data" / "guests" / host for host in ("compute1", "compute2")]
    for folder in folders:
        folder.rename(folder.with_suffix(".away"))
        folder.write_text("")
    yield
    for folder in folders:
        folder.unlink()
        folder.with_suffix(".away").rename(folder)


@pytest.mark.usefixtures("full_of_riddles")
def test_no_known_cause(made: Provoker, new_site: Callable[[], Site]) -> None:
    """What no signature knows stays unknown in the real logs, decoys or not, with the nearest evidence; by logs alone too."""
    made.decoys()
    server = made.server()
    made.decoys()
    try:
        for ask in (True, False):
            found = diagnose(new_site(), server, ask=ask)
            assert found.causes == [], repr(found)
            assert "No known cause" in repr(found)
            assert any("NotADirectoryError" in one.text for one in found.unknown), repr(found)
            assert all(one.event is None or one.line for one in found.unknown)
    finally:
        made.clean()


def test_a_healthy_server_has_no_cause(made: Provoker, trace: Trace) -> None:
    """Where nothing is wrong, nothing is named, though other servers failed on the same hosts just before."""
    found = trace(made.server(networks=[{"uuid": net(made)}]))
    made.clean()
    assert (found.subject.status, found.causes, found.unknown) == ("ACTIVE", [], [])


def test_unknown_fault(sandbox: Path) -> None:
    """A fault that there is not, one that is broken already, and one that is not broken are bad input."""
    with pytest.raises(BadInput, match="no fault"):
        faults.break_("nothing-like-it", SANDBOX)
    with pytest.raises(BadInput, match="not broken"):
        faults.heal("compute-down", SANDBOX)


def page(results: dict[str, list[str]]) -> str:
    """The reference page: every fault, and the confusion matrix of the last run."""
    listed = "\n".join(f"| `{one.name}` | {one.what} | `{one.shows}` |" for one in KNOWN.values())
    matrix = "\n".join(_compared(name, found) for name, found in results.items())
    right = sum(found == [KNOWN[name].cause] for name, found in results.items())
    return HEAD.format(count=len(KNOWN), listed=listed, matrix=matrix, right=right)


def _compared(name: str, found: list[str]) -> str:
    told = ", ".join(f"`{id}`" for id in found) or "nothing"
    return f"| `{name}` | `{KNOWN[name].cause}` | {told} | {'✓' if found == [KNOWN[name].cause] else '✗'} |"


HEAD = """# Faults of the sandbox

{count} real failures in the real services, to train on and to test with. What a fault changes is written down before it is
changed; `stackbook sandbox heal` undoes it byte for byte.

```sh
stackbook sandbox faults
stackbook sandbox break mapping-missing
stackbook trace NAME
stackbook sandbox heal
```

| Fault | What is broken | What shows it |
|-|-|-|
{listed}

## What a trace names

Each fault was broken, provoked as above and traced (`tests/diagnosis/test_faults.py`): {right} of {count} named the cause
that was caused, and no other.

| Fault | Caused | Named | |
|-|-|-|-|
{matrix}

Not told apart: a service that is stopped and one whose address in the catalogue is wrong (`endpoint-unreachable`, with the
address). Neutron's log does not say why it refuses a request; a quota is found by asking for what is in use.

This page is made by the test itself: `STACKBOOK_WRITE_DOCS=1 pytest tests/diagnosis/test_faults.py`.
"""
