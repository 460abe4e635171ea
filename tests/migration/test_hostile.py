"""Hostile and broken bundles: each is refused with a clear error, and no other program ever sees it."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stackbook.errors import StackbookError
from stackbook.migration import inspect
from stackbook.migration.passage import passage

from . import bundles
from .bundles import MIB

Case = Callable[[Path], str]
CASES: dict[str, tuple[str, Case]] = {}
DESCRIPTOR = """# Disk DescriptorFile
version=1
CID=12345678
parentCID={parent}
createType="{kind}"
# Extent description
{extents}
# The Disk Data Base
ddb.adapterType = "lsilogic"
"""


def case(told: str) -> Callable[[Case], Case]:
    """A broken bundle, and words that its refusal has to hold."""

    def put(make: Case) -> Case:
        CASES[make.__name__] = (told, make)
        return make

    return put


def descriptor(
    folder: Path, extents: str, *, kind: str = "monolithicFlat", parent: str = "ffffffff", pad: int = 0, more: str = ""
) -> str:
    """A VMDK descriptor in a file."""
    text = DESCRIPTOR.format(extents=extents, kind=kind, parent=parent) + more
    (folder / "disk.vmdk").write_bytes(text.encode().ljust(pad, b"\0"))
    return str(folder / "disk.vmdk")


def flat(folder: Path, sectors: int = 2048) -> None:
    """A flat extent."""
    (folder / "disk-flat.vmdk").write_bytes(bytes(sectors * 512))


def patched(path: str, at: int, value: bytes) -> str:
    """The file with some bytes written over."""
    with open(path, "r+b") as stream:
        stream.seek(at)
        stream.write(value)
    return path


def cut(path: str, by: int) -> str:
    """The file without its last bytes."""
    os.truncate(path, os.path.getsize(path) - by)
    return path


def sparse(folder: Path, subformat: str = "monolithicSparse", size: int = 4 * MIB) -> str:
    """A sound sparse VMDK."""
    return bundles.vmdk(bundles.raw(folder / "r.raw", size), folder / "disk.vmdk", subformat)


def exported(folder: Path) -> str:
    """A sound streamOptimized VMDK as vSphere exports it: with markers, footer and end mark."""
    return bundles.stream(bundles.raw(folder / "r.raw", 4 * MIB), folder / "disk.vmdk")


def qcow2(folder: Path, *options: str) -> str:
    """A sound qcow2 file."""
    return bundles.convert(bundles.raw(folder / "r.raw", 4 * MIB), folder / "disk.qcow2", "qcow2", *options)


def described(folder: Path, change: Callable[[bytes], bytes], **about: Any) -> str:
    """An OVF beside its disk, changed."""
    disk = sparse(folder, "streamOptimized")
    (folder / "vm.ovf").write_bytes(change(bundles.describe("vm", [disk], sizes=[4 * MIB], **about)))
    return str(folder / "vm.ovf")


def packed(folder: Path, *more: tuple[str, bytes | str], **about: Any) -> str:
    """An OVA with further members."""
    disk = sparse(folder, "streamOptimized")
    ovf = bundles.describe("vm", [disk], sizes=[4 * MIB])
    return bundles.tar(folder / "vm.ova", [("vm.ovf", ovf), *more, ("disk.vmdk", disk)], **about)


def with_member(folder: Path, name: str, kind: bytes, link: str = "") -> str:
    """An OVA in which one member is no regular file, or has a strange name."""
    path = packed(folder)
    with tarfile.open(path, "a") as archive:
        about = tarfile.TarInfo(name)
        about.type, about.linkname = kind, link
        archive.addfile(about)
    return path


def machine(folder: Path, text: str, disk: bool = True) -> str:
    """A VMX beside its disk."""
    if disk:
        sparse(folder)
    lines = (
        f'displayName = "vm"\nnumvcpus = "1"\nmemsize = "512"\nscsi0:0.present = "TRUE"\nscsi0:0.fileName = "disk.vmdk"\n{text}'
    )
    (folder / "vm.vmx").write_text(lines)
    return str(folder / "vm.vmx")


@case("no plain file name")
def passwd_extent(folder: Path) -> str:
    return descriptor(folder, 'RW 4 FLAT "/etc/passwd" 0')


@case("no plain file name")
def passwd_extent_padded(folder: Path) -> str:
    return descriptor(folder, 'RW 4 FLAT "/etc/passwd" 0', pad=1024)


@case("VMDK")
def passwd_extent_called_raw(folder: Path) -> str:
    os.rename(descriptor(folder, 'RW 4 FLAT "/etc/passwd" 0', pad=512), folder / "d.raw")
    return str(folder / "d.raw")


@case("no plain file name")
def extent_above(folder: Path) -> str:
    return descriptor(folder, 'RW 4 FLAT "../disk-flat.vmdk" 0')


@case("symbolic link")
def extent_is_a_link(folder: Path) -> str:
    os.symlink("/etc/passwd", folder / "disk-flat.vmdk")
    return descriptor(folder, 'RW 4 FLAT "disk-flat.vmdk" 0')


@case("not a regular file")
def extent_is_a_pipe(folder: Path) -> str:
    os.mkfifo(folder / "disk-flat.vmdk")
    return descriptor(folder, 'RW 4 FLAT "disk-flat.vmdk" 0')


@case("can't be read")
def extent_missing(folder: Path) -> str:
    return descriptor(folder, 'RW 4 FLAT "disk-flat.vmdk" 0')


@case("cut short")
def flat_truncated(folder: Path) -> str:
    flat(folder, 2047)
    return descriptor(folder, 'RW 2048 FLAT "disk-flat.vmdk" 0')


@case("cut short")
def flat_offset_beyond_end(folder: Path) -> str:
    flat(folder)
    return descriptor(folder, 'RW 2048 FLAT "disk-flat.vmdk" 1')


@case("overlap")
def flat_extents_overlap(folder: Path) -> str:
    flat(folder)
    return descriptor(folder, 'RW 1024 FLAT "disk-flat.vmdk" 0\nRW 1024 FLAT "disk-flat.vmdk" 512', kind="twoGbMaxExtentFlat")


@case("refers to itself")
def descriptor_names_itself(folder: Path) -> str:
    return descriptor(folder, 'RW 1 FLAT "disk.vmdk" 0')


@case("flat extent holds a VMDK")
def extent_is_a_descriptor(folder: Path) -> str:
    (folder / "disk-flat.vmdk").write_bytes(b"# Disk DescriptorFile\n".ljust(4096, b"\0"))
    return descriptor(folder, 'RW 8 FLAT "disk-flat.vmdk" 0')


@case("delta")
def delta_by_parent(folder: Path) -> str:
    flat(folder)
    return descriptor(folder, 'RW 2048 FLAT "disk-flat.vmdk" 0', parent="11111111")


@case("delta")
def delta_by_hint(folder: Path) -> str:
    flat(folder)
    return descriptor(folder, 'RW 2048 FLAT "disk-flat.vmdk" 0', more='parentFileNameHint="/etc/passwd"\n')


@case("delta")
def snapshot_delta_of_vmfs(folder: Path) -> str:
    return descriptor(folder, 'RW 2048 VMFSSPARSE "disk-delta.vmdk"', kind="vmfsSparse")


@case("delta")
def snapshot_delta_cowd(folder: Path) -> str:
    (folder / "disk.vmdk").write_bytes(b"COWD".ljust(4096, b"\0"))
    return str(folder / "disk.vmdk")


@case("whole device")
def device_of_the_host(folder: Path) -> str:
    return descriptor(folder, 'RW 2048 FLAT "/dev/sda" 0', kind="fullDevice")


@case("RDM")
def raw_device_mapping(folder: Path) -> str:
    return descriptor(folder, 'RW 2048 VMFSRDM "disk-rdm.vmdk" 0', kind="vmfsRawDeviceMap")


@case("not known")
def unknown_type(folder: Path) -> str:
    return descriptor(folder, 'RW 2048 FLAT "disk-flat.vmdk" 0', kind="custom")


@case("encrypted")
def encrypted_disk(folder: Path) -> str:
    flat(folder)
    return descriptor(folder, 'RW 2048 FLAT "disk-flat.vmdk" 0', more='encryptionKeySafe="vmware:key/list/x"\n')


@case("larger than")
def huge_descriptor(folder: Path) -> str:
    return descriptor(folder, "\n".join('RW 1 FLAT "disk-flat.vmdk" 0' for _ in range(100_000)))


@case("extents")
def very_many_extents(folder: Path) -> str:
    return descriptor(folder, "\n".join("RW 1 ZERO" for _ in range(20_000)), kind="twoGbMaxExtentFlat")


@case("can't be moved")
def sixteen_exbibytes(folder: Path) -> str:
    return descriptor(folder, "RW 999999999999999 ZERO")


@case("cut short")
def sparse_truncated(folder: Path) -> str:
    return cut(sparse(folder), 70_000)


@case("cut short")
def stream_without_its_end(folder: Path) -> str:
    return cut(exported(folder), 512)


@case("cut short")
def stream_without_its_footer(folder: Path) -> str:
    return cut(exported(folder), 1536)


@case("contradict")
def footer_of_another_disk(folder: Path) -> str:
    path = exported(folder)
    return patched(path, os.path.getsize(path) - 1024 + 12, struct.pack("<Q", 1 << 21))


@case("cut short")
def stream_cut_in_half(folder: Path) -> str:
    path = sparse(folder, "streamOptimized")
    return cut(path, os.path.getsize(path) // 2)


@case("differ in the disk's size")
def lying_capacity(folder: Path) -> str:
    return patched(sparse(folder), 12, struct.pack("<Q", 1 << 20))


@case("can't be moved")
def absurd_capacity(folder: Path) -> str:
    return patched(sparse(folder), 12, struct.pack("<Q", 1 << 60))


@case("grains of")
def absurd_grain(folder: Path) -> str:
    return patched(sparse(folder), 20, struct.pack("<Q", 3))


@case("beyond its end")
def directory_beyond_end(folder: Path) -> str:
    return patched(sparse(folder), 56, struct.pack("<Q", 1 << 40))


@case("line ends")
def copied_as_text(folder: Path) -> str:
    return patched(sparse(folder), 73, b"\n \n\n")


@case("not closed cleanly")
def unclean(folder: Path) -> str:
    return patched(sparse(folder), 72, b"\1")


@case("on top of each other")
def every_grain_the_same(folder: Path) -> str:
    path = sparse(folder)
    data = Path(path).read_bytes()
    directory = struct.unpack_from("<Q", data, 56)[0]
    table = struct.unpack_from("<I", data, directory * 512)[0]
    first = next(entry for (entry,) in struct.iter_unpack("<I", data[table * 512 : table * 512 + 2048]) if entry)
    return patched(path, table * 512, struct.pack("<I", first) * 64)


@case("part of a split disk")
def part_of_a_split_disk(folder: Path) -> str:
    bundles.vmdk(bundles.raw(folder / "r.raw", 4 * MIB), folder / "disk.vmdk", "twoGbMaxExtentSparse")
    return str(folder / "disk-s001.vmdk")


@case("backing file")
def backing_file(folder: Path) -> str:
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", "/etc/passwd", "-F", "raw", str(folder / "d.qcow2"), "1M"]
    subprocess.run(command, check=True)
    return str(folder / "d.qcow2")


@case("another file")
def data_file(folder: Path) -> str:
    options = f"data_file={folder / 'x.raw'},data_file_raw=on"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", options, str(folder / "d.qcow2"), "1M"], check=True)
    return str(folder / "d.qcow2")


@case("names another file")
def data_file_named_in_an_extension(folder: Path) -> str:
    path = qcow2(folder)
    at = struct.unpack_from(">I", Path(path).read_bytes(), 100)[0]
    return patched(path, at, struct.pack(">II", 0x44415441, 11) + b"/etc/passwd\0\0\0\0\0")


@case("encrypted")
def encrypted_qcow2(folder: Path) -> str:
    return patched(qcow2(folder), 32, struct.pack(">I", 2))


@case("snapshots")
def qcow2_with_snapshot(folder: Path) -> str:
    path = qcow2(folder)
    subprocess.run(["qemu-img", "snapshot", "-c", "one", path], check=True)
    return path


@case("corrupt")
def marked_corrupt(folder: Path) -> str:
    return patched(qcow2(folder), 72, struct.pack(">Q", 2))


@case("features")
def features_of_the_future(folder: Path) -> str:
    return patched(qcow2(folder), 72, struct.pack(">Q", 1 << 40))


@case("cut short")
def qcow2_truncated(folder: Path) -> str:
    return cut(qcow2(folder), 200_000)


@case("can't be moved")
def qcow2_of_eight_exbibytes(folder: Path) -> str:
    return patched(qcow2(folder), 24, struct.pack(">Q", 1 << 62))


@case("lie on top of each other")
def qcow2_clusters_shared(folder: Path) -> str:
    path = qcow2(folder)
    data = Path(path).read_bytes()
    table = struct.unpack_from(">Q", data, 40)[0]
    second = struct.unpack_from(">Q", data, table)[0] & 0x00FFFFFFFFFFFE00
    first = struct.unpack_from(">Q", data, second)[0]
    return patched(path, second, struct.pack(">Q", first) * 32)


@case("on top of another disk")
def differencing_vhdx(folder: Path) -> str:
    path = bundles.convert(bundles.raw(folder / "r.raw", 4 * MIB), folder / "d.vhdx", "vhdx")
    data = Path(path).read_bytes()
    at = data.index(bytes.fromhex("3767a1ca36fa434db3b633f0aa44e76b"))
    region = data.rindex(b"metadata", 0, at)
    item = region + struct.unpack_from("<I", data, at + 16)[0]
    return patched(path, item + 4, b"\2")


@case("cut short")
def vhdx_truncated(folder: Path) -> str:
    return cut(bundles.convert(bundles.raw(folder / "r.raw", 40 * MIB), folder / "d.vhdx", "vhdx"), 2 * MIB)


@case("gzip")
def compressed_called_raw(folder: Path) -> str:
    (folder / "d.img").write_bytes(gzip.compress(bytes(1000)))
    return str(folder / "d.img")


@case("empty")
def empty_file(folder: Path) -> str:
    (folder / "d.raw").touch()
    return str(folder / "d.raw")


@case("symbolic link")
def bundle_is_a_link(folder: Path) -> str:
    os.symlink("/etc/passwd", folder / "d.raw")
    return str(folder / "d.raw")


@case("no plain file name")
def tar_traversal(folder: Path) -> str:
    return packed(folder, ("../../etc/cron.d/x", b"x"))


@case("no plain file name")
def tar_absolute(folder: Path) -> str:
    return packed(folder, ("/etc/cron.d/x", b"x"))


@case("no plain file name")
def tar_folder_in_name(folder: Path) -> str:
    return packed(folder, ("a/b", b"x"))


@case("symbolic link")
def tar_symlink(folder: Path) -> str:
    return with_member(folder, "disk2.vmdk", tarfile.SYMTYPE, "/etc/passwd")


@case("hard link")
def tar_hardlink(folder: Path) -> str:
    return with_member(folder, "disk2.vmdk", tarfile.LNKTYPE, "vm.ovf")


@case("a device")
def tar_device(folder: Path) -> str:
    return with_member(folder, "disk2.vmdk", tarfile.BLKTYPE)


@case("twice")
def tar_member_twice(folder: Path) -> str:
    return packed(folder, ("disk.vmdk", b"x"))


@case("2 OVF files")
def tar_with_two_descriptions(folder: Path) -> str:
    return packed(folder, ("other.ovf", b"<x/>"))


@case("sizes lie")
def tar_member_larger_than_the_tar(folder: Path) -> str:
    path = packed(folder)
    return cut(path, os.path.getsize(path) // 2)


@case("end mark")
def tar_without_end(folder: Path) -> str:
    path = packed(folder)
    with tarfile.open(path) as archive:
        last = archive.getmembers()[-1]
    os.truncate(path, last.offset_data + -(-last.size // 512) * 512)
    return path


@case("wrong checksum")
def tar_header_damaged(folder: Path) -> str:
    return patched(packed(folder), 5, b"XX")


@case("more than")
def tar_of_very_many_members(folder: Path) -> str:
    return bundles.tar(folder / "vm.ova", [(f"{n}.txt", b"") for n in range(3000)])


@case("extended header")
def tar_huge_extended_header(folder: Path) -> str:
    return packed(folder, ("x" * 200_000, b"x"), format=tarfile.PAX_FORMAT)


@case("compressed as a whole")
def ova_in_gzip(folder: Path) -> str:
    path = packed(folder)
    Path(path).write_bytes(gzip.compress(Path(path).read_bytes()))
    return path


@case("document type or entities")
def entity_bomb(folder: Path) -> str:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    return described(folder, lambda ovf: ovf.replace(b"?>\n", b"?>\n" + bomb, 1).replace(b"a machine", b"&b;"))


@case("document type or entities")
def entity_of_a_file(folder: Path) -> str:
    stolen = b'<!DOCTYPE x [<!ENTITY p SYSTEM "file:///etc/passwd">]>'
    return described(folder, lambda ovf: ovf.replace(b"?>\n", b"?>\n" + stolen, 1).replace(b"a machine", b"&p;"))


@case("deeper than")
def very_deep_xml(folder: Path) -> str:
    return described(folder, lambda ovf: ovf.replace(b"a machine", b"<a>" * 5000 + b"</a>" * 5000))


@case("larger than")
def huge_ovf(folder: Path) -> str:
    return described(folder, lambda ovf: ovf + b" " * (5 << 20))


@case("no sound XML")
def broken_xml(folder: Path) -> str:
    return described(folder, lambda ovf: ovf[:-20])


@case("no plain file name")
def ovf_refers_outside(folder: Path) -> str:
    return described(folder, lambda ovf: ovf.replace(b'href="disk.vmdk"', b'href="../../etc/shadow"'))


@case("no plain file name")
def ovf_refers_to_the_web(folder: Path) -> str:
    return described(folder, lambda ovf: ovf.replace(b'href="disk.vmdk"', b'href="http://192.0.2.1/disk.vmdk"'))


@case("the OVF says")
def ovf_lies_about_the_file(folder: Path) -> str:
    return described(folder, lambda ovf: ovf.replace(b'ovf:size="', b'ovf:size="1'))


@case("its description says")
def ovf_lies_about_the_disk(folder: Path) -> str:
    return described(folder, lambda ovf: ovf.replace(b'capacity="4194304"', b'capacity="8388608"'))


@case("vTPM")
def vtpm(folder: Path) -> str:
    return described(folder, lambda ovf: ovf, config='<vmw:Config vmw:key="vtpm.present" vmw:value="true"/>')


@case("encrypted")
def encrypted_machine(folder: Path) -> str:
    return described(folder, lambda ovf: ovf, config='<vmw:ExtraConfig vmw:key="encryption.bundle" vmw:value="x"/>')


@case("2 machines")
def two_machines(folder: Path) -> str:
    return described(folder, lambda ovf: ovf.replace(b"</Envelope>", b'<VirtualSystem ovf:id="b"/></Envelope>'))


@case("on top of another")
def ovf_with_parent(folder: Path) -> str:
    return described(folder, lambda ovf: ovf.replace(b'diskId="', b'parentRef="x" ovf:diskId="'))


@case("is no size")
def ovf_absurd_memory(folder: Path) -> str:
    return described(folder, lambda ovf: ovf.replace(b"byte * 2^20", b"byte * 2^90"))


@case("content is not what the manifest says")
def manifest_of_another_ovf(folder: Path) -> str:
    path = described(folder, lambda ovf: ovf)
    (folder / "vm.mf").write_bytes(bundles.manifest({"vm.ovf": b"other", "disk.vmdk": str(folder / "disk.vmdk")}))
    return path


@case("content is not what the manifest says")
def manifest_of_another_disk(folder: Path) -> str:
    path = described(folder, lambda ovf: ovf)
    ovf = (folder / "vm.ovf").read_bytes()
    (folder / "vm.mf").write_bytes(bundles.manifest({"vm.ovf": ovf, "disk.vmdk": b"other"}, "sha1"))
    return path


@case("says nothing of")
def manifest_without_the_disk(folder: Path) -> str:
    path = described(folder, lambda ovf: ovf)
    (folder / "vm.mf").write_bytes(bundles.manifest({"vm.ovf": (folder / "vm.ovf").read_bytes()}))
    return path


@case("not known")
def manifest_of_md5(folder: Path) -> str:
    path = described(folder, lambda ovf: ovf)
    (folder / "vm.mf").write_text(f"SHA0(vm.ovf)= {hashlib.md5(b'').hexdigest()}\n")
    return path


@case("not understood")
def manifest_of_nonsense(folder: Path) -> str:
    path = described(folder, lambda ovf: ovf)
    (folder / "vm.mf").write_bytes(b"\x01\x02\x03")
    return path


@case("encrypted")
def encrypted_vmx(folder: Path) -> str:
    return machine(folder, 'encryption.keySafe = "vmware:key/list/x"\n')


@case("vTPM")
def vtpm_vmx(folder: Path) -> str:
    return machine(folder, 'vtpm.present = "TRUE"\n')


@case("stands twice")
def vmx_twice(folder: Path) -> str:
    return machine(folder, 'memsize = "1024"\n')


@case("not understood")
def vmx_nonsense(folder: Path) -> str:
    return machine(folder, "rm -rf /\n")


@case("no plain file name")
def vmx_refers_outside(folder: Path) -> str:
    return machine(folder, 'scsi0:1.present = "TRUE"\nscsi0:1.fileName = "/vmfs/volumes/x/disk.vmdk"\n')


@case("share a file")
def vmx_disk_twice(folder: Path) -> str:
    return machine(folder, 'scsi0:1.present = "TRUE"\nscsi0:1.fileName = "disk.vmdk"\n')


@case("snapshots")
def vmx_with_snapshots(folder: Path) -> str:
    (folder / "vm.vmsd").write_text('snapshot.numSnapshots = "2"\n')
    return machine(folder, "")


@case("changed since")
def changed_after_planning(folder: Path) -> str:
    path = sparse(folder, "streamOptimized")
    disk = inspect(path).disks[0]
    before = os.stat(path)
    patched(path, 70_000, b"\xff")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    passage(disk)
    return path


@pytest.mark.parametrize("name", CASES)
def test_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at it raises one of our errors with the reason; no program is started, nothing is written."""
    told, make = CASES[name]
    with pytest.raises(StackbookError) as refusal:  # noqa: PT012 - one of the bundles is changed after it was looked at
        path = make(tmp_path)
        before = sorted(tmp_path.iterdir())
        monkeypatch.setattr(subprocess.Popen, "__init__", _started)
        inspect(path, verify=True)
    assert told in refusal.value.what + str(refusal.value.found) + str(refusal.value.hint)
    assert name == "changed_after_planning" or sorted(tmp_path.iterdir()) == before


def test_there_are_enough() -> None:
    """The list is not shorter than it was promised."""
    assert len(CASES) >= 40


def _started(*arguments: Any, **options: Any) -> None:
    raise AssertionError(f"a program was started: {arguments}")
