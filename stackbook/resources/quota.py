"""Quotas of a project, over compute, block storage and network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stackbook.errors import BadInput, Refused
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources import lookup

if TYPE_CHECKING:
    from stackbook.site import Site

COMPUTE = ("cores", "ram", "instances", "key_pairs", "server_groups", "server_group_members", "metadata_items")
STORAGE = ("gigabytes", "volumes", "snapshots", "per_volume_gigabytes", "backups", "backup_gigabytes")
NETWORK = {
    "networks": "network",
    "subnets": "subnet",
    "ports": "port",
    "routers": "router",
    "floating_ips": "floatingip",
    "security_groups": "security_group",
    "security_group_rules": "security_group_rule",
}
"""Our field to neutron's name."""
USAGE = (
    ("compute", "/os-quota-sets/{}/detail", "quota_set"),
    ("block_storage", "/os-quota-sets/{}?usage=True", "quota_set"),
    ("network", "/quotas/{}/details.json", "quota"),
)
"""Where each service tells a project's limits and what is in use: service, path for a project's id, key in the answer."""
UNLIMITED = -1


@dataclass(frozen=True)
class Quota(Resource):
    """What a project may use; -1 is without limit, None leaves a limit as it is. A project always has quotas."""

    kind: ClassVar[str] = "quota"
    identity: ClassVar[tuple[str, ...]] = ("project",)

    project: str
    """Name or id."""
    cores: int | None = None
    ram: int | None = None
    """MiB."""
    instances: int | None = None
    key_pairs: int | None = None
    server_groups: int | None = None
    server_group_members: int | None = None
    metadata_items: int | None = None
    gigabytes: int | None = None
    """GiB of volumes and snapshots together."""
    volumes: int | None = None
    snapshots: int | None = None
    per_volume_gigabytes: int | None = None
    backups: int | None = None
    backup_gigabytes: int | None = None
    networks: int | None = None
    subnets: int | None = None
    ports: int | None = None
    routers: int | None = None
    floating_ips: int | None = None
    security_groups: int | None = None
    security_group_rules: int | None = None

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            lookup.whole(self.address, name, value, lowest=UNLIMITED)

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The project's limits; those that a new project gets while it is planned only."""
        found = lookup.find_project(site, self.project)
        id = found.id if found is not None else None
        return Actual(id, self._limits(site, id or str(site.conn.current_project_id), defaults=id is None))

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse an unknown project, and a limit below what is in use."""
        if lookup.require_project(self, site, self.project, others) is None or actual is None:
            return
        lowered = {name: limit for name, limit in self.values.items() if limit != UNLIMITED and _less(limit, actual.values[name])}
        used = usage(site, str(actual.id)) if lowered else {}
        if over := [
            f"{name}: {used[name]} in use, wanted {limit}" for name, limit in lowered.items() if used.get(name, 0) > limit
        ]:
            raise Refused(
                f"{self.address}: more is in use than the quota would allow", found=over, hint="ask for at least that much"
            )

    def create(self, site: Site, change: Change) -> Values:
        """Set the limits."""
        return self.update(site, change)

    def update(self, site: Site, change: Change) -> Values:
        """Set the limits that differ."""
        found = lookup.find_project(site, self.project)
        if found is None:
            raise lookup.unknown(self.address, "project", self.project, ())
        compute, storage, network = (_part(change.after, names) for names in (COMPUTE, STORAGE, tuple(NETWORK)))
        if compute:
            site.conn.compute.update_quota_set(found.id, **compute)
        if storage:
            site.conn.block_storage.update_quota_set(found.id, **storage)
        if network:
            site.conn.network.update_quota(found.id, **network)
        return {"id": found.id}

    def delete(self, site: Site, change: Change) -> Values:
        """Refused: a project always has quotas."""
        raise BadInput(f"{self.address} can't be absent: a project always has quotas", hint="set the limits you want instead")

    def _limits(self, site: Site, id: str, *, defaults: bool) -> Values:
        asked = self.values
        limits: Values = {}
        if _part(asked, COMPUTE):
            limits |= _numbers(_answer(site.conn.compute, f"/os-quota-sets/{id}{'/defaults' * defaults}", "quota_set"), COMPUTE)
        if _part(asked, STORAGE):
            limits |= _numbers(
                _answer(site.conn.block_storage, f"/os-quota-sets/{id}{'/defaults' * defaults}", "quota_set"), STORAGE
            )
        if _part(asked, tuple(NETWORK)):
            found = _answer(site.conn.network, f"/quotas/{id}{'/default' * defaults}", "quota")
            limits |= {ours: found.get(theirs) for ours, theirs in NETWORK.items()}
        return limits


def usage(site: Site, project: str) -> dict[str, int]:
    """How much of each limit the project (an id) uses."""
    return {name: in_use(told) for name, told in details(site, project).items()}


def details(site: Site, project: str) -> dict[str, Any]:
    """What the services tell of each quota of the project (an id): ``limit``, ``in_use`` or ``used``, ``reserved``.

    Those of a service that the site does not have are missing.
    """
    from keystoneauth1.exceptions import EndpointNotFound

    told: dict[str, Any] = {}
    ours = ({name: name for name in COMPUTE}, {name: name for name in STORAGE}, NETWORK)
    for (service, path, key), names in zip(USAGE, ours, strict=True):
        with suppress(EndpointNotFound):
            answer = _answer(getattr(site.conn, service), path.format(project), key)
            told |= {name: answer.get(theirs) for name, theirs in names.items()}
    return told


def _answer(proxy: Any, path: str, key: str) -> Mapping[str, Any]:
    from openstack.exceptions import raise_from_response

    answer = proxy.get(path)
    raise_from_response(answer)
    return dict(answer.json()[key])


def _numbers(found: Mapping[str, Any], names: Sequence[str]) -> Values:
    return {name: found.get(name) for name in names}


def in_use(entry: Any) -> int:
    """What an entry of `details` says is used or reserved."""
    if not isinstance(entry, Mapping):
        return 0
    return int(entry.get("in_use", entry.get("used", 0)) or 0) + int(entry.get("reserved", 0) or 0)


def _part(values: Values, names: Sequence[str]) -> Values:
    return {name: value for name, value in values.items() if name in names and value is not None}


def _less(wanted: int, found: int | None) -> bool:
    return found is None or found == UNLIMITED or wanted < found
