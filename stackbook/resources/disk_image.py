"""A disk out of a bundle, as an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stackbook.errors import Refused
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources import disk_upload, lookup, secrecy

if TYPE_CHECKING:
    from stackbook.site import Site

PLAIN = {"visibility": "visibility", "min_disk": "min_disk", "min_ram": "min_ram", "disk_format": "disk_format"}
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


@dataclass(frozen=True)
class DiskImage(Resource):
    """An image that holds a disk of a bundle, sent in one pass and compared with what arrived."""

    kind: ClassVar[str] = "disk-image"
    identity: ClassVar[tuple[str, ...]] = ("project", "name")
    fixed: ClassVar[frozenset[str]] = frozenset()
    irreversible: ClassVar[frozenset[str]] = frozenset({"delete"})
    hidden: ClassVar[frozenset[str]] = frozenset({"bundle", "seen"})
    stands_for: ClassVar[str] = "image"

    name: str
    source: str
    """Name and fingerprint of the disk, as `inspect` tells it."""
    bundle: str | None = None
    """Path of the OVA, OVF, VMX or disk file."""
    disk_format: str | None = None
    min_disk: int | None = None
    """GiB."""
    min_ram: int | None = None
    """MiB."""
    visibility: str | None = None
    properties: Mapping[str, str] | None = None
    """Compared key by key."""
    project: str | None = None
    seen: Sequence[int] | None = None

    def __post_init__(self) -> None:
        lookup.whole(self.address, "min_disk", self.min_disk)
        lookup.whole(self.address, "min_ram", self.min_ram)
        if self.properties is not None:
            lookup.put(self, properties={key: None if value is None else str(value) for key, value in self.properties.items()})

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The image of that name; its source is None when it did not arrive whole."""
        found = self._find(site)
        if found is None:
            return None
        whole = found.status == "active" and found.properties.get(disk_upload.SHA512) == found.hash_value
        plain = {ours: getattr(found, theirs) for ours, theirs in PLAIN.items()}
        source = found.properties.get(disk_upload.SOURCE) if whole else None
        return Actual(found.id, {**plain, "source": source, "properties": secrecy.masked(_properties(found))})

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse an image of that name that holds something else."""
        lookup.require_project(self, site, self.project, others)
        secrecy.refuse_telling(self.address, "property", self.properties)
        if actual is None:
            return
        found = self._find(site)
        marked = found.properties.get(disk_upload.SOURCE) if found is not None else None
        if marked != self.source:
            told = f"image {actual.id} holds {marked or 'something that was not made from a bundle'}"
            raise Refused(f"{self.address}: an image of that name is there already", found=told, hint="choose another name")

    def create(self, site: Site, change: Change) -> Values:
        """Send the disk; raises CloudFailed, and removes the image, when what arrived is not what was sent."""
        name = self.source.rpartition("@")[0]
        disk = disk_upload.source_disk(self.address, str(self.bundle), name, self.source, tuple(self.seen or ()))
        plain = {name: value for name in ("visibility", "min_disk", "min_ram") if (value := getattr(self, name)) is not None}
        body = {"name": self.name, **plain, **{key: value for key, value in (self.properties or {}).items() if value is not None}}
        conn = lookup.scoped(site, self.project)
        return {"id": disk_upload.send(conn, self.address, disk, body)}

    def update(self, site: Site, change: Change) -> Values:
        """Go on where a run was cut off; or change what is said of the image."""
        if change.after.get("source"):
            return self.create(site, change)
        steps = [_step(key, value) for key, value in (change.after.get("properties") or {}).items()]
        steps += [_step(name, change.after[name]) for name in ("visibility", "min_disk", "min_ram") if name in change.after]
        if steps and "source" not in change.after:
            site.conn.image.patch(f"/images/{change.id}", json=steps, headers=PATCH, raise_exc=True)
        return {"id": change.id}

    def delete(self, site: Site, change: Change) -> Values:
        """Remove the image; the bundle's files stay as they are."""
        id = change.id or getattr(self._find(site), "id", None)
        if id:
            disk_upload.remove(site.conn, id, self.address)
        return {"id": id}

    def _find(self, site: Site) -> Any:
        project = lookup.project_id(site, self.project)
        if project is None:
            return None
        found = [item for item in site.conn.image.images(name=self.name) if item.status not in ("deleted", "killed")]
        return lookup.own(self.address, found, project, asked=self.project is not None)


def _properties(found: Any) -> dict[str, Any]:
    """Custom properties, those that the SDK knows by a name of its own included."""
    known = {key: value for key, value in found.to_dict(original_names=True).items() if key.startswith(("hw_", "os_"))}
    return {**{key: value for key, value in known.items() if value is not None}, **found.properties}


def _step(name: str, value: Any) -> dict[str, Any]:
    path = "/" + name.replace("~", "~0").replace("/", "~1")
    return {"op": "remove", "path": path} if value is None else {"op": "add", "path": path, "value": value}
