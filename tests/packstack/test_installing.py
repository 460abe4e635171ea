"""What on a host is not as Packstack wants it, on a host that answers as a careless CentOS 7 does."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackbook import installing
from stackbook.errors import BadInput
from tests.resources.conftest import NewSite, hosts

from .files import written

__all__ = ["hosts"]
FAKE_CENTOS = {
    "cat": "MemTotal:        8009328 kB\nMemFree:  1 kB",
    "rpm": "mariadb-libs-5.5.68-1.el7.x86_64",
    "uname": "localhost.localdomain",
    "systemctl": "active",
    "getenforce": "Enforcing",
    "timedatectl": "no",
}
DF = """\
#!/bin/sh
echo "Filesystem 1-blocks Used Available Capacity Mounted on"
case "$2" in
*/home) echo "/dev/mapper/centos-home 900000000000 0 858993459200 1% /home" ;;
*) echo "/dev/mapper/centos-root 53660876800 0 32212254720 40% /" ;;
esac
"""


@pytest.fixture
def fake_centos(hosts: NewSite, tmp_path: Path) -> NewSite:
    """The host ``h``, whose programs answer as `FAKE_CENTOS` and `DF` say."""
    root = tmp_path / "h"
    for folder in ("usr/bin", "var/lib/rpm", "home", "etc/selinux", "etc/sysconfig/network-scripts", "root"):
        (root / folder).mkdir(parents=True)
    (root / "etc/selinux/config").write_text("SELINUX=enforcing\n")
    (root / "etc/sysconfig/network-scripts/ifup").touch()
    for name, answer in FAKE_CENTOS.items():
        (root / "usr/bin" / name).write_text(f"#!/bin/sh\nprintf '%s\\n' '{answer}'\n")
    (root / "usr/bin/df").write_text(DF)
    for path in (root / "usr/bin").iterdir():
        path.chmod(0o755)
    (root / "root/answers.txt").write_text(written())
    return hosts


def test_a_careless_host(fake_centos: NewSite) -> None:
    """Each thing is a row with what was found and a next step; of the disk it is told where the room is."""
    rows = {row["check"]: row for row in installing.readiness(fake_centos(), "h", "/root/answers.txt")}
    assert list(rows) == [
        "memory",
        "room for /var/lib/nova/instances",
        "mariadb-libs",
        "host name",
        "NetworkManager",
        "SELinux",
        "time",
        "/root/answers.txt",
    ]
    assert rows["memory"]["found"] == "7.6 GiB"
    assert rows["room for /var/lib/nova/instances"]["found"] == "30.0 GiB free on /"
    assert "/home has 800 GiB free" in rows["room for /var/lib/nova/instances"]["hint"]
    assert all(row["hint"] and row["expected"] for row in rows.values())


def test_this_machine(hosts: NewSite) -> None:
    """The real programs of this machine are understood: whatever is found, no check fails to find out."""
    rows = installing.readiness(hosts(), "localhost")
    assert {row["check"] for row in rows} <= {"memory", f"room for {installing.INSTANCES}", "host name", "time", "SELinux"}


@pytest.mark.parametrize(
    ("file", "expected"),
    [("h:/root/a", ("h", "/root/a")), ("/root/a", ("localhost", "/root/a")), ("localhost:/a:b", ("localhost:/a", "b"))],
)
def test_place(file: str, expected: tuple[str, str]) -> None:
    """A file is named by host and path; what is no path is refused."""
    if expected[1].startswith("/"):
        assert installing.place(file) == expected
    else:
        with pytest.raises(BadInput, match="HOST:/PATH"):
            installing.place(file)


def test_no_password_differs_in_public(hosts: NewSite, tmp_path: Path) -> None:
    """An edit of a password beside the plan is told, without the passwords."""
    path = tmp_path / "h/a.txt"
    path.write_text(written())
    before = installing.read_answers(hosts(), "h", "/a.txt")
    path.write_text(written(changed={"CONFIG_KEYSTONE_ADMIN_PW": "0ther", "CONFIG_DEBUG_MODE": "y"}))
    rows = installing.changed_besides(before, installing.read_answers(hosts(), "h", "/a.txt"), {"CONFIG_DEBUG_MODE": "y"})
    assert rows == [{"option": "CONFIG_KEYSTONE_ADMIN_PW", "before": "(not shown)", "after": "(not shown)"}]
