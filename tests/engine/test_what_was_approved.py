"""What an approval covers when a run goes on after it was cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackbook.config import SiteSettings
from stackbook.engine import apply, plan
from stackbook.errors import PlanNotApproved, PreflightFailed
from stackbook.journal import new_run
from stackbook.plans import Absent, Resource
from stackbook.site import Site
from tests.fakes import STORE, FakeThing, keep, things


@pytest.fixture
def run_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site without a cloud, under a run in which making a red thing of size 1 was approved, and nothing was done."""
    monkeypatch.setenv(STORE, str(tmp_path / "things.json"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    site = Site(SiteSettings("fake", "packstack"), new_run("test", "fake", tmp_path))
    planned = plan([FakeThing("a", size=1, colour="red")], site)
    site.run.write("approved", digest=planned.digest, by="digest", changes=[change.record() for change in planned.plan])
    return site


def test_the_rest_of_a_creation(run_site: Site) -> None:
    """A thing that was half made when the run was cut off is completed without another approval."""
    keep({"a": {"id": "id-a", "size": 1, "colour": None}})
    apply(plan([FakeThing("a", size=1, colour="red")], run_site), run_site)
    assert things()["a"]["colour"] == "red"


@pytest.mark.parametrize(
    "desired",
    [FakeThing("a", size=1, colour="blue"), FakeThing("b", size=1), Absent(FakeThing("a"))],
    ids=["other value", "other thing", "gone"],
)
def test_nothing_else(run_site: Site, desired: Resource | Absent) -> None:
    """Another value, another thing or a deletion was not approved."""
    keep({"a": {"id": "id-a", "size": 1, "colour": None}})
    with pytest.raises(PlanNotApproved):
        apply(plan([desired], run_site), run_site)


def test_preflight_stops_with_every_reason(run_site: Site) -> None:
    """Approved or not, nothing is made while preflight finds something; each reason is named, up to five."""
    rows = [{"host": f"c{number}", "why": "its agent is down", "note": ""} for number in range(7)]
    with pytest.raises(PreflightFailed) as stopped:
        apply(plan([FakeThing("a", size=1, colour="red")], run_site, preflight=rows), run_site, approve="yes")
    assert things() == {}
    assert stopped.value.what == "preflight found 7 reasons to stop"
    assert stopped.value.found == [*(f"host: c{number}, why: its agent is down" for number in range(5)), "and 2 more"]
    with pytest.raises(PreflightFailed, match=r"found a reason to stop\n  Found: host: c0, why: its agent is down\n"):
        apply(plan([FakeThing("b")], run_site, preflight=rows[:1]), run_site, approve="yes")
