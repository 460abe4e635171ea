"""Where a bundle's files lie: beside each other in a folder, or one after the other in a tar."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from stackbook.errors import BundleRefused
from stackbook.migration.window import Part, Window, whole

BLOCK = 512
MOST_MEMBERS = 512
MOST_HEADER = 1 << 16
REGULAR = (b"0", b"\0")
KINDS = {
    b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"5": "a folder", b"6": "a pipe",
    b"7": "a contiguous file", b"S": "a GNU sparse file", b"V": "a volume label", b"M": "a continued file",
    b"D": "a GNU folder dump", b"K": "a long link name",
}  # fmt: skip


class Files(Protocol):
    """The files that a bundle may refer to, by plain name."""

    @property
    def place(self) -> str:
        """The folder's or tar's path."""

    def part(self, name: str) -> Part:
        """The file of that name; refused where there is none or the name is no plain one."""

    def names(self) -> list[str]:
        """All names."""


@dataclass(frozen=True)
class Folder:
    """The files of one folder."""

    place: str

    def part(self, name: str) -> Part:
        """The regular file of that name."""
        return whole(os.path.join(self.place, plain_name(name, self.place)), name)

    def names(self) -> list[str]:
        """The names of its regular files."""
        with os.scandir(self.place) as found:
            return sorted(item.name for item in found if item.is_file(follow_symlinks=False))


@dataclass(frozen=True)
class Tar:
    """The members of a tar, by their offset; nothing is extracted."""

    place: str
    members: Mapping[str, Part] = field(repr=False)

    def part(self, name: str) -> Part:
        """The member of that name."""
        found = self.members.get(plain_name(name, self.place))
        if found is None:
            raise BundleRefused(f"{self.place}: it holds no file {name!r}", found=", ".join(self.names()[:8]))
        return found

    def names(self) -> list[str]:
        """The members' names."""
        return list(self.members)


def plain_name(name: str, place: str) -> str:
    """`name` when it names a file in the same folder and nothing else; refused otherwise."""
    if not name or name in (".", "..") or len(name.encode(errors="replace")) > 255 or re.search(r"[/\\\0-\x1f\x7f]", name):
        hint = "a bundle may refer only to files in its own folder, by their plain names"
        raise BundleRefused(f"{place}: it refers to {name[:300]!r}, which is no plain file name", hint=hint)
    return name


def read_tar(path: str) -> Tar:
    """The members of the tar at `path`.

    Refused are links, devices, folders, absolute names, ``..``, names twice, sizes beyond the end, wrong checksums, a
    missing end, and more than 512 members.
    """
    with whole(path).open() as window:
        return Tar(path, _Members(window, path).read())


class _Members:
    def __init__(self, window: Window, path: str) -> None:
        self.window, self.path = window, path
        self.found: dict[str, Part] = {}
        self.long: dict[str, str] = {}
        self.headers = 0

    def read(self) -> dict[str, Part]:
        at = 0
        while True:
            header = self._header(at)
            if not any(header):
                return self.found
            self.headers += 1
            if self.headers > 3 * MOST_MEMBERS or len(self.found) > MOST_MEMBERS:
                raise self._refuse(f"more than {MOST_MEMBERS} files", hint="an OVA holds an OVF, its disks and little else")
            at = self._member(header, at + BLOCK)

    def _header(self, at: int) -> bytes:
        if at + BLOCK > self.window.size:
            raise self._refuse("it ends without an end mark: it was cut short", hint="copy or export it again")
        return self.window.read(at, BLOCK)

    def _member(self, header: bytes, at: int) -> int:
        self._checksum(header, at)
        kind, size = header[156:157], self._size(header)
        if at + size > self.window.size:
            name = _text(header[:100])
            what = f"{name!r} should have {size} bytes, but the file ends {self.window.size - at} bytes after its start"
            raise self._refuse(what, hint="it was cut short, or its sizes lie: copy or export it again")
        if kind in (b"x", b"g", b"L"):
            self._extended(kind, self._small(at, size))
        elif kind in REGULAR:
            self._file(header, at, size)
        else:
            told = KINDS.get(kind, f"of the unknown type {kind!r}")
            raise self._refuse(f"its member {self._name(header)!r} is {told}", hint="an OVA holds regular files only")
        return at + -(-size // BLOCK) * BLOCK

    def _file(self, header: bytes, at: int, size: int) -> None:
        name = self._name(header).removeprefix("./")
        self.long = {}
        plain_name(name, self.path)
        if any(name.casefold() == known.casefold() for known in self.found):
            raise self._refuse(f"it holds {name!r} twice", hint="which of the two is meant can't be told")
        self.found[name] = Part(self.path, name, at, size)

    def _extended(self, kind: bytes, content: bytes) -> None:
        if kind == b"L":
            self.long["path"] = _text(content)
        else:
            records = _pax(content, self.path)
            if any(key.startswith(("GNU.sparse", "SCHILY.realsize", "linkpath")) for key in records):
                raise self._refuse("a member is sparse or a link", hint="an OVA holds regular files only")
            if kind == b"x":
                self.long |= {key: value for key, value in records.items() if key in ("path", "size")}

    def _small(self, at: int, size: int) -> bytes:
        if size > MOST_HEADER:
            raise self._refuse(f"an extended header has {size} bytes")
        return self.window.read(at, size)

    def _name(self, header: bytes) -> str:
        if "path" in self.long:
            return self.long["path"]
        prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
        return f"{prefix}/{_text(header[:100])}" if prefix else _text(header[:100])

    def _size(self, header: bytes) -> int:
        text = self.long.get("size") if header[156:157] in REGULAR else None
        if text is not None and text.isdecimal() and len(text) < 19:
            return int(text)
        return self._number(header[124:136], "size")

    def _checksum(self, header: bytes, at: int) -> None:
        told = self._number(header[148:156], "checksum")
        if told != sum(header) - sum(header[148:156]) + 8 * 32:
            raise self._refuse(f"the header at byte {at - BLOCK} has a wrong checksum", hint="it is damaged: copy it again")

    def _number(self, field: bytes, what: str) -> int:
        if field[0] & 0x80:
            return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        digits = field.strip(b" \0")
        if not re.fullmatch(rb"[0-7]*", digits):
            raise self._refuse(f"a {what} is no number", found=repr(field))
        return int(digits or b"0", 8)

    def _refuse(self, what: str, found: str | None = None, hint: str | None = None) -> BundleRefused:
        return BundleRefused(f"{self.path}: {what}", found=found, hint=hint)


def _pax(content: bytes, path: str) -> dict[str, str]:
    records, at = {}, 0
    while at < len(content.rstrip(b"\0")):
        space = content.find(b" ", at, at + 20)
        length = int(content[at:space]) if space > at and content[at:space].isdigit() else 0
        record = content[space + 1 : at + length]
        if length < 5 or at + length > len(content) or not record.endswith(b"\n") or b"=" not in record:
            raise BundleRefused(f"{path}: an extended header can't be read", hint="it is damaged: copy it again")
        key, _, value = record[:-1].partition(b"=")
        records[_text(key)] = value.decode(errors="replace")
        at += length
    return records


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode(errors="replace")
