"""Many hosts over a real sshd: matches are shipped, not logs, and what can't be searched is a row."""

from __future__ import annotations

import ast
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from stackbook.config import HostSettings
from stackbook.errors import Unreachable
from stackbook.hosts import Host, Result
from stackbook.logs import search
from stackbook.logs.program import program
from tests.logs.trees import LOG, REQUEST, put

HEAD = b"2026-11-23 14:20:53.481 7 ERROR nova "
LINE = HEAD + b"[%s] failed\n" % REQUEST.encode() + HEAD + b"Traceback (most recent call last):\n" + HEAD + b"KeyError: 1\n"
SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PidFile none
PasswordAuthentication no
"""


class SshHost(Host):
    """A host behind the ``ssh`` command, its own ``/`` a folder, its programs those of `path`."""

    def __init__(self, name: str, root: Path, command: Sequence[str], path: str = "") -> None:
        super().__init__(HostSettings(name, root=str(root)))
        self._command = [*command, f"PATH={path}" if path else "true;"]

    def run(self, argv: Sequence[str], *, check: bool = True, timeout: float = 60, text: str = "") -> Result:
        """Run `argv` there."""
        done = subprocess.run([*self._command, shlex.join(argv)], input=text, capture_output=True, text=True, timeout=timeout)
        if done.returncode == 255:
            raise Unreachable(f"{self.name} does not answer")
        return Result(self.name, tuple(argv), done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], list[str]]]:
    """A real sshd on loopback with throwaway keys; gives the command that reaches it, or that misses it by some ports."""
    folder = tmp_path_factory.mktemp("sshd")
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "config").write_text(CONFIG.format(port=port, folder=folder))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "config")], stderr=(folder / "log").open("w"))
    kind, key = (folder / "host.pub").read_text().split()[:2]
    (folder / "known").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    settings = (f"UserKnownHostsFile={folder}/known", "StrictHostKeyChecking=yes", "BatchMode=yes", f"IdentityFile={folder}/user")
    options = [part for setting in settings for part in ("-o", setting)]
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield lambda missed: ["ssh", "-F", "none", *options, "-p", str(port + missed), "127.0.0.1"]
    process.terminate()
    process.wait()


def test_three_hosts_over_a_real_sshd(sshd: Callable[[int], list[str]], tmp_path: Path) -> None:
    """One has no rg, one has files that can't be read, one does not answer: what is there is found, the rest are rows."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "grep", "python3", "id"):
        (programs / name).symlink_to(sys.executable if name == "python3" else shutil.which(name) or name)
    for name in ("controller1", "compute1"):
        put(tmp_path / name, LINE)
        put(tmp_path / name, LINE, LOG + ".1.gz")
    loop = tmp_path / "compute1/var/log/nova/nova-api.log"
    loop.symlink_to(loop.name)
    hosts = [
        SshHost("controller1", tmp_path / "controller1", sshd(0), str(programs)),
        SshHost("compute1", tmp_path / "compute1", sshd(0)),
        SshHost("compute2", tmp_path, sshd(1)),
    ]
    told: list[str] = []
    found = search(hosts, [REQUEST], progress=told.append)
    assert sorted((event.host, event.file, event.exception) for event in found.events) == [
        (name, f"/{LOG}{end}", "KeyError") for name in ("compute1", "controller1") for end in ("", ".1.gz")
    ]
    assert {(row.host, row.what) for row in found.skipped} == {("compute1", "/var/log/nova/nova-api.log"), ("compute2", "")}
    assert next(row.reason for row in found.skipped if row.host == "compute2") == "compute2 does not answer"
    assert found.stats.hosts["controller1"].engine.startswith("grep")
    assert found.stats.hosts["compute1"].engine.startswith("rg")
    assert not found.stats.clocks["compute1"].skewed
    assert len(told) == 3


def test_the_program_runs_on_old_pythons() -> None:
    """What is sent has no annotations and no syntax newer than Python 3.6, and imports the standard library only."""
    sent = program({"root": "/", "limits": {}})
    texts = (node.value for node in ast.walk(ast.parse(sent)) if isinstance(node, ast.Constant))
    sources = [text for text in texts if isinstance(text, str) and ("\ndef " in text or "\nclass " in text)]
    assert len(sources) == 10
    for source in sources:
        tree = ast.parse(source, feature_version=(3, 6))
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.AnnAssign) or getattr(node, "returns", None)]
        imported = {name.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
        assert imported <= sys.stdlib_module_names
