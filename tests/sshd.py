"""A real sshd on loopback with throwaway keys; as root with users and file systems of its own, seen by it alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stackbook.config import HostSettings

CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PidFile none
PasswordAuthentication no
AllowTcpForwarding yes
MaxStartups 50
MaxSessions 50
"""
STAGE = """
set -e
mount --make-rprivate /
for name in passwd shadow sudoers; do mount --bind "$1/$name" /etc/$name; done
mount -t tmpfs -o mode=755 tmpfs /var/lib
mount -t tmpfs -o size=64k,mode=777 tmpfs "$1/full"
mount --bind "$1/fixed" "$1/fixed"
mount -o remount,ro,bind "$1/fixed"
exec "$2" -D -e -f "$1/config"
"""
"""What root's sshd sees and nobody else: two users (sudo is granted to one), a full, a read-only and an empty place."""
USERS = "operator:x:61001:61001::/tmp:/bin/sh\nguest:x:61002:61002::/tmp:/bin/sh\n"
SUDOERS = "root ALL=(ALL:ALL) ALL\noperator ALL=(ALL) NOPASSWD: ALL\n"


class Sshd:
    """A running sshd.

    `folder` holds ``full/`` (64 kB of room) and ``fixed/`` (read-only) when root started it. Users then: root, ``operator``
    who may use sudo, ``guest`` who may not. Otherwise just the user of the tests.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.staged = os.geteuid() == 0
        for key in ("host", "other", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        (folder / "config").write_text(CONFIG.format(port=self.port, folder=folder))
        self.known("known", "host")

    def known(self, name: str, key: str) -> str:
        """A file of known hosts, called `name`, which says that this server's key is `key`; its path."""
        kind, text = (self.folder / f"{key}.pub").read_text().split()[:2]
        path = self.folder / name
        path.write_text(f"[127.0.0.1]:{self.port} {kind} {text}\n")
        return str(path)

    def settings(self, name: str = "compute1", **other: Any) -> HostSettings:
        """The settings of a host that is this server."""
        known = str(self.folder / "known")
        return HostSettings(
            name,
            **{"address": "127.0.0.1", "port": self.port, "key": str(self.folder / "user"), "known_hosts": known, **other},
        )

    def __enter__(self) -> Self:
        sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin") or "sshd"
        command = [sshd, "-D", "-e", "-f", str(self.folder / "config")]
        if self.staged:
            self._prepare()
            command = ["unshare", "-m", "sh", "-c", STAGE, "sshd", str(self.folder), sshd]
        self.process = subprocess.Popen(command, stderr=(self.folder / "log").open("w"), start_new_session=True)
        self._wait()
        return self

    def cut(self) -> None:
        """Kill every connection, as a network that goes away does."""
        children = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        for child in children:
            with contextlib.suppress(ProcessLookupError):  # it went with the one before
                os.kill(int(child), signal.SIGKILL)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.terminate()
        self.process.wait()

    def _prepare(self) -> None:
        Path("/run/sshd").mkdir(exist_ok=True)
        for name in ("full", "fixed", "open"):
            (self.folder / name).mkdir()
        (self.folder / "fixed" / "a.conf").write_text("[ovs]\n")
        for name, more in (("passwd", USERS), ("shadow", "operator:*:1::::::\nguest:*:1::::::\n")):
            (self.folder / name).write_text(Path("/etc", name).read_text() + more)
        (self.folder / "sudoers").write_text(SUDOERS)
        (self.folder / "sudoers").chmod(0o440)
        self.folder.chmod(0o755)

    def _wait(self) -> None:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError((self.folder / "log").read_text())
