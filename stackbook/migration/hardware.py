"""A virtual machine's hardware, as its bundle describes it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
WINDOWS = re.compile(r"win(dows|net|xp|vista|\d|longhorn)|microsoft", re.IGNORECASE)
LINUX = re.compile(
    r"linux|ubuntu|debian|centos|rhel|red ?hat|suse|sles|fedora|rocky|alma|oracle|photon|coreos|flatcar|amazon", re.IGNORECASE
)
OLD_WINDOWS = re.compile(r"winxp|win2000|winnet|windows ?(xp|2000|2003)|winserver2003", re.IGNORECASE)
OS_IDS = {
    "36": "linux", "101": "linux", "79": "linux", "80": "linux", "94": "linux", "96": "linux", "99": "linux",
    "100": "linux", "102": "linux", "103": "windows", "105": "windows", "107": "linux", "112": "windows",
    "113": "windows", "114": "windows", "115": "windows", "116": "windows", "1": "other",
}  # fmt: skip
"""CIM_OperatingSystem.OSType to family, where no text tells more."""


@dataclass(frozen=True)
class Nic:
    """A network card."""

    number: int
    mac: str | None
    """None where the bundle does not say: vSphere's exports usually leave it out."""
    network: str
    """The name that the network had."""
    model: str


@dataclass(frozen=True)
class Slot:
    """A disk's place: which file it is and what it hangs on."""

    file: str
    bus: str
    """``scsi``, ``sata``, ``ide`` or ``nvme``."""
    order: tuple[int, int]
    """Controller and unit: disks are numbered by it."""
    controller: str = ""
    """The controller's model, such as ``lsilogic`` or ``pvscsi``."""
    id: str = ""
    capacity: int | None = None
    """Bytes, where the bundle says."""


@dataclass(frozen=True)
class Machine:
    """What a bundle says of the machine; disks and network cards in their order."""

    name: str = ""
    vcpus: int | None = None
    ram_mib: int | None = None
    firmware: str = "bios"
    """``bios`` or ``uefi``."""
    secure_boot: bool = False
    guest: str = ""
    """The guest's operating system in the bundle's words."""
    family: str = "other"
    """``linux``, ``windows`` or ``other``."""
    nics: tuple[Nic, ...] = ()
    slots: tuple[Slot, ...] = ()
    notes: tuple[str, ...] = field(default=())
    """What does not move: floppies, CDs, sound and the like."""


def guest_family(*words: str) -> str:
    """``linux``, ``windows`` or ``other``."""
    text = " ".join(words)
    if WINDOWS.search(text) and "darwin" not in text.lower():
        return "windows"
    return "linux" if LINUX.search(text) else OS_IDS.get(words[-1] if words else "", "other")


def mac_address(text: str | None) -> str | None:
    """A MAC as the cloud writes it; None when `text` is none."""
    found = (text or "").strip().lower().replace("-", ":")
    return found if MAC.fullmatch(found) and found != "00:00:00:00:00:00" else None
