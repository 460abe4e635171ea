"""Changes on a host over a real sshd: what is refused changes nothing, and a connection lost at any step loses nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stackbook.config import SiteSettings
from stackbook.engine import apply, plan, plan_undo, verify
from stackbook.errors import BadInput, PlanNotApproved, StackbookError, Unreachable
from stackbook.hosts import HostFailed, SshHost
from stackbook.journal import new_run
from stackbook.plans import Resource
from stackbook.resources import IniOption
from stackbook.site import Site
from tests.cutting import at_each_step, cuts
from tests.sshd import Sshd

BEFORE = b"[ovs]\n# how it is\n#bridge_mappings =\nlocal_ip = 192.0.2.1\n\n[agent]\n"
AFTER = b"[ovs]\n# how it is\n#bridge_mappings =\nbridge_mappings = default:br-ex\nlocal_ip = 192.0.2.1\n\n[agent]\n"
Opened = Callable[..., Site]


@pytest.fixture
def lab(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """Opens the site whose host is the sshd, each time under a new run."""
    if not sshd.staged:
        pytest.skip("a /var/lib and file systems of its own need root")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    sites: list[Site] = []

    def opened(**other: Any) -> Site:
        settings = SiteSettings("lab", "debian", hosts={"compute1": sshd.settings("compute1", **other)})
        sites.append(Site(settings, new_run("test", "lab", tmp_path / "runs")))
        return sites[-1]

    yield opened
    for site in sites:
        for host in site.hosts.values():
            assert isinstance(host, SshHost)
            host.close()


def wanted(path: Path) -> list[Resource]:
    """One option in the file at `path`."""
    option = IniOption(host="compute1", path=str(path), section="ovs", option="bridge_mappings", value="default:br-ex")
    return [option]


def applied(site: Site, desired: list[Resource]) -> None:
    """Plan, approve, apply and verify."""
    planned = plan(desired, site)
    apply(planned, site, approve=planned.digest)
    verify(planned, site)


def undone(site: Site, back: Site) -> None:
    """Take the run of `site` back, under the run of `back`."""
    planned = plan_undo(site.run, back)
    apply(planned, back, approve=planned.digest)


def test_over_ssh_as_root_and_through_sudo(lab: Opened, tmp_path: Path) -> None:
    """The same plan, files and undo as on this machine, byte for byte; a second plan is empty."""
    path = tmp_path / "agent.ini"
    path.write_bytes(BEFORE)
    path.chmod(0o640)
    for user in ("root", "operator"):
        site = lab(user=user)
        applied(site, wanted(path))
        assert path.read_bytes() == AFTER
        assert not len(plan(wanted(path), lab(user=user)))
        undone(site, lab(user=user))
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (BEFORE, 0o640)


def test_a_file_edited_between_plan_and_apply(lab: Opened, tmp_path: Path) -> None:
    """A plan is for the file as it was: someone else's edit, of this option or beside it, is not touched."""
    path = tmp_path / "agent.ini"
    for edited in (AFTER.replace(b"br-ex", b"br-other"), BEFORE + b"# mine\n"):
        path.write_bytes(BEFORE)
        site = lab()
        planned = plan(wanted(path), site)
        path.write_bytes(edited)
        with pytest.raises(PlanNotApproved, match="the site changed since plan"):
            apply(planned, site, approve=planned.digest)
        assert path.read_bytes() == edited


@pytest.mark.parametrize("why", ["full disk", "read-only file", "sudo denied"])
def test_what_fails_changes_nothing(why: str, lab: Opened, sshd: Sshd, tmp_path: Path) -> None:
    """No room, a file that can't be written, no rights: a clear error, the old content, nothing left beside it."""
    folder = {"full disk": sshd.folder / "full", "read-only file": sshd.folder / "fixed", "sudo denied": sshd.folder / "open"}[
        why
    ]
    site = lab(user="guest" if why == "sudo denied" else "root")
    host = SshHost(sshd.settings())
    path = folder / "a.conf"
    if why != "read-only file":
        host.write(str(path), BEFORE + b"#" * (40_000 if why == "full disk" else 0))
    before, listed = host.read(str(path)), host.run(["ls", "-A", str(folder)]).out
    planned = plan(wanted(path), site)
    with pytest.raises((HostFailed, StackbookError), match="can't be written"):
        apply(planned, site, approve=planned.digest)
    assert (host.read(str(path)), host.run(["ls", "-A", str(folder)]).out) == (before, listed)


def test_a_connection_lost_at_each_step(lab: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut before or amid each command of an apply, then planned and applied again: done once, and undone to the byte."""
    path = tmp_path / "agent.ini"
    wire = cuts(monkeypatch, amid_s=0.02)

    def attempt(number: int, moment: str) -> int:
        path.write_bytes(BEFORE)
        first = lab()
        planned = plan(wanted(path), first)
        with wire.at(number, moment):
            try:
                apply(planned, first, approve=planned.digest)
                verify(planned, first)
            except Unreachable:
                assert path.read_bytes() in (BEFORE, AFTER)
            made = wire.calls
        again = lab()
        applied(again, wanted(path))
        assert path.read_bytes() == AFTER
        for site in (again, first):
            with contextlib.suppress(BadInput):  # that run changed nothing
                undone(site, lab())
        assert path.read_bytes() == BEFORE
        assert not list(tmp_path.glob(".agent*"))
        return made

    at_each_step(attempt, least=4)
