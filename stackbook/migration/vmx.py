"""VMX: a VMware machine's settings, beside its disks."""

from __future__ import annotations

import re

from stackbook.errors import BundleRefused
from stackbook.migration.hardware import Machine, Nic, Slot, guest_family, mac_address

MOST = 1 << 20
LINE = re.compile(r'\s*([\w.:\-]+)\s*=\s*"((?:[^"\\]|\\.)*)"\s*')
DRIVE = re.compile(r"(scsi|sata|ide|nvme)(\d{1,2}):(\d{1,2})\.filename")
CARD = re.compile(r"ethernet(\d{1,2})\.present")
NO_DISK = ("cdrom-image", "cdrom-raw", "atapi-cdrom")
MOST_RAM = 1 << 30


def read_vmx(content: bytes, place: str) -> Machine:
    """The machine that a VMX describes; encryption and a vTPM are refused."""
    values = settings(content, place)
    refuse_secrecy(values, place)
    guest = values.get("guestosdetaileddata") or values.get("guestos", "")
    return Machine(
        name=values.get("displayname", ""),
        vcpus=_number(values.get("numvcpus", "1"), f"{place}: numvcpus", 4096),
        ram_mib=_number(values.get("memsize", ""), f"{place}: memsize", MOST_RAM),
        firmware="uefi" if values.get("firmware", "").lower() == "efi" else "bios",
        secure_boot=_true(values.get("uefi.secureboot.enabled")),
        guest=values.get("guestos", ""),
        family=guest_family(guest, values.get("guestos", "")),
        nics=tuple(_nics(values)),
        slots=tuple(sorted(_slots(values), key=lambda slot: slot.order)),
    )


def settings(content: bytes, place: str) -> dict[str, str]:
    """The settings by name in lower case; refused where a line is not understood or a name stands twice."""
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        lines = content.decode("latin-1").splitlines()
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith(("#", "!")):
            continue
        match = LINE.fullmatch(line) if len(line) < 65536 else None
        if match is None:
            raise BundleRefused(f"{place}, line {number}: not understood", found=line[:80], hint='expected name = "value"')
        name = match[1].lower()
        if name in found:
            raise BundleRefused(f"{place}, line {number}: {match[1]} stands twice", hint="keep the one that holds")
        found[name] = re.sub(r"\|([0-9A-Fa-f]{2})", lambda code: chr(int(code[1], 16)), match[2])
    return found


def refuse_secrecy(values: dict[str, str], place: str) -> None:
    """Refuse what an export can't carry."""
    if any(name.startswith(("encryption.", "dataencryption", "encryptionkey")) and value for name, value in values.items()):
        raise BundleRefused(f"{place}: the machine is encrypted", hint="decrypt it in VMware, then copy it again")
    if _true(values.get("vtpm.present")) or _true(values.get("managedvm.autoaddvtpm")):
        raise BundleRefused(f"{place}: the machine has a vTPM", hint="remove the vTPM, then copy it again")


def _slots(values: dict[str, str]) -> list[Slot]:
    found = []
    for name, file in values.items():
        match = DRIVE.fullmatch(name)
        if match is None:
            continue
        drive = name.removesuffix(".filename")
        kind, present = values.get(f"{drive}.devicetype", "").lower(), values.get(f"{drive}.present", "true")
        if kind in NO_DISK or not _true(present) or not file.lower().endswith(".vmdk"):
            continue
        bus, controller, unit = match[1], int(match[2]), int(match[3])
        model = values.get(f"{bus}{controller}.virtualdev", "").lower()
        order = (("scsi", "sata", "nvme", "ide").index(bus) * 100 + controller, unit)
        found.append(Slot(file, bus, order, model, drive))
    return found


def _nics(values: dict[str, str]) -> list[Nic]:
    numbers = sorted(int(match[1]) for name, value in values.items() if (match := CARD.fullmatch(name)) and _true(value))
    return [_nic(values, f"ethernet{number}.", place) for place, number in enumerate(numbers)]


def _nic(values: dict[str, str], prefix: str, number: int) -> Nic:
    mac = values.get(f"{prefix}address") or values.get(f"{prefix}generatedaddress")
    network = values.get(f"{prefix}networkname") or values.get(f"{prefix}connectiontype", "")
    return Nic(number, mac_address(mac), network, values.get(f"{prefix}virtualdev", "").lower())


def _number(value: str, what: str, most: int) -> int | None:
    if not value:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < 12 and 0 < int(value) <= most):
        raise BundleRefused(f"{what} is no number that a machine can have", found=value[:40])
    return int(value)


def _true(value: str | None) -> bool:
    return (value or "").lower() == "true"
