"""Damaged bundles: whatever the damage, a reader reads or refuses; it never fails in another way."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackbook.errors import BundleRefused, StackbookError
from stackbook.migration import inspect
from stackbook.migration.manifest import read_manifest
from stackbook.migration.ovf import read_ovf
from stackbook.migration.vmdk_text import read_descriptor
from stackbook.migration.vmx import read_vmx

from . import bundles, fuzz
from .bundles import MIB

KINDS = ("stream", "exported", "sparse", "flat", "qcow2", "vhdx", "ova", "ovf", "vmx")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, bytes]]:
    """Sound files and what they hold."""
    return {kind: (path, path.read_bytes()) for kind, path in fuzz.seeds(tmp_path_factory.mktemp("fuzz")).items()}


@pytest.mark.parametrize("kind", KINDS)
def test_sound(kind: str, sound: dict[str, tuple[Path, bytes]]) -> None:
    """Undamaged, each is read: the tests below damage something that works."""
    assert fuzz.once(*sound[kind]) == "read"


@pytest.mark.parametrize("kind", KINDS)
def test_damaged(kind: str, sound: dict[str, tuple[Path, bytes]]) -> None:
    """Damage in many places: read or refused."""
    path, data = sound[kind]

    @settings(max_examples=60)
    @given(seed=st.integers(0, 1 << 32))
    def damage(seed: int) -> None:
        assert fuzz.once(path, fuzz.damaged(data, random.Random(seed))) in ("read", "refused")

    try:
        damage()
    finally:
        path.write_bytes(data)


@pytest.mark.parametrize("kind", KINDS)
def test_refused_files_are_closed(kind: str, sound: dict[str, tuple[Path, bytes]]) -> None:
    """Found by fuzzing: each file that was refused stayed open, until no more could be opened."""
    path, data = sound[kind]
    dice, before, ends = random.Random(1), len(list(Path("/proc/self/fd").iterdir())), list[str]()
    try:
        ends += [fuzz.once(path, data[: dice.randrange(1, len(data))]) for _ in range(40)]
        ends += [fuzz.once(path, fuzz.damaged(data, dice)) for _ in range(40)]
    finally:
        path.write_bytes(data)
    assert "refused" in ends
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2


@pytest.mark.parametrize("place", ["table", "cluster"])
def test_tables_out_of_step(place: str, tmp_path: Path) -> None:
    """Tables at any place, one over the other, would cost many times what the file is long; qemu refuses them, too."""
    path = Path(bundles.convert(bundles.raw(tmp_path / "s.raw", 2 * MIB), tmp_path / "d.qcow2", "qcow2"))
    data = bytearray(path.read_bytes())
    at = int.from_bytes(data[40:48], "big")
    if place == "cluster":
        at = int.from_bytes(data[at : at + 8], "big") & 0x00FFFFFFFFFFFE00
    data[at : at + 8] = (int.from_bytes(data[at : at + 8], "big") + 512).to_bytes(8, "big")
    path.write_bytes(data)
    with pytest.raises(BundleRefused, match="no multiple of the cluster"):
        inspect(str(path))


def test_memory_is_bounded_by_the_file(tmp_path: Path) -> None:
    """A table with very many entries in step costs a few times what it is long."""
    import tracemalloc

    source = tmp_path / "s.raw"
    with source.open("wb") as stream:
        for number in range(0, 64 * MIB, 8192):
            stream.seek(number)
            stream.write(b"\x01")
        stream.truncate(64 * MIB)
    path = bundles.convert(str(source), tmp_path / "d.qcow2", "qcow2", "cluster_size=4096")
    tracemalloc.start()
    try:
        inspect(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


TEXT = st.one_of(
    st.binary(max_size=400),
    st.text(max_size=200).map(lambda text: text.encode()),
    st.lists(
        st.sampled_from(
            [
                'RW 8 FLAT "a" 0',
                "RW 9 ZERO",
                'createType="monolithicFlat"',
                "# Disk DescriptorFile",
                "CID=1",
                "SHA1(a)= 00",
                'a = "b"',
                "<a>",
                "</a>",
            ]
        ),
        max_size=12,
    ).map(lambda lines: "\n".join(lines).encode()),
)


@pytest.mark.parametrize("reader", [read_descriptor, read_manifest, read_ovf, read_vmx])
@given(content=TEXT)
def test_any_text(reader: object, content: bytes) -> None:
    """Any bytes at all: a reader of text reads or refuses them."""
    for start in (b"", b"# Disk DescriptorFile\n"):
        try:
            reader(start + content, "there")  # type: ignore[operator]
        except StackbookError:
            continue
