"""Files on hosts: content and mode planned, written, refused, and brought back to the byte."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbook import Absent, apply, plan, plan_undo, verify
from stackbook.errors import BadInput, ChangedSince, PlanNotApproved, Refused
from stackbook.plans import Resource
from stackbook.resources import File
from stackbook.resources.file import UNSHOWN, told
from stackbook.site import Site

from .conftest import NewSite, undone

SECRET = "[DEFAULT]\nadmin_password = Pl4nted-97d1-secret\n"


def made(new_site: NewSite, *wanted: Resource | Absent) -> Site:
    """The site under whose run a plan was applied and verified."""
    site = new_site()
    planned = plan(wanted, site)
    apply(planned, site, planned.digest)
    assert verify(planned, site) == []
    return site


def journals(tmp_path: Path) -> str:
    """Everything that was written to journals."""
    return "".join(path.read_text() for path in tmp_path.glob("runs/*/journal.jsonl"))


def test_made_changed_and_taken_back(hosts: NewSite, tmp_path: Path) -> None:
    """A file is created with its mode, then changed; undo brings back its content, its mode, and its absence."""
    path = tmp_path / "h" / "etc" / "motd"
    first = made(hosts, File(host="h", path="/etc/motd", content="one\ntwo\n", mode="600"))
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("one\ntwo\n", 0o600)
    second = made(hosts, File(host="h", path="/etc/motd", content="one\nthree\n", mode="0644"))
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("one\nthree\n", 0o644)
    undone(second, hosts)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("one\ntwo\n", 0o600)
    undone(first, hosts)
    assert not path.exists()


def test_mode_alone(hosts: NewSite, tmp_path: Path) -> None:
    """Asked for its mode only, a file keeps its content, whatever that is; a file that is not there is refused."""
    path = tmp_path / "h" / "key"
    path.write_bytes(b"\xff\0\r\n")
    path.chmod(0o644)
    site = made(hosts, File(host="h", path="/key", mode="0600"))
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"\xff\0\r\n", 0o600)
    undone(site, hosts)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"\xff\0\r\n", 0o644)
    with pytest.raises(Refused, match="does not exist"):
        plan([File(host="h", path="/other", mode="0600")], hosts())


def test_secrets_stay_out(hosts: NewSite, tmp_path: Path) -> None:
    """A secret is refused as content; one that is there is shown as a digest, replaced, deleted, and brought back."""
    path = tmp_path / "h" / "a.conf"
    with pytest.raises(Refused, match="secret"):
        plan([File(host="h", path="/a.conf", content=SECRET)], hosts())
    path.write_text(SECRET)
    replaced = made(hosts, File(host="h", path="/a.conf", content="[DEFAULT]\n"))
    undone(replaced, hosts)
    assert path.read_text() == SECRET
    site = hosts()
    gone = plan([Absent(File(host="h", path="/a.conf"))], site)
    apply(gone, site, gone.digest)
    assert not path.exists()
    undone(site, hosts)
    assert path.read_text() == SECRET
    assert "Pl4nted" not in journals(tmp_path) + repr(gone)
    assert "sha256" in repr(gone)


def test_no_text(hosts: NewSite, tmp_path: Path) -> None:
    """Bytes that are no text are replaced and brought back by their digest."""
    path = tmp_path / "h" / "blob"
    path.write_bytes(bytes(range(256)))
    site = made(hosts, File(host="h", path="/blob", content="text\n"))
    undone(site, hosts)
    assert path.read_bytes() == bytes(range(256))


def test_a_file_edited_meanwhile_is_refused(hosts: NewSite, tmp_path: Path) -> None:
    """Edited between plan and apply, between the two reads of apply, or before undo: refused, and left as it is."""
    path = tmp_path / "h" / "f"
    path.write_text("one\n")
    site = hosts()
    planned = plan([File(host="h", path="/f", content="two\n")], site)
    path.write_text("theirs\n")
    with pytest.raises(PlanNotApproved):
        apply(planned, site, planned.digest)
    with pytest.raises(ChangedSince, match="content changed meanwhile"):
        File(host="h", path="/f", content="two\n").update(site, planned.plan.changes[0])
    assert path.read_text() == "theirs\n"
    done = made(hosts, File(host="h", path="/f", content="two\n"))
    path.write_text("theirs again\n")
    with pytest.raises(ChangedSince):
        plan_undo(done.run, hosts())
    assert path.read_text() == "theirs again\n"


def test_a_cut_off_change_is_undone(hosts: NewSite, tmp_path: Path) -> None:
    """A change whose last journal line was lost is taken back from the backup that bears the content's digest."""
    path = tmp_path / "h" / "f"
    path.write_text(SECRET)
    site = made(hosts, File(host="h", path="/f", content="two\n"))
    journal = site.run.folder / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if '"event": "done"' not in line))
    undone(site, hosts)
    assert path.read_text() == SECRET


def test_without_its_backup(hosts: NewSite, tmp_path: Path) -> None:
    """An undo that needs a backup which is gone is refused while it is planned."""
    (tmp_path / "h" / "f").write_text(SECRET)
    site = made(hosts, File(host="h", path="/f", content="two\n"))
    shutil.rmtree(tmp_path / "h/var/lib/stackbook")
    with pytest.raises(Refused, match="no backup"):
        plan_undo(site.run, hosts())


@pytest.mark.parametrize("wanted", [{"path": "etc/f"}, {"path": "/etc/"}, {"path": "/etc/../f"}, {"mode": "rw"}, {"mode": 384}])
def test_bad_input(wanted: dict[str, str]) -> None:
    """Paths and modes that mean nothing are refused when the resource is made."""
    with pytest.raises(BadInput):
        File(**{"host": "h", "path": "/f", "content": "", **wanted})


@given(st.binary(max_size=40))
def test_what_plans_carry_is_the_content_or_its_digest(content: bytes) -> None:
    """A content is told as it is, byte for byte, or by its digest; never in between."""

    class Plainly:
        """A site whose redactor knows no secret."""

        def redactor(self, text: str) -> str:
            return text

    said = told(Plainly(), content)  # type: ignore[arg-type]
    assert UNSHOWN.fullmatch(said) or said.encode() == content
    assert not re.search(r"[\x00\x07\x1b]", said)
