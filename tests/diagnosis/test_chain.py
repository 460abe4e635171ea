"""From a symptom to its causes: the nearest that explains, never a decoy, and unknown where nothing does."""

from __future__ import annotations

import pytest

from stackbook.errors import BadInput

from .made_up import FOREIGN, OTHER, OTHERS_PORT, PORT, REQUEST, SERVER, Logs, traced


def test_follows_the_relays_to_the_cause(logs: Logs) -> None:
    """The agent's line at its end, on the host concerned, is the cause of a failure that another host tells."""
    logs.add("compute1", "neutron-openvswitch-agent", -60, "ERROR", logs.no_bridge())
    logs.add("controller1", "neutron-server", 7, "WARNING", logs.dead_agent(PORT), REQUEST)
    logs.failed_build()
    found = traced(logs)
    assert [cause.signature for cause in found.causes] == ["neutron-bridge-missing"]
    assert [hit.signature.kind for hit in found.chain] == ["symptom", *["relay"] * (len(found.chain) - 2), "cause"]
    last = found.causes[0].record()["evidence"][0]
    assert (last["host"], last["file"], last["line"]) == ("compute1", "/var/log/neutron/neutron-openvswitch-agent.log", 1)


def test_two_causes_are_both_named(logs: Logs) -> None:
    """Two hosts fail for two reasons: each is named."""
    logs.add("compute1", "neutron-openvswitch-agent", -60, "ERROR", logs.no_bridge())
    logs.failed_build("compute1", 10)
    text = (
        f"Build of instance {SERVER} was re-scheduled: libvirt.libvirtError: Failed to connect socket to '/run/x': No such file"
    )
    logs.add("compute2", "nova-compute", 20, "ERROR", text, REQUEST, SERVER)
    assert {cause.signature for cause in traced(logs).causes} == {"neutron-bridge-missing", "libvirt-broken"}


def test_decoys_are_not_named(logs: Logs) -> None:
    """Known failures of others, on the same hosts at the same time, are not this one's cause."""
    logs.add("controller1", "neutron-server", 5, "WARNING", logs.dead_agent(OTHERS_PORT), FOREIGN)
    logs.add("compute1", "nova-compute", 6, "ERROR", "Insufficient compute resources: no memory", FOREIGN, OTHER)
    logs.add("compute2", "neutron-openvswitch-agent", 6, "ERROR", logs.no_bridge())
    logs.add(
        "controller1", "nova-api", 7, "INFO", "Quota exceeded for cores: Requested 4, but already used 18 of 20 cores", FOREIGN
    )
    logs.failed_build()
    found = traced(logs)
    assert found.causes == []
    assert any("Failed to bind port" in one.text for one in found.unknown)


def test_decoys_beside_the_cause(logs: Logs) -> None:
    """With decoys nearby the right one is still named, and it alone."""
    logs.add("compute1", "neutron-openvswitch-agent", -60, "ERROR", logs.no_bridge())
    logs.add("compute2", "nova-compute", -30, "ERROR", "libvirt.libvirtError: Failed to connect socket to '/run/x'")
    logs.add("compute1", "nova-compute", 9, "ERROR", "Insufficient compute resources: no memory", FOREIGN, OTHER)
    logs.failed_build()
    assert [cause.signature for cause in traced(logs).causes] == ["neutron-bridge-missing"]


def test_a_later_line_is_no_cause(logs: Logs) -> None:
    """What happened only after the failure does not explain it."""
    logs.failed_build()
    logs.add("compute1", "neutron-openvswitch-agent", 33, "ERROR", logs.no_bridge())
    assert traced(logs).causes == []


def test_what_is_over_is_no_cause(logs: Logs) -> None:
    """A failure of the host that had come to an end before does not explain what failed later."""
    logs.add("compute1", "neutron-openvswitch-agent", -60, "ERROR", logs.no_bridge())
    logs.add("compute1", "neutron-openvswitch-agent", -30, "INFO", "Agent initialized successfully, now running... ")
    logs.failed_build()
    assert traced(logs).causes == []


def test_unknown_stays_unknown(logs: Logs) -> None:
    """An error that nobody knows is shown, and no cause is made up."""
    logs.add("compute1", "nova-compute", 10, "ERROR", "The flux compensator of this server is misaligned", REQUEST, SERVER)
    found = traced(logs)
    assert found.causes == []
    assert ["flux compensator" in one.text for one in found.unknown] == [True]
    assert found.record()["unknown"][0]["line"] == 1
    assert "No known cause" in repr(found)


def test_a_request_that_was_refused(logs: Logs) -> None:
    """A refusal logged as information is the cause of what its request asked for."""
    logs.add(
        "controller1", "nova-api", 1, "INFO", "Quota exceeded for cores: Requested 4, but already used 18 of 20 cores", REQUEST
    )
    logs.add("controller1", "nova-api", 2, "INFO", "Can not find requested image", FOREIGN)
    assert [cause.signature for cause in traced(logs, REQUEST).causes] == ["nova-quota"]


def test_requests_that_only_read_are_not_followed(logs: Logs) -> None:
    """The id of a GET that shows the server leads nowhere else."""
    logs.add("controller1", "nova-api", 1, "INFO", f'127.0.0.1 "GET /v2.1/servers/{SERVER}" status: 200', FOREIGN)
    logs.add("controller1", "nova-api", 1, "ERROR", "Corrupt image download. Hash was a expected b", FOREIGN)
    found = traced(logs)
    assert (len(found.events), found.causes) == (1, [])


VOLUME = "a298cb04-7f91-413c-a3a9-9d75f086f6b9"
DASHBOARDS = (
    "[None req-3a8e06d1-0544-4ab3-a2c8-e9967e999997 50e0bc5af33642e9bed88e1c12c6cc92 99c3eb44df5246019eaa56d24d8a35b3 - - - -]"
)
SILENT = "[None None - - - - - -]"


def write(logs: Logs, host: str, service: str, *lines: str) -> None:
    """Lines of a log as they are."""
    place = logs.folder / host / "var" / "log" / service.partition("-")[0] / f"{service}.log"
    place.parent.mkdir(exist_ok=True)
    with place.open("a") as stream:
        stream.write("".join(f"2026-11-23 {line}\n" for line in lines))


def test_a_request_without_a_global_id_is_followed(logs: Logs) -> None:
    """The dashboard sends none: a request that names its user is followed all the same, to lines that name no volume."""
    write(
        logs, "controller1", "cinder-scheduler",
        f"12:00:00.682 7 INFO cinder.scheduler.base_filter {DASHBOARDS} Filtering removed all hosts for the request "
        f"with volume ID '{VOLUME}'. Filter results: CapacityFilter: (start: 0, end: 0)",
        f"12:00:00.683 7 WARNING cinder.scheduler.host_manager {DASHBOARDS} volume service is down. (host: compute1@lvm)",
        f"12:00:00.686 7 ERROR cinder.scheduler.flows.create_volume {DASHBOARDS} Failed to run task "
        "cinder.scheduler.flows.create_volume.ScheduleCreateVolumeTask;volume:create: No valid backend was found",
    )  # fmt: skip
    found = traced(logs, VOLUME)
    assert [event.level for event in found.events] == ["INFO", "WARNING", "ERROR"]
    assert [cause.signature for cause in found.causes] == ["cinder-service-down"]


@pytest.mark.parametrize(
    ("later", "cause"), [("", "cinder-group-missing"), ("Driver initialization completed successfully.", "")]
)
def test_what_was_told_at_a_start_long_ago(logs: Logs, later: str, cause: str) -> None:
    """A service says once, when it starts, why it can't work: that still holds days later, unless a start went well since."""
    test_a_request_without_a_global_id_is_followed(logs)
    said = "Failed to initialize driver.: Stderr: '  Volume group \"pkgosvg0\" not found'"
    write(logs, "compute1", "cinder-volume", f"02:00:00.000 7 ERROR cinder.volume.manager {SILENT} {said}")
    if later:
        write(logs, "compute1", "cinder-volume", f"03:00:00.000 7 INFO cinder.volume.manager {SILENT} {later}")
    found = traced(logs, VOLUME)
    assert [found.signature for found in found.causes] == [cause or "cinder-service-down"]
    assert not cause or "pkgosvg0" in str(found.causes[0].record())


def test_an_id_that_nobody_knows(logs: Logs) -> None:
    """It is bad input, not an empty diagnosis."""
    with pytest.raises(BadInput, match="neither an API nor a log"):
        traced(logs, OTHER)


def test_record_has_the_keys_of_the_contract(logs: Logs) -> None:
    """Scripts rely on these keys."""
    logs.add("compute1", "neutron-openvswitch-agent", -60, "ERROR", logs.no_bridge())
    logs.failed_build()
    record = traced(logs).record()
    assert set(record) == {"subject", "causes", "chain", "events", "unknown", "skipped"}
    assert set(record["causes"][0]) == {"signature", "summary", "confidence", "evidence", "remedy", "runbook"}
    assert set(record["causes"][0]["evidence"][0]) == {"host", "file", "line", "time", "text"}
    assert 0 < record["causes"][0]["confidence"] <= 1
