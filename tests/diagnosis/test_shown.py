"""How a diagnosis is shown: raw lines, table, chain and timeline, in a terminal and in a notebook."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from stackbook.errors import Refused
from stackbook.journal import new_run
from stackbook.logs.diagnose import diagnose
from stackbook.logs.diagnosis import Diagnosis
from stackbook.logs.shown import diagnosis_text
from stackbook.pictures import chain, timeline
from stackbook.troubleshooting import Diagnoses, run_told

from .made_up import FOREIGN, SERVER, Logs, made_up, traced


@pytest.fixture
def found(logs: Logs) -> Diagnosis:
    """A failure with a known cause, and a question about it an hour later."""
    logs.add("compute1", "neutron-openvswitch-agent", -60, "ERROR", logs.no_bridge())
    logs.failed_build()
    logs.add("controller1", "nova-api", 3600, "INFO", f'"GET /v2.1/servers/{SERVER}" status: 200', FOREIGN)
    return traced(logs)


def texts(svg: str) -> str:
    """All words of a picture."""
    return " ".join(ET.fromstring(svg).itertext())


def test_in_a_terminal(found: Diagnosis) -> None:
    """The lines in order, the chain with file and line, the cause, the remedy."""
    told = diagnosis_text(found)
    assert "Timeline" in told
    assert "Failed to bind port" in told
    assert "Cause: " in told
    assert "└─ compute1:/var/log/neutron/neutron-openvswitch-agent.log:1  Bridge br-ex" in told
    assert "Remedy" in told


def test_in_a_notebook(found: Diagnosis, logs: Logs) -> None:
    """The same as tables, as raw lines and as pictures."""
    shown = Diagnoses([found], made_up(logs))
    assert [row["level"] for row in shown.rows()] == ["error"]
    assert list(shown.evidence["step"])[-1] == "neutron-bridge-missing"
    assert list(shown.evidence["line"])[-1] == "1"
    assert "compute1:/var/log/nova/nova-compute.log:" in shown.lines
    assert "ERROR nova.compute Build of instance" in shown.lines
    (way,), (time,) = shown.chains, shown.timelines
    assert "cause: neutron-bridge-missing" in texts(way.svg)
    assert "nova-compute on compute1" in texts(time.svg)


def test_pictures_leave_out_what_came_later(found: Diagnosis) -> None:
    """The lane of nova-api, which was only asked about the failure, does not stretch the timeline."""
    assert "nova-api" not in texts(timeline(found).svg)
    assert texts(chain(found).svg).startswith("symptom")


def test_a_run_that_failed_tells_it_first(logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the run said itself heads its trace, also where no log adds anything; one that ended well has no such words."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stackbook.toml").touch()
    error = Refused("server/web: port 'web-port' is attached already", found=["server a"], hint="detach it first")
    failed, good = (new_run(name, "made-up", tmp_path / "runs") for name in ("server-from-volume", "inventory"))
    for run, end in ((failed, {"status": "failed", "error": error.record()}), (good, {"status": "unchanged", "error": None})):
        run.begin()
        run.write("end", **end)
    site = made_up(logs)
    found = diagnose(site, "last", run=run_told(failed.id), ask=False)
    told = diagnosis_text(found)
    assert told.startswith(
        f"run server-from-volume {failed.id}  failed\n"
        "  Refused: server/web: port 'web-port' is attached already: server a\n  Try: detach it first\n"
    )
    assert "the logs add nothing to what the run said itself" in told and "Nothing wrong" not in told
    (row,) = Diagnoses([found], site).rows()
    assert (row["level"], row["hint"]) == ("error", "detach it first")
    well = diagnose(site, "last", run=run_told(good.id), ask=False)
    assert diagnosis_text(well).startswith(f"run inventory {good.id}  unchanged\n\n")
    assert Diagnoses([well], site).rows() == []
    assert run_told("nothing-like-it") is None


def test_a_run_that_an_api_failed_leads_to_its_cause(logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run says itself is where its trace begins: here a worker of the API that could not load its application."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stackbook.toml").touch()
    failed = new_run("provider-vlan", "made-up", tmp_path / "runs")
    failed.begin()
    what = "500: Server Error for url: http://10.9.0.2:8774/v2.1/os-services, Internal Server Error"
    failed.write("end", status="failed", error={"type": "HttpException", "what": what, "found": None, "hint": None})
    stamp = datetime.now(UTC).astimezone().strftime("%a %b %d %H:%M:%S %Y")
    request = (
        f"10.9.0.1 () {{36 vars in 790 bytes}} [{stamp}] GET /v2.1/os-services => generated 21 bytes in 0 msecs (HTTP/1.1 500)"
    )
    logs.add("controller1", "nova-api", 0, "INFO", "an older record")
    with (logs.folder / "controller1/var/log/nova/nova-api.log").open("a") as stream:
        stream.write(f"[pid: 2537|app: -1|req: -1/35] {request} (HTTP/1.1 500) 2 headers in 83 bytes (0 switches on core 0)\n")
    found = diagnose(made_up(logs), "last", run=run_told(failed.id), ask=False)
    (cause,) = found.causes
    assert cause.signature == "wsgi-app-missing"
    assert "HTTP 500 to GET /v2.1/os-services" in diagnosis_text(found)
    assert diagnosis_text(found).count("the run itself") == 1
