"""Networks, provider networks with their VLAN among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stackbook.errors import BadInput, Refused
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources import lookup
from stackbook.resources.waiting import gone

if TYPE_CHECKING:
    from stackbook.site import Site

VLANS = range(1, 4095)
API = {
    "physical_network": "provider_physical_network",
    "network_type": "provider_network_type",
    "segmentation_id": "provider_segmentation_id",
    "mtu": "mtu",
    "shared": "is_shared",
    "external": "is_router_external",
    "admin_state_up": "is_admin_state_up",
    "port_security": "is_port_security_enabled",
    "description": "description",
}
"""Our field to openstacksdk's attribute."""


@dataclass(frozen=True)
class Network(Resource):
    """A network; with a physical network and a segmentation id, a provider network on that VLAN."""

    kind: ClassVar[str] = "network"
    identity: ClassVar[tuple[str, ...]] = ("project", "name")
    fixed: ClassVar[frozenset[str]] = frozenset({"physical_network", "network_type", "segmentation_id"})

    name: str
    physical_network: str | None = None
    segmentation_id: int | None = None
    """The VLAN id, 1-4094; for vxlan and gre the tunnel's id."""
    network_type: str | None = None
    """``vlan``, ``flat``, ``vxlan``, …; ``vlan`` when a physical network and a segmentation id are given."""
    mtu: int | None = None
    """Bytes."""
    shared: bool | None = None
    external: bool | None = None
    admin_state_up: bool | None = None
    port_security: bool | None = None
    """Whether ports get port security unless they say otherwise."""
    description: str | None = None
    project: str | None = None
    """Name or id; None: the project one is signed in to."""

    def __post_init__(self) -> None:
        lookup.whole(self.address, "segmentation_id", self.segmentation_id)
        lookup.whole(self.address, "mtu", self.mtu)
        if self.network_type is None and self.physical_network and self.segmentation_id is not None:
            lookup.put(self, network_type="vlan")

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The network of that name in its project."""
        found = self._find(site)
        return Actual(found.id, {ours: getattr(found, theirs) for ours, theirs in API.items()}) if found else None

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse a VLAN that is out of range or taken, and a project that does not exist."""
        lookup.require_project(self, site, self.project, others)
        self._check_segment()
        if self.segmentation_id is not None and self.network_type in ("vlan", "vxlan", "gre", "geneve"):
            self._refuse_planned_twice(others)
            self._refuse_taken(site, actual)

    def create(self, site: Site, change: Change) -> Values:
        """Make the network."""
        wanted = _body(change.after)
        project = lookup.certain_project(self, site, self.project)
        made = site.conn.network.create_network(name=self.name, project_id=project, **wanted)
        return {"id": made.id}

    def update(self, site: Site, change: Change) -> Values:
        """Change the network in place."""
        site.conn.network.update_network(change.id, **_body(change.after))
        return {"id": change.id}

    def delete(self, site: Site, change: Change) -> Values:
        """Remove the network and wait until it is gone."""
        network = site.conn.network
        id = change.id or getattr(self._find(site), "id", None)
        if id:
            network.delete_network(id, ignore_missing=True)
            gone(lambda: lookup.existing(network.get_network, id), what=self.address)
        return {"id": id}

    def _find(self, site: Site) -> Any:
        found = list(site.conn.network.networks(name=self.name))
        project = lookup.project_id(site, self.project)
        if self.project is not None and project is None:
            return None
        return lookup.own(self.address, found, project, asked=self.project is not None)

    def _check_segment(self) -> None:
        number = self.segmentation_id
        if self.network_type == "vlan" and number is not None and number not in VLANS:
            raise Refused(f"{self.address}: VLAN {number} is outside 1-4094", found=f"segmentation_id {number}")
        if number is not None and self.network_type is None:
            raise BadInput(f"{self.address}: segmentation_id {number} needs a network_type", hint="name physical_network too")
        if self.network_type in ("flat", "vlan") and not self.physical_network:
            raise BadInput(f"{self.address}: a {self.network_type} network needs physical_network", hint="such as 'default'")

    def _refuse_planned_twice(self, others: Sequence[Resource]) -> None:
        for other in others:
            if isinstance(other, Network) and other.address != self.address and self.segment == other.segment:
                raise Refused(f"{self.address}: {self._told} is asked for by {other.address} too", hint="give one another VLAN")

    def _refuse_taken(self, site: Site, actual: Actual | None) -> None:
        query = {"provider_segmentation_id": self.segmentation_id, "provider_network_type": self.network_type}
        if self.physical_network:
            query["provider_physical_network"] = self.physical_network
        for found in site.conn.network.networks(**query):
            if found.provider_segmentation_id == self.segmentation_id and (actual is None or found.id != actual.id):
                told = f"network {found.name!r} ({found.id}) of project {found.project_id}"
                raise Refused(
                    f"{self.address}: {self._told} is taken", found=told, hint="choose a free VLAN, or use that network"
                )

    @property
    def segment(self) -> tuple[Any, ...]:
        """What tells its traffic from that of others: type, physical network and segmentation id."""
        return self.network_type, self.physical_network, self.segmentation_id

    @property
    def _told(self) -> str:
        place = f" on physical network {self.physical_network!r}" if self.physical_network else ""
        return f"{'VLAN' if self.network_type == 'vlan' else self.network_type} {self.segmentation_id}{place}"


def _body(values: Values) -> dict[str, Any]:
    return {API[name]: value for name, value in values.items()}
