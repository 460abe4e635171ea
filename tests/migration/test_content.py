"""The same disk in every format: read back equal, and sent so that qemu finds it sound and identical."""

from __future__ import annotations

import hashlib
import random
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackbook.migration import BundleRefused, inspect
from stackbook.migration.acceptance import objection
from stackbook.migration.bundle import BundleDisk
from stackbook.migration.compare import PIECE, Mapped, Sums, copy, different, union
from stackbook.migration.passage import Passage, glance_format, passage
from stackbook.migration.qcow2_stream import CLUSTER, Qcow2Stream
from stackbook.migration.window import Device, Plain, Volume, whole
from stackbook.moves.choices import way

from . import bundles
from .bundles import MIB

SIZE = 70 * MIB + 512
FORMATS = (
    "streamOptimized",
    "exported",
    "monolithicSparse",
    "monolithicFlat",
    "twoGbMaxExtentSparse",
    "twoGbMaxExtentFlat",
    "qcow2",
    "packed qcow2",
    "vhdx",
    "raw",
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A raw disk that is no multiple of anything but sectors."""
    return bundles.raw(tmp_path_factory.mktemp("source") / "source.raw", SIZE, pieces=30)


def made(source: str, folder: Path, format: str) -> str:
    """The disk in a format."""
    if format == "raw":
        return source
    if format == "exported":
        return bundles.stream(source, folder / "d.vmdk")
    if format == "packed qcow2":
        subprocess.run(
            ["qemu-img", "convert", "-q", "-c", "-f", "raw", "-O", "qcow2", source, str(folder / "d.qcow2")], check=True
        )
        return str(folder / "d.qcow2")
    if format in ("qcow2", "vhdx"):
        return bundles.convert(source, folder / f"d.{format}", format)
    return bundles.vmdk(source, folder / "d.vmdk", format)


@pytest.mark.parametrize("format", FORMATS)
def test_content_is_the_source(source: str, tmp_path: Path, format: str) -> None:
    """Our reader finds every byte; a flipped one is told by its place."""
    disk = inspect(made(source, tmp_path, format)).disks[0]
    assert told(disk, source) == ""
    assert disk.size == SIZE or format == "vhdx"  # which grows to whole MiB
    other = tmp_path / "copy.raw"
    other.write_bytes(Path(source).read_bytes())
    with other.open("r+b") as stream:
        stream.seek(SIZE - 700)
        found = stream.read(1)
        stream.seek(SIZE - 700)
        stream.write(bytes([found[0] ^ 1]))
    assert told(disk, str(other)) == f"byte {SIZE - 700} differs"


def told(disk: BundleDisk, path: str) -> str:
    """Where a disk and a raw file differ: directly and by checksums, which must agree."""
    with Device(path) as device, closing(disk.open()) as content:
        found = different(content, Plain(device))
        assert Sums(content).differ(Plain(device)) == found
        return found


@pytest.mark.parametrize("format", ["exported", "monolithicFlat", "qcow2"])
def test_straight_into_a_volume(source: str, tmp_path: Path, format: str) -> None:
    """A volume of random bytes comes to hold the disk and zeros after it; written again, nothing is left to write."""
    disk, volume = inspect(made(source, tmp_path, format)).disks[0], tmp_path / "volume"
    volume.write_bytes(random.Random(7).randbytes(MIB) * 72)
    with Volume(str(volume)) as target, closing(disk.open()) as content:
        written, sums = copy(content, target)
        assert written == 72 * MIB
        target.keep()
        assert sums.differ(Plain(target)) == ""
        again, sums = copy(content, target)
        assert again == 0
        target.write(5 * MIB + 7, bytes([target.read(5 * MIB + 7, 1)[0] ^ 1]))
        assert sums.differ(Plain(target)) == f"byte {5 * MIB + 7} differs"
        assert copy(content, target)[0] == PIECE  # and nothing around it
    assert volume.stat().st_size == 72 * MIB
    subprocess.run(["qemu-img", "compare", "-q", "-f", "raw", "-F", "raw", str(volume), source], check=True)
    assert told(disk, str(volume)) == ""


def test_nothing_is_written_beyond_a_volume(source: str, tmp_path: Path) -> None:
    """A volume that is too small for the disk is refused, not grown."""
    (tmp_path / "volume").write_bytes(bytes(MIB))
    content = Plain(whole(source).open())
    with Volume(str(tmp_path / "volume")) as target, closing(content), pytest.raises(BundleRefused, match="ends at byte"):
        copy(content, target)
    assert (tmp_path / "volume").stat().st_size == MIB


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_sent_is_the_disk(source: str, tmp_path: Path, format: str) -> None:
    """The stream has the length it promised; qemu-img finds it sound and identical; no file was made on the way."""
    disk = inspect(made(source, tmp_path, format)).disks[0]
    before = set(tmp_path.iterdir())
    sent = passage(disk)
    promised, out = len(sent), b"".join(sent)
    assert set(tmp_path.iterdir()) == before
    assert len(out) == promised
    assert sent.digests["sha512"] == hashlib.sha512(out).hexdigest()
    target, format = tmp_path / "sent", glance_format(disk)
    target.write_bytes(out)
    subprocess.run(["qemu-img", "compare", "-q", "-f", format, "-F", "raw", str(target), source], check=True)
    if format == "qcow2":
        subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", str(target)], check=True)


@pytest.mark.parametrize("format", ["streamOptimized", "exported", "monolithicSparse", "qcow2", "vhdx"])
def test_passed_through_as_it_is(source: str, tmp_path: Path, format: str) -> None:
    """Bytes go out unchanged but for the head that services refuse: what is sent is as long as the container."""
    path = made(source, tmp_path, format)
    disk, sent = inspect(path).disks[0], b"".join(passage(inspect(path).disks[0]))
    assert bool(disk.head) == (format == "exported")
    assert sent == disk.head + Path(path).read_bytes()[len(disk.head) :]


@pytest.mark.parametrize("format", ["streamOptimized", "monolithicSparse"])
def test_bytes_after_the_descriptor(source: str, tmp_path: Path, format: str) -> None:
    """A content id of fewer digits leaves bytes behind that cinder refuses: they are not sent; qemu reads the same disk."""
    path = bundles.short_id(made(source, tmp_path, format))
    whole = Path(path).read_bytes()
    assert "do not take" in objection(whole[: 512 * 21])
    disk = inspect(path).disks[0]
    sent = b"".join(passage(disk))
    assert (disk.objection, objection(disk.head), len(sent)) == ("", "", len(whole))
    (tmp_path / "sent.vmdk").write_bytes(sent)
    subprocess.run(["qemu-img", "compare", "-q", "-f", "vmdk", "-F", "raw", str(tmp_path / "sent.vmdk"), source], check=True)


def test_manifest_is_of_the_file_not_of_what_is_sent(source: str, tmp_path: Path) -> None:
    """The manifest's checksum holds for the bytes in the OVA, glance's for those that are sent: both come of one pass."""
    vmdk = bundles.stream(source, tmp_path / "d.vmdk")
    ovf = bundles.describe("d", [vmdk], sizes=[SIZE])
    sums = bundles.manifest({"d.ovf": ovf, "d.vmdk": vmdk}, "sha512")
    disk = inspect(bundles.tar(tmp_path / "d.ova", [("d.ovf", ovf), ("d.mf", sums), ("d.vmdk", vmdk)])).disks[0]
    sent = passage(disk)
    assert disk.head
    assert sent.digests == {} != {"sha512": hashlib.sha512(b"".join(sent)).hexdigest()} == sent.digests


def test_what_can_not_be_put_right_is_streamed(source: str, tmp_path: Path) -> None:
    """A descriptor that the services would refuse whatever its end is: told, and the disk goes as a qcow2 stream."""
    path = bundles.described_in_french(made(source, tmp_path, "monolithicSparse"))
    disk = inspect(path).disks[0]
    assert (disk.objection, glance_format(disk)) == ("its descriptor is not ASCII", "qcow2")
    assert "would be refused" in way(disk)[0]
    (tmp_path / "sent").write_bytes(b"".join(passage(disk)))
    subprocess.run(["qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", str(tmp_path / "sent"), source], check=True)


def test_zeros_are_not_sent(tmp_path: Path) -> None:
    """A thick disk of zeros costs its tables only."""
    path = tmp_path / "thick.raw"
    path.write_bytes(bytes(32 * MIB))
    assert len(passage(inspect(str(path)).disks[0])) <= 8 * CLUSTER


def test_two_tebibytes_thin(tmp_path: Path) -> None:
    """The tables of a 2 TiB disk with little in it are small, quick, and right at its very end."""
    path = tmp_path / "thin.raw"
    with path.open("wb") as stream:
        for at in (0, 1 << 40, (2 << 40) - 512):
            stream.seek(at)
            stream.write(b"\x01" * 512)
    sent = Qcow2Stream(Plain(whole(str(path)).open()))
    out = tmp_path / "thin.qcow2"
    out.write_bytes(b"".join(sent))
    assert len(sent) == out.stat().st_size < 2 * MIB
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", str(out)], check=True)
    subprocess.run(["qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", str(out), str(path)], check=True)


@settings(max_examples=25)
@given(data=st.data())
def test_stream_of_any_map(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever holds data: the stream's length is as promised, and our own reader reads the same bytes back from it."""
    folder = tmp_path_factory.mktemp("any")
    size = data.draw(st.integers(1, 3000)) * 512
    content = bytearray(size)
    for at in data.draw(st.lists(st.integers(0, size - 1), max_size=6)):
        content[at : at + 3000] = b"\x5a" * len(content[at : at + 3000])
    (folder / "d.raw").write_bytes(content)
    stream = Qcow2Stream(Plain(whole(str(folder / "d.raw")).open()), detect=data.draw(st.booleans()))
    (folder / "d.qcow2").write_bytes(b"".join(stream))
    assert (folder / "d.qcow2").stat().st_size == len(stream)
    disk = inspect(str(folder / "d.qcow2")).disks[0].open()
    assert disk.read(0, size) == bytes(content)
    assert different(disk, Plain(whole(str(folder / "d.raw")).open())) == ""


@given(size=st.integers(1, 5000), reads=st.lists(st.integers(1, 700), min_size=1, max_size=20))
def test_passage_reads_like_a_file(size: int, reads: list[int]) -> None:
    """Read in pieces of any size, a passage gives the same bytes, and a repeated one begins again."""
    blocks = [bytes([n % 256]) * min(100, size - n * 100) for n in range(-(-size // 100))]

    class Source:
        def __len__(self) -> int:
            return size

        def __iter__(self) -> Iterator[bytes]:
            return iter(blocks)

    one = Passage(Source())
    got = b"".join([*(one.read(count) for count in reads), one.read()])
    assert got == b"".join(blocks) == b"".join(Passage(Source()))
    assert one.digests["sha512"] == hashlib.sha512(got).hexdigest()


def test_wrong_manifest_stops_the_last_block(tmp_path: Path) -> None:
    """With a manifest that does not fit, the upload never becomes whole: the last block is not given out."""
    bundle = bundles.ova(tmp_path, "vm")
    disk = inspect(bundle.path).disks[0]
    with open(bundle.path, "r+b") as stream:
        stream.seek(disk.parts[0].offset + 70_000)
        stream.write(b"\xff\xfe\xfd")
    disk = inspect(bundle.path).disks[0]
    sent = passage(disk)
    got: list[bytes] = []
    with pytest.raises(BundleRefused, match="manifest"):
        got.extend(sent)
    assert sent.sent < len(sent)


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 20))), st.lists(st.tuples(st.integers(0, 100), st.integers(1, 20))))
def test_union_covers_both(one: list[tuple[int, int]], two: list[tuple[int, int]]) -> None:
    """The union of runs covers the bytes of either, once, in order."""
    joined = list(union(one, two))
    covered = [at for start, length in joined for at in range(start, start + length)]
    assert covered == sorted(set(covered))
    assert set(covered) == {at for start, length in [*one, *two] for at in range(start, start + length)}


@settings(max_examples=50)
@given(
    written=st.lists(st.integers(0, 60), max_size=6),
    reads=st.lists(st.tuples(st.integers(0, 4_300_000), st.integers(0, 2_200_000)), min_size=1, max_size=5),
)
def test_holes_are_not_read(written: list[int], reads: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any range of a sparse file is what the file holds, zeros after its end, and nothing but its runs was read."""
    path = tmp_path_factory.mktemp("holes") / "d.raw"
    with path.open("wb") as stream:
        stream.truncate(4 * MIB)
        for at in written:
            stream.seek(at * 65_536)
            stream.write(random.Random(at).randbytes(20_000))
    with Device(str(path)) as device:
        runs = list(device.data())
        seen: list[tuple[int, int]] = []

        class Watched(Plain):
            def read(self, start: int, length: int) -> bytes:
                seen.append((start, length))
                return super().read(start, length)

        mapped = Mapped(Watched(device))
        for start, length in reads:
            assert mapped.read(start, length) == path.read_bytes()[start : start + length].ljust(length, b"\0")
    assert all(any(at <= start and start + length <= at + count for at, count in runs) for start, length in seen)
