"""The manifest of a bundle: a checksum for each file. It tells integrity, not who made it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from stackbook.errors import BundleRefused
from stackbook.migration.folder import plain_name
from stackbook.migration.window import BLOCK, Part, Tell

MOST = 1 << 20
LINE = re.compile(r"(SHA-?\d+)\s*\((.+)\)\s*=\s*([0-9a-fA-F]+)\s*")
ALGORITHMS = {"SHA1": ("sha1", 40), "SHA256": ("sha256", 64), "SHA384": ("sha384", 96), "SHA512": ("sha512", 128)}


@dataclass(frozen=True)
class Checksum:
    """What a file's content has to add up to."""

    algorithm: str
    value: str


def read_manifest(content: bytes, place: str) -> dict[str, Checksum]:
    """The checksums by file name; refused where a line is not understood or a file is named twice."""
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise BundleRefused(f"{place}: it is no text", hint="a manifest has lines like SHA256(disk1.vmdk)= 0123…") from None
    found: dict[str, Checksum] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            name, checksum = _line(line, f"{place}, line {number}")
            if name in found:
                raise BundleRefused(f"{place}, line {number}: {name!r} is listed twice")
            found[name] = checksum
    return found


def check(part: Part, expected: Checksum, tell: Tell | None = None) -> None:
    """Refuse a part whose content does not add up."""
    made = hashlib.new(expected.algorithm)
    with part.open() as window:
        for start in range(0, part.size, BLOCK):
            made.update(window.read(start, min(BLOCK, part.size - start)))
            if tell is not None:
                tell(start, part.size)
    compare(part.name, made.hexdigest(), expected)


def compare(name: str, found: str, expected: Checksum) -> None:
    """Refuse a checksum other than the manifest's."""
    if found != expected.value:
        raise BundleRefused(
            f"{name}: its content is not what the manifest says",
            found=f"{expected.algorithm} {found[:16]}…, expected {expected.value[:16]}…",
            hint="it was damaged or changed after its export: copy or export it again",
        )


def _line(line: str, where: str) -> tuple[str, Checksum]:
    match = LINE.fullmatch(line.strip()) if len(line) < 2048 else None
    if match is None:
        raise BundleRefused(f"{where}: not understood", found=line[:120], hint="expected SHA256(file)= checksum")
    word, name, value = match.groups()
    algorithm, length = ALGORITHMS.get(word.replace("-", ""), ("", 0))
    if not algorithm:
        raise BundleRefused(f"{where}: the algorithm {word} is not known", hint="SHA1, SHA256, SHA384 or SHA512")
    if len(value) != length:
        raise BundleRefused(f"{where}: a {word} has {length} digits", found=f"{len(value)} digits")
    return plain_name(name.strip(), where), Checksum(algorithm, value.lower())
