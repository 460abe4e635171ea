"""Many hosts over a real sshd: matches are shipped, not logs, and what can't be searched is a row."""

from __future__ import annotations

import ast
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from stackbook.config import HostSettings
from stackbook.hosts import SshHost
from stackbook.logs import search
from stackbook.logs.program import PARTS, program
from tests.logs.trees import LOG, REQUEST, put
from tests.sshd import Sshd

HEAD = b"2026-11-23 14:20:53.481 7 ERROR nova "
LINE = HEAD + b"[%s] failed\n" % REQUEST.encode() + HEAD + b"Traceback (most recent call last):\n" + HEAD + b"KeyError: 1\n"


class FolderHost(SshHost):
    """A host over SSH, its own ``/`` a folder, its programs those of `path`."""

    def __init__(self, settings: HostSettings, root: Path, path: str = "") -> None:
        super().__init__(settings)
        self.root = root
        self._before = f"PATH={path}; export PATH; " if path else ""

    def _line(self, argv: Sequence[str], timeout: float) -> str:
        return self._before + super()._line(argv, timeout)


def test_three_hosts_over_a_real_sshd(sshd: Sshd, tmp_path: Path) -> None:
    """One has no rg, one has files that can't be read, one does not answer: what is there is found, the rest are rows."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "grep", "python3", "id", "env", "timeout", "sudo"):
        (programs / name).symlink_to(sys.executable if name == "python3" else shutil.which(name) or name)
    for name in ("controller1", "compute1"):
        put(tmp_path / name, LINE)
        put(tmp_path / name, LINE, LOG + ".1.gz")
    loop = tmp_path / "compute1/var/log/nova/nova-api.log"
    loop.symlink_to(loop.name)
    hosts = [
        FolderHost(sshd.settings("controller1"), tmp_path / "controller1", str(programs)),
        FolderHost(sshd.settings("compute1"), tmp_path / "compute1"),
        FolderHost(sshd.settings("compute2", port=sshd.port + 1), tmp_path),
    ]
    told: list[str] = []
    found = search(hosts, [REQUEST], progress=told.append)
    assert sorted((event.host, event.file, event.exception) for event in found.events) == [
        (name, f"/{LOG}{end}", "KeyError") for name in ("compute1", "controller1") for end in ("", ".1.gz")
    ]
    assert {(row.host, row.what) for row in found.skipped} == {("compute1", "/var/log/nova/nova-api.log"), ("compute2", "")}
    assert next(row.reason for row in found.skipped if row.host == "compute2").startswith("compute2: no connection to 127.0.0.1")
    assert found.stats.hosts["controller1"].engine.startswith("grep")
    assert found.stats.hosts["compute1"].engine.startswith("rg")
    assert not found.stats.clocks["compute1"].skewed
    assert len(told) == 3


def test_the_program_runs_on_old_pythons() -> None:
    """What is sent has no annotations and no syntax newer than Python 3.6, and imports the standard library only."""
    sent = program({"root": "/", "limits": {}})
    texts = (node.value for node in ast.walk(ast.parse(sent)) if isinstance(node, ast.Constant))
    sources = [text for text in texts if isinstance(text, str) and ("\ndef " in text or "\nclass " in text)]
    assert len(sources) == len(PARTS)
    for source in sources:
        tree = ast.parse(source, feature_version=(3, 6))
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.AnnAssign) or getattr(node, "returns", None)]
        subscripts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Subscript)]
        assert not [name for name in subscripts if isinstance(name, ast.Name) and name.id in ("dict", "list", "set", "tuple")]
        imported = {name.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
        assert imported <= sys.stdlib_module_names
