"""One machine: where it fits on a site, what stands in the way, and the resources that make it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from stackbook.errors import StackbookError
from stackbook.migration.bundle import Bundle, BundleDisk, inspect
from stackbook.migration.hardware import Nic, mac_address
from stackbook.migration.passage import glance_format
from stackbook.moves import choices
from stackbook.moves.answers import PORTS
from stackbook.moves.place import Place
from stackbook.moves.wanted import Wanted, check_wanted, listed, pairs, tcp_ports
from stackbook.resources import Disk, Flavor, Port, Server
from stackbook.resources.disk import IMAGE, VOLUME

if TYPE_CHECKING:
    from stackbook.plans import Resource
    from stackbook.site import Site

Row = dict[str, Any]
OK, WARN, STOP = "OK", "WARN", "STOP"
ANY, NEW = "any", "new"


@dataclass(frozen=True)
class Move:
    """A machine and its place: shown as a table of OK, WARN and STOP."""

    name: str
    bundle: Bundle | None
    rows: list[Row] = field(repr=False)
    desired: list[Resource] = field(repr=False)
    tcp: tuple[int, ...] = ()
    """Ports that were asked for."""
    skipped: str = ""
    """Why it does not move with its wave; empty when it does."""

    @property
    def addresses(self) -> list[str]:
        """The addresses that it is to have, as far as they are chosen."""
        return [wanted.ip_address for wanted in self.desired if isinstance(wanted, Port) and wanted.ip_address]

    @property
    def ports(self) -> tuple[int, ...]:
        """The TCP ports to try: those asked for, else what usually listens on such a guest."""
        return self.tcp or PORTS.get(self.bundle.machine.family if self.bundle else "", ())

    @property
    def stops(self) -> list[Row]:
        """The rows that stand in the way, as preflight shows them."""
        return [
            {"check": f"{row['machine']}: {row['about']}", "found": row["found"], "expected": "", "hint": row["hint"]}
            for row in self.rows
            if row["level"] == STOP
        ]

    def __repr__(self) -> str:
        return "\n".join(f"{row['level']:5} {row['about']:14} {row['found']}" for row in self.rows)

    def _repr_html_(self) -> str:
        from stackbook.render.frame import frame

        return str(frame(self.rows)._repr_html_())


def fit(bundle: Bundle | str, site: Site, *, options: str = "", **wanted: str) -> Move:
    """Where a machine fits on `site`: its flavor, networks, addresses, disks, drivers, each with the reason.

    Nothing is written. See `Wanted` for what can be asked for, as arguments or as ``key=value`` pairs in `options`.
    """
    found = inspect(bundle) if isinstance(bundle, str) else bundle
    asked = {**wanted, **pairs(options)}
    return Fitting(found, Place(site), Wanted(**{**check_wanted(asked, "options"), "bundle": found.path})).move()


class Fitting:
    """Finds the place of one machine; collects rows on the way."""

    def __init__(self, bundle: Bundle, place: Place, wanted: Wanted) -> None:
        self.bundle, self.place, self.wanted = bundle, place, wanted
        self.machine = bundle.machine
        self.name = wanted.name or bundle.name
        self.rows: list[Row] = []

    def move(self) -> Move:
        """The machine's place."""
        flavor = list(self._flavor())
        ports = [self._port(nic) for nic in self._cards()]
        properties = self._properties()
        disks = [self._disk(number, disk, properties) for number, disk in enumerate(self.bundle.disks)]
        self._room(disks)
        self._free_names()
        self._about()
        placed = [port for port in ports if port is not None]
        server = Server(
            name=self.name,
            flavor=str(flavor[0].key["name"]) if flavor else self.chosen,
            volume=disks[0].name,
            data_volumes=[disk.name for disk in disks[1:]] or None,
            ports=[port.name for port in placed],
        )
        return Move(self.name, self.bundle, self.rows, [*flavor, *disks, *placed, server], tcp_ports(self.wanted.tcp))

    def _say(self, level: str, about: str, found: Any, hint: str = "") -> None:
        self.rows.append({"machine": self.name, "level": level, "about": about, "found": found, "hint": hint})

    def _flavor(self) -> Iterator[Flavor]:
        vcpus, ram = self.machine.vcpus or 1, self.machine.ram_mib or 1024
        known = {row["name"]: row for row in self.place.flavors()}
        self.chosen, self.size = self.wanted.flavor, (vcpus, ram)
        if self.machine.vcpus is None or self.machine.ram_mib is None:
            self._say(WARN, "size", f"the bundle does not tell it all; taken as {vcpus} vCPU, {ram} MiB", "name a flavor")
        if self.chosen == NEW:
            yield from self._new_flavor(known, vcpus, ram)
        elif self.chosen:
            self._given_flavor(known, vcpus, ram)
        else:
            self._best_flavor(choices.ranked(known.values(), vcpus, ram))

    def _new_flavor(self, known: dict[str, Row], vcpus: int, ram: int) -> Iterator[Flavor]:
        self.chosen = f"moved-{vcpus}c-{ram}m"
        self._say(
            OK, "flavor", f"{self.chosen}: exactly {vcpus} vCPU, {ram} MiB" + (", is there" if self.chosen in known else ", new")
        )
        yield Flavor(name=self.chosen, vcpus=vcpus, ram=ram, disk=0)

    def _given_flavor(self, known: dict[str, Row], vcpus: int, ram: int) -> None:
        row = known.get(self.chosen)
        if row is None:
            return self._say(STOP, "flavor", f"{self.chosen} does not exist", f"there are: {', '.join(sorted(known)[:8])}")
        self.size = row["vcpus"], row["ram"]
        less = row["vcpus"] < vcpus or row["ram"] < ram
        told = f"{self.chosen}: {row['vcpus']} vCPU, {row['ram']} MiB for {vcpus} and {ram}"
        return self._say(WARN if less else OK, "flavor", told, "it is smaller than the machine was" if less else "")

    def _best_flavor(self, ranked: list[tuple[Row, str]]) -> None:
        if not ranked:
            vcpus, ram = self.size
            return self._say(STOP, "flavor", f"none has {vcpus} vCPU and {ram} MiB", "flavor=new makes one of this size")
        self.chosen, self.size = ranked[0][0]["name"], (ranked[0][0]["vcpus"], ranked[0][0]["ram"])
        others = "; ".join(f"{row['name']} ({reason})" for row, reason in ranked[1:3])
        return self._say(OK, "flavor", f"{self.chosen}: {ranked[0][1]}", f"next: {others}" if others else "")

    def _cards(self) -> Sequence[Nic]:
        if not self.machine.nics:
            given = len(listed(self.wanted.ips)) or bool(self.wanted.networks)
            return [Nic(number, None, "", "") for number in range(given)]
        return self.machine.nics

    def _port(self, nic: Nic) -> Port | None:
        about, name = f"nic {nic.number}", f"{self.name}-nic{nic.number}"
        wanted = self._network_name(nic)
        found = self.place.network(wanted)
        if len(found) != 1:
            told = f"{wanted or 'no network'!r}: {'there is none of that name' if not found else 'several have that name'}"
            self._say(STOP, about, told, f"networks='{nic.network or 'OLD'}=NEW', of: {self._networks()}")
            return None
        mac, address = self._mac(nic, about, name), self._address(nic, found[0], about, name)
        told = f"{mac or 'a new MAC'}, {address or 'an address that Neutron chooses'} on {wanted}{_vlan(found[0])}"
        self._say(OK, about, told, f"was on {nic.network!r}" if nic.network not in ("", wanted) else "")
        return Port(name=name, network=wanted, ip_address=address, mac_address=mac)

    def _networks(self) -> str:
        return ", ".join(sorted(str(row.get("name")) for row in self.place.rows["networks"])[:8])

    def _network_name(self, nic: Nic) -> str:
        pairs = dict(item.split("=", 1) for item in listed(self.wanted.networks) if "=" in item)
        plain = [item for item in listed(self.wanted.networks) if "=" not in item]
        if nic.network in pairs:
            return pairs[nic.network].strip()
        if len(plain) > 1:
            return plain[nic.number] if nic.number < len(plain) else ""
        return plain[0] if plain else nic.network

    def _mac(self, nic: Nic, about: str, port: str) -> str | None:
        given = listed(self.wanted.macs)
        text = given[nic.number] if nic.number < len(given) else given[0] if given == [NEW] else ""
        if text == NEW:
            self._say(WARN, about, "gets a new MAC", "guests bind their settings to the MAC: udev rules, DHCP leases, licences")
            return None
        mac = mac_address(text) if text else nic.mac
        if text and mac is None:
            self._say(STOP, about, f"{text!r} is no MAC address", "six pairs of hex digits")
        elif mac is None:
            self._say(STOP, about, "the bundle tells no MAC", "macs='00:50:56:…', as the old host shows it; or macs=new")
        elif int(mac[:2], 16) & 1:
            self._say(STOP, about, f"{mac} is a multicast address", "give the card's own MAC")
        else:
            self._taken(about, f"MAC {mac}", port, self.place.holder(mac=mac))
        return mac

    def _address(self, nic: Nic, network: Row, about: str, port: str) -> str | None:
        given = listed(self.wanted.ips)
        text = given[nic.number] if nic.number < len(given) else ""
        if text == ANY or given == [ANY]:
            self._say(WARN, about, "Neutron chooses the address", "the guest must take its address by DHCP")
            return None
        if not text:
            self._say(STOP, about, "the address is not told", "ips='192.0.2.10', as the guest has it; or ips=any")
            return None
        try:
            subnet = self.place.subnet_of(network, text)
        except ValueError:
            self._say(STOP, about, f"{text!r} is no IP address")
            return None
        if subnet is None:
            self._say(STOP, about, f"{text} lies in no subnet of {network['name']}", "make the subnet, or choose another network")
        elif text == subnet.get("gateway_ip"):
            self._say(STOP, about, f"{text} is the gateway of {subnet['name']}")
        self._taken(about, f"{network['name']} {text}", port, self.place.holder(address=text, network=network["id"]))
        return text

    def _taken(self, about: str, what: str, port: str, held: Row | None) -> None:
        other = self.place.names.setdefault(what, port)
        if other != port:
            self._say(STOP, about, f"{what} is asked for by {other} too", "give one another")
        elif held is not None and held.get("name") != port:
            self._say(STOP, about, f"{what} is in use by port {held.get('name')!r} ({held.get('id')})", "free it first")

    def _properties(self) -> dict[str, str]:
        found = choices.properties(self.machine, self.bundle.disks, self.wanted.drivers)
        hint = "" if self.wanted.drivers == "virtio" else "when it runs: install virtio's drivers, then drivers=virtio"
        self._say(OK, "drivers", ", ".join(f"{key}={value}" for key, value in found.items()), hint)
        if self.machine.secure_boot and self.wanted.secure_boot != "drop":
            self._say(STOP, "firmware", "the machine boots with Secure Boot", "secure_boot=drop, if it may go on without")
        return found

    def _disk(self, number: int, disk: BundleDisk, properties: dict[str, str]) -> Disk:
        way = self._way(f"disk {number}", disk)
        type = self.wanted.volume_type
        if type and type not in {row.get("name") for row in self.place.rows["volume_types"]}:
            self._say(STOP, f"disk {number}", f"volume type {type!r} does not exist")
        name = f"{self.name}-disk{number}"
        return Disk(
            name=name,
            bundle=self.bundle.path,
            source=disk.source,
            seen=disk.seen,
            size=self._gib(name, disk),
            type=type or None,
            properties=properties,
            bootable=number == 0,
            way=way,
        )

    def _way(self, about: str, disk: BundleDisk) -> str | None:
        """Straight into the volume where that is asked for, or needed and possible; else through an image."""
        taken = self.place.disk_formats
        if taken and glance_format(disk) not in taken:
            disk = replace(disk, objection=f"glance takes no {glance_format(disk)} here")
        (how, sent), (time, straight) = choices.way(disk), choices.seconds(disk)
        what = f"{disk.name} ({disk.format}, {disk.size / 2**30:g} GiB)"
        too_large = sent > choices.GLANCE_CAP
        if self.wanted.path == VOLUME or (too_large and self.wanted.path != IMAGE and self.place.holds_volumes):
            told = f"{what} straight into the volume: {choices.human(disk.allocated)} at most, about {straight:.0f} s"
            here = self.place.holds_volumes
            self._say(OK if here else STOP, about, told, "" if here else "volumes do not lie here: leave out path=volume")
            return VOLUME
        told = f"{what} {how}: at most {choices.human(sent)}, about {time:.0f} s"
        hint = f"path=volume would write it from here, in about {straight:.0f} s" if self.place.holds_volumes else ""
        if too_large:
            hint = "over 1 TiB, glance's own limit (image_size_cap): run on the volume host, with path=volume"
        self._say(STOP if too_large else OK, about, told, hint)
        return None

    def _gib(self, name: str, disk: BundleDisk) -> int:
        """The volume's size: that of one which was made from the disk and has grown since stays."""
        held = [
            row for row in self.place.named("volumes", name) if (row.get("metadata") or {}).get("stackbook_source") == disk.source
        ]
        return max([disk.gib, *(int(row["size"]) for row in held)])

    def _room(self, disks: list[Disk]) -> None:
        new = [disk for disk in disks if not self.place.named("volumes", disk.name)]
        gigabytes = sum(disk.size or 0 for disk in new)
        needs: dict[str, float] = {"volumes": len(new), "gigabytes": gigabytes}
        if not self.place.named("servers", self.name):
            needs |= {"instances": 1, "cores": self.size[0], "ram": self.size[1]}
        for name, more in needs.items():
            limit, used = self.place.quotas.get(name, (-1, 0))
            total = self.place.taken[name] = self.place.taken.get(name, 0) + more
            if 0 <= limit < used + total:
                self._say(STOP, "quota", f"{name}: {used} of {limit} in use, {total:g} more needed", "raise it: project-setup")
        free = self.place.free()
        if free is not None and free < self.place.taken["gigabytes"]:
            self._say(
                STOP, "room", f"{free:g} GiB free in the roomiest pool, {self.place.taken['gigabytes']:g} needed", "make room"
            )

    def _free_names(self) -> None:
        for disk in self.bundle.disks:
            name = f"{self.name}-disk{self.bundle.disks.index(disk)}"
            for row in self.place.named("volumes", name):
                metadata = row.get("metadata") or {}
                if disk.source not in (metadata.get("stackbook_source"), metadata.get("stackbook_filling")):
                    self._say(STOP, "name", f"volume {name!r} ({row['id']}) is there and holds something else", "name=… another")
        held = [row for row in self.place.named("servers", self.name) if not self.place.holds(row, self.name)]
        for row in held:
            self._say(STOP, "name", f"a server {self.name!r} ({row['id']}) is there already", "name=… another")

    def _about(self) -> None:
        if self.bundle.kind in ("ova", "ovf") and not self.bundle.manifest:
            self._say(WARN, "integrity", "there is no manifest", "a damage from before now can't be told")
        if self.machine.family == "windows":
            self._say(
                WARN,
                "guest",
                f"{self.machine.guest}: Windows binds static addresses to its card",
                "enter them again after the move",
            )
        if self.machine.family == "other":
            self._say(
                WARN,
                "guest",
                f"{self.machine.guest or 'not told'}: unknown",
                "look whether it has drivers for what 'drivers' says",
            )
        for note in self.bundle.notes:
            self._say(OK, "note", note)


def refused(name: str, error: StackbookError) -> Move:
    """The row of a bundle that can't be moved at all."""
    row = {"machine": name, "level": STOP, "about": "bundle", "found": _line(error), "hint": error.hint or ""}
    return Move(name, None, [row], [])


def _line(error: StackbookError) -> str:
    return f"{error.what} ({error.found})" if error.found else error.what


def _vlan(network: Row) -> str:
    id = network.get("provider:segmentation_id")
    return f" (VLAN {id})" if network.get("provider:network_type") == "vlan" and id else ""
