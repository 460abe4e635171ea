"""A security group's rule as one line of text, equal for equal rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from stackbook.errors import BadInput
from stackbook.resources import addresses

NAMES = (
    "1 icmp, 2 igmp, 4 ipip, 6 tcp, 8 egp, 17 udp, 33 dccp, 41 ipv6-encap, 46 rsvp, 47 gre, 50 esp, 51 ah, 58 ipv6-icmp,"
    " 89 ospf, 112 vrrp, 113 pgm, 132 sctp, 136 udplite, icmpv6 ipv6-icmp"
)
PROTOCOLS = {"any": "", "0": "", **dict(pair.split() for pair in NAMES.split(","))}
"""Numbers and other names for protocols to the name that is shown; empty for any."""
OTHER = "proto-"
"""How a protocol without a name is told: ``proto-99``; a bare number would be taken for a port."""
EVERYWHERE = ("0.0.0.0/0", "::/0")
FORM = re.compile(
    r"(?P<direction>ingress|egress)(?:\s+(?P<version>ipv4|ipv6))?(?:\s+(?P<protocol>(?!from\b|to\b)[\w-]+))?"
    r"(?:\s+(?P<low>\d+)(?:\s*[-:]\s*(?P<high>\d+))?)?(?:\s+(?:from|to)\s+(?P<remote>.+))?",
    re.IGNORECASE,
)
EXAMPLE = (
    "write it as: ingress tcp 22 from 10.0.0.0/8, ingress udp 5000-5010, ingress icmp, ingress tcp 80 from group web, egress"
)


@dataclass(frozen=True)
class Rule:
    """What a rule lets through; ``str()`` of it is its one normal form."""

    direction: str
    version: str = "ipv4"
    """``ipv4`` or ``ipv6``; that of the address where there is one."""
    protocol: str = ""
    """Empty for any."""
    low: int | None = None
    """First port; for icmp the type."""
    high: int | None = None
    """Last port; for icmp the code."""
    cidr: str | None = None
    group: str | None = None
    """Name of the security group whose members are let through."""

    @classmethod
    def parse(cls, text: str | Self) -> Self:
        """The rule that a line describes; BadInput for anything else."""
        if isinstance(text, cls):
            return text
        found = FORM.fullmatch(" ".join(str(text).split()))
        if not found:
            raise BadInput(f"security group rule {text!r} is not understood", hint=EXAMPLE)
        remote = (found["remote"] or "").strip()
        group = remote[len("group ") :].strip() if remote.lower().startswith("group ") else None
        cidr = _cidr(remote) if remote and group is None else None
        version = (found["version"] or _version(cidr, found["protocol"])).lower()
        low, high = (int(found[end]) if found[end] else None for end in ("low", "high"))
        return cls(found["direction"].lower(), version, _protocol(found["protocol"]), low, high, cidr, group).checked(str(text))

    @classmethod
    def found(cls, rule: Mapping[str, Any], names: Mapping[str, str]) -> Self:
        """The rule that neutron describes; `names` are those of the groups by id."""
        prefix, group = rule.get("remote_ip_prefix"), rule.get("remote_group_id")
        cidr = addresses.cidr(_with_length(prefix)) if prefix else None
        low, high = rule.get("port_range_min"), rule.get("port_range_max")
        about = (str(rule["direction"]), str(rule["ethertype"]).lower(), _protocol(rule.get("protocol")), low, high, cidr)
        return cls(*about, names.get(group, group) if group else None).normal()

    def body(self, group_id: str | None) -> dict[str, Any]:
        """The arguments of openstacksdk that make this rule."""
        about = {"direction": self.direction, "ether_type": "IPv6" if self.version == "ipv6" else "IPv4"}
        ports = {"port_range_min": self.low, "port_range_max": self.high, "protocol": self.protocol.removeprefix(OTHER) or None}
        return {**about, **ports, "remote_ip_prefix": self.cidr, "remote_group_id": group_id}

    def __str__(self) -> str:
        words = [
            self.direction,
            self.version if self.version == "ipv6" else "",
            self.protocol or ("any" if self.low is not None else ""),
        ]
        if self.low is not None:
            words.append(str(self.low) if self.high in (None, self.low) and not self._icmp else self._span())
        if self.cidr or self.group:
            words += ["from" if self.direction == "ingress" else "to", self.cidr or f"group {self.group}"]
        return " ".join(word for word in words if word)

    @property
    def _icmp(self) -> bool:
        return "icmp" in self.protocol

    def _span(self) -> str:
        return str(self.low) if self.high is None else f"{self.low}-{self.high}"

    def checked(self, text: str) -> Self:
        """The rule in its normal form; BadInput, quoting `text`, for ports and addresses that make no sense."""
        if re.match(r"(in|e)gress(\s+ipv[46])?\s+\d+\b", text, re.IGNORECASE) and self.protocol.startswith(OTHER):
            raise BadInput(f"security group rule {text!r}: a port needs a protocol before it", hint=EXAMPLE)
        if self.low is not None and self.protocol in ("", "any"):
            raise BadInput(f"security group rule {text!r}: ports need a protocol", hint=EXAMPLE)
        if self.low is not None and not self._icmp and not 0 <= self.low <= (self.high or self.low) <= 65535:
            raise BadInput(f"security group rule {text!r}: ports run upwards from 0 to 65535", hint=EXAMPLE)
        if self.cidr and addresses.parsed_cidr(self.cidr).version != int(self.version[-1]):
            raise BadInput(f"security group rule {text!r}: {self.cidr} is not {self.version}", hint=EXAMPLE)
        return self.normal()

    def normal(self) -> Self:
        """The rule as neutron would say it: everywhere is no address, one port is a range of one."""
        cidr = None if self.cidr in EVERYWHERE else self.cidr
        high = self.low if self.high is None and not self._icmp else self.high
        protocol = "ipv6-icmp" if self.protocol == "icmp" and self.version == "ipv6" else self.protocol
        return type(self)(self.direction, self.version, protocol, self.low, high, cidr, self.group)


def _protocol(name: Any) -> str:
    text = str(name or "").lower().removeprefix(OTHER)
    known = PROTOCOLS.get(text, text)
    return OTHER + known if known.isdecimal() else known


def _version(cidr: str | None, protocol: str | None) -> str:
    if cidr:
        return f"ipv{addresses.parsed_cidr(cidr).version}"
    return "ipv6" if _protocol(protocol) == "ipv6-icmp" else "ipv4"


def _cidr(text: str) -> str | None:
    if text.lower() in ("any", "anywhere"):
        return None
    return addresses.cidr(_with_length(text))


def _with_length(text: str) -> str:
    return text if "/" in text else f"{text}/{128 if ':' in text else 32}"
