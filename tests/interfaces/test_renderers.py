"""Each form is read back by the program that reads it: what was asked for is what it understood."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stackbook.errors import BadInput
from stackbook.interfaces import Bridge, Interface, Vlan, ifcfg, ifupdown, keyfiles, netplan

from .programs import call, shell

BRIDGE = Bridge(name="br-ex", ports=("eno2", "eno3"), address="192.0.2.5/24", mtu=9000, port_mtu=9000)
WANTED = [
    BRIDGE,
    Bridge(name="br-vlan", ports=("eno2",)),
    Bridge(name="br-ex", address="2001:db8::5/64"),
    Interface(name="eno2", mtu=9000),
    Interface(name="eno2", address="192.0.2.5/24"),
    Vlan(upon="eno2", vlan=204, address="2001:db8::5/64", mtu=1496),
    Vlan(upon="eno2", vlan=204),
]
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
ADDRESSES = (
    st.none() | st.builds("192.0.2.{}/24".format, st.integers(1, 254)) | st.builds("2001:db8::{:x}/64".format, st.integers(1, 99))
)
MTUS = st.none() | st.integers(1280, 9216)
every = pytest.mark.parametrize("wanted", WANTED, ids=lambda each: f"{type(each).__name__}-{each.name}-{each.address}")


def sections(text: str) -> dict[str, dict[str, str]]:
    """A keyfile's sections."""
    parsed = configparser.RawConfigParser(strict=True)
    parsed.read_string(text)
    return {name: dict(parsed[name]) for name in parsed.sections()}


@every
def test_keyfiles(wanted: Interface) -> None:
    """nmcli, which drops what it does not know, gives back every line of every profile."""
    for written in keyfiles.files(wanted):
        answer = call("nmcli", "--offline", "connection", "modify", "connection.autoconnect", "yes", text=written.text)
        assert answer.returncode == 0, answer.stderr
        understood = sections(answer.stdout)
        for name, values in sections(written.text).items():
            assert values.items() <= understood.get(name, {}).items(), written.path
        assert (written.mode, written.path.rsplit(".", 1)[1]) == ("0600", "nmconnection")


def test_keyfiles_refer_to_each_other() -> None:
    """Bridge, ports and interfaces of one bridge: each master is the id of another profile, and each id is there once."""
    profiles = [sections(written.text)["connection"] for written in keyfiles.files(BRIDGE)]
    ids = {profile["uuid"]: profile["type"] for profile in profiles}
    assert len(ids) == len(profiles) == 1 + 2 * 3
    inner = [(profile["type"], profile["slave-type"], ids[profile["master"]]) for profile in profiles if "master" in profile]
    assert sorted(inner) == sorted(
        [("ovs-port", "ovs-bridge", "ovs-bridge")] * 3
        + [("ethernet", "ovs-port", "ovs-port")] * 2
        + [("ovs-interface", "ovs-port", "ovs-port")]
    )


def test_nmcli_would_tell() -> None:
    """The check can fail: a type that NetworkManager does not know is an error, a key that it does not know is dropped."""
    good = keyfiles.files(Interface(name="eno2", mtu=9000))[0].text
    modify = ("--offline", "connection", "modify", "connection.autoconnect", "yes")
    assert call("nmcli", *modify, text=good.replace("type=ethernet", "type=ethernit")).returncode != 0
    assert "9000" not in call("nmcli", *modify, text=good.replace("mtu=", "mtuu=")).stdout


@every
def test_netplan(wanted: Interface, tmp_path: Path) -> None:
    """Netplan's generator takes the file, and writes units that make the bridge, its ports and addresses."""
    made = generated(wanted, tmp_path)
    if isinstance(wanted, Bridge):
        assert f"add-br {wanted.name}" in made
        assert all(f"add-port {wanted.name} {port}" in made for port in wanted.ports)
    if isinstance(wanted, Vlan):
        assert f"Id={wanted.vlan}" in made
    if wanted.address:
        assert f"Address={wanted.address}" in made


@settings(max_examples=40)
@given(name=NAMES, port=NAMES, address=ADDRESSES, mtu=MTUS)
def test_netplan_takes_any(
    tmp_path_factory: pytest.TempPathFactory, name: str, port: str, address: str | None, mtu: int | None
) -> None:
    """Whatever the names, also those that YAML takes for something else (``on``, ``no``, ``1e5``)."""
    ports = (port,) if port != name else ()
    assert "add-br" in generated(Bridge(name=name, ports=ports, address=address, mtu=mtu), tmp_path_factory.mktemp("np"))


def generated(wanted: Interface, root: Path) -> str:
    """The units that netplan's generator makes of the file, and of one that gives ``eno1`` the management address."""
    (root / "etc/netplan").mkdir(parents=True)
    others = {"network": {"version": 2, "ethernets": {"eno1": {"addresses": ["10.0.0.31/24"]}}}}
    (root / "etc/netplan/50-cloud-init.yaml").write_text(yaml.safe_dump(others))
    for written in netplan.files(wanted):
        (root / written.path.lstrip("/")).write_text(written.text)
    for path in root.glob("etc/netplan/*"):
        path.chmod(0o600)
    (root / "usr/bin").mkdir(parents=True)
    answer = call("netplan", "--root-dir", root)
    if "ovs-vsctl is missing" in answer.stderr:
        pytest.fail("netplan wants openvswitch-switch: run `make system`")
    assert answer.returncode == 0, answer.stderr
    return "\n".join(path.read_text() for path in root.glob("run/systemd/**/*") if path.is_file())


def test_netplan_would_tell(tmp_path: Path) -> None:
    """The check can fail: a key that netplan does not know is an error with its line."""
    (tmp_path / "etc/netplan").mkdir(parents=True)
    (tmp_path / "etc/netplan/90-x.yaml").write_text(netplan.files(BRIDGE)[0].text.replace("mtu:", "mtuu:"))
    answer = call("netplan", "--root-dir", tmp_path)
    assert answer.returncode != 0
    assert "unknown key 'mtuu'" in answer.stderr


@every
def test_ifupdown(wanted: Interface, tmp_path: Path) -> None:
    """Ifquery finds each interface in its class, with its options."""
    (written,) = ifupdown.files(wanted)
    path = tmp_path / "interfaces"
    path.write_text(written.text)
    assert wanted.name in call("ifquery", "-i", path, "--list").stdout.split()
    told = understood(path, wanted.name)
    if wanted.address:
        assert told["address"] == wanted.address.split("/")[0]
    if isinstance(wanted, Bridge):
        assert (told["ovs_type"], told.get("ovs_ports", "").split()) == ("OVSBridge", list(wanted.ports))
        assert call("ifquery", "-i", path, "--allow", wanted.name, "--list").stdout.split() == list(wanted.ports)
        assert all(understood(path, port)["ovs_bridge"] == wanted.name for port in wanted.ports)
    assert os.path.basename(written.path).replace("-", "").isalnum(), "ifupdown reads no other names"


def understood(path: Path, name: str) -> dict[str, str]:
    """What ifquery says of an interface."""
    answer = call("ifquery", "-i", path, name)
    assert answer.returncode == 0, answer.stderr
    return dict(line.split(": ", 1) for line in answer.stdout.splitlines())


def test_ifupdown_would_tell(tmp_path: Path) -> None:
    """The check can fail: a stanza with a method that is none is an error."""
    path = tmp_path / "interfaces"
    path.write_text(ifupdown.files(BRIDGE)[0].text.replace("static", "statik"))
    assert call("ifquery", "-i", path, "br-ex").returncode != 0


@every
def test_ifcfg(wanted: Interface) -> None:
    """A shell that sources the files, as network-scripts do, has their values; nothing can activate them here."""
    first, *ports = ifcfg.files(wanted)
    assert shell(first.text, "DEVICE", "ONBOOT") == [wanted.name, "yes"]
    if wanted.address and wanted.version == 4:
        assert shell(first.text, "IPADDR", "PREFIX") == wanted.address.split("/")
    if isinstance(wanted, Bridge):
        assert shell(first.text, "TYPE", "DEVICETYPE") == ["OVSBridge", "ovs"]
        assert [shell(port.text, "DEVICE", "TYPE", "OVS_BRIDGE") for port in ports] == [
            [name, "OVSPort", wanted.name] for name in wanted.ports
        ]


def test_ifcfg_keeps_the_hardware() -> None:
    """Of an interface's former file its hardware address and id stay, its address does not."""
    kept = ifcfg.keeping(ifcfg.files(BRIDGE)[1], "DEVICE=eno2\nHWADDR=52:54:00:12:34:56\nIPADDR=192.0.2.9\n")
    assert "HWADDR=52:54:00:12:34:56\n" in kept.text
    assert "IPADDR" not in kept.text


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Interface(name="a" * 16),
        lambda: Interface(name="a b"),
        lambda: Interface(name="eno2", address="192.0.2.5"),
        lambda: Interface(name="eno2", address="192.0.2.0/24"),
        lambda: Interface(name="eno2", mtu=70),
        lambda: Bridge(name="br-ex", ports=("eno2", "eno2")),
        lambda: Bridge(name="br-ex", ports=("br-ex",)),
        lambda: Vlan(upon="eno2", vlan=4095),
        lambda: Vlan(upon="enp0s31f6np0", vlan=2040),
    ],
)
def test_bad_input(wrong: object) -> None:
    """Names, addresses, sizes and VLANs that no host could have."""
    with pytest.raises(BadInput):
        wrong()  # type: ignore[operator]
