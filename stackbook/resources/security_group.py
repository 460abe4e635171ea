"""Security groups with their rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources import lookup
from stackbook.resources.rules import Rule
from stackbook.resources.waiting import gone

if TYPE_CHECKING:
    from stackbook.site import Site

API = {"description": "description", "stateful": "stateful"}


@dataclass(frozen=True)
class SecurityGroup(Resource):
    """A security group and its rules.

    Rules are compared as a set, whatever their order. When only ingress rules are listed, the egress rules (as made,
    they let everything out) are left as they are; when an egress rule is listed too, exactly those listed count.
    """

    kind: ClassVar[str] = "security-group"
    identity: ClassVar[tuple[str, ...]] = ("project", "name")

    name: str
    rules: Sequence[str] | None = None
    """Each as ``"ingress tcp 22 from 10.0.0.0/8"``; see `stackbook.resources.rules.Rule`."""
    description: str | None = None
    stateful: bool | None = None
    project: str | None = None

    def __post_init__(self) -> None:
        if self.rules is not None:
            lookup.put(self, rules=sorted({str(Rule.parse(rule)) for rule in self.rules}))

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The security group of that name in its project."""
        found = self._find(site)
        if found is None:
            return None
        values: Values = {ours: getattr(found, theirs) for ours, theirs in API.items()}
        known = self._names(site, found)
        values["rules"] = sorted({str(Rule.found(rule, known)) for rule in found.security_group_rules if self._counts(rule)})
        return Actual(found.id, values)

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse rules that refer to an unknown security group."""
        project = lookup.require_project(self, site, self.project, others)
        lookup.require_security_groups(self, site, self._remotes(self.rules or ()), others, project)

    def create(self, site: Site, change: Change) -> Values:
        """Make the group, then its rules."""
        project = lookup.certain_project(self, site, self.project)
        about = {API[name]: value for name, value in change.after.items() if name in API}
        made = site.conn.network.create_security_group(name=self.name, project_id=project, **about)
        if self.rules is not None:
            self._make_rules(site, made)
        return {"id": made.id}

    def update(self, site: Site, change: Change) -> Values:
        """Change description and rules; rules that stay are not touched."""
        network = site.conn.network
        about = {API[name]: value for name, value in change.after.items() if name in API}
        if about:
            network.update_security_group(change.id, **about)
        if change.after.get("rules") is not None:
            self._make_rules(site, network.get_security_group(change.id))
        return {"id": change.id}

    def delete(self, site: Site, change: Change) -> Values:
        """Remove the group with its rules."""
        network = site.conn.network
        id = change.id or getattr(self._find(site), "id", None)
        if id:
            network.delete_security_group(id, ignore_missing=True)
            gone(lambda: lookup.existing(network.get_security_group, id), what=self.address)
        return {"id": id}

    def _find(self, site: Site) -> Any:
        project = lookup.project_id(site, self.project)
        if self.project is not None and project is None:
            return None
        found = list(site.conn.network.security_groups(name=self.name))
        return lookup.own(self.address, found, project, asked=self.project is not None)

    def _counts(self, rule: Any) -> bool:
        egress = self.rules is None or any(Rule.parse(wanted).direction == "egress" for wanted in self.rules)
        return egress or rule["direction"] == "ingress"

    def _names(self, site: Site, found: Any) -> dict[str, str]:
        remotes = {rule["remote_group_id"] for rule in found.security_group_rules} - {None, found.id}
        groups = lookup.security_groups(site, found.project_id) if remotes else ()
        asked = set(self._remotes(self.rules or ()))
        return {found.id: self.name, **{item.id: item.name for item in groups if item.id not in asked}}

    def _remotes(self, rules: Iterable[str]) -> set[str]:
        groups = {Rule.parse(rule).group for rule in rules}
        return {name for name in groups if name is not None} - {self.name}

    def _make_rules(self, site: Site, found: Any) -> None:
        known = self._names(site, found)
        held = [(rule["id"], str(Rule.found(rule, known))) for rule in found.security_group_rules if self._counts(rule)]
        wanted = set(self.rules or ())
        network = site.conn.network
        kept: set[str] = set()
        for id, text in held:
            if text in wanted - kept:
                kept.add(text)
            else:
                network.delete_security_group_rule(id, ignore_missing=True)
        for text in sorted(wanted - kept):
            rule = Rule.parse(text)
            remote = self._group_id(site, rule.group, found) if rule.group else None
            network.create_security_group_rule(security_group_id=found.id, project_id=found.project_id, **rule.body(remote))

    def _group_id(self, site: Site, name: str, found: Any) -> str:
        if name in (self.name, found.id):
            return str(found.id)
        group = lookup.find_security_group(site, self.address, name, found.project_id)
        if group is None:
            raise lookup.unknown(self.address, "security-group", name, ())
        return str(group.id)
