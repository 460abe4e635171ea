"""Projects, users and role assignments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stackbook.errors import BadInput
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources import lookup, passwords
from stackbook.resources.waiting import gone

if TYPE_CHECKING:
    from stackbook.site import Site


@dataclass(frozen=True)
class Project(Resource):
    """A project."""

    kind: ClassVar[str] = "project"
    identity: ClassVar[tuple[str, ...]] = ("domain", "name")

    name: str
    domain: str | None = None
    """Name or id; None: the domain of the project one is signed in to."""
    description: str | None = None
    enabled: bool | None = None

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The project of that name in its domain."""
        found = lookup.find_project(site, self.name, _domain(site, self.domain))
        return Actual(found.id, {"description": found.description, "enabled": found.is_enabled}) if found is not None else None

    def create(self, site: Site, change: Change) -> Values:
        """Make the project."""
        made = site.conn.identity.create_project(name=self.name, domain_id=_domain(site, self.domain), **_body(change.after))
        return {"id": made.id}

    def update(self, site: Site, change: Change) -> Values:
        """Change the project in place."""
        site.conn.identity.update_project(change.id, **_body(change.after))
        return {"id": change.id}

    def delete(self, site: Site, change: Change) -> Values:
        """Remove the project, and the security group that neutron made for it by itself."""
        identity = site.conn.identity
        found = None if change.id else lookup.find_project(site, self.name, _domain(site, self.domain))
        id = change.id or getattr(found, "id", None)
        if id:
            identity.delete_project(id, ignore_missing=True)
            gone(lambda: lookup.existing(identity.get_project, id), what=self.address)
            self._sweep(site, id)
        return {"id": id}

    @staticmethod
    def _sweep(site: Site, id: str) -> None:
        network = site.conn.network
        for group in network.security_groups(name="default", project_id=id):
            network.delete_security_group(group, ignore_missing=True)


@dataclass(frozen=True)
class User(Resource):
    """A user; its password is set once, when the user is made, and appears nowhere."""

    kind: ClassVar[str] = "user"
    identity: ClassVar[tuple[str, ...]] = ("domain", "name")
    hidden: ClassVar[frozenset[str]] = frozenset({"password_from"})

    name: str
    domain: str | None = None
    email: str | None = None
    default_project: str | None = None
    """Name or id."""
    description: str | None = None
    enabled: bool | None = None
    password_from: str | None = None
    """``env:NAME``, ``file:PATH`` or ``random``, which leaves it in a private file that the journal names; None: no password."""

    def __post_init__(self) -> None:
        if self.password_from is not None:
            passwords.check_form(self.address, self.password_from)

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The user of that name in its domain."""
        found = self._find(site)
        if found is None:
            return None
        values = {"email": getattr(found, "email", None), "description": found.description, "enabled": found.is_enabled}
        return Actual(found.id, {**values, "default_project": self._project(site, found.default_project_id)})

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse an unknown project, and a password that is not where it should come from."""
        if self.default_project is not None:
            lookup.require_project(self, site, self.default_project, others)
        if actual is None and self.password_from is not None:
            passwords.check_source(self.address, self.password_from)

    def create(self, site: Site, change: Change) -> Values:
        """Make the user with its password."""
        place = passwords.place(site.name, self.address)
        secret = passwords.secret(self.password_from, place)
        body = self._body(site, change.after)
        with passwords.unseen(secret):
            password = {"password": secret} if secret else {}
            made = site.conn.identity.create_user(name=self.name, domain_id=_domain(site, self.domain), **password, **body)
        left = {"password_file": str(place)} if self.password_from == passwords.RANDOM else {}
        return {"id": made.id, **left}

    def update(self, site: Site, change: Change) -> Values:
        """Change the user in place; the password stays as it is."""
        site.conn.identity.update_user(change.id, **self._body(site, change.after))
        return {"id": change.id}

    def delete(self, site: Site, change: Change) -> Values:
        """Remove the user, and the file with the password that was made for it."""
        identity = site.conn.identity
        id = change.id or getattr(self._find(site), "id", None)
        if id:
            identity.delete_user(id, ignore_missing=True)
            gone(lambda: lookup.existing(identity.get_user, id), what=self.address)
        if self.password_from == passwords.RANDOM:
            passwords.place(site.name, self.address).unlink(missing_ok=True)
        return {"id": id}

    def _find(self, site: Site) -> Any:
        return find_user(site, self.name, self.domain)

    def _project(self, site: Site, id: str | None) -> str | None:
        if not id or id == self.default_project:
            return id or None
        found = lookup.existing(site.conn.identity.get_project, id)
        return str(found.name) if found is not None else id

    def _body(self, site: Site, after: Values) -> dict[str, Any]:
        body = _body({name: value for name, value in after.items() if name != "default_project"})
        if "default_project" in after:
            name = after["default_project"]
            body["default_project_id"] = lookup.certain_project(self, site, name) if name else None
        return body


@dataclass(frozen=True)
class RoleAssignment(Resource):
    """A role that a user or a group has in a project, or in a domain."""

    kind: ClassVar[str] = "role-assignment"
    identity: ClassVar[tuple[str, ...]] = ("role", "user", "group", "project", "domain", "user_domain")

    role: str
    user: str | None = None
    project: str | None = None
    group: str | None = None
    domain: str | None = None
    """Instead of a project: the domain on which the role is had."""
    user_domain: str | None = None
    """Where the user or group is from; None: the domain of the project one is signed in to."""

    def __post_init__(self) -> None:
        if (self.user is None) == (self.group is None):
            raise BadInput(f"{self.address}: name either a user or a group")
        if (self.project is None) == (self.domain is None):
            raise BadInput(f"{self.address}: name either a project or a domain")

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The assignment, where role, user and project exist and it is in force."""
        named = self._ids(site)
        if None in named.values():
            return None
        query = {"role_id": named["role"], f"{self._who}_id": named["who"], f"scope_{self._where}_id": named["where"]}
        found = list(site.conn.identity.role_assignments(**query))
        return Actual(None, {}) if found else None

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse an unknown role, user, group, project or domain."""
        identity, named = site.conn.identity, self._ids(site)
        if named["role"] is None:
            raise lookup.unknown(self.address, "role", self.role, (role.name for role in identity.roles()))
        listed = identity.users if self.user is not None else identity.groups
        who = str(self.user if self.user is not None else self.group)
        lookup.require(self, self._who, who, named["who"], others, lambda: (item.name for item in listed()))
        scopes = identity.projects if self.project is not None else identity.domains
        where = str(self.project if self.project is not None else self.domain)
        lookup.require(self, self._where, where, named["where"], others, lambda: (item.name for item in scopes()))

    def create(self, site: Site, change: Change) -> Values:
        """Give the role."""
        self._call(site, "put")
        return {}

    def delete(self, site: Site, change: Change) -> Values:
        """Take the role away."""
        if None not in self._ids(site).values():
            self._call(site, "delete")
        return {}

    @property
    def _who(self) -> str:
        return "user" if self.user is not None else "group"

    @property
    def _where(self) -> str:
        return "project" if self.project is not None else "domain"

    def _call(self, site: Site, verb: str) -> None:
        from openstack.exceptions import raise_from_response

        named = self._ids(site)
        if missing := [part for part, id in named.items() if id is None]:
            raise BadInput(f"{self.address}: {', '.join(missing)} does not exist")
        path = f"/{self._where}s/{named['where']}/{self._who}s/{named['who']}/roles/{named['role']}"
        answer = getattr(site.conn.identity, verb)(path)
        if answer.status_code != 404 or verb == "put":
            raise_from_response(answer)

    def _ids(self, site: Site) -> dict[str, str | None]:
        identity = site.conn.identity
        roles = lookup.named(self.role, lambda name: identity.roles(name=name), identity.get_role)
        if self.user is not None:
            who = find_user(site, self.user, self.user_domain)
        else:
            who = _only(identity.groups(name=self.group, domain_id=_domain(site, self.user_domain)))
        place = lookup.find_project(site, self.project) if self.project is not None else None
        where = place.id if place is not None else _domain(site, self.domain) if self.domain is not None else None
        return {"role": getattr(_only(roles), "id", None), "who": getattr(who, "id", None), "where": where}


def find_user(site: Site, ref: str, domain: str | None) -> Any:
    """The user `ref`, a name or id, of a domain."""
    identity = site.conn.identity
    found = lookup.named(ref, lambda name: identity.users(name=name, domain_id=_domain(site, domain)), identity.get_user)
    return _only(found)


def _only(found: Any) -> Any:
    return next(iter(found), None)


def _domain(site: Site, ref: str | None) -> str | None:
    identity = site.conn.identity
    if ref is None:
        return str(site.conn.session.auth.get_access(site.conn.session).project_domain_id or "default")
    if ref == "default":
        return ref
    found = lookup.named(ref, lambda name: identity.domains(name=name), identity.get_domain)
    if not found:
        raise lookup.unknown(f"domain/{ref}", "domain", ref, (item.name for item in identity.domains()))
    return str(found[0].id)


def _body(values: Values) -> dict[str, Any]:
    return {"is_enabled" if name == "enabled" else name: value for name, value in values.items()}
