"""Builds and boots the container: Debian's OpenStack, configured once and kept; each boot is thrown away. Needs root."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from stackbook.config import HostSettings
from stackbook.hosts import SshHost
from tests.guest.recipe import SUITE, mirror

NAME, OUTSIDE, ADDRESS = "deb1", "10.213.77.1", "10.213.77.2"
PASSWORD = "planted-pw-of-debian"
SETUP = Path(__file__).with_name("setup.sh")
BASE = (
    *("systemd-sysv", "dbus", "udev", "iproute2", "iputils-ping", "ifupdown", "openssh-server", "sudo", "python3", "lvm2"),
    *("ca-certificates", "apache2", "openvswitch-switch", "mariadb-server", "rabbitmq-server", "memcached", "crudini"),
)
PACKAGES = (
    *("keystone", "glance-api", "placement-api", "nova-api", "nova-conductor", "nova-scheduler", "nova-consoleproxy"),
    *("nova-compute", "nova-compute-qemu", "neutron-server", "neutron-openvswitch-agent", "neutron-dhcp-agent"),
    *("neutron-l3-agent", "neutron-metadata-agent", "cinder-api", "cinder-scheduler", "cinder-volume", "python3-openstacksdk"),
)
INTERFACES = f"""\
auto lo
iface lo inet loopback

auto host0
iface host0 inet static
    address {ADDRESS}/24
    gateway {OUTSIDE}
"""
NIC = "[Unit]\nBefore=network-pre.target\n\n[Service]\nType=oneshot\nExecStart=/sbin/ip link add eno2 type veth peer name wire2\n"
FILES = {
    "etc/hostname": f"{NAME}\n",
    "etc/hosts": f"127.0.0.1 localhost\n{ADDRESS} {NAME}\n",
    "etc/network/interfaces": INTERFACES,
    "etc/systemd/system/eno2.service": NIC + "\n[Install]\nWantedBy=multi-user.target\n",
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
    "usr/local/sbin/modprobe": "#!/bin/sh\nexit 0\n",
}
"""What is on it besides packages: its network, a second NIC, and no module of the kernel that it shares."""
_APART = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
_IN_TREE = 'mount --bind /proc "$0/proc" && exec chroot "$0" "$@"'
_BOOTED = 'mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd && exec "$0" "$@"'
"""With mounts that nobody else sees: packages are configured with /proc, and a container wants a place that is no disk."""
BOOT_S = 600


class Debian:
    """The running container; what it changes is gone when it ends."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.folder = _built(tell)

    def __enter__(self) -> Self:
        self._container = _Container(self.folder, kept=False)
        return self

    def settings(self) -> HostSettings:
        """It as a host of a site."""
        return _settings(self.folder)

    def host(self) -> SshHost:
        """It over SSH."""
        return SshHost(self.settings())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._container.stop()


class _Container:
    """One boot."""

    def __init__(self, folder: Path, *, kept: bool) -> None:
        nspawn = ["systemd-nspawn", "-q", "-D", str(folder / "tree"), f"--machine={NAME}", "--boot", "--network-veth"]
        nspawn += ["--register=no", "--keep-unit", "--capability=all", "--bind=/dev/net/tun"]
        nspawn += [] if kept else ["--volatile=overlay"]
        command = [*_APART, _BOOTED, *nspawn]
        log = (folder / "boot.log").open("w")
        self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        host, until = SshHost(_settings(folder)), time.monotonic() + BOOT_S
        while True:
            try:
                for words in (["addr", "replace", f"{OUTSIDE}/24", "dev", f"ve-{NAME}"], ["link", "set", f"ve-{NAME}", "up"]):
                    subprocess.run(["ip", *words], check=True, capture_output=True)
                host.run(["true"])
                return
            except Exception as error:
                if time.monotonic() > until or self.process.poll() is not None:
                    self.stop()
                    log_text = (folder / "boot.log").read_text(errors="replace")[-3000:]
                    raise RuntimeError(f"the container does not answer: {error}\n{log_text}") from None
                time.sleep(0.5)

    def stop(self) -> None:
        """End it at once."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _settings(folder: Path) -> HostSettings:
    known = folder / "known"
    return HostSettings(
        NAME, ADDRESS, ("controller", "network", "compute", "storage"), "root", key=str(folder / "key"), known_hosts=str(known)
    )


def _built(tell: Callable[[str], None]) -> Path:
    """The folder of the container, made at the first use and kept in the user's cache."""
    recipe = Path(__file__).read_bytes() + SETUP.read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stackbook" / "debian"
    folder = cache / hashlib.sha256(recipe).hexdigest()[:12]
    if not (folder / "built").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _install(folder, tell)
        _configure(folder, tell)
        (folder / "built").touch()
    return folder


def _install(folder: Path, tell: Callable[[str], None]) -> None:
    tree = folder / "tree"
    tell("unpacking Debian and its OpenStack (some minutes, once)")
    _run(["debootstrap", "--variant=minbase", SUITE, str(tree), *mirror()], folder)
    for name, content in FILES.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755 if content.startswith("#!") else 0o644)
    shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"]
    for words in (["update"], ["install", "-y", "--no-install-recommends", *BASE, *PACKAGES]):
        _run([*_APART, _IN_TREE, str(tree), *quiet, "apt-get", "-q", *words], folder)
    (tree / "usr/sbin/policy-rc.d").unlink()
    _run(["systemctl", f"--root={tree}", "enable", "eno2"], folder)
    _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], folder)
    (tree / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(folder / "key.pub", tree / "root/.ssh/authorized_keys")
    kind, key = (tree / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]
    (folder / "known").write_text(f"{ADDRESS} {kind} {key}\n")


def _configure(folder: Path, tell: Callable[[str], None]) -> None:
    tell("configuring its OpenStack (some minutes, once)")
    shutil.copy(SETUP, folder / "tree" / "root" / "setup.sh")
    container = _Container(folder, kept=True)
    try:
        host = SshHost(_settings(folder))
        host.run(["sh", "/root/setup.sh", ADDRESS, PASSWORD], timeout=1800)
        host.run(["systemctl", "--no-block", "poweroff"], check=False)
        container.process.wait(120)
    finally:
        container.stop()


def _run(argv: list[str], folder: Path) -> None:
    with (folder / "build.log").open("a") as log:
        done = subprocess.run(argv, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise RuntimeError(f"{argv[0]} failed:\n{(folder / 'build.log').read_text(errors='replace')[-3000:]}")
