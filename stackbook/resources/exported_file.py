"""An image or a volume as a file on this machine, with its checksum beside it."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from stackbook.errors import BadInput, CloudFailed, Refused
from stackbook.migration.compare import different
from stackbook.migration.window import Device, Plain, whole
from stackbook.migration.zeros import is_zero
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources import disk_files, disk_place, disk_upload, lookup
from stackbook.resources.waiting import settled
from stackbook.ticker import Ticker

if TYPE_CHECKING:
    from stackbook.site import Site

FORMATS = ("raw", "qcow2", "vmdk", "vhd", "vhdx", "vdi")
BUSY = ("queued", "saving", "uploading", "importing")
LIMIT = 24 * 3600
PART, SUM = ".part", ".sha512"


@dataclass(frozen=True)
class ExportedFile(Resource):
    """A file that holds an image, or a volume by way of a temporary image; ``sha512sum -c FILE.sha512`` checks it."""

    kind: ClassVar[str] = "exported-file"
    identity: ClassVar[tuple[str, ...]] = ("path",)
    hidden: ClassVar[frozenset[str]] = frozenset({"format"})

    path: str
    image: str | None = None
    """Name or id."""
    volume: str | None = None
    """Name or id of a volume that nothing uses."""
    format: str | None = None
    """What cinder writes a volume as."""
    intact: bool = True
    """Whether the file still is what was written."""

    def __post_init__(self) -> None:
        if self.format not in (None, *FORMATS):
            raise BadInput(f"{self.address}: format {self.format!r} is not one of {', '.join(FORMATS)}")

    @property
    def origin(self) -> str:
        """What it comes from, as the checksum's first line says."""
        return f"image {self.image}" if self.image else f"volume {self.volume} {self.format or 'raw'}"

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The file with the checksum beside it; a half-written one is none."""
        if not os.path.lexists(self.path):
            return Actual(None, dict.fromkeys(self.values)) if self._left() else None
        try:
            first, second = Path(self.path + SUM).read_text().splitlines()[:2]
        except (OSError, ValueError):
            first = second = ""
        mine = first == f"# {self.origin}"
        intact = second.split(" ")[0] == disk_files.digest(self.address, self.path)
        return Actual(None, {"image": self.image if mine else None, "volume": self.volume if mine else None, "intact": intact})

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse to write over a file that is something else, unknown sources, volumes in use, and a full disk."""
        if actual is not None and os.path.lexists(self.path):
            if any(actual.values.get(name) != value for name, value in self.values.items()):
                raise Refused(f"{self.address}: a file of that name is there already", hint="choose another path")
            return
        folder = os.path.dirname(self.path)
        if not os.access(folder, os.W_OK):
            raise BadInput(f"{self.address}: {folder} can't be written to", hint="choose a folder that is there and yours")
        found, size = self._source(site)
        if self.volume and found.status != "available":
            hint = "detach it, or export a snapshot's or clone's volume"
            raise Refused(f"{self.address}: volume {self.volume} is {found.status}", found=found.id, hint=hint)
        if os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize < size:
            raise Refused(f"{self.address}: {folder} has too little room", found=f"{size} bytes may be needed")

    def create(self, site: Site, change: Change) -> Values:
        """Fetch the bytes, compare their checksum with glance's, and give the file its name only then."""
        found, _ = self._source(site)
        with self._image(site, found) as image:
            made = self._fetched(site, image)
        compared = self._compare(site, found) if self.volume and (self.format or "raw") == "raw" else "checksum"
        Path(self.path + SUM).write_text(f"# {self.origin}\n{made}  {os.path.basename(self.path)}\n")
        os.replace(self.path + PART, self.path)
        return {"id": None, "sha512": made, "compared": compared}

    def update(self, site: Site, change: Change) -> Values:
        """Go on where a run was cut off."""
        return self.create(site, change) if change.after.get("image") or change.after.get("volume") else {"id": None}

    def delete(self, site: Site, change: Change) -> Values:
        """Remove the file, its checksum, and what a cut-off run left."""
        for path in (self.path, self.path + SUM, self.path + PART):
            Path(path).unlink(missing_ok=True)
        for image in self._temporary(site) if self.volume else ():
            disk_upload.remove(site.conn, image.id, self.address)
        return {"id": None}

    def _left(self) -> bool:
        return os.path.lexists(self.path + PART)

    def _source(self, site: Site) -> tuple[Any, int]:
        project = lookup.project_id(site, None)
        if self.image:
            image = lookup.find_image(site, self.address, self.image, project)
            if image is None or image.status != "active":
                raise lookup.unknown(self.address, "image", self.image, (item.name for item in site.conn.image.images()))
            return image, image.size or 0
        found = lookup.find_volume(site, self.address, str(self.volume), project)
        if found is None:
            listed = (item.name for item in site.conn.block_storage.volumes())
            raise lookup.unknown(self.address, "volume", str(self.volume), listed)
        return found, found.size << 30 if (self.format or "raw") == "raw" else 0

    @contextmanager
    def _image(self, site: Site, found: Any) -> Iterator[Mapping[str, Any]]:
        if self.image:
            yield _told(site, found.id)
            return
        Path(self.path + PART).touch(mode=0o600)  # before anything is made on the site: what is left can be found again
        for image in self._temporary(site):
            disk_upload.remove(site.conn, image.id, self.address)
        body = {"image_name": self._name, "disk_format": self.format or "raw", "container_format": "bare", "force": False}
        answer = site.conn.block_storage.post(
            f"/volumes/{found.id}/action", json={"os-volume_upload_image": body}, raise_exc=True
        )
        id = answer.json()["os-volume_upload_image"]["image_id"]
        try:
            settled(
                lambda: _told(site, id),
                lambda image: image["status"] if image["status"] in BUSY else "",
                what=self.address,
                limit=LIMIT,
            )
            yield _told(site, id)
        finally:
            disk_upload.remove(site.conn, id, self.address)

    @property
    def _name(self) -> str:
        return f"stackbook-export-{hashlib.sha256(self.path.encode()).hexdigest()[:12]}"

    def _temporary(self, site: Site) -> list[Any]:
        return [item for item in site.conn.image.images(name=self._name) if item.status not in ("deleted", "killed")]

    def _fetched(self, site: Site, image: Mapping[str, Any]) -> str:
        algorithm, total = image.get("os_hash_algo") or "sha512", image.get("size") or 0
        theirs, ours, done, ticker = hashlib.new(algorithm), hashlib.sha512(), 0, Ticker()
        answer = site.conn.image.get(f"/images/{image['id']}/file", stream=True, raise_exc=True)
        descriptor = os.open(self.path + PART, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with contextlib.closing(answer), os.fdopen(descriptor, "wb") as stream:
            for block in answer.iter_content(disk_files.BLOCK):
                theirs.update(block)
                ours.update(block)
                done += _write(stream, block)
                ticker.tell(f"{100 * done // max(total, 1)} %")
            stream.truncate(done)
            stream.flush()
            os.fsync(stream.fileno())
        if done != total or theirs.hexdigest() != image.get("os_hash_value"):
            os.unlink(self.path + PART)
            raise CloudFailed(
                f"{self.address}: what arrived is not what glance holds", found=f"{done} of {total} bytes", hint="run again"
            )
        return ours.hexdigest()

    def _compare(self, site: Site, found: Any) -> str:
        path = disk_place.readable(site, found.id)
        if not path:
            return "checksum"
        with Device(path) as device, whole(self.path + PART).open() as written:
            if told := different(Plain(device), Plain(written)):
                os.unlink(self.path + PART)
                raise CloudFailed(f"{self.address}: the file does not hold what the volume does", found=told, hint="run again")
        return "every byte"


def _told(site: Site, id: str) -> dict[str, Any]:
    answer = site.conn.image.get(f"/images/{id}", raise_exc=False)
    if answer.status_code != 200:
        raise CloudFailed(f"image {id}: glance does not tell about it", found=f"HTTP {answer.status_code}")
    found = dict(answer.json())
    if found["status"] in ("killed", "deleted"):
        raise CloudFailed(f"image {id} came to be {found['status']}")
    return found


def _write(stream: Any, block: bytes) -> int:
    """Write a block; one of zeros makes a hole."""
    if is_zero(block):
        stream.seek(len(block), os.SEEK_CUR)
    else:
        stream.write(block)
    return len(block)
