"""The guest, resumed once for all its tests, and a site that has it as its host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackbook.config import SiteSettings
from stackbook.engine import apply, plan_undo
from stackbook.hosts import Host
from stackbook.journal import new_run
from stackbook.site import Site
from tests.guest.guest import Guest

NAME = "guest1"


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Guest]:
    """The running guest."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():  # building takes minutes, and says what it does
        guest = Guest(tmp_path_factory.mktemp("guest"), tell=lambda text: print(f"\nguest: {text}", flush=True))
    with guest:
        yield guest


@pytest.fixture
def guest_host(guest: Guest) -> Host:
    """The guest over SSH."""
    return guest.host()


@pytest.fixture
def lab(guest: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Site]:
    """Opens the site whose only host is the guest, each time under a new run."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    settings = SiteSettings("lab", "debian", hosts={NAME: guest.settings(NAME)})
    return lambda: Site(settings, new_run("test", "lab", tmp_path / "runs"))


def undone(site: Site, back: Site) -> None:
    """Take the run of `site` back, under the run of `back`."""
    planned = plan_undo(site.run, back)
    apply(planned, back, approve=planned.digest)
