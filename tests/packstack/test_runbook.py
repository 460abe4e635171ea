"""The runbook packstack-answers, on a sandbox host with a file as Packstack writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stackbook import connect, installing
from stackbook.errors import BadInput
from tests.notebooks.conftest import Command, stackbook
from tests.notebooks.test_walk import DONE, undo

from .files import PASSWORD, written

__all__ = ["stackbook"]
AWAITS_APPROVAL, FAILED, BAD_INPUT = 2, 1, 3
PATH = "root/packstack-answers.txt"
OVS = {
    "CONFIG_NEUTRON_L2_AGENT": "openvswitch",
    "CONFIG_NEUTRON_ML2_MECHANISM_DRIVERS": "openvswitch",
    "CONFIG_NEUTRON_ML2_TYPE_DRIVERS": "vxlan,flat",
    "CONFIG_NEUTRON_ML2_TENANT_NETWORK_TYPES": "vxlan",
}


@pytest.fixture
def file(sandbox: Path) -> Iterator[Path]:
    """The answer file in the home of the controller's root, as a fresh installation for trials has it."""
    path = sandbox / "hosts/controller1" / PATH
    path.parent.mkdir(exist_ok=True)
    path.write_text(written())
    path.chmod(0o600)
    yield path
    path.unlink()


def test_walk(stackbook: Command, file: Path, workspace: Path) -> None:
    """Planned, refused, applied, proved, idempotent, undone to the byte; no file of the runs holds a password."""
    before = file.read_bytes()
    code, planned = stackbook("run", "packstack-answers")
    assert (code, planned["status"], planned["done"]) == (AWAITS_APPROVAL, "planned", 0), planned["error"]
    (change,) = planned["changes"]
    assert change["fields"]["options"]["after"]["CONFIG_NEUTRON_OVN_BRIDGE_IFACES"] == "br-ex:eno2"
    assert stackbook("run", "packstack-answers", "--approve", "p-00000000")[0] == AWAITS_APPROVAL
    assert file.read_bytes() == before
    code, applied = stackbook("run", "packstack-answers", "--approve", planned["digest"])
    assert (code, applied["status"]) == (DONE, "applied"), applied["error"]
    assert b"\nCONFIG_PROVISION_DEMO=n\n" in file.read_bytes()
    code, again = stackbook("run", "packstack-answers")
    assert (code, again["changes"]) == (DONE, []), again["error"]
    undo(stackbook, applied["run"])
    assert file.read_bytes() == before
    assert [path for path in workspace.rglob("runs/**/*") if path.is_file() and PASSWORD.encode() in path.read_bytes()] == []


def test_errors_that_the_edit_does_not_cure(stackbook: Command, file: Path) -> None:
    """With an option that no release knows the plan is shown and apply refuses; nothing is changed."""
    file.write_text(written(changed={**OVS, "CONFIG_PROVISON_DEMO": "n"}))
    before = file.read_bytes()
    code, record = stackbook("run", "packstack-answers", "--yes")
    assert (code, record["error"]["type"]) == (FAILED, "PreflightFailed")
    assert "CONFIG_PROVISION_DEMO" in str(record["error"])
    assert file.read_bytes() == before


def test_no_file(stackbook: Command, sandbox: Path) -> None:
    """Without the file the run is refused as bad input, with the command that writes one."""
    code, record = stackbook("run", "packstack-answers", "-p", "file=controller1:/root/none.txt")
    assert code == BAD_INPUT
    assert "--gen-answer-file" in record["error"]["hint"]


def test_tables(file: Path, workspace: Path) -> None:
    """What was chosen, what differs from a release and from another file, and what is not ready on the host."""
    site = connect("sandbox", runbook="test")
    answers = installing.read_answers(site, "controller1", f"/{PATH}")
    assert list(installing.chosen(answers)) in ([], ["option", "answer", "default"])
    assert "CONFIG_SAHARA_INSTALL" in list(installing.compared(site, "controller1", answers, "queens")["option"])
    assert len(installing.compared(site, "controller1", answers, f"/{PATH}")) == 0
    assert list(installing.compared(site, "controller1", answers, "queens..2025.1")) == ["option", "queens", "2025.1"]
    with pytest.raises(BadInput, match="juno"):
        installing.compared(site, "controller1", answers, "juno")
    file.chmod(0o644)
    rows = {row["check"]: row["found"] for row in installing.readiness(site, "controller1", f"/{PATH}")}
    assert rows[f"/{PATH}"] == "mode 0644"
