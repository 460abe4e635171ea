"""A host over a real sshd: the same interface as a local one, and what goes wrong over a network."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackbook.errors import Unreachable
from stackbook.hosts import HostFailed, SshHost, everywhere, open_host
from tests.sshd import Sshd


@pytest.fixture
def host(sshd: Sshd) -> Iterator[SshHost]:
    """The host that the tests' sshd is."""
    opened = SshHost(sshd.settings())
    yield opened
    opened.close()


@pytest.fixture
def staged(sshd: Sshd) -> Sshd:
    """The sshd with its users and file systems, which only root can make."""
    if not sshd.staged:
        pytest.skip("users and file systems of its own need root")
    return sshd


def test_an_address_elsewhere_is_reached_over_ssh(sshd: Sshd) -> None:
    """A host with an address or a port of its own is never taken for this machine."""
    assert isinstance(open_host(sshd.settings()), SshHost)
    assert isinstance(open_host(sshd.settings(address="192.0.2.11", port=None)), SshHost)


def test_command(host: SshHost) -> None:
    """A command gets its arguments as they are and its input; it answers with exit code, output and errors."""
    hostile = ["$(id)", "a b", "`x`", "'", '"', "*", ";true", "\\", "ü", ""]
    assert host.run(["printf", "%s\\n", *hostile]).out.split("\n")[:-1] == hostile
    assert host.run(["tr", "a", "b"], text="banana" * 100_000).out == "bbnbnb" * 100_000
    done = host.run(["sh", "-c", "echo out; echo err >&2; exit 3"], check=False)
    assert (done.code, done.out, done.err) == (3, "out\n", "err\n")
    with pytest.raises(HostFailed, match="exit code 2") as caught:
        host.run(["ls", "/nowhere-at-all"])
    assert "nowhere-at-all" in str(caught.value.found)
    with pytest.raises(HostFailed, match="compute1: no-such-program is not installed"):
        host.run(["no-such-program"])
    assert host.run(["printenv", "SSH_CONNECTION"]).out.split()[0] == "127.0.0.1"


def test_limits(host: SshHost) -> None:
    """A command that takes too long, or answers too much, is given up."""
    with pytest.raises(HostFailed, match=r"sleep 30 did not end within 0\.3 s"):
        host.run(["sleep", "30"], timeout=0.3)
    with pytest.raises(HostFailed, match=r"did not end within 0\.5 s"):
        host.run(["sh", "-c", "echo begun; exec sleep 30"], timeout=0.5)
    assert host.run(["sh", "-c", "exit 124"], check=False).code == 124
    with pytest.raises(HostFailed, match="more than 1,000 bytes"):
        host.run(["cat", "/dev/zero"], timeout=20, limit=1000)
    assert host.run(["echo", "still there"]).out == "still there\n"


def test_files(host: SshHost, tmp_path: Path) -> None:
    """Files are read and written byte for byte; mode and links stay; a missing one is None."""
    path, content = str(tmp_path / "new folder" / "a.conf"), bytes(range(256)) * 5000
    assert (host.read(path), host.stat(path)) == (None, None)
    host.write(path, content, mode=0o640)
    host.write(path, content + b"!")
    found = host.stat(path)
    assert found is not None
    assert (host.read(path), found.mode, found.size) == (content + b"!", 0o640, len(content) + 1)
    assert abs(found.mtime - time.time()) < 60
    (tmp_path / "link").symlink_to(path)
    host.write(str(tmp_path / "link"), b"through a link")
    assert (tmp_path / "link").is_symlink()
    assert host.read(path) == b"through a link"
    host.remove(path)
    host.remove(path)
    assert host.read(path) is None
    assert list((tmp_path / "new folder").iterdir()) == []


def test_a_writing_that_fails_leaves_the_old_file(staged: Sshd, host: SshHost) -> None:
    """A full disk and a read-only file system: a clear error, the old content, nothing left beside it."""
    full = staged.folder / "full"
    host.write(str(full / "a.conf"), b"old\n")
    with pytest.raises(HostFailed, match=r"a\.conf can't be written: .*No space left"):
        host.write(str(full / "a.conf"), b"x" * 200_000)
    assert host.read(str(full / "a.conf")) == b"old\n"
    assert host.run(["ls", "-A", str(full)]).out == "a.conf\n"
    with pytest.raises(HostFailed, match=r"can't be written: .*[Rr]ead-only"):
        host.write(str(staged.folder / "fixed" / "a.conf"), b"new\n")
    assert host.read(str(staged.folder / "fixed" / "a.conf")) == b"[ovs]\n"


def test_root_through_sudo(staged: Sshd) -> None:
    """A user whom sudo lets in without a password works as root, and is told so by nobody."""
    host = SshHost(staged.settings(user="operator"))
    assert host.run(["id", "-u"]).out == "0\n"
    assert host.run(["printenv", "SSH_CONNECTION"]).out.startswith("127.0.0.1")
    path = str(staged.folder / "operator.conf")
    host.write(path, b"by root\n", mode=0o600)
    assert host.read(path) == b"by root\n"
    assert host.run(["stat", "-c", "%U", path]).out == "root\n"


def test_sudo_denied(staged: Sshd) -> None:
    """A user whom sudo refuses reads what they may; what needs root fails with the reason and changes nothing."""
    host = SshHost(staged.settings(user="guest"))
    assert host.run(["id", "-un"]).out == "guest\n"
    path = staged.folder / "open" / "roots.conf"
    path.write_bytes(b"old\n")
    (staged.folder / "closed").mkdir(mode=0o700)
    with pytest.raises(HostFailed, match=r"closed/a\.conf can't be read: .*[Pp]ermission denied"):
        host.read(str(staged.folder / "closed" / "a.conf"))
    with pytest.raises(HostFailed, match=r"roots\.conf can't be written: .*[Pp]ermission denied") as caught:
        host.write(str(path), b"new\n")
    assert "sudo is denied" in str(caught.value.hint)
    assert "NOPASSWD" in str(caught.value.hint)
    assert path.read_bytes() == b"old\n"


def test_host_keys_are_enforced(sshd: Sshd, tmp_path: Path) -> None:
    """A host whose key is unknown, or another one than known, is not talked to; the next step is told."""
    with pytest.raises(Unreachable, match=r"the host key of 127\.0\.0\.1:[0-9]+ is not in known_hosts") as unknown:
        SshHost(sshd.settings(known_hosts=str(tmp_path / "none"))).run(["true"])
    assert "fingerprint" in str(unknown.value.hint)
    with pytest.raises(Unreachable, match="another host key than known_hosts says"):
        SshHost(sshd.settings(known_hosts=sshd.known("wrong", "other"))).run(["true"])
    assert not (tmp_path / "none").exists()


def test_who_is_not_let_in(sshd: Sshd) -> None:
    """A key that the host does not know, and a host that does not answer, say so."""
    with pytest.raises(Unreachable, match="accepts no key of ours for user"):
        SshHost(sshd.settings(key=str(sshd.folder / "other"))).run(["true"])
    with pytest.raises(Unreachable, match=f"no connection to 127.0.0.1:{sshd.port + 1}"):
        SshHost(sshd.settings(port=sshd.port + 1)).run(["true"])


def test_jump_host(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host behind another is reached through it, whose key is enforced as well."""
    through = SshHost(sshd.settings(jump=f"127.0.0.1:{sshd.port}"))
    assert through.run(["echo", "behind"]).out == "behind\n"
    refused = SshHost(sshd.settings(jump=f"127.0.0.1:{sshd.port}", known_hosts=sshd.known("wrong", "other")))
    with pytest.raises(Unreachable, match="another host key"):
        refused.run(["true"])


def test_a_lost_connection(sshd: Sshd, host: SshHost, tmp_path: Path) -> None:
    """A connection that is lost amid a command says what is not known; the next command has a new one."""
    host.run(["true"])
    cut = threading.Timer(0.7, sshd.cut)
    cut.start()
    with pytest.raises(Unreachable, match="connection was lost before sleep 20 ended; whether it was done is not known"):
        host.run(["sleep", "20"])
    cut.join()
    assert host.run(["echo", "again"]).out == "again\n"
    sshd.cut()
    time.sleep(0.2)
    assert host.run(["echo", "once more"]).out == "once more\n"


def test_a_connection_lost_while_writing(sshd: Sshd, host: SshHost, tmp_path: Path) -> None:
    """The file is the old one or the new one, never a part; nothing is left beside it."""
    old, new = b"old\n", b"n" * 20_000_000
    path = tmp_path / "a.conf"
    path.write_bytes(old)
    for delay in (0.02, 0.1, 0.2, 0.4):
        host.run(["true"])
        cut = threading.Timer(delay, sshd.cut)
        cut.start()
        with contextlib.suppress(Unreachable):
            host.write(str(path), new)
        cut.join()
    for _ in range(50):
        if len(list(tmp_path.iterdir())) == 1:
            break
        time.sleep(0.1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.conf"]
    assert hashlib.sha256(path.read_bytes()).digest() in {hashlib.sha256(text).digest() for text in (old, new)}


def test_many_hosts_at_once(sshd: Sshd) -> None:
    """Hosts are worked on at the same time; one that fails is a row beside the others' answers."""
    hosts = [SshHost(sshd.settings(f"compute{number}")) for number in range(4)]
    hosts.append(SshHost(sshd.settings("lost", port=sshd.port + 1)))
    answers = everywhere(hosts, lambda host: host.run(["echo", host.name]).out.strip())
    assert answers.found == {f"compute{number}": f"compute{number}" for number in range(4)}
    assert list(answers.failed) == ["lost"]
