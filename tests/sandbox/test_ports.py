"""Ports: which are chosen, and what is rewritten when one changes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from stackbook.sandbox import ports
from stackbook.sandbox.failure import SandboxFailed

BEFORE = """\
[DEFAULT]
bind_port = 20001
port=20002
my_ip = 127.0.0.1
# was http://127.0.0.1:20001/v3
transport = rabbit://10.0.0.1:20001
auth_url = http://127.0.0.1:20001/v3
longer = http://127.0.0.1:200011/
both = http://127.0.0.1:20001,http://localhost:20002/x
ram_mb = 20001
sport_factor = 20001
"""

AFTER = """\
[DEFAULT]
bind_port = 20002
port=30000
my_ip = 127.0.0.1
# was http://127.0.0.1:20002/v3
transport = rabbit://10.0.0.1:20001
auth_url = http://127.0.0.1:20002/v3
longer = http://127.0.0.1:200011/
both = http://127.0.0.1:20002,http://localhost:30000/x
ram_mb = 20001
sport_factor = 20001
"""


def test_exactly_the_old_ports_are_rewritten(tmp_path: Path) -> None:
    """Loopback addresses and port options change, also when one old number is another's new one; nothing else does."""
    file = tmp_path / "hosts" / "compute1" / "etc" / "nova" / "nova.conf"
    file.parent.mkdir(parents=True)
    file.write_text(BEFORE)
    file.chmod(0o640)
    key = file.with_name("key")
    key.write_bytes(b"\xff127.0.0.1:20001")
    assert ports.rewrite(tmp_path, {20001: 20002, 20002: 30000}) == [file]
    assert file.read_text() == AFTER
    assert file.stat().st_mode & 0o777 == 0o640
    assert key.read_bytes() == b"\xff127.0.0.1:20001"
    assert ports.rewrite(tmp_path, {}) == []


def test_a_port_in_use_is_not_free() -> None:
    """A port on which another process listens, on loopback or on all addresses, is not free; after that it is."""
    for address in ("127.0.0.1", "0.0.0.0"):
        with socket.create_server((address, 0)) as server:
            port = server.getsockname()[1]
            assert not ports.free(port)
        assert ports.free(port)


def test_chosen_ports_differ_and_avoid_those_taken() -> None:
    """Each project gets a free port of its own in the range; without enough of them the failure says so."""
    but_three = set(ports.RANGE) - {20_500, 20_501, 20_502}
    chosen = ports.choose(["a", "b"], but_three)
    assert len(set(chosen.values())) == 2
    assert set(chosen.values()) <= {20_500, 20_501, 20_502}
    with pytest.raises(SandboxFailed, match="no free port"):
        ports.choose(["a", "b", "c", "d"], but_three)
