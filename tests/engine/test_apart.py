"""Groups that stand apart: one that fails is left out, the others are made, and the end tells what failed and why."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackbook import apply, plan
from stackbook.errors import CloudFailed
from stackbook.plans import Change, Values
from stackbook.runbook.record import record
from stackbook.site import Site
from tests.fakes import STORE, FakeThing, keep, things

from .test_ahead import FakeParcel, opened  # noqa: F401 - a fixture


@dataclass(frozen=True)
class FakeFragile(FakeThing):
    """A thing that can't be made while it is brittle, which the plan does not show."""

    kind = "fake_fragile"
    hidden = frozenset({"slow", "brittle"})
    brittle: bool | None = None

    def create(self, site: Site, change: Change) -> Values:
        """Break, or write it to the file."""
        if self.brittle:
            raise CloudFailed(f"{self.address}: it broke", found="a crack", hint="glue it")
        return super().create(site, change)


def test_the_others_are_made(opened: Site, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    """What follows in its group is not tried; the error names the group and its cause; the record tells each state."""
    wanted = [FakeFragile(name=name, brittle=name == "b1") for name in ("a1", "b1", "b2", "c1", "shared")]
    groups = {name: [f"fake_fragile/{name}{number}" for number in (1, 2)] for name in "abc"}
    with pytest.raises(CloudFailed, match=r"1 of 3 failed: b; the others were made") as caught:
        apply(plan(wanted, opened), opened, approve="yes", apart=groups)
    assert sorted(things()) == ["a1", "c1", "shared"]
    assert caught.value.found == ["fake_fragile/b1: it broke (a crack)"]
    assert caught.value.hint == "glue it"
    assert "b is left out from here: fake_fragile/b1: it broke" in capsys.readouterr().out
    states = {change["address"].partition("/")[2]: change["state"] for change in record(opened.run.folder)["changes"]}
    assert states == {"a1": "done", "b1": "failed", "b2": "planned", "c1": "done", "shared": "done"}
    assert record(opened.run.folder)["status"] == "failed"
    outcome = apply(plan([FakeFragile(name=name) for name in ("a1", "b1", "b2", "c1", "shared")], opened), opened, approve="yes")
    assert outcome.done == 2


def test_what_two_share_fails_for_all(opened: Site) -> None:  # noqa: F811
    """A failure of what belongs to two groups, or to none, ends the run at once."""
    for groups in ({"a": ["fake_fragile/x"], "b": ["fake_fragile/x", "fake_fragile/y"]}, {"b": ["fake_fragile/y"]}):
        with pytest.raises(CloudFailed, match="fake_fragile/x: it broke"):
            apply(plan([FakeFragile(name="x", brittle=True), FakeFragile(name="y")], opened), opened, approve="yes", apart=groups)
        assert things() == {}


def test_what_is_sent_ahead_of_one_that_fails_is_taken_back(opened: Site, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """The second parcel of a group is being sent when the first fails: it is stopped, and the next group's goes on."""
    made: list[str] = []

    def act(name: str) -> None:
        made.append(name)
        time.sleep(0.3)
        if name == "a1":
            raise OSError("the site failed")

    monkeypatch.setattr(FakeParcel, "act", staticmethod(act))
    begun = time.monotonic()
    wanted = [FakeParcel(name="a1"), FakeParcel(name="a2", slow=30), FakeParcel(name="b1"), FakeParcel(name="b2")]
    groups = {name: [f"fake_parcel/{name}{number}" for number in (1, 2)] for name in "ab"}
    with pytest.raises(CloudFailed, match="1 of 2 failed: a;") as caught:
        apply(plan(wanted, opened), opened, approve="yes", apart=groups)
    assert caught.value.found == ["fake_parcel/a1: OSError: the site failed"]
    assert made == ["a1", "b1", "b2"]
    assert sorted(things()) == ["b1", "b2", "sent-a1"]
    assert time.monotonic() - begun < 10
    assert [thread for thread in threading.enumerate() if "ahead" in thread.name] == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(broken=st.sets(st.integers(0, 11)), size=st.integers(1, 4))
def test_any_failures(opened: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: set[int], size: int) -> None:  # noqa: F811
    """Whatever fails: of each group all before its first failure is made, and nothing after it."""
    monkeypatch.setenv(STORE, str(tmp_path / "any.json"))
    keep({})
    wanted = [FakeFragile(name=f"t{number}", brittle=number in broken) for number in range(12)]
    groups = {str(first): [f"fake_fragile/t{n}" for n in range(first, min(first + size, 12))] for first in range(0, 12, size)}
    failed = [group for group in groups if any(int(address[14:]) in broken for address in groups[group])]
    expected = [f"t{number}" for number in range(12) if not any(n in broken for n in range(number - number % size, number + 1))]
    planned = plan(wanted, opened)
    if failed:
        with pytest.raises(CloudFailed, match=f"{len(failed)} of {len(groups)} failed: {', '.join(failed)};"):
            apply(planned, opened, approve="yes", apart=groups)
    else:
        apply(planned, opened, approve="yes", apart=groups)
    assert list(things()) == expected
