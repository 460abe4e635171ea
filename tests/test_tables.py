"""Surveys, preflight, and the proof that nothing else changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackbook.errors import BadInput, ProofFailed, Refused
from stackbook.plans import Change, Plan
from stackbook.render.columns import told
from stackbook.render.redact import Redactor
from stackbook.tables import Survey, preflight, survey, untouched
from stackbook.tables.differences import differences
from stackbook.tables.explained import explained, plural

Rows = list[dict[str, Any]]
NET, OTHER, PORT, SERVER, PROJECT = (f"{n}c5f2b1e-1d8a-4f8e-9d1d-3f4f5a6b7c8d" for n in range(1, 6))
NOTHING = Plan("lab")


def left(before: dict[str, Rows], after: dict[str, Rows], plan: Plan = NOTHING, *events: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Kind, name, what and field of what `plan` does not explain."""
    rows = differences(before, after, explained(plan, events, before, after))
    return [(row["kind"], row["name"], row["what"], row.get("field")) for row in rows]


def network(**more: Any) -> dict[str, Any]:
    """A network's row."""
    return {
        "id": NET,
        "name": "a",
        "mtu": 1500,
        "status": "ACTIVE",
        "subnets": [],
        "updated_at": "1",
        "project_id": PROJECT,
        **more,
    }


def create(kind: str, name: str, **after: Any) -> Change:
    """A creation."""
    return Change("create", {"kind": kind, "name": name, **after}, f"{kind}/{name}", {}, after)


def done(address: str, id: str) -> dict[str, Any]:
    """The journal's line of a change that was made."""
    return {"event": "done", "address": address, "memo": {"id": id}}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ([network()], []),
        ([network(mtu=9000)], [("networks", "a", "changed", "mtu")]),
        ([], [("networks", "a", "removed", None)]),
        ([network(), network(id=OTHER, name="b")], [("networks", "b", "added", None)]),
        ([network(updated_at="2", revision_number=7, ports_count=3)], []),
        ([network(status="DOWN")], [("networks", "a", "changed", "status")]),
        ([network(status="BUILD")], []),
        ([network(subnets=[OTHER])], [("networks", "a", "changed", "subnets")]),
        ([network(description="")], []),
        ([network(description="x")], [("networks", "a", "changed", "description")]),
    ],
)
def test_without_a_plan_every_setting_counts(after: Rows, expected: list[tuple[Any, ...]]) -> None:
    """Settings, rows that came and went, and states that got worse; no times, counters, or other states."""
    assert left({"networks": [network()]}, {"networks": after}) == expected


def test_what_the_plan_made_is_explained_and_what_refers_to_it() -> None:
    """A new server, its port, its volume and the addresses of its other port follow from the plan; a stranger does not."""
    plan = Plan("lab", (create("server", "web", network=NET),))
    before: dict[str, Rows] = {"servers": [], "ports": [], "volumes": [{"id": OTHER, "status": "available", "attachments": []}]}
    after: dict[str, Rows] = {
        "servers": [{"id": SERVER, "name": "web"}],
        "ports": [
            {"id": PORT, "name": "", "device_id": SERVER, "network_id": NET},
            {"id": "x", "name": "stranger", "network_id": NET},
        ],
        "volumes": [{"id": OTHER, "status": "in-use", "attachments": [{"server_id": SERVER, "device": "/dev/vda"}]}],
    }
    assert left(before, after, plan, done("server/web", SERVER)) == [("ports", "stranger", "added", None)]


def test_an_id_that_a_resource_only_names_explains_nothing() -> None:
    """A port planned in a network and a project does not excuse another port that is gone from both."""
    plan = Plan("lab", (create("port", "p", network=NET, project=PROJECT),))
    gone = {"id": OTHER, "name": "q", "network_id": NET, "project_id": PROJECT}
    assert left({"ports": [gone]}, {"ports": []}, plan, done("port/p", PORT)) == [("ports", "q", "removed", None)]


def test_a_name_explains_only_what_has_no_id() -> None:
    """Two networks may have one name: the one that the plan did not make is no part of it."""
    plan = Plan("lab", (create("network", "a"),))
    twin = network(id=OTHER)
    assert left({"networks": []}, {"networks": [network(), twin]}, plan, done("network/a", NET)) == [
        ("networks", "a", "added", None)
    ]
    assert left({"networks": []}, {"networks": [network()]}, plan) == []


def test_a_quota_does_not_explain_its_project() -> None:
    """A quota's change carries the project's id, and excuses nothing of the project."""
    quota = Change("update", {"kind": "quota", "project": "p"}, "quota/p", {"cores": 1}, {"cores": 2}, id=PROJECT)
    project = {"id": PROJECT, "name": "p", "enabled": True}
    found = left({"projects": [project]}, {"projects": [{**project, "enabled": False}]}, Plan("lab", (quota,)))
    assert found == [("projects", "p", "changed", "enabled")]


def test_a_new_subnet_shows_in_its_network_and_brings_a_dhcp_port() -> None:
    """The network's list of subnets, where it is scheduled, and the port that serves the subnet follow from it."""
    plan = Plan("lab", (create("subnet", "s", network="a"),))
    before: dict[str, Rows] = {"networks": [network()], "ports": []}
    port = {
        "id": PORT,
        "device_owner": "network:dhcp",
        "network_id": NET,
        "fixed_ips": [{"subnet_id": OTHER, "ip_address": "192.0.2.2"}],
    }
    after = {"networks": [network(subnets=[OTHER], availability_zones=["nova"])], "ports": [port]}
    assert left(before, after, plan, done("subnet/s", OTHER)) == []


def test_agents_of_a_changed_host_may_change_others_may_not() -> None:
    """A mapping set on one host explains what its agent reports, and a dead agent of another host stays a row."""
    option = {"kind": "ini-option", "host": "compute1"}
    plan = Plan("lab", (Change("update", option, "compute1:/etc/x [ovs] bridge_mappings", {"value": None}, {"value": "a:b"}),))
    agents = [
        {"id": host, "host": host, "alive": True, "configurations": {"bridge_mappings": {}, "devices": 1}}
        for host in ("compute1", "compute2")
    ]
    changed = [{**agent, "alive": False, "configurations": {"bridge_mappings": {"a": "b"}, "devices": 9}} for agent in agents]
    found = left({"agents": agents}, {"agents": changed}, plan)
    assert found == [("agents", "compute2", "changed", "alive"), ("agents", "compute2", "changed", "configurations")]


def test_an_agent_that_reports_for_the_first_time() -> None:
    """On a host of the plan it is a consequence: the plan mended it. Elsewhere, or when one is gone, it is a named row."""
    service = {"kind": "service", "host": "compute1", "name": "neutron-openvswitch-agent"}
    plan = Plan("lab", (Change("update", service, "service/compute1/x", {"fresh": False}, {"fresh": True}),))
    agents = [{"id": f"a{host[-1]}", "binary": "neutron-openvswitch-agent", "host": host} for host in ("compute1", "compute2")]
    assert left({"agents": []}, {"agents": agents}, plan) == [("agents", "neutron-openvswitch-agent on compute2", "added", None)]
    assert len(left({"agents": agents}, {"agents": []}, plan)) == 2


def test_rows_without_an_id_are_found_again() -> None:
    """A service without an id is the same one after its times changed."""
    service = {"service": "volume", "binary": "cinder-volume", "host": "c", "updated_at": "1", "status": "enabled"}
    assert left({"services": [service]}, {"services": [{**service, "updated_at": "2"}]}) == []
    assert left({"services": [service]}, {"services": [{**service, "disabled_reason": "x"}]})


FIELDS = st.sampled_from(["name", "mtu", "status", "links", "list", "OS-EXT-STS:vm_state"])


@settings(max_examples=60)
@given(rows=st.lists(st.dictionaries(FIELDS, st.text(max_size=3) | st.lists(st.integers()) | st.none())))
def test_a_survey_does_not_differ_from_itself(rows: Rows) -> None:
    """Whatever the rows are, nothing changed between a survey and itself, whichever order lists come in."""
    listed = [{"id": str(number), **row} for number, row in enumerate(rows)]
    turned = [{name: value[::-1] if isinstance(value, list) else value for name, value in row.items()} for row in listed]
    assert left({"x": listed}, {"x": turned[::-1]}) == []


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("network", "networks"), ("security-group", "security_groups"), ("floating-ip", "floating_ips"), ("policy", "policies")],
)
def test_kinds_are_surveyed_under_their_plural(kind: str, expected: str) -> None:
    """The plan's kinds and the survey's kinds meet."""
    assert plural(kind) == expected


class FakeRun:
    """A run that keeps its events in memory."""

    def __init__(self) -> None:
        self.written: Rows = []
        self.files: dict[str, Any] = {}

    @property
    def resumed(self) -> bool:
        """Whether an event says so."""
        return any(event["event"] == "resumed" for event in self.written)

    def keep(self, name: str, value: Any) -> None:
        """Keep a file."""
        self.files[name] = value

    def kept(self, name: str) -> Any:
        """A file that was kept."""
        return self.files.get(name)

    def events(self) -> Rows:
        """The events so far."""
        return self.written

    def write(self, event: str, **details: Any) -> None:
        """Keep an event."""
        self.written.append({"event": event, **details})


class FakeSite:
    """A site whose inventory is a mapping."""

    def __init__(self, rows: dict[str, Rows]) -> None:
        self.rows, self.run, self.redactor = rows, FakeRun(), Redactor()


class FakePlanned:
    """A plan as `plan` returns it."""

    plan = NOTHING


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Rows]], Any]:
    """Makes a site with given rows."""
    monkeypatch.setattr(
        "stackbook.resources.inventory.collect", lambda site, kinds, say: {kind: site.rows[kind] for kind in kinds}
    )
    return FakeSite


def test_untouched_records_and_holds(site: Callable[[dict[str, Rows]], Any]) -> None:
    """Rows are written to the journal either way; with rows the proof does not hold."""
    before = Survey({"networks": [network()]})
    same, other = site({"networks": [network()]}), site({"networks": [network(mtu=9000)]})
    assert untouched(before, same, FakePlanned()) == []  # type: ignore[arg-type]
    assert same.run.written == [{"event": "untouched", "rows": []}]
    with pytest.raises(ProofFailed, match="nothing else changed"):
        untouched(before, other, FakePlanned())  # type: ignore[arg-type]
    row = {"kind": "networks", "name": "a", "id": NET, "what": "changed", "field": "mtu", "before": 1500, "after": 9000}
    assert other.run.written == [{"event": "untouched", "rows": [row]}]


def test_a_resumed_run_is_compared_with_its_beginning(site: Callable[[dict[str, Rows]], Any]) -> None:
    """What an earlier attempt changed is explained by what was approved then; what else changed since is not lost."""
    lab = site({"networks": [network()]})
    survey(lab, "networks")
    made = create("network", "b")
    lab.run.write("approved", changes=[made.record()])
    lab.run.write("done", address=made.address, memo={"id": OTHER})
    lab.rows = {"networks": [network(), network(id=OTHER, name="b"), network(id=PORT, name="stranger")]}
    lab.run.write("resumed")
    again = survey(lab, "networks")
    assert len(again["networks"]) == 3
    with pytest.raises(ProofFailed):
        untouched(again, lab, FakePlanned())  # type: ignore[arg-type]
    assert [row["name"] for row in lab.run.written[-1]["rows"]] == ["stranger"]


def test_preflight_gathers_and_does_not_raise() -> None:
    """Rows of all checks in one order of columns; a refusal is a row; no rows are a green line."""

    class Check:
        def __iter__(self) -> Iterator[dict[str, Any]]:
            raise Refused("network/a is ambiguous", found=["1", "2"], hint="name its project")

        def me(self) -> Self:
            return self

    rows = preflight([{"found": 1, "check": "a", "more": "x"}], iter([{"check": "b"}]), Check().me())
    assert list(rows[0]) == ["check", "found", "expected", "hint", "more"]
    assert rows[1] == {"check": "b", "found": "", "expected": "", "hint": ""}
    assert rows[2]["found"] == "network/a is ambiguous" and rows[2]["hint"] == "name its project"
    assert preflight([], []).claim == "nothing in the way" and not preflight([], [])


def test_surveys_are_mappings_of_frames() -> None:
    """A kind is a DataFrame, several kinds are a survey, an unknown kind says what there is."""
    found = Survey({"networks": [network()], "ports": []})
    assert list(found) == ["networks", "ports"] and len(found["networks"]) == 1 and found["networks"].mtu[0] == 1500
    assert list(found["ports", "networks"]) == ["ports", "networks"]
    with pytest.raises(BadInput, match="surveyed: networks, ports"):
        found["servers"]
    assert "networks (1)" in repr(found) and "<b>ports</b>" in found._repr_html_()


def test_structures_read_as_one_line() -> None:
    """Addresses, attachments and mappings of the APIs read as people write them; other shapes are shown as they are."""
    server = {
        "name": "w",
        "addresses": {"a": [{"addr": "10.0.0.5"}]},
        "OS-EXT-SRV-ATTR:host": "c1",
        "flavor": {"original_name": "m1.tiny"},
    }
    assert told("servers", [server])[0] == [{"name": "w", "addresses": "a 10.0.0.5", "host": "c1", "flavor": "m1.tiny"}]
    assert told("servers", [{"name": "w", "addresses": 7}])[0] == [{"name": "w", "addresses": 7}]
    assert told("pools", [{"unavailable": "403"}])[0] == [{"unavailable": "403"}]
    assert told("strange", [{"b": 1, "id": "x", "links": [1]}]) == ([{"id": "x", "b": 1}], 1)


def test_what_an_api_leaves_empty_is_blank() -> None:
    """An empty text of an API is nothing set, and reads so; a number of zero is a number."""
    ports: list[dict[str, object]] = [
        {"name": "", "id": "1", "device_owner": "compute:nova"},
        {"name": "p", "id": "2", "device_owner": ""},
    ]
    assert told("ports", ports)[0] == [
        {"name": None, "id": "1", "device_owner": "compute:nova"},
        {"name": "p", "id": "2", "device_owner": None},
    ]
    assert told("networks", [{"name": "n", "mtu": 0}])[0] == [{"name": "n", "mtu": 0}]
