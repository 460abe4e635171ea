"""Answer files on hosts: options planned, set, refused and brought back, without a password in any plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackbook import apply, plan, verify
from stackbook.errors import ChangedSince, Refused
from stackbook.resources import AnswerFile
from tests.packstack.files import PASSWORD, written

from .conftest import NewSite, undone

PATH = "/root/answers.txt"
WANTED = {"CONFIG_PROVISION_DEMO": "n", "CONFIG_CINDER_VOLUMES_CREATE": "n", "CONFIG_DEBUG_MODE": "n"}


@pytest.fixture
def file(hosts: NewSite, tmp_path: Path) -> Path:
    """An answer file in the home of the host's root."""
    path = tmp_path / "h" / PATH.lstrip("/")
    path.parent.mkdir()
    path.write_text(written(left_out=("CONFIG_DEBUG_MODE",)))
    path.chmod(0o600)
    return path


def test_set_and_taken_back(hosts: NewSite, file: Path, tmp_path: Path) -> None:
    """Options are set, a missing one is added; undo brings the file back to the byte, and no journal has a password."""
    before, site = file.read_bytes(), hosts()
    planned = plan([AnswerFile(host="h", path=PATH, options=WANTED)], site)
    assert "CONFIG_PROVISION_DEMO         y → n" in repr(planned)
    apply(planned, site, planned.digest)
    assert verify(planned, site) == []
    assert len(plan([AnswerFile(host="h", path=PATH, options=WANTED)], hosts())) == 0
    assert (len(file.read_bytes().splitlines()), file.stat().st_mode & 0o777) == (len(before.splitlines()) + 1, 0o600)
    undone(site, hosts)
    assert file.read_bytes() == before
    assert PASSWORD not in "".join(path.read_text() for path in tmp_path.glob("runs/*/journal.jsonl"))


def test_undo_beside_the_edits_of_others(hosts: NewSite, file: Path) -> None:
    """Another option edited since stays as it is; only what was set goes back."""
    site = hosts()
    planned = plan([AnswerFile(host="h", path=PATH, options=WANTED)], site)
    apply(planned, site, planned.digest)
    file.write_text(file.read_text().replace("CONFIG_NTP_SERVERS=", "CONFIG_NTP_SERVERS=192.0.2.1"))
    undone(site, hosts)
    theirs = written(changed={"CONFIG_NTP_SERVERS": "192.0.2.1"}, left_out=("CONFIG_DEBUG_MODE",))
    assert file.read_text() == theirs


def test_on_this_machine(hosts: NewSite, tmp_path: Path) -> None:
    """``localhost`` is the machine that stackbook runs on, whether or not the site lists it."""
    path = tmp_path / "answers.txt"
    path.write_text(written())
    site = hosts()
    planned = plan([AnswerFile(host="localhost", path=str(path), options={"CONFIG_PROVISION_DEMO": "n"})], site)
    assert planned.plan.changes[0].before == {"options": {"CONFIG_PROVISION_DEMO": "y"}}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"CONFIG_PROVISON_DEMO": "n"}, "CONFIG_PROVISION_DEMO"),
        ({"CONFIG_PROVISION_DEMO": "no"}, "y, n"),
        ({"CONFIG_KEYSTONE_ADMIN_PW": "x"}, "secret"),
        ({"CONFIG_CINDER_VOLUME_NAME": '"vg"'}, "literally"),
        ({"CONFIG_CINDER_VOLUME_NAME": "a\nb"}, "literally"),
    ],
)
def test_refused(hosts: NewSite, file: Path, options: dict[str, str], told: str) -> None:
    """Unknown options, impossible values, secrets and values that the file can't hold, each with what would be right."""
    with pytest.raises(Refused) as refused:
        plan([AnswerFile(host="h", path=PATH, options=options)], hosts())
    assert told in str(refused.value)


def test_a_missing_file(hosts: NewSite) -> None:
    """The hint is the command that writes one."""
    with pytest.raises(Refused, match="does not exist") as refused:
        plan([AnswerFile(host="h", path=PATH, options=WANTED)], hosts())
    assert "--gen-answer-file" in str(refused.value)


def test_edited_meanwhile(hosts: NewSite, file: Path) -> None:
    """An option that changed between the plan and its turn is refused."""
    site = hosts()
    planned = plan([AnswerFile(host="h", path=PATH, options={"CONFIG_NTP_SERVERS": "192.0.2.1"})], site)
    theirs = file.read_text().replace("CONFIG_NTP_SERVERS=", "CONFIG_NTP_SERVERS=192.0.2.9")
    file.write_text(theirs)
    with pytest.raises(ChangedSince):
        AnswerFile(host="h", path=PATH, options={"CONFIG_NTP_SERVERS": "192.0.2.1"}).update(site, planned.plan.changes[0])
    assert file.read_text() == theirs
