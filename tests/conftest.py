"""What the tests share: one sandbox for all of them, and a workspace each."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from stackbook.journal import RUN_VARIABLE
from tests.sshd import Sshd

if TYPE_CHECKING:
    from openstack.connection import Connection
    from playwright.sync_api import Browser

    from stackbook.site import Site

settings.register_profile(
    "quick", max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
settings.register_profile("thorough", parent=settings.get_profile("quick"), max_examples=10_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts its background jobs so; here Ctrl-C is tested
    signal.signal(signal.SIGINT, signal.default_int_handler)

SANDBOX = "tests"
KEPT = "STACKBOOK_TEST_SANDBOX_HOME"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)


@pytest.fixture(scope="session")
def sshd() -> Iterator[Sshd]:
    """A real sshd on loopback with throwaway keys, in a folder that its other users may enter: pytest's own are closed."""
    with (
        tempfile.TemporaryDirectory(prefix="stackbook-sshd-", ignore_cleanup_errors=True) as folder,
        Sshd(Path(folder)) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a sandbox that runs for the whole test session; its own environment is cached between sessions.

    `KEPT` names a folder whose sandbox is used instead, and left running: seconds matter while one writes a test. Tests that
    run side by side (pytest-xdist) have a sandbox each.
    """
    from stackbook import sandbox as embedded

    kept = os.environ.get(KEPT)
    home = Path(kept) / os.environ.get("PYTEST_XDIST_WORKER", "") if kept else tmp_path_factory.mktemp("sandboxes")
    os.environ["STACKBOOK_SANDBOX_HOME"] = str(home)
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    embedded.up(SANDBOX, progress=print)
    try:
        yield embedded.home(SANDBOX)
    finally:
        if not kept:
            embedded.down(SANDBOX)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace that is the current folder, with the test sandbox as site ``sandbox``."""
    (tmp_path / "stackbook.toml").write_text(f'[sites.sandbox]\nlayout = "sandbox"\nsandbox = "{SANDBOX}"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    return tmp_path


@pytest.fixture
def new_site(sandbox: Path, workspace: Path) -> Callable[[], Site]:
    """Opens the sandbox as a site, under a new run each time."""
    from stackbook import connect

    def opened() -> Site:
        site: Site = connect("sandbox", runbook="test")
        return site

    return opened


@pytest.fixture
def site(new_site: Callable[[], Site]) -> Site:
    """The sandbox as a site, under a run of its own."""
    return new_site()


@pytest.fixture(scope="session")
def cloud(sandbox: Path) -> Connection:
    """The administrator's connection to the test sandbox."""
    import openstack

    from stackbook.cloud import credentials
    from stackbook.config import sandbox_site

    return openstack.connect(**credentials(sandbox_site("sandbox", SANDBOX)))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window; its absence fails the tests, which would otherwise prove nothing."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail("chromium is not installed: run `make system`, or apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=list(QUIET))
        yield opened
        opened.close()
