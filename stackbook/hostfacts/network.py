"""The hosts' interfaces and bridges, and how large a packet passes between hosts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stackbook.hosts import LocalHost
from stackbook.resources import ovsdb

if TYPE_CHECKING:
    from stackbook.hosts import Host
    from stackbook.site import Site

Row = dict[str, Any]
PASSING = ("tap", "qbr", "qvb", "qvo", "qr-", "qg-", "veth")
"""Beginnings of the names of interfaces that come and go with servers and routers."""
HEADERS = 28
"""Bytes of an IPv4 and ICMP header: what a packet of MTU size carries less."""


def interfaces(_: Site, host: Host) -> list[Row]:
    """Interfaces with their state, MTU and addresses, without those of servers; `kind` is empty for a NIC."""
    listed = json.loads(host.run(["ip", "-json", "-details", "address", "show"]).out or "[]")
    return [_interface(link) for link in listed if link and not str(link["ifname"]).startswith(PASSING)]


def _interface(link: Row) -> Row:
    addresses = [f"{one['local']}/{one['prefixlen']}" for one in link.get("addr_info", ()) if one.get("scope") != "link"]
    kind = (link.get("linkinfo") or {}).get("info_kind") or ("loopback" if link.get("link_type") == "loopback" else "")
    return {
        "name": link["ifname"],
        "kind": kind,
        "state": str(link.get("operstate", "")).lower(),
        "mtu": link["mtu"],
        "master": link.get("master", ""),
        "addresses": ", ".join(addresses),
        "mac": link.get("address", ""),
    }


def bridges(_: Site, host: Host) -> list[Row]:
    """Open vSwitch's interfaces, each with its bridge; what it could not do with one stands under `error`."""
    bridge_rows = ovsdb.rows(host, "Bridge", ("name", "ports"))
    if not bridge_rows:
        return []
    ports = {row["_uuid"]: row for row in ovsdb.rows(host, "Port", ("_uuid", "name", "interfaces", "tag"))}
    links = {row["_uuid"]: row for row in ovsdb.rows(host, "Interface", ("_uuid", "name", "type", "mtu", "error"))}
    found = [
        {"bridge": bridge["name"], **_link(link, port)}
        for bridge in bridge_rows
        for port in (ports[id] for id in ovsdb.several(bridge["ports"]))
        for link in (links[id] for id in ovsdb.several(port["interfaces"]))
        if not link["name"].startswith(PASSING)
    ]
    return sorted(found, key=lambda row: (row["bridge"], row["interface"]))


def _link(link: Row, port: Row) -> Row:
    return {
        "interface": link["name"],
        "type": link["type"],
        "tag": ovsdb.optional(port["tag"]),
        "mtu": ovsdb.optional(link["mtu"]),
        "error": ovsdb.optional(link["error"]) or "",
    }


def path_mtu(site: Site, host: Host) -> list[Row]:
    """Whether a packet as large as the MTU of the NIC with `host`'s address passes to the next host, in one piece.

    Each host sends to the one after it, so that each is sender and receiver once.
    """
    following = _next(site, host)
    if following is None:
        return []
    route = json.loads(host.run(["ip", "-json", "route", "get", following.address]).out)[0]
    mtus = {row["name"]: row["mtu"] for row in interfaces(site, host)}
    mtu = int(mtus[route["dev"]])
    sent = host.run(["ping", "-c", "1", "-W", "3", "-M", "do", "-s", str(mtu - HEADERS), following.address], check=False)
    said = (sent.err or sent.out).strip().splitlines()
    passes = sent.code == 0
    return [
        {"to": following.name, "over": route["dev"], "mtu": mtu, "passes": passes, "said": "" if passes else (said or [""])[-1]}
    ]


def _next(site: Site, host: Host) -> Host | None:
    """The host after `host`, the first after the last; None where both are this machine."""
    listed = list(site.hosts.values())
    following = listed[(listed.index(host) + 1) % len(listed)]
    return None if following is host or isinstance(following, LocalHost) else following
