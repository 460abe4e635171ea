"""The disks of a hypervisor's guests: images are fetched from glance once and kept, as libvirt's image cache does."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

BLANK_SIZE = 1024 * 1024


class Images:
    """The folder ``instances/_base`` of one compute host."""

    def __init__(self, folder: Path) -> None:
        from nova.image import glance

        self._folder = folder
        self._glance = glance.API()
        self._lock = threading.Lock()

    def fetch(self, context: Any, image_id: str) -> None:
        """Have the data of the image `image_id` on this host; raises what nova raises when glance refuses it."""
        path = self._path(image_id)
        with self._lock:
            if path.exists():
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                _write_sparse(file, self._glance.download(context, image_id))
            part.replace(path)

    def upload(self, context: Any, image_id: str, base: str, metadata: dict[str, Any]) -> None:
        """Send the disk made from the image `base` to the image `image_id` in glance, with its `metadata`."""
        with self._open(base) as data:
            self._glance.update(context, image_id, metadata, data, purge_props=False)

    def keep_only(self, image_ids: Iterable[str]) -> None:
        """Remove the images that no guest of this host was made from."""
        with self._lock:
            for path in self._folder.glob("*"):
                if path.name not in image_ids:
                    path.unlink()

    def _open(self, image_id: str) -> BinaryIO:
        path = self._path(image_id)
        return path.open("rb") if image_id and path.exists() else io.BytesIO(blank_disk())

    def _path(self, image_id: str) -> Path:
        return self._folder / image_id


def _write_sparse(file: BinaryIO, chunks: Iterable[bytes]) -> None:
    """Write `chunks`, with holes for those of zeros only."""
    for chunk in chunks:
        if chunk.strip(b"\0"):
            file.write(chunk)
        else:
            file.seek(len(chunk), io.SEEK_CUR)
    file.truncate()


def blank_disk() -> bytes:
    """A small raw disk with a partition table and one empty Linux partition."""
    partition = bytes([0, 0, 2, 0, 0x83, 0, 0, 0]) + (1).to_bytes(4, "little")
    partition += (BLANK_SIZE // 512 - 1).to_bytes(4, "little")
    return (bytes(446) + partition).ljust(510, b"\0") + b"\x55\xaa" + bytes(BLANK_SIZE - 512)
