"""Tempest's smoke tests pass on the sandbox, and leave nothing there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SANDBOX
from tests.tempest import session
from tests.tempest.stream import Counts, parse

Cloud = Any

AT_LEAST = 80
"""How many smoke tests there are to run, some releases more or less."""


def _left(cloud: Cloud) -> set[str]:
    """Names of what Tempest left behind."""
    found = (
        cloud.identity.projects(), cloud.identity.users(), cloud.compute.servers(all_projects=True), cloud.compute.flavors(),
        cloud.image.images(), cloud.network.networks(), cloud.network.routers(), cloud.network.security_groups(),
        cloud.block_storage.volumes(all_projects=True), cloud.block_storage.types(),
    )  # fmt: skip
    return {one.name for things in found for one in things if "tempest" in (one.name or "")}


@pytest.fixture(scope="module")
def counts(sandbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Counts:
    """What came of the smoke tests; Tempest's own words are in ``run.log`` of the folder that is printed."""
    folder = tmp_path_factory.mktemp("tempest")
    print(f"Tempest's logs: {folder}")
    with session.opened(folder, SANDBOX) as opened:
        return opened.run(session.SMOKE, lambda result: print(f"{result.outcome:8}{result.name}"))


def test_smoke_set_passes_whole(counts: Counts) -> None:
    """Every smoke test that runs passes."""
    assert counts.failed == []
    assert counts.of("ok") >= AT_LEAST


def test_nothing_is_left(counts: Counts, cloud: Cloud) -> None:
    """The projects, users, networks and what else the tests made are gone."""
    assert _left(cloud) == set()


@pytest.mark.parametrize("line", session.EXCLUDED.read_text().splitlines())
def test_each_exclusion_has_its_reason(line: str) -> None:
    """A line of the list of what is not run holds an expression and, after ``#``, why."""
    expression, _, reason = line.partition("#")
    assert reason.strip()
    assert not expression or expression.strip()


def test_lines_of_stestr_are_read() -> None:
    """Results, seconds, services and reasons are told from the lines that stestr prints."""
    passed = parse("{1} tempest.api.volume.test_versions.VersionsTest.test_list_versions [0.03s] ... ok")
    skipped = parse("{0} setUpClass (tempest.api.compute.test_x.XTest) ... SKIPPED: no such feature")
    assert passed and (passed.outcome, passed.service, passed.seconds) == ("ok", "volume", 0.03)
    assert skipped and (skipped.outcome, skipped.service, skipped.reason) == ("SKIPPED", "compute", "no such feature")
    assert parse("Ran 3 tests in 1.2s") is None
