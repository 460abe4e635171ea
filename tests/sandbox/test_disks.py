"""The disks of sandbox hosts: real LVM on plain files, as an ordinary user, and never a disk of the machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackbook.sandbox import shims
from stackbook.sandbox.inside.openstack_sandbox import disks
from stackbook.sandbox.recipe import REAL

NOBODY = 65534
GIB = 1 << 30


class SandboxHost:
    """A host with its disks, below a folder that belongs to an ordinary user, as whom every command runs."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "hosts" / "controller1"
        self.user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        inside = shutil.copytree(REAL.inside, folder / "inside", ignore=shutil.ignore_patterns("__pycache__"))
        python = shutil.which("python3", path=disks.PLACES)
        assert python, "no python3 that an ordinary user can run"
        shims.write(folder, "controller1", Path(python), inside)
        for path in (folder, *folder.rglob("*")):
            if self.user:
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the host."""
        command = [str(self.root / "usr" / "bin" / argv[0]), *argv[1:]]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", input="", **self.user)  # type: ignore[call-overload, no-any-return]

    def groups(self) -> list[tuple[str, str]]:
        """Disks and their groups, as LVM tells."""
        report = json.loads(self.run("pvs", "--reportformat", "json").stdout)
        return [(row["pv_name"], row["vg_name"]) for row in report["report"][0]["pv"]]


@pytest.fixture(scope="module")
def host() -> Iterator[SandboxHost]:
    """A host as Packstack leaves it."""
    folder = Path(tempfile.mkdtemp(prefix="stackbook-disks-"))
    folder.chmod(0o755)
    try:
        made = SandboxHost(folder)
        planted = made.run("disks", "plant")  # the shim's own name stands for itself
        assert planted.returncode == 0, planted.stderr
        yield made
    finally:
        shutil.rmtree(folder)


def test_as_packstack_leaves_it(host: SandboxHost) -> None:
    """A group of 20 GiB in a file behind a loop device, an empty disk, one with a file system; none takes room."""
    found = {row["path"]: row for row in json.loads(host.run("lsblk", "--json").stdout)["blockdevices"]}
    assert {path: row["size"] // GIB for path, row in found.items()} == {"/dev/loop0": 20, "/dev/sdb": 200, "/dev/sdc": 10}
    assert host.groups() == [("/dev/loop0", "cinder-volumes")]
    signatures = json.loads(host.run("wipefs", "--json", *found).stdout)["signatures"]
    assert [(row["device"], row["type"]) for row in signatures] == [("loop0", "LVM2_member"), ("sdc", "ext4")]
    loops = json.loads(host.run("losetup", "--list", "--json").stdout)["loopdevices"]
    assert loops == [{"name": "/dev/loop0", "back-file": "/var/lib/cinder/cinder-volumes"}]
    assert (host.root / "var/lib/cinder/cinder-volumes").samefile(host.root / "dev/loop0")
    assert sum(path.stat().st_blocks * 512 for path in (host.root / "dev").iterdir()) < 64 << 20


def test_planting_again_changes_nothing(host: SandboxHost) -> None:
    """What is there stays."""
    before = host.run("vgs", "-o", "vg_uuid").stdout
    assert host.run("disks", "plant").returncode == 0
    assert host.run("vgs", "-o", "vg_uuid").stdout == before


def test_a_group_grows_and_shrinks(host: SandboxHost) -> None:
    """LVM's own commands, with the host's own names for its disks; blkid agrees with them."""
    for command in ("pvcreate /dev/sdb", "vgextend cinder-volumes /dev/sdb"):
        done = host.run(*command.split())
        assert (done.returncode, done.stderr) == (0, ""), command
        assert "/dev/sdb" in done.stdout or "extended" in done.stdout
        assert str(host.root) not in done.stdout
    assert host.groups() == [("/dev/loop0", "cinder-volumes"), ("/dev/sdb", "cinder-volumes")]
    assert 'TYPE="LVM2_member"' in host.run("blkid", "-p", "/dev/sdb").stdout
    for command in ("vgreduce cinder-volumes /dev/sdb", "pvremove /dev/sdb"):
        assert host.run(*command.split()).returncode == 0, command
    assert host.groups() == [("/dev/loop0", "cinder-volumes")]


def test_lvm_itself_refuses_a_disk_with_data(host: SandboxHost) -> None:
    """Nobody answers its question, so nothing is wiped."""
    done = host.run("pvcreate", "/dev/sdc")
    assert done.returncode == 5
    assert "ext4 signature detected on /dev/sdc" in done.stderr


def test_the_disks_of_the_machine_are_out_of_reach(host: SandboxHost) -> None:
    """A device that the machine has and the host has not is none; every command of LVM's is the host's own."""
    real = next(path for path in ("/dev/loop7", "/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/null") if Path(path).exists())
    assert host.run("pvcreate", real).returncode != 0
    assert host.run("wipefs", "--all", "--no-act", real).returncode != 0
    installed = {name for place in ("/usr/sbin", "/sbin") for name in os.listdir(place) if name[:2] in ("pv", "vg", "lv")}
    lvm2 = {name for name in installed if os.path.realpath(shutil.which(name, path=disks.PLACES) or "").endswith("/lvm")}
    assert lvm2 <= set(disks.COMMANDS)
    assert all((host.root / "usr" / "bin" / name).exists() for name in disks.COMMANDS)


def test_a_command_that_the_machine_does_not_have(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Told as a shell tells it, so that a runbook says what to install."""
    monkeypatch.setattr(disks, "PLACES", str(tmp_path))
    done = disks._real(tmp_path, "blkid", ["/dev/sdb"])
    assert (done.returncode, done.stderr) == (127, b"blkid: command not found\n")


def test_without_json(host: SandboxHost) -> None:
    """The stand-ins say that they know no other form."""
    done = host.run("lsblk")
    assert (done.returncode, done.stderr) == (1, "lsblk: only --json is known on a sandbox host\n")
