"""A disk out of a bundle, as a volume that holds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stackbook.errors import BadInput, CloudFailed, NotTaken, Refused
from stackbook.migration.bundle import BundleDisk
from stackbook.migration.compare import Sums
from stackbook.migration.passage import passed, streamed
from stackbook.migration.window import Device, Plain
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources import disk_place, disk_upload, disk_write, lookup, secrecy, volume
from stackbook.resources.waiting import gone, settled
from stackbook.ticker import percent

if TYPE_CHECKING:
    from openstack.connection import Connection

    from stackbook.site import Site

SOURCE, FILLING, COMPARED = "stackbook_source", "stackbook_filling", "stackbook_compared"
"""Metadata of a volume: the disk it holds, the disk it is being filled from, and how its content was compared."""
WAY = "stackbook_way"
"""Metadata of a volume that is being written to from here: it may hold half of its disk, and be available all the same."""
LIMIT = 24 * 3600
IMAGE, VOLUME = "image", "volume"
"""The ways of a disk: through a temporary image, or straight into the volume from the machine that holds it."""


@dataclass(frozen=True)
class Disk(Resource):
    """A volume that holds a disk of a bundle, byte for byte.

    It goes through a temporary image, which is removed again, or straight into the volume where that lies on this
    machine. What a cut-off run left is taken up, or taken back.
    """

    kind: ClassVar[str] = "disk"
    identity: ClassVar[tuple[str, ...]] = ("project", "name")
    irreversible: ClassVar[frozenset[str]] = frozenset({"delete", "replace"})
    hidden: ClassVar[frozenset[str]] = frozenset({"bundle", "seen", "way"})
    ahead: ClassVar[bool] = True
    stands_for: ClassVar[str] = "volume"
    """What others may take it for."""

    name: str
    """The volume's."""
    source: str
    """Name and fingerprint of the disk, as `inspect` tells it: ``disk1.vmdk@0123…``."""
    bundle: str | None = None
    """Path of the OVA, OVF, VMX or disk file."""
    size: int | None = None
    """GiB; can grow, never shrink."""
    type: str | None = None
    properties: Mapping[str, str] | None = None
    """Image properties of the volume: firmware, machine type, buses. Compared key by key."""
    bootable: bool | None = None
    project: str | None = None
    seen: Sequence[int] | None = None
    """Inodes and times of the disk's files when the plan was made."""
    way: str | None = None
    """``image`` (default) or ``volume``."""

    def __post_init__(self) -> None:
        if self.way not in (None, IMAGE, VOLUME):
            raise BadInput(f"{self.address}: way {self.way!r} is not one of {IMAGE}, {VOLUME}")
        lookup.whole(self.address, "size", self.size, lowest=1)
        if self.properties is not None:
            lookup.put(self, properties={key: str(value) for key, value in self.properties.items()})

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The volume of that name, or what a cut-off run left of the way to it: then its source is None."""
        found = self._find(site)
        if found is None:
            begun = self._image(lookup.scoped(site, self.project)) if self._project_known(site) else None
            return Actual(None, dict.fromkeys(self.values)) if begun is not None else None
        get = site.conn.block_storage.get_volume
        found = settled(lambda: lookup.existing(get, found.id), volume.state, what=self.address, limit=LIMIT)
        return Actual(found.id, _values(found)) if found is not None else None

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse a volume of that name that holds something else, unknown types, shrinking, and too small a quota."""
        project = lookup.require_project(self, site, self.project, others)
        secrecy.refuse_telling(self.address, "property", self.properties)
        if actual is not None and actual.id is not None:
            self._check_existing(site, actual)
        if actual is None or actual.values.get("source") is None:
            held = volume.Volume(name=self.name, size=self.size, type=self.type, project=self.project)
            held.check(site, None, [self._as_volume(other) for other in others])
        if project is not None and self.size is None:
            raise Refused(f"{self.address}: size is needed", hint="in GiB")

    def create(self, site: Site, change: Change) -> Values:
        """Send the disk, make the volume of it, compare what it holds, remove the image."""
        return self._transfer(site)

    def prepare(self, site: Site, change: Change, stop: Callable[[], bool]) -> None:
        """Send the disk while cinder still copies the one before."""
        if self.way != VOLUME and self._find(site) is None:
            self._send(site, lookup.scoped(site, self.project), self._disk(), stop)

    def update(self, site: Site, change: Change) -> Values:
        """Go on where a run was cut off; or extend the volume, or change what is said of it."""
        after = change.after
        if after.get("source"):
            return self._transfer(site)
        id = change.id
        if id and after.get("size") and after["size"] > (change.before.get("size") or 0):
            site.conn.block_storage.extend_volume(id, after["size"])
            volume.wait(site, self.address, id)
        if id and "source" not in after:
            self._describe(site, id, after)
        return {"id": id}

    def delete(self, site: Site, change: Change) -> Values:
        """Remove the volume, and the image where a cut-off run left it; the bundle's files stay as they are."""
        id = change.id or getattr(self._find(site), "id", None)
        if id:
            self._remove(site, id)
        image = self._image(lookup.scoped(site, self.project))
        if image is not None:
            disk_upload.remove(site.conn, image.id, self.address)
        return {"id": id}

    @property
    def temporary(self) -> str:
        """The temporary image's name."""
        return f"stackbook-{self.name}"

    def _transfer(self, site: Site) -> Values:
        disk, conn = self._disk(), lookup.scoped(site, self.project)
        id, sums = self._whole_volume(site), None
        if self.way == VOLUME:
            id = id or self._made(site, conn)
            site.conn.block_storage.set_volume_metadata(id, **{WAY: VOLUME})
            sums = disk_write.write(site, self.address, disk, id)
        elif id is None:
            id, sums = self._through_image(site, conn, disk)
        self._describe(site, id, {"properties": dict(self.properties or {}), "bootable": self.bootable})
        compared = self._compare(site, disk, id, sums)
        self._clear(conn)
        storage = site.conn.block_storage
        storage.set_volume_metadata(id, **{SOURCE: self.source, COMPARED: compared})
        storage.delete_volume_metadata(id, [FILLING, WAY] if self.way == VOLUME else [FILLING])
        return {"id": id, "compared": compared}

    def _through_image(self, site: Site, conn: Connection, disk: BundleDisk) -> tuple[str, Sums | None]:
        """The volume that cinder makes of an image; a disk that the site does not take as it is goes as a qcow2 stream."""
        try:
            return self._copied(site, conn, disk)
        except NotTaken as error:
            if not passed(disk):
                raise
            print(f" not taken as {disk.format} ({error.found}); as qcow2 …", end="", flush=True)
        if left := self._find(site):
            self._remove(site, left.id)
        self._clear(conn)
        return self._copied(site, conn, streamed(disk))

    def _copied(self, site: Site, conn: Connection, disk: BundleDisk) -> tuple[str, Sums | None]:
        """The volume, and the checksums of what it has to hold: they are made while cinder copies."""
        id = self._made(site, conn, image_id=self._send(site, conn, disk))
        site.meanwhile()
        sums = Sums(disk.open(), percent("read")) if disk_place.reachable(site) else None
        try:
            volume.wait(site, self.address, id, LIMIT)
        except CloudFailed as error:
            raise NotTaken(error.what, found=error.found, hint=error.hint) from None
        return id, sums

    def _disk(self) -> BundleDisk:
        name = self.source.rpartition("@")[0]
        return disk_upload.source_disk(self.address, str(self.bundle), name, self.source, tuple(self.seen or ()))

    def _send(self, site: Site, conn: Connection, disk: BundleDisk, stop: Callable[[], bool] | None = None) -> str:
        body = {"name": self.temporary, "visibility": "private", **(self.properties or {})}
        return disk_upload.send(conn, self.address, disk, body, stop)

    def _whole_volume(self, site: Site) -> str | None:
        """The volume that an earlier run filled, or filled in part where this one writes to it; any other is removed."""
        found = self._find(site)
        if found is None:
            return None
        metadata = found.metadata or {}
        usable = self.way == VOLUME or WAY not in metadata
        if found.status == "available" and metadata.get(FILLING) == self.source and usable:
            return str(found.id)
        self._remove(site, found.id)
        return None

    def _made(self, site: Site, conn: Connection, **about: str) -> str:
        """The volume, from its first moment with what it is being filled from; waited for unless there is an image."""
        metadata = {FILLING: self.source, "stackbook_run": site.run.id}
        about |= {"volume_type": self.type} if self.type else {}
        made = conn.block_storage.create_volume(name=self.name, size=self.size, metadata=metadata, **about)
        if "image_id" not in about:
            volume.wait(site, self.address, made.id)
        return str(made.id)

    def _describe(self, site: Site, id: str, after: Values) -> None:
        storage = site.conn.block_storage
        given = after.get("properties") or {}
        if wanted := {key: value for key, value in given.items() if value is not None}:
            _action(storage, id, {"os-set_image_metadata": {"metadata": wanted}})
        for key in (key for key, value in given.items() if value is None):
            _action(storage, id, {"os-unset_image_metadata": {"key": key}})
        if after.get("bootable") is not None:
            storage.set_volume_bootable_status(id, after["bootable"])

    def _compare(self, site: Site, disk: BundleDisk, id: str, sums: Sums | None) -> str:
        path = disk_place.readable(site, id)
        if not path:
            return "checksum of the upload"
        sums = sums or Sums(disk.open(), percent("read"))
        with Device(path) as device, closing(sums.content):
            found = sums.differ(Plain(device), percent("compared"))
        if found:
            self._remove(site, id)
            self._clear(lookup.scoped(site, self.project))
            what = f"{self.address}: the volume does not hold what {disk.name} does; it was removed again"
            raise CloudFailed(what, found=found, hint="run again; if it comes back, look at cinder's conversion")
        return "every byte"

    def _clear(self, conn: Connection) -> None:
        image = self._image(conn)
        if image is not None:
            disk_upload.remove(conn, image.id, self.address)

    def _image(self, conn: Connection) -> Any:
        return disk_upload.find(conn, self.temporary, self.source)

    def _remove(self, site: Site, id: str) -> None:
        storage = site.conn.block_storage
        settled(lambda: lookup.existing(storage.get_volume, id), volume.state, what=self.address, limit=LIMIT)
        storage.delete_volume(id, ignore_missing=True)
        gone(lambda: lookup.existing(storage.get_volume, id), what=self.address)

    def _project_known(self, site: Site) -> bool:
        return lookup.project_id(site, self.project) is not None

    def _find(self, site: Site) -> Any:
        project = lookup.project_id(site, self.project)
        if project is None:
            return None
        found = [item for item in lookup.volumes(site, self.name) if item.name == self.name]
        return lookup.own(self.address, found, project, asked=self.project is not None)

    def _check_existing(self, site: Site, actual: Actual) -> None:
        held = actual.values
        if held["source"] not in (None, self.source) or (held["source"] is None and held["filling"] != self.source):
            told = f"volume {actual.id} holds {held['source'] or held['filling'] or 'something that was not made from a bundle'}"
            hint = "choose another name for the machine, or remove that volume"
            raise Refused(f"{self.address}: a volume of that name is there already", found=told, hint=hint)
        if self.size is not None and held["source"] and self.size < held["size"]:
            raise Refused(f"{self.address}: a volume can't shrink", found=f"{held['size']} GiB, wanted {self.size}")
        if self.type is not None and held["type"] != self.type:
            raise Refused(f"{self.address}: its type can't be changed here", found=f"{held['type']}, wanted {self.type}")

    def _as_volume(self, other: Resource) -> Resource:
        if not isinstance(other, Disk):
            return other
        return volume.Volume(name=other.name, size=other.size, type=other.type, project=other.project)


def _values(found: Any) -> Values:
    metadata = found.metadata or {}
    filling = metadata.get(FILLING)
    return {
        "source": None if filling else metadata.get(SOURCE),
        "compared": metadata.get(COMPARED),
        "filling": filling,
        "size": found.size,
        "type": found.volume_type,
        "bootable": found.is_bootable,
        "properties": secrecy.masked(found.volume_image_metadata or {}),
    }


def _action(storage: Any, id: str, body: Mapping[str, Any]) -> None:
    storage.post(f"/volumes/{id}/action", json=body, raise_exc=True)
