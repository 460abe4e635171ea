"""What a site has, kind by kind, as its APIs tell it; what they refuse is a row that says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from stackbook.cloud import told_by_cloud
from stackbook.errors import BadInput, StackbookError
from stackbook.resources import secrecy
from stackbook.resources.quota import USAGE, in_use
from stackbook.ticker import Ticker

if TYPE_CHECKING:
    from openstack.connection import Connection

    from stackbook.site import Site

Row = dict[str, Any]
PAGES = 10_000
"""Pages after which a listing that never ends is given up."""
UNAVAILABLE = "unavailable"
"""The only key of a row that says why a kind could not be listed."""
NEVER = ("OS-EXT-SRV-ATTR:user_data", "user_data", "adminPass", "links")
"""Keys left out: data that may hold secrets, and links between API pages."""

LISTINGS: dict[str, tuple[str, str, str, str | None]] = {
    "pools": ("block_storage", "/scheduler-stats/get_pools?detail=True", "pools", None),
    "images": ("image", "/images?limit=200", "images", None),
    "networks": ("network", "/networks?limit=500", "networks", None),
    "subnets": ("network", "/subnets?limit=500", "subnets", None),
    "ports": ("network", "/ports?limit=500", "ports", None),
    "routers": ("network", "/routers?limit=500", "routers", None),
    "floating_ips": ("network", "/floatingips?limit=500", "floatingips", None),
    "security_groups": ("network", "/security-groups?limit=500", "security_groups", None),
    "projects": ("identity", "/projects", "projects", None),
    "users": ("identity", "/users", "users", None),
    "roles": ("identity", "/roles", "roles", None),
    "role_assignments": ("identity", "/role_assignments?include_names=True", "role_assignments", None),
    "volumes": ("block_storage", "/volumes/detail?all_tenants=True&limit=200", "volumes", None),
    "volume_types": ("block_storage", "/types?is_public=None", "volume_types", None),
    "snapshots": ("block_storage", "/snapshots/detail?all_tenants=True&limit=200", "snapshots", None),
    "servers": ("compute", "/servers/detail?all_tenants=True&limit=100", "servers", "2.96"),
    "flavors": ("compute", "/flavors/detail?is_public=None", "flavors", "2.61"),
    "keypairs": ("compute", "/os-keypairs", "keypairs", "2.35"),
    "hypervisors": ("compute", "/os-hypervisors/detail", "hypervisors", "2.87"),
    "agents": ("network", "/agents", "agents", None),
}
"""Kind to service, path, key of the list in the answer, and the newest microversion that tells what is wanted."""
MIXED = ("services", "quotas")
"""Kinds put together from the answers of several services."""
KINDS: tuple[str, ...] = (*LISTINGS, *MIXED)
"""All kinds, in the order in which an inventory shows them."""
ON_DEMAND = frozenset({"quotas", "role_assignments"})
"""Kinds that are listed only when they are named: they cost several questions for each project, or grow very long."""


def collect(site: Site, kinds: Sequence[str] | None = None, say: Ticker | None = None) -> dict[str, list[Row]]:
    """Every kind of `kinds` (all but those on demand when none is named), each a list of rows with the API's own keys.

    All projects are listed where one may see them. A kind that the site does not offer or permit is one row
    ``{"unavailable": why}``. `say` tells how far it is. Raises BadInput for an unknown kind.
    """
    wanted = list(dict.fromkeys(kinds or (kind for kind in KINDS if kind not in ON_DEMAND)))
    if unknown := [kind for kind in wanted if kind not in KINDS]:
        raise BadInput(f"{', '.join(unknown)}: no such kind of inventory (kinds: {', '.join(KINDS)})")
    conn, found = site.conn, dict[str, list[Row]]()
    # one thread for each service: a proxy of openstacksdk is not made to be shared
    with ThreadPoolExecutor(max_workers=5) as pool:
        for _ in pool.map(lambda listed: _listed(conn, listed, found, say), _by_service(wanted)):
            pass
    _listed(conn, [kind for kind in wanted if kind in MIXED], found, say)
    return {kind: found[kind] for kind in wanted}


def _listed(conn: Connection, kinds: Sequence[str], found: dict[str, list[Row]], say: Ticker | None) -> None:
    for kind in kinds:
        found[kind] = _tried(conn, kind)
        if say is not None:
            say.tell(kind)


def _tried(conn: Connection, kind: str) -> list[Row]:
    try:
        rows = ASSEMBLED[kind](conn) if kind in ASSEMBLED else _rows(conn, kind)
        return [_clean(row) for row in rows]
    except StackbookError as error:
        return [{UNAVAILABLE: str(error.what)}]
    except Exception as error:
        told = told_by_cloud(error, kind)
        if told is None:
            raise
        return [{UNAVAILABLE: "; ".join([told.what, *map(str, told.found or ())])}]


def _by_service(kinds: Sequence[str]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for kind in kinds:
        if kind in LISTINGS:
            groups.setdefault(LISTINGS[kind][0], []).append(kind)
    return list(groups.values())


def _rows(conn: Connection, kind: str) -> Iterator[Row]:
    service, path, key, newest = LISTINGS[kind]
    return _pages(getattr(conn, service), path, key, newest)


def _pages(proxy: Any, path: str, key: str, newest: str | None = None) -> Iterator[Row]:
    """The rows of a listing, page after page, however the service links them."""
    version = _microversion(proxy, newest)
    for _ in range(PAGES):
        answer = _answer(proxy, path, version)
        yield from answer.get(key, ())
        following = _next(answer, key)
        if not following or not answer.get(key):
            return
        path = _relative(following)


def _answer(proxy: Any, path: str, version: str | None = None) -> Row:
    from openstack.exceptions import raise_from_response

    answer = proxy.get(path, microversion=version)
    raise_from_response(answer)
    return dict(answer.json())


def _microversion(proxy: Any, newest: str | None) -> str | None:
    from openstack.utils import maximum_supported_microversion

    return maximum_supported_microversion(proxy, newest) if newest else None


def _next(answer: Row, key: str) -> str | None:
    links = answer.get(f"{key}_links")
    if links:
        return next((str(link["href"]) for link in links if link.get("rel") == "next"), None)
    own = answer.get("links")
    following = own.get("next") if isinstance(own, dict) else answer.get("next")
    return str(following) if following else None


def _relative(link: str) -> str:
    """Only the query of the next page: behind a proxy, services name themselves by addresses that lead nowhere."""
    path, _, query = link.partition("?")
    listing = path.rstrip("/").rsplit("/", 2)
    tail = "/".join(listing[-2:]) if listing[-1] == "detail" else listing[-1]
    return f"/{tail}?{query}"


def _pools(conn: Connection) -> Iterator[Row]:
    for pool in _rows(conn, "pools"):
        yield {"name": pool["name"], **(pool.get("capabilities") or {})}


def _keypairs(conn: Connection) -> Iterator[Row]:
    yield from (row.get("keypair", row) for row in _rows(conn, "keypairs"))


def _hypervisors(conn: Connection) -> Iterator[Row]:
    """Hypervisors with what placement says is there and in use: nova stopped telling."""
    for row in _rows(conn, "hypervisors"):
        row.pop("cpu_info", None)
        yield {**row, **_usage(conn, str(row["id"]))}


def _usage(conn: Connection, id: str) -> Row:
    try:
        stock = _answer(conn.placement, f"/resource_providers/{id}/inventories", "1.0")["inventories"]
        used = _answer(conn.placement, f"/resource_providers/{id}/usages", "1.0")["usages"]
    except Exception as error:
        if told_by_cloud(error, "placement") is None:
            raise
        return {}
    names = {"VCPU": "vcpus", "MEMORY_MB": "memory_mb", "DISK_GB": "local_gb"}
    usage: Row = {}
    for theirs, ours in names.items():
        if theirs in stock:
            usage |= {
                ours: stock[theirs]["total"],
                f"{ours}_used": used.get(theirs, 0),
                f"{ours}_reserved": stock[theirs]["reserved"],
            }
            usage[f"{ours}_allocation_ratio"] = stock[theirs]["allocation_ratio"]
    return usage


def _services(conn: Connection) -> Iterator[Row]:
    """The services of nova and cinder, told apart by ``service``."""
    version = _microversion(conn.compute, "2.69")
    yield from ({"service": "compute", **row} for row in _pages(conn.compute, "/os-services", "services", version))
    for row in _tried_pages(conn.block_storage, "/os-services", "services"):
        yield {"service": "volume", **row}


def _tried_pages(proxy: Any, path: str, key: str) -> list[Row]:
    try:
        return list(_pages(proxy, path, key))
    except Exception as error:
        told = told_by_cloud(error, path)
        if told is None:
            raise
        return [{UNAVAILABLE: told.what}]


def _quotas(conn: Connection) -> Iterator[Row]:
    """Limits and use of each project: ``cores``, ``cores_in_use`` and so on."""
    from keystoneauth1.exceptions import EndpointNotFound

    for project in _pages(conn.identity, "/projects", "projects"):
        row: Row = {"project": project["name"], "project_id": project["id"]}
        for service, path, key in USAGE:
            with suppress(EndpointNotFound):
                row |= _limits(_answer(getattr(conn, service), path.format(project["id"]))[key])
        yield row


def _limits(found: Row) -> Row:
    told: Row = {}
    for name, entry in found.items():
        if isinstance(entry, dict):
            told |= {name: entry.get("limit"), f"{name}_in_use": in_use(entry)}
    return told


def _clean(row: Row) -> Row:
    return secrecy.masked({name: value for name, value in row.items() if name not in NEVER})


ASSEMBLED: dict[str, Callable[[Connection], Iterator[Row]]] = {
    "pools": _pools,
    "keypairs": _keypairs,
    "hypervisors": _hypervisors,
    "services": _services,
    "quotas": _quotas,
}
"""Kinds whose rows need more than one listing as it is."""
