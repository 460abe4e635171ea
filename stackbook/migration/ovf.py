"""OVF: what a machine is made of, and the files of its disks (DMTF DSP0243)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from stackbook.errors import BundleRefused
from stackbook.migration.hardware import Machine, Nic, Slot, guest_family, mac_address
from stackbook.migration.markup import attribute, child, children, local, parse, text

CPU, MEMORY, IDE, SCSI, ETHERNET, FLOPPY, CD, DVD, DISK, SATA = 3, 4, 5, 6, 10, 14, 15, 16, 17, 20
BUSES = {IDE: "ide", SCSI: "scsi", SATA: "sata"}
GONE = {FLOPPY: "floppy drive", CD: "CD drive", DVD: "DVD drive", 23: "USB controller", 35: "sound card"}
MOST_BYTES = 1 << 50
UNITS = {"byte": 1, "kilobytes": 1 << 10, "megabytes": 1 << 20, "gigabytes": 1 << 30, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}


@dataclass(frozen=True)
class Listed:
    """A file as the OVF lists it."""

    id: str
    name: str
    size: int | None


@dataclass(frozen=True)
class Ovf:
    """What an OVF says."""

    machine: Machine
    files: tuple[Listed, ...]


def read_ovf(content: bytes, place: str) -> Ovf:
    """The machine that an OVF describes.

    Refused are several machines in one, compressed or chunked files, disks on top of others, encryption and a vTPM.
    """
    root = parse(content, place)
    if local(root) != "Envelope":
        raise BundleRefused(f"{place}: it is no OVF", found=f"its root element is {local(root)!r}")
    return _Reader(root, place).read()


class _Reader:
    def __init__(self, root: Element, place: str) -> None:
        self.root, self.place = root, place

    def read(self) -> Ovf:
        files = {listed.id: listed for listed in self._files()}
        system = self._system()
        items = list(self._items(system))
        self._refuse_secrecy(system, items)
        name = text(system, "Name") or attribute(system, "id")
        guest, family = self._guest(system)
        machine = Machine(name=name, guest=guest, family=family, firmware=self._firmware(system))
        machine = replace(machine, vcpus=self._count(items, CPU), ram_mib=self._memory(items), nics=self._nics(items))
        slots = tuple(sorted(self._slots(items, files), key=lambda slot: slot.order))
        secure = self._config(system, "bootOptions.efiSecureBootEnabled") == "true"
        return Ovf(replace(machine, slots=slots, secure_boot=secure, notes=self._notes(items)), tuple(files.values()))

    def _files(self) -> Iterator[Listed]:
        references = child(self.root, "References")
        for found in children(references, "File") if references is not None else ():
            name = attribute(found, "href")
            if attribute(found, "chunkSize"):
                raise self._refuse(f"{name!r} is split into chunks", hint="join them: cat FILE.000* > FILE, and drop chunkSize")
            if attribute(found, "compression") not in ("", "identity"):
                raise self._refuse(f"{name!r} is compressed as a whole", hint="decompress it: gunzip FILE")
            size = attribute(found, "size")
            yield Listed(attribute(found, "id"), name, int(size) if size.isdecimal() and len(size) < 19 else None)

    def _system(self) -> Element:
        found = [element for element in self.root.iter() if local(element) == "VirtualSystem"]
        if len(found) != 1:
            names = [attribute(element, "id")[:80] for element in found[:8]]
            raise self._refuse(
                f"it describes {len(found)} machines, expected one", names or None, "export each machine by itself"
            )
        return found[0]

    def _items(self, system: Element) -> Iterator[Element]:
        hardware = child(system, "VirtualHardwareSection")
        if hardware is None:
            raise self._refuse("it has no hardware section", hint="export it again")
        return (item for item in hardware if local(item) in ("Item", "StorageItem", "EthernetPortItem"))

    def _refuse_secrecy(self, system: Element, items: list[Element]) -> None:
        if (
            any("vtpm" in text(item, "ResourceSubType").lower() for item in items)
            or self._config(system, "vtpm.present") == "true"
        ):
            raise self._refuse(
                "the machine has a vTPM, whose secrets an export does not hold", hint="remove the vTPM, export again"
            )
        keys = [key for key, _ in self._settings(system) if key.lower().startswith(("encryption.", "dataencryption", "keysafe"))]
        if keys:
            raise self._refuse("the machine is encrypted", keys[0], "decrypt it in vSphere, then export again")

    def _settings(self, system: Element) -> Iterator[tuple[str, str]]:
        for element in system.iter():
            if local(element) in ("Config", "ExtraConfig"):
                yield attribute(element, "key"), attribute(element, "value")

    def _config(self, system: Element, key: str) -> str:
        return next((value.lower() for name, value in self._settings(system) if name.lower() == key.lower()), "")

    def _firmware(self, system: Element) -> str:
        return "uefi" if self._config(system, "firmware") == "efi" else "bios"

    def _guest(self, system: Element) -> tuple[str, str]:
        section = child(system, "OperatingSystemSection")
        if section is None:
            return "", "other"
        words = (attribute(section, "osType"), text(section, "Description"), attribute(section, "id"))
        return words[1] or words[0], guest_family(*words)

    def _count(self, items: list[Element], kind: int) -> int | None:
        return next((self._number(item, "VirtualQuantity") for item in items if self._kind(item) == kind), None)

    def _memory(self, items: list[Element]) -> int | None:
        for item in items:
            quantity = self._number(item, "VirtualQuantity")
            if self._kind(item) == MEMORY and quantity is not None:
                return self._bytes(quantity, text(item, "AllocationUnits") or "byte * 2^20") >> 20
        return None

    def _nics(self, items: list[Element]) -> tuple[Nic, ...]:
        cards = sorted(
            (item for item in items if self._kind(item) == ETHERNET), key=lambda item: self._number(item, "AddressOnParent") or 0
        )
        return tuple(
            Nic(number, mac_address(text(card, "Address")), text(card, "Connection"), text(card, "ResourceSubType").lower())
            for number, card in enumerate(cards)
        )

    def _slots(self, items: list[Element], files: dict[str, Listed]) -> Iterator[Slot]:
        disks, controllers = self._disks(), self._controllers(items)
        used = set()
        for number, item in enumerate(item for item in items if self._kind(item) == DISK):
            id = text(item, "HostResource").rpartition("/")[2]
            if id not in disks:
                raise self._refuse(f"a drive refers to the disk {id!r}, which it does not describe")
            if id in used:
                raise self._refuse(f"two drives refer to the disk {id!r}")
            used.add(id)
            bus, model, place = controllers.get(text(item, "Parent"), ("scsi", "", 0))
            unit = self._number(item, "AddressOnParent")
            yield self._slot(disks[id], files, Slot("", bus, (place, number if unit is None else unit), model, id))

    def _slot(self, disk: Element, files: dict[str, Listed], slot: Slot) -> Slot:
        if attribute(disk, "parentRef"):
            raise self._refuse(
                f"disk {slot.id!r} lies on top of another", hint="delete the snapshots (consolidate), export again"
            )
        listed = files.get(attribute(disk, "fileRef"))
        if listed is None:
            raise self._refuse(f"disk {slot.id!r} has no file", hint="export it again, with its disks")
        capacity = attribute(disk, "capacity")
        size = (
            self._bytes(self._whole(capacity), attribute(disk, "capacityAllocationUnits") or "byte")
            if capacity.isdecimal()
            else None
        )
        return replace(slot, file=listed.name, capacity=size)

    def _disks(self) -> dict[str, Element]:
        section = child(self.root, "DiskSection")
        return {attribute(disk, "diskId"): disk for disk in children(section, "Disk")} if section is not None else {}

    def _controllers(self, items: list[Element]) -> dict[str, tuple[str, str, int]]:
        found: dict[str, tuple[str, str, int]] = {}
        for place, item in enumerate(item for item in items if self._kind(item) in BUSES):
            model = text(item, "ResourceSubType").lower()
            bus = "nvme" if "nvme" in model else BUSES[self._kind(item)]
            found[text(item, "InstanceID")] = (bus, model, place)
        return found

    def _notes(self, items: list[Element]) -> tuple[str, ...]:
        kinds = [GONE[self._kind(item)] for item in items if self._kind(item) in GONE]
        return tuple(f"{kind}: does not move" for kind in dict.fromkeys(kinds))

    def _kind(self, item: Element) -> int:
        found = text(item, "ResourceType")
        return int(found) if re.fullmatch(r"\d{1,5}", found) else 0

    def _number(self, item: Element, name: str) -> int | None:
        found = text(item, name)
        return self._whole(found) if found.isdecimal() else None

    def _whole(self, found: str) -> int:
        if len(found) > 18 or not found.isascii():
            raise self._refuse(f"a number of {len(found)} digits is none that a machine can have")
        return int(found)

    def _bytes(self, quantity: int, unit: str) -> int:
        match = re.fullmatch(r"byte(?:s)?(?:\s*\*\s*(?:2\s*\^\s*(\d{1,2})|(\d{1,10})))?", unit.strip().lower())
        factor = UNITS.get(unit.strip().lower(), 0)
        if match:
            factor = 1 << int(match[1]) if match[1] else int(match[2] or 1)
        if not factor or quantity * factor > MOST_BYTES:
            raise self._refuse(f"{quantity} {unit[:40]!r} is no size of memory or disk")
        return quantity * factor

    def _refuse(self, what: str, found: object = None, hint: str | None = None) -> BundleRefused:
        return BundleRefused(f"{self.place}: {what}", found=found, hint=hint)
