"""Open vSwitch on hosts: bridges, their ports, and what its database keeps for others."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stackbook.errors import BadInput, ChangedSince, Refused, StackbookError
from stackbook.hosts import HostFailed
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources.links import Link, links, refuse_taking
from stackbook.resources.lookup import once
from stackbook.resources.ovsdb import VSCTL, change, optional, quoted, rows, several

if TYPE_CHECKING:
    from stackbook.hosts import Host
    from stackbook.site import Site

VLANS = range(1, 4095)
LONGEST = 15
"""Characters of an interface's name."""
INTEGRATION = "br-int"


@dataclass(frozen=True, kw_only=True)
class OvsBridge(Resource):
    """A bridge of Open vSwitch.

    A new one gets the datapath of those that are there, since bridges of different ones can't be joined. Only a bridge
    without ports is removed; patch ports go with it, at both ends.
    """

    kind: ClassVar[str] = "ovs-bridge"
    identity: ClassVar[tuple[str, ...]] = ("host", "name")
    fixed: ClassVar[frozenset[str]] = frozenset({"datapath_type"})

    host: str
    name: str
    datapath_type: str | None = None
    """``system`` (the kernel's) or ``netdev`` (in user space)."""

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The bridge of that name."""
        found = next((row for row in _bridges(site, self.host) if row["name"] == self.name), None)
        return Actual(found["_uuid"], {"datapath_type": found["datapath_type"] or "system"}) if found else None

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse a name that the kernel would not take, and one that another kind of interface has."""
        _check_name(self)
        if actual is None and self.name in links(site.host(self.host)):
            raise Refused(f"{self.address}: {self.host} has an interface of that name, which is no bridge of Open vSwitch")

    def create(self, site: Site, change_: Change) -> Values:
        """Add the bridge; taken back when Open vSwitch can't make it work."""
        host = site.host(self.host)
        datapath = self.datapath_type or _datapath(site, self.host)
        typed = [["set", "Bridge", self.name, f"datapath_type={datapath}"]] if datapath else []
        _made_to_work(host, self, ["add-br", self.name], typed, undo=["del-br", self.name])
        return _memo(self, site)

    def delete(self, site: Site, change_: Change) -> Values:
        """Remove the bridge, which must have no ports but patch ports."""
        host = site.host(self.host)
        types = {row["name"]: row for row in rows(host, "Interface", ("name", "type", "options"))}
        ports = [name for name in ports_of(host, self.name) if name in types]
        if used := [name for name in ports if types[name]["type"] != "patch"]:
            raise ChangedSince(f"{self.address} can't be removed: it has ports", found=used, hint="who uses them? ovs-vsctl show")
        peers = [peer for name in ports if (peer := types[name]["options"].get("peer"))]
        change(host, *(["--if-exists", "del-port", peer] for peer in peers), ["--if-exists", "del-br", self.name])
        return {}


@dataclass(frozen=True, kw_only=True)
class OvsPort(Resource):
    """An interface of the host as a port of a bridge of Open vSwitch.

    With `tag` an access port of that VLAN, with `trunks` a trunk that carries only these, with neither a trunk for all.
    An interface that is missing, or that carries an address, the default route or the operator's own connection, is
    refused while planning.
    """

    kind: ClassVar[str] = "ovs-port"
    identity: ClassVar[tuple[str, ...]] = ("host", "name")
    fixed: ClassVar[frozenset[str]] = frozenset({"bridge"})

    host: str
    name: str
    bridge: str
    tag: int | None = None
    trunks: tuple[int, ...] | None = None
    up: bool | None = None
    """Whether the interface is switched on."""

    def __post_init__(self) -> None:
        for number in (*(self.trunks or ()), *([self.tag] if self.tag is not None else [])):
            if number not in VLANS:
                raise BadInput(f"{self.address}: VLAN {number} is outside 1-4094")

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The port of that name, in whichever bridge; to be replaced when Open vSwitch could not make it work."""
        host = site.host(self.host)
        found = next((row for row in _ports(site, host) if row["name"] == self.name), None)
        if found is None:
            return None
        bridge = next((row["name"] for row in _bridges(site, self.host) if found["_uuid"] in several(row["ports"])), "")
        link = _links(site, host).get(self.name)
        values = {"bridge": bridge, "tag": optional(found["tag"]), "trunks": several(found["trunks"])}
        error = _error(host, self.name)
        broken = f"Open vSwitch says: {error}" if error and bridge == self.bridge else ""
        return Actual(found["_uuid"], {**values, "up": bool(link and link.up)}, replace=broken)

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse an interface that is missing or used, a port of another bridge, and a bridge that is not there."""
        _check_name(self)
        if actual is not None and actual.values["bridge"] != self.bridge:
            raise Refused(
                f"{self.address}: it is a port of {actual.values['bridge']}, not of {self.bridge}",
                hint=f"take another interface; or, if nobody needs it there: ovs-vsctl del-port {self.name}",
            )
        if actual is None or actual.replace:
            refuse_taking(site.host(self.host), self.name, self.address)
        if self.bridge not in self._bridges_to_be(site, others):
            raise Refused(f"{self.address}: {self.host} has no bridge {self.bridge}", hint="list an OvsBridge before it")

    def create(self, site: Site, change_: Change) -> Values:
        """Add the port; taken back when Open vSwitch can't make it work."""
        host = site.host(self.host)
        refuse_taking(host, self.name, self.address)
        _made_to_work(
            host, self, ["add-port", self.bridge, self.name], self._settings(change_.after), undo=["del-port", self.name]
        )
        memo = {**_memo(self, site), "was_up": links(host)[self.name].up}
        self._switch(host, change_.after.get("up"))
        return memo

    def update(self, site: Site, change_: Change) -> Values:
        """Change its VLANs, or switch the interface on or off."""
        host = site.host(self.host)
        if settings := self._settings(change_.after):
            change(host, *settings)
        self._switch(host, change_.after.get("up"))
        return {"id": change_.id}

    def delete(self, site: Site, change_: Change) -> Values:
        """Take the port out of its bridge, and leave the interface as it was before."""
        host = site.host(self.host)
        change(host, ["--if-exists", "del-port", self.bridge, self.name])
        if change_.memo.get("was_up") is False:
            self._switch(host, up=False)
        return {}

    def _settings(self, after: Values) -> list[list[str]]:
        given = {name: after[name] for name in ("tag", "trunks") if name in after}
        return [
            ["set", "Port", self.name, f"{name}={','.join(map(str, several(value)))}"]
            if value not in (None, [], ())
            else ["clear", "Port", self.name, name]
            for name, value in given.items()
        ]

    def _switch(self, host: Host, up: bool | None) -> None:
        if up is not None:
            host.run(["ip", "link", "set", "dev", self.name, "up" if up else "down"])

    def _bridges_to_be(self, site: Site, others: Sequence[Resource]) -> set[str]:
        planned = {other.name for other in others if isinstance(other, OvsBridge) and other.host == self.host}
        return planned | {row["name"] for row in _bridges(site, self.host)}


@dataclass(frozen=True, kw_only=True)
class OvsExternalIds(Resource):
    """One entry of ``external_ids`` in the table ``Open_vSwitch``, such as OVN's ``ovn-bridge-mappings``."""

    kind: ClassVar[str] = "ovs-external-ids"
    identity: ClassVar[tuple[str, ...]] = ("host", "name")

    host: str
    name: str
    value: str | None = None

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The entry's value; None when there is none."""
        found = external_ids(site.host(self.host))
        return Actual(None, {"value": found[self.name]}) if self.name in found else None

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse an entry without a value."""
        if self.value is None:
            raise BadInput(f"{self.address}: it needs a value", hint="Absent(OvsExternalIds(…)) takes it away")

    def create(self, site: Site, change_: Change) -> Values:
        """Add the entry."""
        return self.update(site, change_)

    def update(self, site: Site, change_: Change) -> Values:
        """Set the entry's value."""
        entry = f"external_ids:{quoted(self.name)}={quoted(change_.after['value'])}"
        change(site.host(self.host), ["set", "Open_vSwitch", ".", entry])
        return {}

    def delete(self, site: Site, change_: Change) -> Values:
        """Take the entry away."""
        change(site.host(self.host), ["remove", "Open_vSwitch", ".", "external_ids", quoted(self.name)])
        return {}


def external_ids(host: Host) -> dict[str, str]:
    """What Open vSwitch on `host` keeps for others, OVN's settings among it."""
    return dict(rows(host, "Open_vSwitch", ("external_ids",))[0]["external_ids"])


def ports_of(host: Host, bridge: str) -> list[str]:
    """The ports of `bridge`; none where there is no such bridge."""
    return host.run([*VSCTL, "list-ports", bridge], check=False).out.split()


def nics_of(host: Host, bridge: str) -> list[str]:
    """The ports of `bridge` that are interfaces of the host: no patch ports, tunnels or virtual ones."""
    types = {row["name"]: row["type"] for row in rows(host, "Interface", ("name", "type"))}
    return [name for name in ports_of(host, bridge) if types.get(name) in ("", "system")]


def interface_errors(host: Host) -> dict[str, str]:
    """Interfaces that Open vSwitch could not make work, with what it says."""
    found = {row["name"]: optional(row["error"]) for row in rows(host, "Interface", ("name", "error"))}
    return {name: error for name, error in found.items() if error}


def _made_to_work(host: Host, resource: OvsBridge | OvsPort, add: list[str], more: list[list[str]], undo: list[str]) -> None:
    """Add something in one transaction and see that Open vSwitch could; if not, the row is taken back."""
    try:
        change(host, add, *more)
        problem: Any = _error(host, resource.name)
    except HostFailed as error:
        problem = error.found or error.what
    if problem:
        with suppress(HostFailed):  # ovs-vswitchd may be what failed: the row goes without waiting for it
            host.run([*VSCTL, "--no-wait", "--if-exists", *undo])
        raise StackbookError(
            f"{resource.address}: Open vSwitch could not make it work; it was taken back",
            found=problem,
            hint=f"read the end of /var/log/openvswitch/ovs-vswitchd.log on {resource.host}",
        )


def _error(host: Host, name: str) -> str:
    return interface_errors(host).get(name, "")


def _memo(resource: Resource, site: Site) -> Values:
    found = resource.read(site)
    return {"id": found.id if found else None}


def _bridges(site: Site, name: str) -> list[Values]:
    host = site.host(name)
    columns = ("_uuid", "name", "datapath_type", "ports")
    found: list[Values] = once(site, ("ovs bridges", name), lambda: rows(host, "Bridge", columns))
    return found


def _ports(site: Site, host: Host) -> list[Values]:
    columns = ("_uuid", "name", "tag", "trunks")
    found: list[Values] = once(site, ("ovs ports", host.name), lambda: rows(host, "Port", columns))
    return found


def _links(site: Site, host: Host) -> dict[str, Link]:
    found: dict[str, Link] = once(site, ("links", host.name), lambda: links(host))
    return found


def _datapath(site: Site, host: str) -> str:
    """The datapath of the bridges that are there, the integration bridge's first; empty: Open vSwitch's default."""
    found = {row["name"]: str(row["datapath_type"]) for row in _bridges(site, host)}
    return found.get(INTEGRATION) or next(filter(None, found.values()), "")


def _check_name(resource: OvsBridge | OvsPort) -> None:
    if not 0 < len(resource.name) <= LONGEST or set(resource.name) & set("/ \t\n"):
        raise BadInput(f"{resource.address}: an interface's name has 1 to {LONGEST} characters, no blank and no /")
