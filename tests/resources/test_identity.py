"""Projects, users, role assignments and quotas on the sandbox."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from stackbook import Absent, apply, plan
from stackbook.errors import BadInput, CloudFailed, Refused
from stackbook.plans import Resource
from stackbook.resources import Network, Project, Quota, RoleAssignment, SecurityGroup, Subnet, User
from stackbook.tables import limits
from tests.resources.conftest import Cycle, NewSite

if TYPE_CHECKING:
    from openstack.connection import Connection

PASSWORD = "correct-horse-battery"  # planted: it must turn up nowhere


@pytest.fixture
def all_written(tmp_path: Path) -> Iterator[None]:
    """After the test, no file below its folder holds the planted password."""
    yield
    assert [path for path in tmp_path.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()] == []


def signed_in(cloud: Connection, user: str, password: str, project: str) -> bool:
    """Whether keystone takes that password."""
    from keystoneauth1.exceptions import Unauthorized

    other = cloud.connect_as(
        username=user, password=password, project_name=project, user_domain_id="default", project_domain_id="default"
    )
    try:
        return bool(other.session.get_token())
    except Unauthorized:
        return False


def test_a_project_with_people_and_limits(cycle: Cycle, name: str, cloud: Connection, unchanged: None) -> None:
    """Project, user, role and quota in one plan; changed; and all taken back, quotas first."""
    person = User(f"{name}-u", email="a@x", default_project=name, password_from="random")
    cycle.apply(
        Project(name, description="web"),
        person,
        RoleAssignment("member", user=person.name, project=name),
        Quota(name, cores=20, ram=51200, gigabytes=1024, volumes=11, networks=5, instances=-1),
    )
    password = next(Path(os.environ["XDG_STATE_HOME"]).rglob(person.name)).read_text().strip()
    assert signed_in(cloud, person.name, password, name)
    changed = cycle.apply(
        Project(name, enabled=False), User(person.name, email="b@x", enabled=False), Quota(name, cores=30, ports=9, snapshots=3)
    )
    assert [change.action for change in changed] == ["update"] * 3
    assert changed.changes[2].before["cores"] == 20
    cycle.undo()
    assert not list(Path(os.environ["XDG_STATE_HOME"]).rglob(person.name))


def test_a_random_password_is_private(cycle: Cycle, name: str) -> None:
    """Its file belongs to its owner alone, and the journal names the file, not the password."""
    cycle.apply(User(name, password_from="random"))
    path = next(Path(os.environ["XDG_STATE_HOME"]).rglob(name))
    journal = cycle.sites[-1].run.folder / "journal.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    assert str(path) in journal.read_text() and path.read_text().strip() not in journal.read_text()


def test_a_password_from_the_environment(
    cycle: Cycle, name: str, cloud: Connection, monkeypatch: pytest.MonkeyPatch, all_written: None
) -> None:
    """It works, and is in no file of the run."""
    monkeypatch.setenv("NEW_PASSWORD", PASSWORD)
    cycle.apply(User(name, password_from="env:NEW_PASSWORD"), RoleAssignment("reader", user=name, project="admin"))
    assert signed_in(cloud, name, PASSWORD, "admin")


def test_a_password_that_keystone_refuses(
    new_site: NewSite, name: str, monkeypatch: pytest.MonkeyPatch, all_written: None
) -> None:
    """Keystone repeats it in its message; the error and the journal do not."""
    monkeypatch.setenv("NEW_PASSWORD", PASSWORD * 200)
    site = new_site()
    planned = plan([User(name, password_from="env:NEW_PASSWORD", email="x")], site)
    told = ""
    try:
        apply(planned, site, "yes")
    except CloudFailed as error:
        told = str(error)
    finally:
        cleaned = new_site()
        apply(plan([Absent(User(name))], cleaned), cleaned, "yes")
    assert PASSWORD not in told


@pytest.mark.parametrize("source", ["env:NOT_SET_ANYWHERE", "file:/nowhere/at/all"])
def test_a_password_that_is_not_there(new_site: NewSite, name: str, source: str) -> None:
    """Refused while planning; but not for a user who exists, whose password stays."""
    with pytest.raises(BadInput):
        plan([User(name, password_from=source)], new_site())
    assert len(plan([User("admin", password_from=source)], new_site())) == 0


def test_a_password_file_that_others_can_read(new_site: NewSite, name: str, tmp_path: Path) -> None:
    """Refused, with the command that mends it."""
    path = tmp_path / "password"
    path.write_text("hunter2hunter2\n")
    path.chmod(0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        plan([User(name, password_from=f"file:{path}")], new_site())


@pytest.mark.parametrize(
    ("wanted", "nearest"),
    [
        (RoleAssignment("membre", user="admin", project="admin"), "member"),
        (RoleAssignment("member", user="admni", project="admin"), "admin"),
        (RoleAssignment("member", user="admin", project="servcie"), "service"),
        (RoleAssignment("member", group="nobody", project="admin"), "group"),
        (User("x", default_project="servcie"), "service"),
        (Quota("admn", cores=3), "admin"),
    ],
    ids=["role", "user", "project", "group", "default project", "quota"],
)
def test_unknown_references(new_site: NewSite, wanted: Resource, nearest: str) -> None:
    """Refused with the nearest name."""
    with pytest.raises(Refused, match="does not exist") as refused:
        plan([wanted], new_site())
    assert nearest in str(refused.value)


def test_a_quota_below_what_is_used(cycle: Cycle, name: str, unchanged: None) -> None:
    """Refused with what is in use."""
    cycle.apply(
        Project(name),
        Network("n", project=name),
        Subnet("s", "n", cidr="10.0.0.0/24", project=name),
        SecurityGroup("g", project=name),
    )
    with pytest.raises(Refused, match="more is in use") as refused:
        plan([Quota(name, networks=0, subnets=5, security_groups=1)], cycle.new_site())
    assert "networks: 1 in use, wanted 0" in str(refused.value) and "subnets" not in str(refused.value)
    cycle.apply(Quota(name, networks=1, routers=0, ports=-1))
    rows = {row["quota"]: row for row in limits(cycle.new_site(), name).to_dict("records")}
    assert [*rows][:2] == ["networks", "routers"] and rows["networks"]["used"] == rows["networks"]["limit"] == 1
    assert pd.isna(rows["ports"]["limit"])
    with pytest.raises(Refused, match="project 'nobody' does not exist"):
        limits(cycle.new_site(), "nobody")
    cycle.undo()


def test_quotas_can_not_be_absent(new_site: NewSite) -> None:
    """A project always has them."""
    site = new_site()
    planned = plan([Absent(Quota("service", cores=3))], site)
    with pytest.raises(BadInput, match="can't be absent"):
        apply(planned, site, "yes", allow_delete=True)
