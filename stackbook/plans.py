"""Plans as before/after pairs: pure data, no input or output.

A :class:`Resource` says what should be; an :class:`Actual` says what is; :func:`diff` makes the pairs that lead from one
to the other. Applying is making each pair in order; undoing is the same pairs, swapped and reversed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from stackbook.errors import BadInput, Refused

if TYPE_CHECKING:
    from stackbook.site import Site

Action = Literal["create", "update", "replace", "delete"]
Values = dict[str, Any]
"""Field name to JSON value, in the units that the cloud stores."""


@dataclass(frozen=True)
class Actual:
    """A resource as it was found on the site."""

    id: str | None
    """The API's id; None for resources on hosts."""
    values: Values
    """Every field that the resource's class knows, not only those that are desired."""
    replace: str = ""
    """Why it can't be brought to the desired state in place (a server in ERROR); empty when it can."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """Something with a desired state; a field that is None is left to the site.

    Subclasses are frozen dataclasses that set `kind`, list in `identity` the fields that make up their address, and
    define `read`, `create`, `update` and `delete`. Every other field is compared and shown in plans.
    """

    kind: ClassVar[str]
    identity: ClassVar[tuple[str, ...]] = ("name",)
    fixed: ClassVar[frozenset[str]] = frozenset()
    """Fields that can be set at creation only; a difference in one is refused while planning."""
    irreversible: ClassVar[frozenset[str]] = frozenset()
    """Actions whose effect undo can't bring back (deleting a volume)."""
    one_way: ClassVar[frozenset[str]] = frozenset()
    """Fields whose change undo can't take back (a volume only grows); undo leaves them and says so."""
    follows: ClassVar[bool] = False
    """True for a state that follows from others (a service running its newest configuration): undo repeats it at the
    end instead of reversing it."""
    hidden: ClassVar[frozenset[str]] = frozenset()
    """Fields that steer the operation and are no part of the state, such as where a secret is read from."""

    ahead: ClassVar[bool] = False
    """True where `prepare` can do a part of a creation while an earlier change waits for the site."""

    kinds: ClassVar[dict[str, type[Resource]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" in cls.__dict__:
            Resource.kinds[cls.kind] = cls
        if "__repr__" not in cls.__dict__:  # the decorator, which comes after this, would make one with every None in it
            cls.__repr__ = Resource.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        given = ((item.name, getattr(self, item.name)) for item in fields(self) if item.repr)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in given if value is not None)})"

    @property
    def key(self) -> Values:
        """The fields that tell this resource from others of its kind; unset ones left out."""
        return {name: value for name in self.identity if (value := getattr(self, name)) is not None}

    @property
    def address(self) -> str:
        """Its name in plans and journals, for example ``network/vlan204``."""
        return "/".join([self.kind, *(str(value) for value in self.key.values())])

    @property
    def values(self) -> Values:
        """The desired fields: all that are neither identity, hidden nor None."""
        skipped = {*self.identity, *self.hidden}
        named = ((item.name, getattr(self, item.name)) for item in fields(self) if item.name not in skipped)
        return {name: plain(value) for name, value in named if value is not None}

    def record(self) -> Values:
        """The resource as JSON; `revive` makes it again."""
        named = ((item.name, getattr(self, item.name)) for item in fields(self))
        return {"kind": self.kind, **{name: plain(value) for name, value in named if value is not None}}

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """What the site has at this address; None when nothing.

        `pending` are the changes planned before this one, for states that follow from them.
        Raises Refused when the address is ambiguous.
        """
        raise NotImplementedError

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse, while planning, what could not be applied; `others` are all desired resources of the plan."""

    def check_removal(self, site: Site, actual: Actual) -> None:
        """Refuse, while planning, a deletion that was asked for and could not be applied, or would take more along."""

    def planned_on(self, site: Site) -> str:
        """What else a change here is planned on, such as the digest of the file around an option; the plan's digest covers it."""
        return ""

    def check_undo(self, site: Site, change: Change) -> None:
        """Refuse, while an undo is planned, a `change` of it that could not be made: nothing is then half undone."""

    def said(self, before: Values, after: Values) -> dict[str, str]:
        """What a change of a field means, in words that plans show instead of its values ("restart"); empty hides the field."""
        return {}

    def create(self, site: Site, change: Change) -> Values:
        """Make it; returns a memo for the journal, at least ``{"id": ...}`` where it has one."""
        raise NotImplementedError

    def prepare(self, site: Site, change: Change, stop: Callable[[], bool]) -> None:
        """Do what can be done before its turn, until `stop`; `create` takes up what it finds, and `read` tells of it."""

    def update(self, site: Site, change: Change) -> Values:
        """Bring the fields in `change.after` to their values; returns a memo."""
        raise NotImplementedError

    def delete(self, site: Site, change: Change) -> Values:
        """Remove it; returns a memo."""
        raise NotImplementedError


def revive(record: Values) -> Resource:
    """The resource that `Resource.record` described."""
    kind = record.get("kind", "")
    if kind not in Resource.kinds:
        known = ", ".join(sorted(Resource.kinds)) or "none"
        raise BadInput(f"resource kind {kind!r} is unknown (known: {known})", hint="upgrade stackbook, or import its module")
    return Resource.kinds[kind](**{name: value for name, value in record.items() if name != "kind"})


@dataclass(frozen=True)
class Absent:
    """Asks that a resource be gone; the only way to plan a deletion."""

    resource: Resource

    @property
    def address(self) -> str:
        """The address of the resource that should be gone."""
        return self.resource.address


Desired = Resource | Absent


@dataclass(frozen=True)
class Change:
    """One before/after pair."""

    action: Action
    resource: Values
    """The resource's record; carries the fields needed to make the pair."""
    address: str
    before: Values
    """The fields that change, as they are; empty for a creation."""
    after: Values
    """The fields that change, as they will be; empty for a deletion."""
    reversible: bool = True
    id: str | None = None
    """The API's id of the existing resource."""
    planned_on: str = ""
    """What else it was planned on; when that has changed, the plan's digest is another."""
    reason: str = ""
    """For people; nothing decides on it."""
    said: dict[str, str] = field(default_factory=dict)
    """Words that stand for a field's before and after, by field; for people, as the reason is."""
    memo: Values = field(default_factory=dict)
    """What applying the original left for its undo; only in plans of an undo."""

    @property
    def fields(self) -> dict[str, Values]:
        """Field name to ``{"before": …, "after": …}``."""
        names = list(dict.fromkeys([*self.before, *self.after]))
        return {name: {"before": self.before.get(name), "after": self.after.get(name)} for name in names}

    @property
    def identity(self) -> Values:
        """What the digest covers: the pair itself and what it is done to."""
        pair = {"action": self.action, "address": self.address, "id": self.id, "planned_on": self.planned_on}
        return {**pair, "resource": self.resource, "before": self.before, "after": self.after}

    def record(self) -> Values:
        """The change as JSON, as journals, records and ``--json`` carry it."""
        return {
            "action": self.action,
            "address": self.address,
            "fields": self.fields,
            "reversible": self.reversible,
            "id": self.id,
            "planned_on": self.planned_on,
            "reason": self.reason,
            "said": self.said,
            "resource": self.resource,
            "before": self.before,
            "after": self.after,
            "memo": self.memo,
        }

    @classmethod
    def revive(cls, record: Values) -> Change:
        """The change that `record` described."""
        names = {item.name for item in fields(cls)}
        return cls(**{name: value for name, value in record.items() if name in names})

    def swapped(self, memo: Values) -> Change:
        """The pair that undoes this one, given the memo that applying it left."""
        kind = Resource.kinds[self.resource["kind"]]
        common: Values = {"address": self.address, "id": memo.get("id", self.id), "memo": memo, "reason": f"undo {self.action}"}
        if kind.follows:
            return replace(self, reason="follows what is undone", memo=memo)
        if self.action in ("create", "replace"):
            gone = "delete" not in kind.irreversible
            return Change("delete", self.resource, before=self.after, after={}, reversible=gone, **common)
        if self.action == "delete":
            return Change("create", {**self.resource, **self.before}, before={}, after=self.before, **common)
        desired = {**self.resource, **self.before}
        return Change(
            "update", {k: v for k, v in desired.items() if v is not None}, before=self.after, after=self.before, **common
        )


@dataclass(frozen=True)
class Plan:
    """The pairs that lead from what is to what should be, in the order in which they are applied."""

    site: str
    changes: tuple[Change, ...] = ()
    kept: int = 0
    """How many desired resources are already as they should be."""

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    @property
    def digest(self) -> str:
        """The plan's name for approval, such as ``p-05b3dce6``; equal plans for one site have equal digests."""
        told = json.dumps([self.site, [change.identity for change in self]], sort_keys=True, default=str)
        return "p-" + hashlib.sha256(told.encode()).hexdigest()[:8]

    @property
    def counts(self) -> dict[Action, int]:
        """How many changes of each action."""
        actions: tuple[Action, ...] = ("create", "update", "replace", "delete")
        return {action: sum(change.action == action for change in self) for action in actions}

    @property
    def irreversible(self) -> tuple[Change, ...]:
        """The changes that undo can't bring back."""
        return tuple(change for change in self if not change.reversible)

    def unsafe(self, most: int = 3, share: float = 0.3) -> str:
        """Why the plan needs consent to delete: more than `most` deletions or than `share` of what it names; else empty."""
        deleted = sum(self.counts[action] for action in ("delete", "replace"))
        total = len(self) + self.kept
        if deleted > most:
            return f"deletes {deleted} resources (more than {most})"
        if deleted > 1 and deleted > share * total:
            return f"deletes {deleted} of {total} resources (more than {share:.0%})"
        return ""


def diff(site: str, pairs: Iterable[tuple[Desired, Actual | None]]) -> Plan:
    """The plan for desired resources and what was found of each, in the order given."""
    listed = list(pairs)
    refuse_duplicates(wanted for wanted, _ in listed)
    found = [change for wanted, actual in listed if (change := compare(wanted, actual)) is not None]
    return Plan(site, tuple(found), kept=len(listed) - len(found))


def compare(wanted: Desired, actual: Actual | None) -> Change | None:
    """The change that one resource needs; None when it is as it should be."""
    if isinstance(wanted, Absent):
        return _deletion(wanted.resource, actual) if actual else None
    if actual is None:
        return _change("create", wanted, before={}, after=wanted.values)
    if actual.replace:
        return _change("replace", wanted, actual.values, wanted.values, id=actual.id, reason=actual.replace)
    before = {name: actual.values.get(name) for name in wanted.values}
    differing = [name for name, value in wanted.values.items() if not same(before[name], value)]
    if not differing:
        return None
    if stuck := sorted(wanted.fixed.intersection(differing)):
        raise Refused(
            f"{wanted.address}: {', '.join(stuck)} can't be changed once it exists",
            found=[f"{name} is {before[name]!r}, wanted {wanted.values[name]!r}" for name in stuck],
            hint="choose another name, or ask for the old one to be Absent first",
        )
    after = {name: wanted.values[name] for name in differing}
    named = {name: _named(before[name], after[name]) for name in differing}
    return _change("update", wanted, named, after, id=actual.id, said=wanted.said(named, after))


def _named(found: Any, wanted: Any) -> Any:
    """What was found, of a mapping only the wanted keys: a missing one as None, so that undo knows to take it away."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return {name: found.get(name) for name in wanted}
    return found


def same(found: Any, wanted: Any) -> bool:
    """Whether two field values mean the same: lists of plain values compare as sets, mappings by the wanted keys."""
    found, wanted = plain(found), plain(wanted)
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(same(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return sorted(map(_canonical, found)) == sorted(map(_canonical, wanted))
    return bool(found == wanted)


def refuse_duplicates(desired: Iterable[Desired]) -> None:
    """Refuse two desired resources with one address."""
    seen: set[str] = set()
    for wanted in desired:
        if wanted.address in seen:
            raise BadInput(f"{wanted.address} is listed twice", hint="keep one of the two in the desired list")
        seen.add(wanted.address)


def plain(value: Any) -> Any:
    """`value` as JSON holds it: tuples and sets as lists."""
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=_canonical)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _change(action: Action, wanted: Resource, before: Values, after: Values, **more: Any) -> Change:
    reversible = action not in wanted.irreversible and not (action == "update" and wanted.one_way.intersection(after))
    return Change(action, wanted.record(), wanted.address, plain(before), plain(after), reversible, **more)


def _deletion(resource: Resource, actual: Actual) -> Change:
    kept = {name: value for name, value in actual.values.items() if value is not None}
    known = replace(resource, **{name: value for name, value in kept.items() if hasattr(resource, name)})
    return _change("delete", known, before=kept, after={}, id=actual.id)
