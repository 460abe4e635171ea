"""Hosts: commands with their answers, files whole or not at all, and never the wrong machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackbook.config import HostSettings
from stackbook.hosts import HostFailed, LocalHost


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    """A host whose / is an empty folder."""
    return LocalHost(HostSettings("compute1", root=str(tmp_path)))


def test_command(host: LocalHost) -> None:
    """A command gets its input and answers with exit code, output and errors; a failure tells what it said."""
    assert host.run(["tr", "a", "b"], text="banana").out == "bbnbnb"
    with pytest.raises(HostFailed, match="exit code 2") as caught:
        host.run(["ls", "/nowhere-at-all"])
    assert "nowhere-at-all" in str(caught.value.found)
    with pytest.raises(HostFailed, match="no-such-program is not installed"):
        host.run(["no-such-program"])
    with pytest.raises(HostFailed, match="did not end within"):
        host.run(["sleep", "5"], timeout=0.2)


def test_file_keeps_its_mode(host: LocalHost) -> None:
    """A file is replaced with its mode kept, and read back byte for byte; a missing one reads as None."""
    assert host.read("/etc/a.conf") is None
    host.write("/etc/a.conf", b"\x00one\r\n", mode=0o640)
    host.write("/etc/a.conf", b"two")
    found = host.stat("/etc/a.conf")
    assert found is not None
    assert (host.read("/etc/a.conf"), found.mode) == (b"two", 0o640)


def test_write_that_fails_leaves_the_old_file(host: LocalHost, tmp_path: Path) -> None:
    """Where the new content can't be written whole, the old file stays and nothing is left beside it."""
    (tmp_path / "etc").write_text("a file where a folder should be")
    with pytest.raises(HostFailed, match="can't be written"):
        host.write("/etc/a.conf", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["etc"]
