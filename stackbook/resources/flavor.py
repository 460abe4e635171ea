"""Flavors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stackbook.errors import BadInput
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources import lookup
from stackbook.resources.waiting import gone

if TYPE_CHECKING:
    from stackbook.site import Site

NEEDED = ("ram", "vcpus", "disk")


@dataclass(frozen=True)
class Flavor(Resource):
    """A size of servers. Nova lets description and extra specs change, nothing else."""

    kind: ClassVar[str] = "flavor"
    fixed: ClassVar[frozenset[str]] = frozenset({"ram", "vcpus", "disk", "ephemeral", "swap", "public"})

    name: str
    ram: int | None = None
    """MiB."""
    vcpus: int | None = None
    disk: int | None = None
    """GiB of the root disk; 0 for servers that boot from a volume."""
    ephemeral: int | None = None
    """GiB."""
    swap: int | None = None
    """MiB."""
    public: bool | None = None
    description: str | None = None
    extra_specs: Mapping[str, str] | None = None
    """Compared key by key: others are left as they are."""

    def __post_init__(self) -> None:
        for name in ("ram", "vcpus", "disk", "ephemeral", "swap"):
            lookup.whole(self.address, name, getattr(self, name), lowest=1 if name in ("ram", "vcpus") else 0)
        if self.extra_specs is not None:
            lookup.put(self, extra_specs={key: None if value is None else str(value) for key, value in self.extra_specs.items()})

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The flavor of that name."""
        found = self._find(site)
        if found is None:
            return None
        plain = {name: getattr(found, name) for name in ("ram", "vcpus", "disk", "ephemeral", "swap", "description")}
        return Actual(found.id, {**plain, "public": found.is_public, "extra_specs": dict(found.extra_specs or {})})

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse a new flavor without its sizes."""
        if actual is None and (missing := [name for name in NEEDED if getattr(self, name) is None]):
            raise BadInput(f"{self.address}: a new flavor needs {', '.join(missing)}", hint="ram in MiB, disk in GiB")

    def create(self, site: Site, change: Change) -> Values:
        """Make the flavor, then its extra specs."""
        about = {
            "is_public" if name == "public" else name: value for name, value in change.after.items() if name != "extra_specs"
        }
        made = site.conn.compute.create_flavor(name=self.name, **about)
        self._specify(site, made, change)
        return {"id": made.id}

    def update(self, site: Site, change: Change) -> Values:
        """Change description and extra specs."""
        if "description" in change.after:
            site.conn.compute.update_flavor(change.id, description=change.after["description"])
        self._specify(site, change.id, change)
        return {"id": change.id}

    def delete(self, site: Site, change: Change) -> Values:
        """Remove the flavor; servers that have it keep running."""
        compute = site.conn.compute
        id = change.id or getattr(self._find(site), "id", None)
        if id:
            compute.delete_flavor(id, ignore_missing=True)
            gone(lambda: lookup.existing(compute.get_flavor, id), what=self.address)
        return {"id": id}

    def _find(self, site: Site) -> Any:
        return next((flavor for flavor in lookup.flavors(site) if flavor.name == self.name), None)

    @staticmethod
    def _specify(site: Site, flavor: Any, change: Change) -> None:
        specs = change.after.get("extra_specs") or {}
        if wanted := {key: value for key, value in specs.items() if value is not None}:
            site.conn.compute.create_flavor_extra_specs(flavor, wanted)
        for key in [key for key, value in specs.items() if value is None]:
            site.conn.compute.delete_flavor_extra_specs_property(flavor, key)
