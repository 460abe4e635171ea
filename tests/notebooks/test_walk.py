"""Every runbook, walked by the command: plan, refuse, apply, verify, empty plan, undo, start state."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stackbook.resources.inventory import collect
from stackbook.site import Site

from .cases import CASES, NOTHING_TO_UNDO, NOW, READ_ONLY, WITH_FILES
from .conftest import Command

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
KINDS = ("networks", "subnets", "ports", "projects", "users", "volumes", "servers", "images", "flavors", "security_groups")
DONE, AWAITS_APPROVAL = 0, 2


def options(values: dict[str, str]) -> list[str]:
    """Parameters as the command takes them."""
    told = {NOW: datetime.now(UTC).isoformat()}
    return [word for name, value in values.items() for word in ("-p", f"{name}={told.get(value, value)}")]


def state(site: Site, home: Path) -> dict[str, Any]:
    """What a person would compare: names in the cloud, every byte below the hosts' /etc, and their bridges."""
    names = {kind: sorted(str(row.get("name")) for row in rows) for kind, rows in collect(site, KINDS).items()}
    files = {str(path): path.read_bytes() for path in sorted(home.glob("hosts/*/etc/**/*")) if path.is_file()}
    return {"cloud": names, "hosts": files, "bridges": [_bridges(root) for root in sorted(home.glob("hosts/*"))]}


def _bridges(root: Path) -> str:
    """What Open vSwitch of a host shows, without its id."""
    shown = subprocess.run([root / "usr/bin/ovs-vsctl", "show"], capture_output=True, text=True, timeout=30, check=True)
    return shown.stdout.partition("\n")[2]


def test_every_runbook_has_its_case() -> None:
    """A runbook without a case would not be tested."""
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == {*CASES, *WITH_FILES, *READ_ONLY, "first-server", "undo"}


def test_walk(stackbook: Command, site: Site, sandbox: Path, workspace: Path) -> None:
    """Each runbook in turn is planned, refused, applied, proved and idempotent; undone in reverse order, all is as before."""
    before = state(site, sandbox)
    made = {name: walk(stackbook, name, values) for name, values in CASES.items()}
    nbval(workspace)
    for name, run in reversed(made.items()):
        undo(stackbook, run, lasting=name in NOTHING_TO_UNDO)
    assert state(site, sandbox) == before


def test_from_packstack_to_the_first_server(stackbook: Command, site: Site, sandbox: Path) -> None:
    """One plan from the disk to the server, on a sandbox as Packstack leaves it; proved, repeated, undone to the byte."""
    before = state(site, sandbox)
    run = walk(stackbook, "first-server", {})
    (server,) = [row for row in collect(site, ["servers"])["servers"] if row["name"] == "first"]
    assert server["status"] == "ACTIVE"
    assert "192.0.2.50" in str(server["addresses"])
    undo(stackbook, run)
    assert state(site, sandbox) == before


def walk(stackbook: Command, name: str, values: dict[str, str]) -> str:
    """One runbook, forwards; the name of the run that applied it."""
    words = ["run", name, *options(values)]
    code, planned = stackbook(*words)
    assert (code, planned["status"], planned["done"]) == (AWAITS_APPROVAL, "planned", 0), planned["error"]
    assert planned["digest"].startswith("p-")
    assert planned["changes"]
    code, refused = stackbook(*words, "--approve", "p-00000000")
    assert (code, refused["status"], refused["done"]) == (AWAITS_APPROVAL, "planned", 0)
    assert refused["digest"] == planned["digest"], "the same plan has the same digest"
    code, applied = stackbook(*words, "--approve", planned["digest"])
    assert (code, applied["status"], applied["done"]) == (DONE, "applied", len(planned["changes"])), applied["error"]
    code, again = stackbook(*words)
    assert (code, again["status"], again["changes"]) == (DONE, "unchanged", []), again["error"]
    return str(applied["run"])


def undo(stackbook: Command, run: str, *, lasting: bool = False) -> None:
    """A run taken back: shown first, then approved; a second undo has nothing to do, nor has the first of a `lasting` one."""
    if not lasting:
        code, planned = stackbook("undo", run)
        assert (code, planned["status"]) == (AWAITS_APPROVAL, "planned"), planned["error"]
        code, undone = stackbook("undo", run, "--approve", planned["digest"])
        assert (code, undone["status"]) == (DONE, "undone"), undone["error"]
    code, nothing = stackbook("undo", run)
    assert (code, nothing["changes"]) == (DONE, []), nothing["error"]


def nbval(workspace: Path) -> None:
    """With their defaults applied, all notebooks pass under nbval: every plan is empty, every proof holds."""
    copies = shutil.copytree(NOTEBOOKS, workspace / "notebooks")
    books = [str(copies / f"{name}.ipynb") for name in (*CASES, *READ_ONLY)]
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "no:cacheprovider", "--rootdir", str(workspace), *books]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", READ_ONLY)
def test_read_only(stackbook: Command, name: str) -> None:
    """A runbook that changes nothing ends well and says so."""
    code, record = stackbook("run", name)
    assert (code, record["status"], record["changes"]) == (DONE, "unchanged", []), record["error"]
