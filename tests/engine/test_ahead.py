"""What begins ahead of its turn: begun once, journalled first, stopped and waited for when the run ends early."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from stackbook import apply, plan
from stackbook.journal import open_run
from stackbook.plans import Change, Values
from stackbook.site import Site
from tests.fakes import STORE, FakeThing, keep, things


@dataclass(frozen=True)
class FakeParcel(FakeThing):
    """A thing that is sent before it is made: what was sent is a thing, too, until it is made or taken back."""

    kind = "fake_parcel"
    ahead = True
    act: ClassVar[Callable[[str], None]] = lambda name: None
    """What happens while one waits for the site."""

    def create(self, site: Site, change: Change) -> Values:
        """Send it unless that was done, wait, and make it."""
        found = things()
        if f"sent-{self.name}" not in found:
            self.send(lambda: False)
        site.meanwhile()
        type(self).act(self.name)
        keep({name: value for name, value in things().items() if name != f"sent-{self.name}"})
        return super().create(site, change)

    def prepare(self, site: Site, change: Change, stop: Callable[[], bool]) -> None:
        """Send it."""
        self.send(stop)

    def send(self, stop: Callable[[], bool]) -> None:
        """Half a second; taken back when it is stopped."""
        keep({**things(), f"sent-{self.name}": {"id": "sent", "size": self.size, "colour": threading.current_thread().name}})
        for _ in range(int(10 * (self.slow or 0.5))):
            time.sleep(0.1)
            if stop():
                keep({name: value for name, value in things().items() if name != f"sent-{self.name}"})
                raise OSError("stopped")
        if self.colour == "broken" and threading.current_thread() is not threading.main_thread():
            keep({name: value for name, value in things().items() if name != f"sent-{self.name}"})
            raise OSError("broken off")


@pytest.fixture
def opened(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site that needs no cloud."""
    from stackbook import connect

    (workspace / "stackbook.toml").write_text('[sites.test]\nlayout = "debian"\ncloud = "none"\n')
    monkeypatch.setenv("XDG_STATE_HOME", str(workspace / "state"))
    monkeypatch.setenv(STORE, str(workspace / "things.json"))
    monkeypatch.setattr(FakeParcel, "act", staticmethod(lambda name: time.sleep(0.2)))
    site: Site = connect("test", runbook="test")
    return site


def parcels(*names: str, **about: Any) -> list[FakeParcel]:
    """Some parcels."""
    return [FakeParcel(name=name, **about) for name in names]


def started(site: Site) -> list[tuple[str, bool]]:
    """What the journal says was begun, and whether ahead of its turn."""
    events = (event for event in open_run(site.run.folder).events() if event["event"] == "started")
    return [(event["change"]["address"].partition("/")[2], bool(event.get("ahead"))) for event in events]


def test_the_next_one_is_sent_meanwhile(opened: Site) -> None:
    """Each is sent once, the second and third ahead of their turns, after their journal lines."""
    apply(plan(parcels("a", "b", "c"), opened), opened, approve="yes")
    assert sorted(things()) == ["a", "b", "c"]
    assert started(opened) == [("a", False), ("b", True), ("b", False), ("c", True), ("c", False)]


def test_what_fails_ahead_is_done_in_its_turn(opened: Site) -> None:
    """A failure ahead is no failure of the run: the change does it again itself."""
    apply(plan([*parcels("a"), *parcels("b", colour="broken")], opened), opened, approve="yes")
    assert sorted(things()) == ["a", "b"]


def test_failure_stops_what_is_sent_ahead(opened: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the change that waits fails, what was being sent is stopped and waited for before the error is out."""
    monkeypatch.setattr(FakeParcel, "act", staticmethod(_fail))
    begun = time.monotonic()
    with pytest.raises(OSError, match="the site failed"):
        apply(plan([*parcels("a"), *parcels("b", slow=30)], opened), opened, approve="yes")
    assert time.monotonic() - begun < 10
    assert sorted(things()) == ["sent-a"]
    assert [thread for thread in threading.enumerate() if "ahead" in thread.name] == []


def _fail(name: str) -> None:
    time.sleep(0.3)
    raise OSError("the site failed")


def test_interrupt_stops_what_is_sent_ahead(opened: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while one waits and the next is sent: both end, and what was sent ahead is taken back."""
    monkeypatch.setattr(FakeParcel, "act", staticmethod(_interrupt))
    with pytest.raises(KeyboardInterrupt):
        apply(plan([*parcels("a"), *parcels("b", slow=30)], opened), opened, approve="yes")
    assert sorted(things()) == ["sent-a"]
    assert opened.run.events()[-1]["event"] == "failed"


def _interrupt(name: str) -> None:
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)


def test_waiting_for_it_shows_life(opened: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Something that was begun ahead and takes long is waited for with a sign of life at least every two seconds."""
    apply(plan([*parcels("a"), *parcels("b", slow=3)], opened), opened, approve="yes")
    assert "begun ahead: still going" in capsys.readouterr().out
