"""One runbook on many sites, each a process of its own; sites without a cloud, whose things lie in one file."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stackbook.runbook import history
from stackbook.runbook.fleet import exit_code
from tests.runbook.conftest import Command
from tests.runbook.test_stopping import until

DONE, FAILED, AWAITS, BAD_INPUT = 0, 1, 2, 3
SITES = ("north", "south", "west")
Fleet = Callable[..., tuple[int, dict[str, dict[str, Any]]]]


@pytest.fixture
def fleet(stackbook: Command, books: Path) -> Fleet:
    """Runs ``stackbook fleet run at-sites WORDS --json``; its exit code and the records by site."""
    (books / "stackbook.toml").write_text("".join(f'[sites.{name}]\nlayout = "debian"\ncloud = "none"\n' for name in SITES))

    def run(*words: str) -> tuple[int, dict[str, dict[str, Any]]]:
        done = stackbook("fleet", "run", "at-sites", *words, "--json")
        assert done.stdout, done.stderr
        told = json.loads(done.stdout)
        return done.returncode, {record["site"]: record for record in told.get("sites", [])}

    return run


def statuses(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Site to status, in the order told."""
    return {site: record["status"] for site, record in found.items()}


def test_planned_approved_repeated(fleet: Fleet, things: Callable[[], dict[str, Any]]) -> None:
    """Without approval all are planned; one approved changes that site alone; all approved, again there is nothing to do."""
    code, planned = fleet("--sites", "north,south", "--sites", "west")
    assert (code, statuses(planned)) == (AWAITS, dict.fromkeys(SITES, "planned"))
    digests = {site: record["digest"] for site, record in planned.items()}
    assert len(set(digests.values())) == 3 and things() == {}
    code, found = fleet("--sites", "all", "--approve", digests["south"])
    assert (code, statuses(found)) == (AWAITS, {"north": "planned", "south": "applied", "west": "planned"})
    assert set(things()) == {"south-0", "south-1"}
    code, found = fleet("--sites", "all", "--approve", digests["north"], "--approve", digests["west"])
    assert (code, statuses(found)) == (DONE, {"north": "applied", "south": "unchanged", "west": "applied"})
    assert len(things()) == 6
    code, found = fleet("--sites", "all", "--yes")
    assert (code, statuses(found)) == (DONE, dict.fromkeys(SITES, "unchanged"))


def test_an_approval_that_is_no_sites_plan(fleet: Fleet, stackbook: Command, things: Callable[[], dict[str, Any]]) -> None:
    """Refused before anything is changed, with the plans that there are; as is a site that nobody knows."""
    _, planned = fleet("--sites", "all")
    done = stackbook("fleet", "run", "at-sites", "--sites", "all", "--approve", planned["north"]["digest"], "--approve", "p-0")
    assert done.returncode == BAD_INPUT
    assert "p-0 is no site's plan" in done.stderr and planned["west"]["digest"] in done.stderr
    for sites, said in (("north,nowhere", "'nowhere' is not known"), (",", "no site is named")):
        done = stackbook("fleet", "run", "at-sites", "--sites", sites)
        assert (done.returncode, said in done.stderr) == (BAD_INPUT, True), done.stderr
    assert things() == {}


def test_after_a_failure_no_other_site_is_begun(fleet: Fleet, things: Callable[[], dict[str, Any]]) -> None:
    """The sites before it are changed, it tells why, those after it are as they were."""
    code, found = fleet("--sites", "north,south,west", "--yes", "-p", "failing=south")
    assert code == FAILED
    assert statuses(found) == {"north": "applied", "south": "failed", "west": "not started"}
    assert "it does not work here" in str(found["south"]["error"])
    assert {name.partition("-")[0] for name in things()} == {"north", "south"}


def test_as_a_person_sees_it(fleet: Fleet, stackbook: Command) -> None:
    """Each line of progress names its site; a table; the command that approves what was read, which then works as printed."""
    done = stackbook("fleet", "run", "at-sites", "-p", "count=1", "--sites", "north,west")
    assert done.returncode == AWAITS
    assert "north: Plan … " in done.stderr and "west: Plan … " in done.stderr
    for plan in done.stderr.split("── ")[1:]:
        assert f"fake_thing/{plan.split()[0]}-0" in plan
    assert [line.split()[:2] for line in done.stdout.splitlines() if line.strip().startswith(("north", "west"))] == [
        ["north", "planned"],
        ["west", "planned"],
    ]
    (line,) = [line for line in done.stdout.splitlines() if "Read the plans above" in line]
    words = line.partition("stackbook ")[2].split()
    assert stackbook(*words).returncode == DONE


def test_a_signal_stops_the_run_that_goes_on(fleet: Fleet, books: Path, things: Callable[[], dict[str, Any]]) -> None:
    """The site that is being changed is stopped with a true record; the next is not begun."""
    words = ["fleet", "run", "at-sites", "-p", "slow=0.5", "-p", "count=20", "--sites", "north,south", "--yes", "--json"]
    process = subprocess.Popen([sys.executable, "-m", "stackbook", *words], stdout=subprocess.PIPE, text=True)
    until(lambda: len(things()) >= 2, "change")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    found = {record["site"]: record for record in json.loads(out)["sites"]}
    assert statuses(found) == {"north": "interrupted", "south": "not started"}
    assert found["north"]["done"] == sum(name.startswith("north") for name in things()) < 20
    assert len(history.folders()) == 3, "two plans, and one run that was stopped"


@pytest.mark.parametrize(
    ("codes", "worst"), [([0, 0], 0), ([0, 2], 2), ([2, 3], 3), ([3, 1], 1), ([1, 130], 130), ([0, 9], 9), ([], 0)]
)
def test_the_exit_code_is_that_of_the_worst(codes: list[int], worst: int) -> None:
    """A site that failed is not hidden by one that went well."""
    assert exit_code([{"status": "", "exit_code": code} for code in codes]) == worst
