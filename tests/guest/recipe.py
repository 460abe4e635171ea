"""Builds a Debian guest for QEMU: a disk, its kernel, and the saved state of the guest when it is up. Needs root."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

SUITE = "bookworm"
PACKAGES = (
    "linux-image-cloud-amd64",
    "initramfs-tools",
    "systemd-sysv",
    "udev",
    "ifupdown",
    "iproute2",
    "openssh-server",
    "sudo",
    "e2fsprogs",
    "lvm2",
    "thin-provisioning-tools",
    "openvswitch-switch",
    "iputils-ping",
)
MODULES = ("dm-thin-pool", "openvswitch", "8021q", "nbd")
MANAGEMENT, VLANS = "52:54:00:00:00:01", "52:54:00:00:00:02"
INTERFACES = """\
auto lo
iface lo inet loopback

auto eno1
iface eno1 inet static
    address 10.0.2.15/24
    gateway 10.0.2.2
"""
UNIT = """\
[Unit]
Description=Stands in for {name}: a process that systemd starts and stops

[Service]
ExecStart=/bin/sleep infinity

[Install]
WantedBy=multi-user.target
"""
STAND_INS = ("cinder-volume", "neutron-openvswitch-agent")
UNWANTED = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service")
DISK_MIB = 2048
FILES = {
    "etc/hostname": "guest1\n",
    "etc/hosts": "127.0.0.1 localhost guest1\n",
    "etc/fstab": "/dev/vda / ext4 defaults,noatime 0 1\n",
    "etc/network/interfaces": INTERFACES,
    "etc/modules": "\n".join(MODULES) + "\n",
    "etc/systemd/network/10-eno1.link": f"[Match]\nMACAddress={MANAGEMENT}\n\n[Link]\nName=eno1\n",
    "etc/systemd/network/10-eno2.link": f"[Match]\nMACAddress={VLANS}\n\n[Link]\nName=eno2\n",
    "etc/ssh/sshd_config.d/tests.conf": "PermitRootLogin prohibit-password\nUseDNS no\nMaxSessions 50\n",
    "etc/cinder/cinder.conf": "[DEFAULT]\n#enabled_backends = <None>\n\n[database]\n# kept as it is\n",
    "etc/neutron/plugins/ml2/openvswitch_agent.ini": "[ovs]\n# Comma-separated list\n#bridge_mappings =\n",
    **{f"etc/systemd/system/{name}.service": UNIT.format(name=name) for name in STAND_INS},
}


def digest() -> str:
    """What tells one recipe from another: everything that decides on the guest."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]


def build(folder: Path, tell: Callable[[str], None]) -> None:
    """Make ``root.img``, ``vmlinuz``, ``initrd``, and keys for it, in `folder`: some minutes, most of them unpacking packages."""
    folder.mkdir(parents=True, exist_ok=True)
    tree = folder / "tree"
    tell("unpacking Debian (some minutes, once)")
    include = f"--include={','.join(PACKAGES)}"
    _run(["debootstrap", "--variant=minbase", include, SUITE, str(tree), *mirror()], log=folder / "debootstrap.log")
    tell("writing its disk")
    _configure(tree, folder)
    for name, kind in (("vmlinuz", "vmlinuz-*"), ("initrd", "initrd.img-*")):
        shutil.copy(next((tree / "boot").glob(kind)), folder / name)
    _run(["mkfs.ext4", "-q", "-F", "-d", str(tree), str(folder / "root.img"), f"{DISK_MIB}M"])
    _run(["mkfs.ext4", "-q", "-F", str(folder / "used.img"), "64M"])
    shutil.rmtree(tree)


def mirror() -> list[str]:
    """Where this machine has its own Debian packages from; nothing where it is another system: debootstrap knows a place."""
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)"], capture_output=True, text=True, check=False
    )
    return [uri for name, _, uri in (line.partition(" ") for line in told.stdout.splitlines()) if name == SUITE][:1]


def _configure(tree: Path, folder: Path) -> None:
    for name, content in FILES.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "user")])
    keys = tree / "root" / ".ssh"
    keys.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(folder / "user.pub", keys / "authorized_keys")
    shutil.copy(tree / "etc/ssh/ssh_host_ed25519_key.pub", folder / "host.pub")
    for name in STAND_INS:
        _run(["systemctl", f"--root={tree}", "enable", name])
    _run(
        ["systemctl", f"--root={tree}", "mask", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap"]
    )
    shutil.rmtree(tree / "var/cache/apt/archives", ignore_errors=True)


def _run(argv: list[str], log: Path | None = None) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    if log:
        log.write_text(done.stdout + done.stderr)
    if done.returncode:
        raise RuntimeError(f"{argv[0]} failed:\n{(done.stdout + done.stderr)[-3000:]}")
