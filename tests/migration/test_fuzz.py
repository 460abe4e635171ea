"""Damaged bundles: whatever the damage, a reader reads or refuses; it never fails in another way."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackbook.errors import StackbookError
from stackbook.migration.manifest import read_manifest
from stackbook.migration.ovf import read_ovf
from stackbook.migration.vmdk_text import read_descriptor
from stackbook.migration.vmx import read_vmx

from . import fuzz

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
