"""Servers."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from stackbook.errors import BadInput, CloudFailed
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources import lookup, secrecy, server_checks, server_state
from stackbook.resources.waiting import gone, settled

if TYPE_CHECKING:
    from stackbook.site import Site

LIMIT = 1800
"""Seconds to wait for a server to become ACTIVE."""


@dataclass(frozen=True)
class Server(Resource):
    """A server; best booted from a volume of its own on ports of its own, which both outlive it."""

    kind: ClassVar[str] = "server"
    identity: ClassVar[tuple[str, ...]] = ("project", "name")
    fixed: ClassVar[frozenset[str]] = frozenset(
        {"image", "volume", "data_volumes", "networks", "key_name", "availability_zone", "security_groups"}
    )
    hidden: ClassVar[frozenset[str]] = frozenset({"user_data_from"})

    name: str
    flavor: str | None = None
    """Name or id; a change resizes the server, which restarts it."""
    volume: str | None = None
    """The volume it boots from, by name or id."""
    data_volumes: Sequence[str] | None = None
    """Further volumes of a new server, in the order of its disks; more may be attached to it later."""
    image: str | None = None
    """The image it boots from, on a local disk that goes with the server."""
    ports: Sequence[str] | None = None
    """Its ports, by name or id. On an existing server, attach more with ``Port(…, server=…)``."""
    networks: Sequence[str] | None = None
    """Networks on which nova makes ports of its own."""
    key_name: str | None = None
    availability_zone: str | None = None
    """``nova``, or ``nova:compute1`` to choose the host of a new server."""
    security_groups: Sequence[str] | None = None
    """For the ports that nova makes; other ports have their own."""
    metadata: Mapping[str, str] | None = None
    """Compared key by key: others are left as they are."""
    description: str | None = None
    delete_on_termination: bool | None = None
    """Whether the boot volume goes with the server; False unless asked for."""
    config_drive: bool | None = None
    user_data_from: str | None = None
    """``file:PATH`` of the cloud-init data for a new server; its content appears nowhere."""
    project: str | None = None

    def __post_init__(self) -> None:
        if self.volume is not None and self.image is not None:
            raise BadInput(
                f"{self.address}: volume and image exclude each other", hint="make the volume from the image: Volume(…, image=…)"
            )
        if self.user_data_from is not None and not self.user_data_from.startswith("file:"):
            raise BadInput(f"{self.address}: user_data_from names where the data is read from", hint="file:PATH")
        if self.volume is not None and self.delete_on_termination is None:
            lookup.put(self, delete_on_termination=False)
        if self.metadata is not None:
            lookup.put(self, metadata={key: None if value is None else str(value) for key, value in self.metadata.items()})

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The server of that name in its project; waits for one that is being made, moved or removed."""
        found = self._find(site)
        if found is None:
            return None
        get = site.conn.compute.get_server
        found = settled(lambda: lookup.existing(get, found.id), server_state.busy, what=self.address, limit=300)
        if found is None:
            return None
        return Actual(found.id, server_state.values(self, site, found), replace=server_state.broken(found))

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse unknown references, ports and volumes that others hold, and what does not fit flavor or quota."""
        project = lookup.require_project(self, site, self.project, others)
        secrecy.refuse_telling(self.address, "metadata", self.metadata)
        server_checks.references(self, site, others, project, new=actual is None or bool(actual.replace))
        if actual is None:
            server_checks.new(self, site, others, project)
        else:
            server_checks.attached(self, actual)

    def create(self, site: Site, change: Change) -> Values:
        """Make the server and wait until it is ACTIVE; raises CloudFailed with its fault when it comes to be in ERROR."""
        conn = lookup.scoped(site, self.project)
        project = conn.current_project_id
        body = {**self._plain(), **self._disk(site, project), "networks": self._nics(site, project)}
        made = conn.compute.create_server(name=self.name, flavor_id=self._flavor(site).id, **body)
        self._wait(site, made.id)
        return {"id": made.id}

    def update(self, site: Site, change: Change) -> Values:
        """Change description, metadata and delete_on_termination in place; resize for another flavor."""
        compute, id, after = site.conn.compute, str(change.id), change.after
        if "description" in after:
            compute.update_server(id, description=after["description"] or "")
        metadata = secrecy.shown_only(after.get("metadata") or {})
        if wanted := {key: value for key, value in metadata.items() if value is not None}:
            compute.set_server_metadata(id, **wanted)
        if dropped := [key for key, value in metadata.items() if value is None]:
            compute.delete_server_metadata(id, dropped)
        if after.get("delete_on_termination") is not None:
            server_state.keep_volumes(site, id, keep=not after["delete_on_termination"])
        if after.get("flavor"):
            self._resize(site, id)
        return {"id": id}

    def delete(self, site: Site, change: Change) -> Values:
        """Remove the server and wait until it is gone; before a replacement, make sure that its volumes stay."""
        compute = site.conn.compute
        id = change.id or getattr(self._find(site), "id", None)
        if id:
            if change.action == "replace":
                server_state.keep_volumes(site, id, keep=True)
            held = [item.volume_id for item in server_state.attachments(site, id)]
            compute.delete_server(id, ignore_missing=True)
            gone(lambda: lookup.existing(compute.get_server, id), what=self.address)
            server_state.let_go(site, held, self.address)
        return {"id": id}

    def _find(self, site: Site) -> Any:
        project = lookup.project_id(site, self.project)
        if self.project is not None and project is None:
            return None
        found = [item for item in lookup.servers(site, self.name) if item.name == self.name]
        return lookup.own(self.address, found, project, asked=self.project is not None)

    def _flavor(self, site: Site) -> Any:
        found = lookup.find_flavor(site, self.address, str(self.flavor))
        if found is None:
            raise lookup.unknown(self.address, "flavor", str(self.flavor), ())
        return found

    def _plain(self) -> dict[str, Any]:
        names = ("key_name", "availability_zone", "description", "config_drive")
        body = {name: value for name in names if (value := getattr(self, name)) is not None}
        if metadata := secrecy.shown_only({key: value for key, value in (self.metadata or {}).items() if value is not None}):
            body["metadata"] = metadata
        if self.security_groups is not None and not self.ports:
            body["security_groups"] = [{"name": name} for name in self.security_groups]
        if self.user_data_from is not None:
            body["user_data"] = base64.b64encode(Path(self.user_data_from[5:]).expanduser().read_bytes()).decode()
        return body

    def _disk(self, site: Site, project: str | None) -> dict[str, Any]:
        if self.image is not None:
            image = lookup.find_image(site, self.address, self.image, project)
            if image is None:
                raise lookup.unknown(self.address, "image", self.image, ())
            return {"image_id": image.id}
        disks = [self._attached(site, str(self.volume), project, 0)]
        disks += [self._attached(site, ref, project, -1) for ref in self.data_volumes or ()]
        return {"block_device_mapping": disks}

    def _attached(self, site: Site, ref: str, project: str | None, index: int) -> dict[str, Any]:
        volume = lookup.find_volume(site, self.address, ref, project)
        if volume is None:
            raise lookup.unknown(self.address, "volume", ref, ())
        server_state.let_go(site, [volume.id], self.address)
        disk = {"boot_index": index, "uuid": volume.id, "source_type": "volume", "destination_type": "volume"}
        return {**disk, "delete_on_termination": bool(self.delete_on_termination) and index == 0}

    def _nics(self, site: Site, project: str | None) -> list[dict[str, str]] | str:
        nics = []
        for kind, ref in [*(("port", ref) for ref in self.ports or ()), *(("network", ref) for ref in self.networks or ())]:
            find = lookup.find_port if kind == "port" else lookup.find_network
            found = find(site, self.address, ref, project)
            if found is None:
                raise lookup.unknown(self.address, kind, ref, ())
            nics.append({"port" if kind == "port" else "uuid": found.id})
        return nics or ("auto" if self.ports is None and self.networks is None else "none")

    def _resize(self, site: Site, id: str) -> None:
        compute = site.conn.compute
        compute.resize_server(id, self._flavor(site).id)
        self._wait(site, id, ("VERIFY_RESIZE", "ACTIVE", "SHUTOFF"))
        if compute.get_server(id).status == "VERIFY_RESIZE":
            compute.confirm_server_resize(id)
        self._wait(site, id, ("ACTIVE", "SHUTOFF"))

    def _wait(self, site: Site, id: str, wanted: tuple[str, ...] = ("ACTIVE",)) -> None:
        def busy(found: Any) -> str:
            return "" if found.status == "ERROR" else server_state.busy(found) or ("" if found.status in wanted else found.status)

        found = settled(lambda: lookup.existing(site.conn.compute.get_server, id), busy, what=self.address, limit=LIMIT)
        if found is None or found.status == "ERROR":
            fault = server_state.broken(found) if found is not None else "it is gone"
            raise CloudFailed(
                f"{self.address}: did not come to be ACTIVE", found=[fault, f"server {id}"], hint=f"stackbook trace {id}"
            )
