"""Volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stackbook.errors import BadInput, CloudFailed, Refused
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources import lookup, secrecy
from stackbook.resources.waiting import gone, settled

if TYPE_CHECKING:
    from stackbook.site import Site

BUSY = ("creating", "downloading", "extending", "deleting", "attaching", "detaching", "reserved", "retyping")
BACKEND = "cinder-volume"
GIB = 1 << 30
SOURCES = ("image", "snapshot", "source_volume")


@dataclass(frozen=True)
class Volume(Resource):
    """A volume: empty, or made from an image, a snapshot or another volume."""

    kind: ClassVar[str] = "volume"
    identity: ClassVar[tuple[str, ...]] = ("project", "name")
    fixed: ClassVar[frozenset[str]] = frozenset({*SOURCES, "type", "availability_zone"})
    irreversible: ClassVar[frozenset[str]] = frozenset({"delete", "replace"})
    one_way: ClassVar[frozenset[str]] = frozenset({"size"})

    name: str
    size: int | None = None
    """GiB; can grow, never shrink. None: that of the source."""
    image: str | None = None
    """Name or id."""
    snapshot: str | None = None
    source_volume: str | None = None
    type: str | None = None
    bootable: bool | None = None
    availability_zone: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] | None = None
    """Compared key by key: others are left as they are."""
    project: str | None = None

    def __post_init__(self) -> None:
        lookup.whole(self.address, "size", self.size, lowest=1)
        if len(named := [name for name in SOURCES if getattr(self, name) is not None]) > 1:
            raise BadInput(f"{self.address}: {' and '.join(named)} exclude each other", hint="keep one source")
        if self.metadata is not None:
            lookup.put(self, metadata={key: None if value is None else str(value) for key, value in self.metadata.items()})

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The volume of that name in its project; waits for one that is being made or removed."""
        found = self._find(site)
        if found is None:
            return None
        get = site.conn.block_storage.get_volume
        found = settled(lambda: lookup.existing(get, found.id), state, what=self.address, limit=300)
        if found is None:
            return None
        broken = "its status is error: it was never made" if found.status == "error" else ""
        return Actual(found.id, self._values(site, found), replace=broken)

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse unknown sources, types and zones, a size too small for the source, and shrinking."""
        project = lookup.require_project(self, site, self.project, others)
        secrecy.refuse_telling(self.address, "metadata", self.metadata)
        if actual is None or actual.replace:
            self._check_source(site, others, project)
            self._check_placement(site)
            self._check_backend(site, others)
            self._check_quota(site, project, others)
        elif self.size is not None and self.size < actual.values["size"]:
            told = f"volume {self.name!r} ({actual.id}) has {actual.values['size']} GiB, wanted {self.size}"
            raise Refused(f"{self.address}: a volume can't shrink", found=told, hint="make a smaller one, and copy")

    def create(self, site: Site, change: Change) -> Values:
        """Make the volume and wait until it is available."""
        conn = lookup.scoped(site, self.project)
        project = conn.current_project_id
        about = {name: change.after[name] for name in ("availability_zone", "description") if change.after.get(name)}
        if change.after.get("type"):
            about["volume_type"] = change.after["type"]
        if metadata := secrecy.shown_only({key: value for key, value in (self.metadata or {}).items() if value is not None}):
            about["metadata"] = metadata
        source, smallest = self._source(site, project)
        size = self.size or smallest
        if size is None:
            raise BadInput(f"{self.address}: size is needed", hint="in GiB")
        made = conn.block_storage.create_volume(name=self.name, size=size, **about, **source)
        self._wait(site, made.id)
        if self.bootable is not None and made.is_bootable != self.bootable:
            site.conn.block_storage.set_volume_bootable_status(made.id, self.bootable)
        return {"id": made.id}

    def update(self, site: Site, change: Change) -> Values:
        """Extend the volume, or change what is said of it."""
        storage, id, after = site.conn.block_storage, str(change.id), change.after
        if after.get("size"):
            storage.extend_volume(id, after["size"])
            self._wait(site, id)
        if after.get("bootable") is not None:
            storage.set_volume_bootable_status(id, after["bootable"])
        if "description" in after:
            storage.update_volume(id, description=after["description"] or "")
        metadata = secrecy.shown_only(after.get("metadata") or {})
        if wanted := {key: value for key, value in metadata.items() if value is not None}:
            storage.set_volume_metadata(id, **wanted)
        if dropped := [key for key, value in metadata.items() if value is None]:
            storage.delete_volume_metadata(id, dropped)
        return {"id": id}

    def delete(self, site: Site, change: Change) -> Values:
        """Remove the volume with its content, and wait until it is gone."""
        storage = site.conn.block_storage
        id = change.id or getattr(self._find(site), "id", None)
        if id:
            settled(lambda: lookup.existing(storage.get_volume, id), state, what=self.address)
            storage.delete_volume(id, ignore_missing=True)
            gone(lambda: self._going(site, id), what=self.address)
        return {"id": id}

    def _going(self, site: Site, id: str) -> Any:
        found = lookup.existing(site.conn.block_storage.get_volume, id)
        if found is not None and found.status == "error_deleting":
            raise CloudFailed(f"{self.address}: could not be deleted", found=_message(site, id))
        return found

    def _find(self, site: Site) -> Any:
        project = lookup.project_id(site, self.project)
        if self.project is not None and project is None:
            return None
        found = [item for item in lookup.volumes(site, self.name) if item.name == self.name]
        return lookup.own(self.address, found, project, asked=self.project is not None)

    def _values(self, site: Site, found: Any) -> Values:
        return {
            "size": found.size,
            "type": found.volume_type,
            "bootable": found.is_bootable,
            "availability_zone": found.availability_zone,
            "description": found.description or "",
            "metadata": secrecy.masked(found.metadata or {}),
            "image": self._image(site, found),
            "snapshot": self._named(self.snapshot, found.snapshot_id, site.conn.block_storage.get_snapshot),
            "source_volume": self._named(self.source_volume, found.source_volume_id, site.conn.block_storage.get_volume),
        }

    def _image(self, site: Site, found: Any) -> str | None:
        about = found.volume_image_metadata or {}
        known = (about.get("image_id"), about.get("image_name"))
        if self.image is None or self.image in known:
            return self.image if self.image is not None else known[1] or known[0]
        image = lookup.find_image(site, self.address, self.image, found.project_id)
        return self.image if image is not None and image.id == known[0] else known[1] or known[0]

    @staticmethod
    def _named(wanted: str | None, id: str | None, get: Any) -> str | None:
        if not id or wanted in (None, id):
            return id or None
        source = lookup.existing(get, id)
        return wanted if source is None or source.name == wanted else str(source.name or id)

    def _check_source(self, site: Site, others: Sequence[Resource], project: str | None) -> None:
        storage = site.conn.block_storage
        kind, ref = next(((name, str(getattr(self, name))) for name in SOURCES if getattr(self, name)), ("", ""))
        if not kind:
            if self.size is None:
                raise BadInput(f"{self.address}: an empty volume needs a size", hint="in GiB")
            return
        found, least, why = self._sized(site, kind, ref, project)
        listed = {
            "image": lambda: (item.name for item in site.conn.image.images()),
            "snapshot": lambda: (item.name for item in storage.snapshots()),
            "source_volume": lambda: (item.name for item in storage.volumes()),
        }[kind]
        lookup.require(self, kind.removeprefix("source_"), ref, found, others, listed)
        if found is None:
            least, why = self._planned(kind.removeprefix("source_"), ref, others)
        if self.size is not None and self.size < least:
            raise Refused(f"{self.address}: {self.size} GiB is too small", found=why, hint=f"size={least} or more")
        if self.size is None and not least:
            raise BadInput(f"{self.address}: a volume from an image needs a size", hint="in GiB")

    def _planned(self, kind: str, ref: str, others: Sequence[Resource]) -> tuple[int, str]:
        other = lookup.planned(self, kind, ref, others)
        least = (getattr(other, "min_disk", None) or getattr(other, "size", None) or 1) if other is not None else 1
        return least, f"{other.address if other is not None else ref} needs {least} GiB"

    def _sized(self, site: Site, kind: str, ref: str, project: str | None) -> tuple[Any, int, str]:
        if kind == "image":
            image = lookup.find_image(site, self.address, ref, project)
            return (image, *image_needs(image)) if image is not None else (None, 0, "")
        storage = site.conn.block_storage
        if kind == "snapshot":
            found = lookup.named(ref, lambda name: storage.snapshots(name=name, all_projects=True), storage.get_snapshot)
            source = lookup.meant(self.address, "snapshot", ref, found, project)
        else:
            source = lookup.find_volume(site, self.address, ref, project)
        if source is None:
            return None, 0, ""
        return source, source.size, f"{kind} {source.name!r} ({source.id}) has {source.size} GiB"

    def _source(self, site: Site, project: str | None) -> tuple[dict[str, str], int | None]:
        for kind, argument in (("image", "image_id"), ("snapshot", "snapshot_id"), ("source_volume", "source_volume_id")):
            if ref := getattr(self, kind):
                found, least, _ = self._sized(site, kind, ref, project)
                if found is None:
                    raise lookup.unknown(self.address, kind, ref, ())
                return {argument: found.id}, least
        return {}, None

    def _check_placement(self, site: Site) -> None:
        storage = site.conn.block_storage
        if self.type is not None:
            types = {item.name: item.id for item in storage.types()}
            if self.type not in types and self.type not in types.values():
                raise lookup.unknown(self.address, "volume type", self.type, types)
        if self.availability_zone is not None:
            zones = [zone.name for zone in storage.availability_zones()]
            if self.availability_zone not in zones:
                raise lookup.unknown(self.address, "availability zone", self.availability_zone, zones)

    def _check_quota(self, site: Site, project: str | None, others: Sequence[Resource]) -> None:
        if project is None or any(other.kind == "quota" for other in others):
            return
        storage = site.conn.block_storage
        path = f"/os-quota-sets/{project}?usage=True"
        answer = lookup.once(site, (path,), lambda: storage.get(path, raise_exc=False))
        if answer.status_code != 200:
            return
        listed = {"details": False, "all_projects": True, "project_id": project}
        held = lookup.once(site, ("volumes", project), lambda: {item.name for item in storage.volumes(**listed)})
        new = [v for v in others if isinstance(v, Volume) and v.project == self.project and v.name not in held]
        for name, more in (("volumes", len(new)), ("gigabytes", sum(volume.size or 0 for volume in new))):
            limit = answer.json()["quota_set"][name]
            if 0 <= limit["limit"] < limit["in_use"] + limit["reserved"] + more:
                told = f"{limit['in_use'] + limit['reserved']} of {limit['limit']} in use, the plan needs {more} more"
                hint = lookup.raised_by(self.project or project)
                raise Refused(f"{self.address}: the project's quota of {name} is too small", found=told, hint=hint)

    def _check_backend(self, site: Site, others: Sequence[Resource]) -> None:
        """Refuse where no backend could take the volume, unless the plan itself starts one."""
        if any(other.kind == "service" and getattr(other, "name", "") == BACKEND for other in others):
            return
        path = f"/os-services?binary={BACKEND}"
        answer = lookup.once(site, (path,), lambda: site.conn.block_storage.get(path, raise_exc=False))
        listed = answer.json().get("services", []) if answer.status_code == 200 else []
        if listed and not any((one["state"], one["status"]) == ("up", "enabled") for one in listed):
            told = [f"{one['binary']} on {one['host']}: {one['state']}, {one['status']}" for one in listed]
            raise Refused(f"{self.address}: no volume can be made now", found=told, hint="stackbook run health")

    def _wait(self, site: Site, id: str) -> None:
        wait(site, self.address, id)


def wait(site: Site, address: str, id: str, limit: float = 3600) -> None:
    """Wait until a volume is no longer being made or changed; raises CloudFailed when it comes to be in error."""
    found = settled(lambda: lookup.existing(site.conn.block_storage.get_volume, id), state, what=address, limit=limit)
    if found is None or found.status.startswith("error"):
        status = found.status if found is not None else "gone"
        raise CloudFailed(
            f"{address}: came to be {status}", found=_message(site, id) or f"volume {id}", hint=f"stackbook trace {id}"
        )


def image_needs(image: Any) -> tuple[int, str]:
    """The least GiB of a volume that an image fits into, and why."""
    size = max(-(-(image.virtual_size or 0) // GIB), -(-(image.size or 0) // GIB), image.min_disk or 0)
    told = f"image {image.name!r} ({image.id}): min_disk {image.min_disk or 0} GiB, {image.virtual_size or image.size or 0} bytes"
    return size, told


def state(found: Any) -> str:
    """The state that a volume passes through; empty when it has settled."""
    return str(found.status) if found.status in BUSY else ""


def _message(site: Site, id: str) -> str:
    answer = site.conn.block_storage.get(f"/messages?resource_uuid={id}", microversion="3.5", raise_exc=False)
    messages = answer.json().get("messages", []) if answer.status_code == 200 else []
    return "; ".join(message["user_message"] for message in messages)
