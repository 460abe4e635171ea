"""Undo of a run that applied several plans, as in a notebook whose cells were edited and run again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackbook.config import SiteSettings
from stackbook.engine import apply, plan, plan_undo
from stackbook.errors import ChangedSince
from stackbook.journal import Run, new_run
from stackbook.plans import Absent
from stackbook.site import Site
from tests.fakes import STORE, FakeThing, keep, things


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty file of things."""
    monkeypatch.setenv(STORE, str(tmp_path / "things.json"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def site(folder: Path) -> Site:
    """A site without a cloud, under a new run."""
    return Site(SiteSettings("fake", "packstack"), new_run("test", "fake", folder))


def applied(run_site: Site, *desired: FakeThing | Absent) -> Run:
    """Plan and apply under the site's run."""
    apply(plan(desired, run_site), run_site, "yes", allow_delete=True)
    return run_site.run


def undone(run: Run, folder: Path) -> None:
    """Undo the run under a run of its own."""
    undoing = site(folder)
    apply(plan_undo(run, undoing), undoing, "yes")


def test_created_then_changed(store: Path) -> None:
    """A thing made and then changed in one run is gone after its undo."""
    run_site = site(store)
    applied(run_site, FakeThing("a", size=1))
    undone(applied(run_site, FakeThing("a", size=2)), store)
    assert things() == {}


def test_changed_by_another_since(store: Path) -> None:
    """What someone else changed after the run's last change is refused, although the run itself changed it twice."""
    run_site = site(store)
    applied(run_site, FakeThing("a", size=1))
    run = applied(run_site, FakeThing("a", size=2))
    keep({"a": {**things()["a"], "size": 3}})
    with pytest.raises(ChangedSince):
        plan_undo(run, site(store))


STEPS = st.lists(
    st.tuples(st.sampled_from("ab"), st.one_of(st.none(), st.integers(1, 3)), st.sampled_from(["red", "blue"])), max_size=6
)


@settings(max_examples=60)
@given(before=STEPS, during=STEPS)
def test_undo_brings_any_start_back(before: list[tuple[str, int | None, str]], during: list[tuple[str, int | None, str]]) -> None:
    """Whatever one run made, changed and removed in however many plans, its undo leaves the things as they were."""
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        keep({})
        for name, size, colour in before:
            applied(site(folder), _wanted(name, size, colour))
        start, run_site = things(), site(folder)
        for name, size, colour in during:
            applied(run_site, _wanted(name, size, colour))
        if any(event["event"] == "started" for event in run_site.run.events()):
            undone(run_site.run, folder)
        assert things() == start


def _wanted(name: str, size: int | None, colour: str) -> FakeThing | Absent:
    return Absent(FakeThing(name)) if size is None else FakeThing(name, size=size, colour=colour)
