"""MAC and IP addresses in the form in which neutron stores them, so that equal ones compare equal."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from stackbook.errors import BadInput

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def mac(text: str) -> str:
    """``FA-16-3E-0A-0B-0C``, ``fa16.3e0a.0b0c`` or with colons, as ``fa:16:3e:0a:0b:0c``; BadInput for anything else."""
    digits = re.sub(r"[:.-]", "", str(text).strip().lower())
    grouped = re.fullmatch(
        r"([0-9a-f]{2}[:-]){5}[0-9a-f]{2}|([0-9a-f]{4}\.){2}[0-9a-f]{4}|[0-9a-f]{12}", str(text).strip().lower()
    )
    if not grouped:
        raise BadInput(f"MAC address {text!r} is not one", hint="write it as fa:16:3e:0a:0b:0c")
    if int(digits[:2], 16) & 1 or not int(digits, 16):
        raise BadInput(f"MAC address {text!r} is a group address or zero: no port can have it")
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2))


def ip(text: str) -> str:
    """An IPv4 or IPv6 address in its short lower-case form; BadInput for anything else."""
    return str(parsed_ip(text))


def parsed_ip(text: str) -> Address:
    """An IPv4 or IPv6 address; BadInput for anything else."""
    try:
        return ipaddress.ip_address(str(text).strip())
    except ValueError:
        raise BadInput(f"IP address {text!r} is not one", hint="write it as 10.20.4.15 or fd00::15") from None


def cidr(text: str) -> str:
    """A network such as ``10.20.4.0/24``, host bits cleared; BadInput for anything else."""
    return str(parsed_cidr(text))


def parsed_cidr(text: str) -> Network:
    """A network, host bits cleared; BadInput for anything else or without a prefix length."""
    try:
        if "/" not in str(text):
            raise ValueError
        return ipaddress.ip_network(str(text).strip(), strict=False)
    except ValueError:
        raise BadInput(f"network {text!r} is not one in CIDR form", hint="write it as 10.20.4.0/24") from None


def pool(value: Any) -> dict[str, str]:
    """An allocation pool from ``"10.0.0.10-10.0.0.20"``, a pair or a mapping, as ``{"start": …, "end": …}``."""
    first, last = _two(value, "start", "end", "-", "allocation pool", "10.0.0.10-10.0.0.20")
    if parsed_ip(first).version != parsed_ip(last).version or int(parsed_ip(first)) > int(parsed_ip(last)):
        raise BadInput(f"allocation pool {first}-{last} does not run upwards", hint="name the lower address first")
    return {"start": ip(first), "end": ip(last)}


def route(value: Any) -> dict[str, str]:
    """A host route from ``"10.1.0.0/16 via 10.0.0.1"``, a pair or a mapping, as ``{"destination": …, "nexthop": …}``."""
    where, through = _two(value, "destination", "nexthop", " via ", "host route", "10.1.0.0/16 via 10.0.0.1")
    return {"destination": cidr(where), "nexthop": ip(through)}


def forbidden(address: Address, network: Network) -> str:
    """Why no host may have `address` in `network`; empty when one may."""
    if address not in network:
        return f"is not in {network}"
    if network.version == 6 or network.prefixlen >= 31:
        return ""
    if address == network.network_address:
        return f"is the network address of {network}"
    return f"is the broadcast address of {network}" if address == network.broadcast_address else ""


def _two(value: Any, first: str, second: str, between: str, what: str, example: str) -> tuple[str, str]:
    if isinstance(value, Mapping) and {first, second} <= set(value):
        return str(value[first]), str(value[second])
    parts = [part.strip() for part in value.split(between)] if isinstance(value, str) else value
    if isinstance(parts, (list, tuple)) and len(parts) == 2:
        return str(parts[0]), str(parts[1])
    raise BadInput(f"{what} {value!r} is not one", hint=f"write it as {example}")
