"""Bundles as the tests need them: made with qemu-img and tarfile, sound or broken."""

from __future__ import annotations

import hashlib
import io
import os
import random
import re
import struct
import subprocess
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
OVF = """<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
 xmlns:vmw="http://www.vmware.com/schema/ovf">
 <References>{files}</References>
 <DiskSection><Info>disks</Info>{disks}</DiskSection>
 <NetworkSection><Info>networks</Info><Network ovf:name="VM Network"/></NetworkSection>
 <VirtualSystem ovf:id="{name}"><Info>a machine</Info><Name>{name}</Name>
  <OperatingSystemSection ovf:id="{os_id}" vmw:osType="{os_type}"><Info>os</Info></OperatingSystemSection>
  <VirtualHardwareSection><Info>hardware</Info>
   <Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>{vcpus}</rasd:VirtualQuantity></Item>
   <Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:InstanceID>2</rasd:InstanceID>
    <rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>{ram}</rasd:VirtualQuantity></Item>
   <Item><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>{controller}</rasd:ResourceSubType>
    <rasd:ResourceType>6</rasd:ResourceType></Item>
   {items}
   {config}
  </VirtualHardwareSection>
 </VirtualSystem>
</Envelope>
"""
DRIVE = """<Item><rasd:AddressOnParent>{n}</rasd:AddressOnParent><rasd:HostResource>ovf:/disk/vmdisk{n}</rasd:HostResource>
<rasd:InstanceID>{id}</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>"""
CARD = """<Item>{mac}<rasd:AddressOnParent>{place}</rasd:AddressOnParent><rasd:Connection>{network}</rasd:Connection>
<rasd:InstanceID>{id}</rasd:InstanceID><rasd:ResourceSubType>VmxNet3</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></Item>"""


@dataclass(frozen=True)
class Made:
    """A bundle and the raw disks that it was made of."""

    path: str
    raws: tuple[str, ...]


def raw(path: Path, size: int, *, seed: int = 1, pieces: int = 12, most: int = 200_000) -> str:
    """A sparse raw disk with a boot sector and some random data, the first and last bytes included."""
    dice = random.Random(seed)
    with path.open("wb") as stream:
        stream.truncate(size)
        for at in [0, *(dice.randrange(0, size - most) for _ in range(pieces)), size - 4096]:
            stream.seek(at)
            stream.write(dice.randbytes(4096 if at in (0, size - 4096) else dice.randrange(1, most)))
        stream.seek(0)
        stream.write(_boot_sector(size))
    return str(path)


def convert(source: str, target: Path, format: str, *options: str) -> str:
    """The disk in another format, by qemu-img."""
    command = ["qemu-img", "convert", "-q", "-f", "raw", "-O", format, *(part for option in options for part in ("-o", option))]
    subprocess.run([*command, source, str(target)], check=True)
    return str(target)


def vmdk(source: str, target: Path, subformat: str = "streamOptimized") -> str:
    """A VMDK of a subformat.

    qemu-img draws a content id and writes it without leading zeros; cinder refuses the stray byte that a short one leaves
    behind in the descriptor, so one in sixteen is made again.
    """
    while True:
        made = convert(source, target, "vmdk", f"subformat={subformat}")
        with target.open("rb") as stream:
            if re.search(rb"\nCID=[0-9a-f]{8}\n", stream.read(65536)):
                return made


def short_id(path: str) -> str:
    """Shortens the content id of a VMDK as qemu-img does, which leaves the old descriptor's last bytes after the new one."""
    whole = bytearray(Path(path).read_bytes())
    end = whole.index(b"\0", 512)
    text = re.sub(rb"\nCID=0*([0-9a-f]{6})[0-9a-f]+\n", rb"\nCID=\1\n", bytes(whole[512:end]))
    assert len(text) < end - 512
    whole[512 : 512 + len(text) + 1] = text + b"\0"
    Path(path).write_bytes(whole)
    return path


def described_in_french(path: str) -> str:
    """Puts a letter into a VMDK's descriptor that is not ASCII, in a comment: VMware and qemu take no offence."""
    whole, size = bytearray(Path(path).read_bytes()), 20 * 512
    text = whole[512 : 512 + size].split(b"\0")[0].replace(b"# Extent description", "# Extent d\u00e9crit".encode())
    whole[512 : 512 + size] = text.ljust(size, b"\0")
    Path(path).write_bytes(whole)
    return path


def stream(source: str, target: Path) -> str:
    """A streamOptimized VMDK as vSphere writes it: grains, tables and directory behind markers, a footer, an end mark."""
    data, grain, sector = Path(source).read_bytes(), 65536, 512
    capacity = len(data) // sector
    text = '# Disk DescriptorFile\nversion=1\nCID=7b2c1d0e\nparentCID=ffffffff\ncreateType="streamOptimized"\n'
    text += f'RW {capacity} SPARSE "call-me-stream.vmdk"\nddb.adapterType = "lsilogic"\n'

    def header(directory: int) -> bytes:
        fields = (b"KDMV", 3, 0x30001, capacity, 128, 1, 20, 512, 0, directory, 128, 0, b"\n \r\n", 1)
        return struct.pack("<4sIIQQQQIQQQB4sH", *fields).ljust(sector, b"\0")

    def marker(count: int, kind: int) -> bytes:
        return struct.pack("<QII", count, 0, kind).ljust(sector, b"\0")

    out, tables, directory = bytearray(header((1 << 64) - 1) + text.encode().ljust(127 * sector, b"\0")), [0] * 512, []
    for number in range(-(-len(data) // grain)):
        piece = data[number * grain : (number + 1) * grain]
        if any(piece):
            packed = zlib.compress(piece.ljust(grain, b"\0"))
            tables[number % 512] = len(out) // sector
            out += _sectors(struct.pack("<QI", number * 128, len(packed)) + packed)
        if number % 512 == 511 or (number + 1) * grain >= len(data):
            out += marker(4, 1) if any(tables) else b""
            directory.append(len(out) // sector if any(tables) else 0)
            out += struct.pack("<512I", *tables) if any(tables) else b""
            tables = [0] * 512
    out += marker(1, 2)
    place = len(out) // sector
    out += _sectors(struct.pack(f"<{len(directory)}I", *directory)) + marker(1, 3) + header(place) + bytes(sector)
    target.write_bytes(out)
    return str(target)


def _sectors(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // 512) * 512, b"\0")


def describe(
    name: str,
    disks: Sequence[str],
    *,
    sizes: Sequence[int],
    macs: Sequence[str | None] = ("00:50:56:01:02:03",),
    vcpus: int = 1,
    ram: int = 512,
    firmware: str = "bios",
    os_type: str = "ubuntu64Guest",
    os_id: str = "94",
    networks: Sequence[str] = ("VM Network",),
    config: str = "",
    controller: str = "lsilogic",
) -> bytes:
    """An OVF as vSphere writes it."""
    files = "".join(
        f'<File ovf:href="{os.path.basename(d)}" ovf:id="file{n}" ovf:size="{os.path.getsize(d)}"/>' for n, d in enumerate(disks)
    )
    listed = "".join(
        f'<Disk ovf:capacity="{size}" ovf:capacityAllocationUnits="byte" ovf:diskId="vmdisk{n}" ovf:fileRef="file{n}"/>'
        for n, size in enumerate(sizes)
    )
    items = "".join(DRIVE.format(n=n, id=10 + n) for n in range(len(disks)))
    for n, mac in enumerate(macs):
        address = f"<rasd:Address>{mac}</rasd:Address>" if mac else ""
        items += CARD.format(mac=address, place=7 + n, network=networks[min(n, len(networks) - 1)], id=30 + n)
    if firmware == "efi":
        config += '<vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>'
    values = dict(
        files=files, disks=listed, name=name, os_id=os_id, os_type=os_type, vcpus=vcpus, ram=ram, items=items, config=config
    )
    return OVF.format(**values, controller=controller).encode()


def manifest(contents: dict[str, bytes | str], algorithm: str = "sha256") -> bytes:
    """The manifest of some files: bytes, or paths."""
    lines = []
    for name, content in contents.items():
        made = hashlib.new(algorithm)
        made.update(content if isinstance(content, bytes) else Path(content).read_bytes())
        lines.append(f"{algorithm.upper()}({name})= {made.hexdigest()}\n")
    return "".join(lines).encode()


def tar(path: Path, members: Sequence[tuple[str, bytes | str]], format: int = tarfile.USTAR_FORMAT) -> str:
    """A tar of members in that order: bytes, or paths of files."""
    with tarfile.open(path, "w", format=format) as archive:
        for name, content in members:
            about = tarfile.TarInfo(name)
            about.size = len(content) if isinstance(content, bytes) else os.path.getsize(content)
            if isinstance(content, bytes):
                archive.addfile(about, io.BytesIO(content))
            else:
                with open(content, "rb") as stream:
                    archive.addfile(about, stream)
    return str(path)


def ova(
    folder: Path,
    name: str,
    sizes: Sequence[int] = (8 * MIB,),
    *,
    algorithm: str | None = "sha256",
    subformat: str = "streamOptimized",
    **about: object,
) -> Made:
    """An OVA of random disks, and the raw disks it holds."""
    raws = [raw(folder / f"{name}-{n}.raw", size, seed=n + len(name)) for n, size in enumerate(sizes)]
    disks = [vmdk(source, folder / f"{name}-disk{n}.vmdk", subformat) for n, source in enumerate(raws)]
    ovf = describe(name, disks, sizes=sizes, **about)  # type: ignore[arg-type]
    members: list[tuple[str, bytes | str]] = [(f"{name}.ovf", ovf)]
    listed: dict[str, bytes | str] = {f"{name}.ovf": ovf, **{os.path.basename(disk): disk for disk in disks}}
    if algorithm:
        members.append((f"{name}.mf", manifest(listed, algorithm)))
    members += [(os.path.basename(disk), disk) for disk in disks]
    return Made(tar(folder / f"{name}.ova", members), tuple(raws))


def _boot_sector(size: int) -> bytes:
    """A boot sector with one partition, as every disk that boots has one: glance looks at it."""
    sectors = min(size // 512 - 2048, (1 << 32) - 1)
    entry = bytes([0x80, 0, 2, 0, 0x83, 0xFF, 0xFF, 0xFF]) + (2048).to_bytes(4, "little") + max(sectors, 1).to_bytes(4, "little")
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"
