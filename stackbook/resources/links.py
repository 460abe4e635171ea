"""A host's network interfaces as the kernel has them, and whether one may be taken for a bridge. Only read."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stackbook.errors import Refused

if TYPE_CHECKING:
    from stackbook.hosts import Host

STACKED = re.compile(r"\\\s+(vlan|macvlan|macvtap|ipvlan|ipvtap|macsec)\s")
VLAN = re.compile(r"\\\s+vlan protocol \S+ id (\d+)")


@dataclass(frozen=True)
class Link:
    """One interface."""

    name: str
    mtu: int
    """Bytes."""
    up: bool
    """Whether it is switched on; a cable need not be plugged in."""
    master: str = ""
    """The bridge or bond that it belongs to."""
    lower: str = ""
    """The interface that it is stacked upon, as ``eno2.100`` is upon ``eno2``."""
    vlan: int | None = None
    """Its VLAN, where it is stacked as one."""
    addresses: tuple[str, ...] = ()
    """With their prefix, such as ``10.0.0.31/24``; link-local ones, which every interface has, left out."""
    default_routes: tuple[str, ...] = field(default=(), compare=False)
    """The default routes that leave by it, as ``ip`` words them."""


def links(host: Host) -> dict[str, Link]:
    """Every interface of the host by name. Read from iproute2's one-line output, which CentOS 7 has too."""
    addresses = _addresses(host.run(["ip", "-o", "address", "show"]).out)
    routes = [line for version in ("-4", "-6") for line in _default_routes(host, version)]
    found = {}
    for line in host.run(["ip", "-o", "-d", "link", "show"]).out.splitlines():
        _, named, rest = line.split(": ", 2)
        name, _, lower = named.partition("@")
        found[name] = Link(
            name,
            mtu=int(_word(rest, "mtu") or 0),
            up="UP" in rest.split("<", 1)[1].split(">", 1)[0].split(","),
            master=_word(rest, "master"),
            lower=lower if STACKED.search(rest) else "",
            vlan=int(tag.group(1)) if (tag := VLAN.search(rest)) else None,
            addresses=tuple(addresses.get(name, ())),
            default_routes=tuple(route for route in routes if _word(route, "dev") == name),
        )
    return found


def refuse_taking(host: Host, name: str, what: str) -> None:
    """Refuse to take interface `name` into a bridge when it is missing or used; `what` is who asks.

    What is stacked upon it counts as its use: the host's addresses, its default route, the operator's own connection.
    """
    known = links(host)
    if name not in known:
        there = sorted(other for other in known if other != "lo")
        raise Refused(f"{what}: {host.name} has no interface {name}", found=there, hint="name one of those")
    if reasons := list(uses(known, name, operators_address(host))):
        raise Refused(
            f"{what}: {name} is in use, and {host.name} or you would lose what it carries",
            found=reasons,
            hint="take another interface, one without addresses, for the VLANs",
        )


def uses(known: dict[str, Link], name: str, operator: str = "") -> Iterator[str]:
    """Why interface `name` is not free; `operator` is the address by which the operator reaches the host."""
    for link in (known[name], *_stacked(known, name)):
        through = name if link.name == name else f"{link.name}, which is stacked upon {name},"
        own = [address.partition("/")[0] for address in link.addresses]
        if operator and operator in own:
            yield f"you are connected through it: {through} carries {operator}"
        yield from (f"{through} carries the default route: {route}" for route in link.default_routes)
        yield from (f"{through} carries the address {address}" for address in link.addresses)
        if link.master:
            yield f"{through} belongs to {link.master}"


def operators_address(host: Host) -> str:
    """The host's address by which the operator is connected over SSH; empty when nobody is."""
    told = host.run(["printenv", "SSH_CONNECTION"], check=False).out.split()
    try:
        return str(ipaddress.ip_address(told[2].partition("%")[0])) if len(told) == 4 else ""
    except ValueError:
        return ""


def _stacked(known: dict[str, Link], name: str) -> Iterator[Link]:
    for link in known.values():
        if link.lower == name:
            yield link
            yield from _stacked(known, link.name)


def _addresses(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 3 and words[2] in ("inet", "inet6") and not ipaddress.ip_interface(words[3]).is_link_local:
            found.setdefault(words[1], []).append(words[3])
    return found


def _default_routes(host: Host, version: str) -> list[str]:
    answer = host.run(["ip", "-o", version, "route", "show", "table", "all", "default"], check=False)  # no IPv6: exit code 1
    lines = [line.replace("\\", " ").split() for line in answer.out.splitlines()]
    return [" ".join(words[:7]) for words in lines if words and words[0] == "default"]


def _word(line: str, before: str) -> str:
    """The word after `before`."""
    words = line.replace("\\", " ").split()
    return words[words.index(before) + 1] if before in words[:-1] else ""
