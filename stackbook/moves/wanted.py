"""What an operator asks for: as arguments, as ``key=value`` pairs, or as the columns of a CSV."""

from __future__ import annotations

from dataclasses import dataclass

from stackbook.errors import BadInput
from stackbook.resources.disk import IMAGE, VOLUME


@dataclass(frozen=True)
class Wanted:
    """What the operator asks for; empty leaves it to the site or the bundle."""

    bundle: str
    name: str = ""
    networks: str = ""
    """One network for all cards, or ``old=new`` pairs, separated by commas."""
    ips: str = ""
    """Addresses in the order of the cards; ``any`` lets Neutron choose."""
    macs: str = ""
    """MACs in the order of the cards, where the bundle has none; ``new`` lets Neutron choose."""
    flavor: str = ""
    """A name; ``new`` makes one of the machine's very size."""
    volume_type: str = ""
    drivers: str = "safe"
    secure_boot: str = ""
    """``drop`` to go on without Secure Boot."""
    path: str = ""
    """``image`` or ``volume``: straight into the volume, where volumes lie on this machine."""
    tcp: str = ""
    """TCP ports that have to answer in the end where there is a path from here, separated by ``+``; empty: the usual one
    is tried, and what comes of it is told."""
    skip: str = ""
    """``yes``: not in this wave."""


def pairs(options: str) -> dict[str, str]:
    """The ``key=value`` pairs of an `options` parameter; BadInput for what is none."""
    return dict(_pair(item) for item in listed(options))


def _pair(item: str) -> tuple[str, str]:
    key, equals, value = item.partition("=")
    if not equals:
        raise BadInput(f"options: {item!r} is no pair", hint="key=value, separated by commas")
    return key.strip(), value.strip()


def tcp_ports(text: str) -> tuple[int, ...]:
    """The TCP ports of ``22+443``; BadInput for what is none."""
    found = [item.strip() for item in text.split("+") if item.strip()]
    if odd := next((item for item in found if not item.isdecimal() or not 0 < int(item[:6]) < 65536), ""):
        raise BadInput(f"tcp: {odd!r} is no TCP port", hint="numbers from 1 to 65535, joined by +: tcp=22+443")
    return tuple(int(item) for item in found)


def listed(text: str) -> list[str]:
    """The items of a text that separates them by commas or semicolons."""
    return [item.strip() for item in text.replace(";", ",").split(",") if item.strip()]


def check_wanted(values: dict[str, str], where: str) -> dict[str, str]:
    """`values` when all are fields of `Wanted`; else BadInput."""
    known = set(Wanted.__dataclass_fields__)
    if unknown := set(values) - known:
        raise BadInput(f"{where}: expected some of the columns {', '.join(sorted(known))}", found=", ".join(sorted(unknown)))
    if values.get("path", "") not in ("", IMAGE, VOLUME):
        raise BadInput(f"{where}: path is {IMAGE} or {VOLUME}", found=values["path"])
    return values
