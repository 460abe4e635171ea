"""The guest itself: a host over SSH as others are."""

from __future__ import annotations

from tests.guest.guest import Guest


def test_it_is_a_real_host(guest: Guest) -> None:
    """A kernel of its own with device-mapper's thin pools, Open vSwitch and VLANs; disks with serials; two NICs."""
    host = guest.host()
    loaded = {line.split()[0] for line in host.run(["lsmod"]).out.splitlines()}
    assert {"dm_thin_pool", "openvswitch", "8021q", "nbd"} <= loaded
    assert "EMPTY01" in host.run(["lsblk", "-dno", "NAME,SERIAL"]).out
    assert "10.0.2.15/24" in host.run(["ip", "-br", "address", "show", "eno1"]).out
    assert host.run(["ip", "-br", "link", "show", "eno2"]).out
    print({what: f"{seconds:.1f} s" for what, seconds in guest.took.items()})
