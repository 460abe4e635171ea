"""Images, uploaded from a file or only described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stackbook.errors import BadInput, CloudFailed, Refused
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources import disk_files, lookup, secrecy
from stackbook.resources.waiting import gone, settled

if TYPE_CHECKING:
    from stackbook.site import Site

PLAIN = ("disk_format", "container_format", "min_disk", "min_ram", "visibility", "protected")
CORE = {
    *PLAIN,
    *("id", "name", "status", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "os_hidden", "owner", "tags"),
    *("created_at", "updated_at", "self", "file", "schema", "locations", "direct_url", "stores"),
}
"""What glance itself says of an image; everything else is a property."""
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
BUSY = ("saving", "importing", "uploading", "pending_delete")


@dataclass(frozen=True)
class Image(Resource):
    """An image. Its content is told by its checksum, and can't change once it is there."""

    kind: ClassVar[str] = "image"
    identity: ClassVar[tuple[str, ...]] = ("project", "name")
    fixed: ClassVar[frozenset[str]] = frozenset({"checksum", "disk_format", "container_format"})
    irreversible: ClassVar[frozenset[str]] = frozenset({"delete"})
    hidden: ClassVar[frozenset[str]] = frozenset({"file"})

    name: str
    file: str | None = None
    """Path of the content on this machine; None: an image is only looked for, or described without content."""
    disk_format: str | None = None
    """``qcow2``, ``raw``, ``vmdk``, …; that of the file where none is given."""
    container_format: str | None = None
    min_disk: int | None = None
    """GiB."""
    min_ram: int | None = None
    """MiB."""
    properties: Mapping[str, str] | None = None
    """Compared key by key: others are left as they are."""
    visibility: str | None = None
    """``private``, ``shared``, ``community`` or ``public``."""
    protected: bool | None = None
    checksum: str | None = None
    """SHA-512 of the content; that of the file where one is given."""
    project: str | None = None

    def __post_init__(self) -> None:
        lookup.whole(self.address, "min_disk", self.min_disk)
        lookup.whole(self.address, "min_ram", self.min_ram)
        if self.properties is not None:
            lookup.put(self, properties={key: None if value is None else str(value) for key, value in self.properties.items()})
        if self.checksum is not None:
            lookup.put(self, checksum=self.checksum.lower().removeprefix("sha512:"))
        if self.file is not None and self.disk_format is None:
            lookup.put(self, disk_format=disk_files.disk_format(self.address, self.file))
        if self.file is not None and self.container_format is None:
            lookup.put(self, container_format="bare")

    @property
    def values(self) -> Values:
        """The desired fields; the file stands for its checksum."""
        values = super().values
        if self.file is not None and self.checksum is None:
            values["checksum"] = disk_files.digest(self.address, self.file)
        return values

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The image of that name in its project; waits for one that is being written."""
        found = self._find(site)
        if found is None:
            return None
        settled_one = settled(lambda: _get(site, found.id), _state, what=self.address, limit=120)
        if settled_one is None or self._unfinished(settled_one):
            return None
        return Actual(found.id, self._values(settled_one), replace=_broken(settled_one))

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse a file whose content is not of the format that is named, and sizes that don't fit."""
        lookup.require_project(self, site, self.project, others)
        secrecy.refuse_telling(self.address, "property", self.properties)
        if self.file is None:
            if actual is None and not (self.disk_format and self.container_format):
                raise BadInput(f"{self.address}: there is no such image", hint="name the file to upload")
            return
        found = disk_files.disk_format(self.address, self.file)
        if self.disk_format not in disk_files.compatible(found):
            raise Refused(f"{self.address}: {self.file} holds {found}, not {self.disk_format}", hint=f"say disk_format={found!r}")
        size = disk_files.virtual_size(self.file)
        if self.min_disk is not None and size > self.min_disk << 30:
            raise Refused(f"{self.address}: min_disk {self.min_disk} GiB is less than the disk's own size", found=f"{size} bytes")

    def create(self, site: Site, change: Change) -> Values:
        """Describe the image, then stream its content; takes up an upload that was cut off before any content came."""
        begun = self._find(site)
        id = begun.id if begun is not None and self._unfinished(_get(site, begun.id)) else self._describe(site, change.after)
        if self.file is not None:
            with disk_files.Upload(self.file) as stream:
                site.conn.image.put(
                    f"/images/{id}/file", data=stream, headers={"Content-Type": "application/octet-stream"}, **RAISE
                )
            done = settled(
                lambda: _get(site, id), lambda image: "" if image["status"] == "active" else image["status"], what=self.address
            )
            self._confirm(site, id, done or {})
        return {"id": id}

    def update(self, site: Site, change: Change) -> Values:
        """Change what is said of the image."""
        _patch(site, str(change.id), change.after)
        return {"id": change.id}

    def delete(self, site: Site, change: Change) -> Values:
        """Remove the image and its content."""
        id = change.id or getattr(self._find(site), "id", None)
        if id:
            if self.protected and change.before.get("protected"):
                _patch(site, id, {"protected": False})
            site.conn.image.delete_image(id, ignore_missing=True)
            gone(lambda: _get(site, id), what=self.address)
        return {"id": id}

    def _find(self, site: Site) -> Any:
        project = lookup.project_id(site, self.project)
        if self.project is not None and project is None:
            return None
        found = [item for item in site.conn.image.images(name=self.name) if item.status not in ("deleted", "killed")]
        return lookup.own(self.address, found, project, asked=self.project is not None)

    def _unfinished(self, image: Mapping[str, Any] | None) -> bool:
        return image is not None and image["status"] == "queued" and self.file is not None

    def _describe(self, site: Site, after: Values) -> str:
        plain = {name: after[name] for name in PLAIN if after.get(name) is not None}
        project = {"owner": lookup.certain_project(self, site, self.project)} if self.project is not None else {}
        body = {"name": self.name, **plain, **project, **secrecy.shown_only(after.get("properties") or {})}
        return str(site.conn.image.post("/images", json=body, **RAISE).json()["id"])

    def _confirm(self, site: Site, id: str, image: Mapping[str, Any]) -> None:
        algorithm, found = image.get("os_hash_algo"), image.get("os_hash_value")
        if algorithm and found and found != disk_files.digest(self.address, str(self.file), algorithm):
            site.conn.image.delete_image(id, ignore_missing=True)
            raise CloudFailed(
                f"{self.address}: what arrived is not what {self.file} holds; it was removed again", hint="upload again"
            )

    def _values(self, image: Mapping[str, Any]) -> Values:
        values = {name: image.get(name) for name in PLAIN}
        properties = {name: value for name, value in image.items() if name not in CORE and not name.startswith("os_glance_")}
        return {**values, "properties": secrecy.masked(properties), "checksum": self._checksum(image)}

    def _checksum(self, image: Mapping[str, Any]) -> str | None:
        algorithm, found = image.get("os_hash_algo"), image.get("os_hash_value")
        if algorithm in (None, "sha512") or self.file is None:
            return found if algorithm in (None, "sha512") else f"{algorithm}:{found}"
        same = disk_files.digest(self.address, self.file, str(algorithm)) == found
        return disk_files.digest(self.address, self.file) if same else f"{algorithm}:{found}"


RAISE = {"raise_exc": True}


def _get(site: Site, id: str) -> dict[str, Any] | None:
    answer = site.conn.image.get(f"/images/{id}", raise_exc=False)
    if answer.status_code == 404:
        return None
    from openstack.exceptions import raise_from_response

    raise_from_response(answer)
    found = dict(answer.json())
    return None if found["status"] in ("deleted", "killed") else found


def _state(image: Mapping[str, Any]) -> str:
    return str(image["status"]) if image["status"] in BUSY else ""


def _broken(image: Mapping[str, Any]) -> str:
    return f"its status is {image['status']}" if image["status"] not in ("active", "queued", "deactivated") else ""


def _patch(site: Site, id: str, values: Values) -> None:
    named = {name: value for name, value in values.items() if name in PLAIN}
    named |= secrecy.shown_only(values.get("properties") or {})
    steps = [_step(name, value) for name, value in named.items()]
    if steps:
        site.conn.image.patch(f"/images/{id}", json=steps, headers=PATCH, **RAISE)


def _step(name: str, value: Any) -> dict[str, Any]:
    path = "/" + name.replace("~", "~0").replace("/", "~1")
    return {"op": "remove", "path": path} if value is None else {"op": "add", "path": path, "value": value}
