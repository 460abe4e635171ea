"""Finding what a name means on a site, and refusing where it does not say which one, or names nothing."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from stackbook.errors import BadInput, Refused

if TYPE_CHECKING:
    from openstack.connection import Connection

    from stackbook.plans import Resource
    from stackbook.site import Site

UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
Found = Any
"""An object of openstacksdk."""


def named(ref: str, by_name: Callable[[str], Iterable[Found]], by_id: Callable[[str], Found]) -> list[Found]:
    """Everything that `ref` can mean: the object with that id, else all with exactly that name."""
    if UUID.fullmatch(ref) and (found := existing(by_id, ref)) is not None:
        return [found]
    return [found for found in by_name(ref) if found.name == ref]


def once(site: Site, question: tuple[Any, ...], ask: Callable[[], Found]) -> Found:
    """The answer to `question`, asked once while a plan is computed, and each time otherwise."""
    if site.memory is None:
        return ask()
    if question not in site.memory:
        site.memory[question] = ask()
    return site.memory[question]


def existing(get: Callable[[str], Found], id: str | None) -> Found | None:
    """The object with this id; None when there is none."""
    from openstack.exceptions import NotFoundException

    try:
        return get(id) if id else None
    except NotFoundException:
        return None


def owner(found: Found) -> str | None:
    """The id of the project that an object belongs to."""
    return getattr(found, "project_id", None) or getattr(found, "owner", None)


def own(address: str, found: Sequence[Found], project: str | None, *, asked: bool) -> Found | None:
    """The one of `found` that lies in `project` (an id): the resource that an address means.

    Refused when several do, or when none does and the name exists in another project that was not asked for.
    """
    mine = [item for item in found if owner(item) == project]
    if len(mine) > 1:
        raise ambiguous(address, mine, "remove or rename all but one of them")
    if not mine and found and not asked:
        raise Refused(
            f"{address}: that name exists in another project", found=ids(found), hint="say which one is meant: project='…'"
        )
    return mine[0] if mine else None


def meant(address: str, kind: str, ref: str, found: Sequence[Found], project: str | None) -> Found | None:
    """The one of `found` that a reference means: usable from `project` first, else the only one there is."""
    usable = [item for item in found if owner(item) == project or _open(item)]
    pool = usable or found
    if len(pool) > 1:
        raise ambiguous(f"{address}: {kind} {ref!r}", pool, f"refer to the {kind} by its id")
    return pool[0] if pool else None


def ambiguous(what: str, found: Sequence[Found], hint: str) -> Refused:
    """The refusal of a name that several objects have."""
    return Refused(f"{what} is ambiguous: {len(found)} have that name", found=ids(found), hint=hint)


def ids(found: Iterable[Found]) -> list[str]:
    """Each object's id, and its project's where it has one."""
    return [f"{item.id} (project {owner(item)})" if owner(item) else str(item.id) for item in found]


def _open(item: Found) -> bool:
    return bool(
        getattr(item, "is_shared", False)
        or getattr(item, "is_router_external", False)
        or getattr(item, "visibility", "") in ("public", "community")
    )


def require(
    me: Resource, kind: str, ref: str, found: Found | None, others: Sequence[Resource], names: Callable[[], Iterable[str | None]]
) -> Found | None:
    """`found`, or None when `ref` is planned before `me`; Refused when it is neither, with the nearest names."""
    if found is not None or planned(me, kind, ref, others) is not None:
        return found
    raise unknown(me.address, kind, ref, names())


def unknown(address: str, kind: str, ref: str, names: Iterable[str | None]) -> Refused:
    """The refusal of a reference to nothing, with the nearest names there are."""
    known = sorted({name for name in names if name})
    near = difflib.get_close_matches(ref, known, n=3, cutoff=0.5)
    told = f"nearest: {', '.join(near)}" if near else f"there are: {', '.join(known[:8])}" if known else f"there is no {kind}"
    return Refused(f"{address}: {kind} {ref!r} does not exist", found=told, hint=f"name an existing {kind}, or list it before")


def planned(me: Resource, kind: str, name: str, others: Sequence[Resource]) -> Resource | None:
    """The resource of that kind and name that the same plan lists before `me`; Refused when it is listed after."""
    place = next((place for place, other in enumerate(others) if other.address == me.address), len(others))
    for at, other in enumerate(others):
        if kind in (other.kind, getattr(other, "stands_for", None)) and getattr(other, "name", None) == name:
            if at < place:
                return other
            raise Refused(f"{me.address} refers to {other.address}, which is listed after it", hint="list it before")
    return None


def project_id(site: Site, project: str | None) -> str | None:
    """The id of the project with this name or id; the one signed in to for None; None when there is no such project."""
    if project is None:
        own_id: str | None = site.conn.current_project_id
        return own_id
    found = find_project(site, project)
    return str(found.id) if found is not None else None


def find_project(site: Site, ref: str, domain: str | None = None) -> Found | None:
    """The project `ref`, a name or id; without the right to list projects, among one's own."""
    found = once(site, ("project", ref, domain), lambda: _projects(site, ref, domain))
    if len(found) > 1:
        raise ambiguous(f"project {ref!r}", found, "refer to the project by its id")
    return found[0] if found else None


def _projects(site: Site, ref: str, domain: str | None) -> list[Found]:
    from openstack.exceptions import ForbiddenException

    identity = site.conn.identity
    query = {"domain_id": domain} if domain else {}
    try:
        return named(ref, lambda name: identity.projects(name=name, **query), identity.get_project)
    except ForbiddenException:
        return [item for item in identity.user_projects(site.conn.current_user_id) if ref in (item.id, item.name)]


def require_project(me: Resource, site: Site, project: str | None, others: Sequence[Resource]) -> str | None:
    """The id of `project`; None while it is planned; Refused when it is unknown."""
    found = project_id(site, project)
    if project is not None and found is None:
        require(me, "project", project, None, others, lambda: (item.name for item in site.conn.identity.projects()))
    return found


def certain_project(me: Resource, site: Site, project: str | None) -> str | None:
    """The id of `project` at the time of applying; the one signed in to for None."""
    found = project_id(site, project)
    if project is not None and found is None:
        raise unknown(me.address, "project", project, ())
    return found


def scoped(site: Site, project: str | None) -> Connection:
    """A connection that works in `project` (name or id); the site's own for None. Nova and cinder make things only there."""
    own_id = site.conn.current_project_id
    id = project_id(site, project)
    if id in (None, own_id):
        return site.conn
    from stackbook.cloud import REQUEST_ID_HEADER

    connection = site.conn.connect_as_project(id)
    connection.session.additional_headers[REQUEST_ID_HEADER] = site.run.request_id
    return connection


def find_network(site: Site, address: str, ref: str, project: str | None) -> Found | None:
    """The network that `ref` means for `project` (an id)."""
    network = site.conn.network
    found = once(site, ("network", ref), lambda: named(ref, lambda name: network.networks(name=name), network.get_network))
    return meant(address, "network", ref, found, project)


def find_subnet(site: Site, address: str, ref: str, network_id: str | None) -> Found | None:
    """The subnet that `ref` means in a network."""
    network = site.conn.network
    if network_id is None:
        found = once(site, ("subnet", ref), lambda: named(ref, lambda name: network.subnets(name=name), network.get_subnet))
    else:
        found = [item for item in subnets(site, network_id) if ref in (item.name, item.id)]
    if len(found) > 1:
        raise ambiguous(f"{address}: subnet {ref!r}", found, "refer to the subnet by its id")
    return found[0] if found else None


def subnets(site: Site, network_id: str) -> list[Found]:
    """The subnets of a network."""
    return list(once(site, ("subnets", network_id), lambda: list(site.conn.network.subnets(network_id=network_id))))


def security_groups(site: Site, project: str | None) -> list[Found]:
    """The security groups of a project (an id)."""
    return list(once(site, ("security groups", project), lambda: list(site.conn.network.security_groups(project_id=project))))


def find_security_group(site: Site, address: str, ref: str, project: str | None) -> Found | None:
    """The security group that `ref` means for `project` (an id); groups of other projects count only by their id."""
    network = site.conn.network
    found = [item for item in security_groups(site, project) if item.name == ref]
    if not found and UUID.fullmatch(ref) and (other := existing(network.get_security_group, ref)) is not None:
        return other
    return meant(address, "security-group", ref, found, project)


def require_security_groups(
    me: Resource, site: Site, refs: Iterable[str], others: Sequence[Resource], project: str | None
) -> None:
    """Refuse references to security groups that neither exist for `project` nor are planned before `me`."""

    def names() -> Iterable[str]:
        return (item.name for item in security_groups(site, project))

    for ref in refs:
        require(me, "security-group", ref, find_security_group(site, me.address, ref, project), others, names)


def find_port(site: Site, address: str, ref: str, project: str | None) -> Found | None:
    """The port that `ref` means for `project` (an id)."""
    network = site.conn.network
    return meant(address, "port", ref, named(ref, lambda name: network.ports(name=name), network.get_port), project)


def find_image(site: Site, address: str, ref: str, project: str | None) -> Found | None:
    """The image that `ref` means for `project` (an id)."""
    image = site.conn.image
    found = once(site, ("image", ref), lambda: named(ref, lambda name: image.images(name=name), image.get_image))
    return meant(address, "image", ref, [item for item in found if item.status not in ("deleted", "killed")], project)


def find_flavor(site: Site, address: str, ref: str) -> Found | None:
    """The flavor with this name or id."""
    found = [item for item in flavors(site) if ref in (item.name, item.id)]
    if len(found) > 1:
        raise ambiguous(f"{address}: flavor {ref!r}", found, "refer to the flavor by its id")
    return found[0] if found else None


def flavors(site: Site) -> list[Found]:
    """All flavors, private ones too where one may see them."""
    return list(once(site, ("flavors",), lambda: list(site.conn.compute.flavors(details=True, is_public="None"))))


def volumes(site: Site, ref: str) -> list[Found]:
    """Everything that the volume reference `ref` can mean, of all projects where one may see them."""
    storage = site.conn.block_storage
    return named(ref, lambda name: storage.volumes(details=True, all_projects=True, name=name), storage.get_volume)


def find_volume(site: Site, address: str, ref: str, project: str | None) -> Found | None:
    """The volume that `ref` means for `project` (an id)."""
    return meant(address, "volume", ref, volumes(site, ref), project)


def servers(site: Site, ref: str) -> list[Found]:
    """Everything that the server reference `ref` can mean, of all projects where one may see them."""
    from openstack.exceptions import ForbiddenException

    compute = site.conn.compute
    # nova takes the name as a regular expression
    query = {"name": f"^{ref}$"} if re.fullmatch(r"[\w-]+", ref) else {}

    def listed(_: str) -> Iterable[Found]:
        try:
            return list(compute.servers(details=True, all_projects=True, **query))
        except ForbiddenException:
            return list(compute.servers(details=True, **query))

    return named(ref, listed, compute.get_server)


def find_server(site: Site, address: str, ref: str, project: str | None) -> Found | None:
    """The server that `ref` means for `project` (an id)."""
    return meant(address, "server", ref, servers(site, ref), project)


def device(site: Site, port: Found) -> str:
    """What holds a port, as people know it: ``server web1 (id)``, ``network:dhcp …``, or that nothing does."""
    if not port.device_id:
        return "attached to nothing"
    if not (port.device_owner or "").startswith("compute:"):
        return f"{port.device_owner} {port.device_id}".strip()
    server = existing(site.conn.compute.get_server, port.device_id)
    return f"server {server.name} ({server.id})" if server is not None else f"server {port.device_id}"


def whole(address: str, field: str, value: Any, lowest: int = 0) -> None:
    """Refuse a number field that is no whole number or below `lowest`; None passes."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput(f"{address}: {field} {value!r} is not a whole number")
    if value < lowest:
        raise BadInput(f"{address}: {field} {value} is below {lowest}")


def raised_by(project: str) -> str:
    """The command that shows what a project (name or id) uses of its quotas, and raises them."""
    return f"stackbook run project-quotas -p project={shlex.quote(project)}"


def put(resource: Resource, **normal: Any) -> None:
    """Set fields of a frozen resource to their normal form while it is being made."""
    for name, value in normal.items():
        object.__setattr__(resource, name, value)
