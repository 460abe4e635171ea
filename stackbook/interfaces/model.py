"""What a host should have after a restart: bridges of Open vSwitch with their ports, interfaces, VLANs upon them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from stackbook.errors import BadInput

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A network interface with or without an address of its own."""

    name: str
    address: str | None = None
    """With its prefix: ``192.0.2.5/24``; None: without address."""
    mtu: int | None = None
    """Bytes; None: as the driver has it."""

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.mtu is not None and not 576 <= self.mtu <= 65535:
            raise BadInput(f"{self.name}: MTU {self.mtu} is outside 576-65535")
        if self.address is not None:
            check_address(self.name, self.address)

    @property
    def version(self) -> int:
        """4 or 6: the address's version."""
        return ipaddress.ip_interface(self.address or "0.0.0.0/0").version


@dataclass(frozen=True, kw_only=True)
class Bridge(Interface):
    """A bridge of Open vSwitch; address and MTU are those of its internal port."""

    ports: tuple[str, ...] = ()
    """Names of the interfaces that belong to it."""
    port_mtu: int | None = None
    """Bytes, of every port."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for port in self.ports:
            check_name(port)
        if len(set(self.ports)) < len(self.ports) or self.name in self.ports:
            raise BadInput(f"{self.name}: a port is named twice, or is the bridge itself", found=list(self.ports))


@dataclass(frozen=True, kw_only=True)
class Vlan(Interface):
    """A VLAN upon an interface; its name is ``eno2.204`` for VLAN 204 upon ``eno2``."""

    name: str = ""
    upon: str
    vlan: int

    def __post_init__(self) -> None:
        check_name(self.upon)
        if not 1 <= self.vlan <= 4094:
            raise BadInput(f"{self.upon}: VLAN {self.vlan} is outside 1-4094")
        if not self.name:
            object.__setattr__(self, "name", f"{self.upon}.{self.vlan}")
        super().__post_init__()


def check_name(name: str) -> None:
    """Refuse what the kernel would not take as an interface's name."""
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} is no name of an interface", hint="at most 15 letters, digits, dots and dashes, such as eno2")


def check_address(name: str, address: str) -> None:
    """Refuse what is no address of a host with its prefix."""
    try:
        found = ipaddress.ip_interface(address)
    except ValueError:
        found = None
    if found is None or "/" not in address or (found.ip == found.network.network_address and found.network.num_addresses > 2):
        raise BadInput(f"{name}: {address!r} is no address with its prefix", hint="for example 192.0.2.5/24")
