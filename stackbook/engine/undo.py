"""Undo: the pairs that a run made, swapped and reversed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stackbook import resources
from stackbook.cloud import api_errors
from stackbook.engine.apply import made
from stackbook.engine.planning import Planned, journalled
from stackbook.errors import BadInput, ChangedSince
from stackbook.journal import Event, Run
from stackbook.plans import Actual, Change, Plan, Resource, Values, revive, same
from stackbook.site import Site
from stackbook.ticker import Ticker

Made = tuple[Change, Values | None]
"""A pair that was made, with its memo; None for one begun and not known to be finished."""


def plan_undo(run: Run, site: Site) -> Planned:
    """The plan that takes back what `run` made; what is already gone or back as it was falls out by itself.

    Raises ChangedSince when someone changed one of its resources since, and BadInput when the run changed nothing.
    """
    resources.load()  # a journal may hold any kind
    events = run.events()
    if not any(event["event"] == "started" for event in events):
        raise BadInput(f"run {run.id} changed nothing: there is nothing to undo", hint="stackbook runs")

    def again() -> Plan:
        return compute_undo(events, site)

    with journalled(site):
        found = again()
    for address, what in lasting(events):
        summary = f"{what} can't be undone: it stays as it is"
        site.run.write("finding", level="warning", subject=address, summary=summary, hint="bring it back from a backup")
    site.run.write("plan", digest=found.digest, kept=found.kept, changes=[c.record() for c in found], stops=[], undoes=run.id)
    return Planned(found, again, undoes=run.id)


def compute_undo(events: list[Event], site: Site) -> Plan:
    """The plan as of now, from a run's journal."""
    whole = [(change, memo) for change, memo in made(events)]
    pairs = [change.swapped(memo or {}) for change, memo in _reversible(net([pair for pair in whole if not _follows(pair[0])]))]
    left: list[Change] = []
    with site.remembering(), Ticker("planning") as ticker:
        for number, pair in enumerate(reversed(pairs)):
            ticker.tell(f"{number} of {len(pairs)}")
            removed_first = any(other.address == pair.address for other in left)
            if _left(pair, site, removed_first=removed_first):
                revive(pair.resource).check_undo(site, pair)
                left.append(pair)
    following = _unique([change.swapped(memo or {}) for change, memo in whole if _follows(change)])
    left += [pair for pair in following if _stale(pair, site, left)]
    return Plan(site.name, tuple(left), kept=len(pairs) + len(following) - len(left))


def lasting(events: list[Event]) -> list[tuple[str, str]]:
    """What of a run can't be undone: address, and the action or field."""
    pairs = [change for change, _ in net(list(made(events)))]
    fields = [(change, name) for change in pairs for name in sorted(_kind(change).one_way.intersection(change.after))]
    words = {"delete": "delete", "replace": "the loss of what it replaced"}
    deleted = [(change.address, words[change.action]) for change in pairs if change.action in words and not change.reversible]
    return deleted + [(change.address, f"the change of {name}") for change, name in fields if change.action == "update"]


def _reversible(pairs: Sequence[Made]) -> list[Made]:
    """The pairs without what can't be brought back: deletions for good, and fields that only go one way."""
    found: list[Made] = []
    for change, memo in pairs:
        dropped = _kind(change).one_way if change.action == "update" else frozenset[str]()
        before = {name: value for name, value in change.before.items() if name not in dropped}
        after = {name: value for name, value in change.after.items() if name not in dropped}
        if (change.action != "update" or after) and (change.action != "delete" or change.reversible):
            found.append((replace(change, before=before, after=after), memo))
    return found


def net(pairs: Sequence[Made]) -> list[Made]:
    """What a run did to each resource in all: pairs of several plans, applied one after the other, joined.

    A resource removed and then made again stays two pairs.
    """
    found: list[Made] = []
    for change, memo in pairs:
        place = next((at for at in reversed(range(len(found))) if found[at][0].address == change.address), None)
        if place is None or (earlier := found[place])[0].action == "delete":
            found.append((change, memo))
        elif change.action == "delete":
            del found[place]  # its place is the later one: what it needs was removed after it
            if earlier[0].action == "update":
                found.append((replace(change, before={**change.before, **earlier[0].before}), memo))
        else:
            found[place] = _joined(earlier, (change, memo))
    return found


def _joined(earlier: Made, later: Made) -> Made:
    (first, memo), (second, more) = earlier, later
    kept = {name: value for name, value in first.after.items() if more is not None or name not in second.after}
    after = {**kept, **second.after} if more is not None else kept
    before = {**second.before, **first.before} if first.action == "update" else first.before
    action = second.action if first.action == "update" else first.action
    about = {**first.resource, **second.resource}
    whole = replace(first, action=action, resource=about, before=before, after=after, id=second.id or first.id)
    return whole, None if memo is None and more is None else {**(memo or {}), **(more or {})}


def _follows(pair: Change) -> bool:
    return _kind(pair).follows


def _kind(change: Change) -> type[Resource]:
    return Resource.kinds[change.resource["kind"]]


def _unique(pairs: Sequence[Change]) -> list[Change]:
    return list({pair.address: pair for pair in pairs}.values())


def _stale(pair: Change, site: Site, left: Sequence[Change]) -> bool:
    resource = revive(pair.resource)
    actual = resource.read(site, left)
    return actual is not None and any(not same(actual.values.get(name), value) for name, value in resource.values.items())


def _left(pair: Change, site: Site, *, removed_first: bool) -> bool:
    with api_errors(pair.address):
        return removed_first or _still_to_do(pair, site)


def _still_to_do(pair: Change, site: Site) -> bool:
    actual = revive(pair.resource).read(site)
    if pair.action == "create":
        return actual is None
    if actual is None:
        if pair.action == "delete":
            return False
        raise ChangedSince(f"{pair.address} is gone: it can't be brought back to what it was", hint="look who removed it")
    if pair.action == "update" and _equal(actual, pair.after):
        return False
    _refuse_changed(pair, actual)
    return True


def _refuse_changed(pair: Change, actual: Actual) -> None:
    if pair.id and actual.id and pair.id != actual.id:
        raise ChangedSince(f"{pair.address} is another one now", found=f"id {actual.id}, made as {pair.id}")
    if not pair.memo:
        return  # begun and cut off: what is there now may be half made, and is taken back all the same
    differing = {name: value for name, value in pair.before.items() if not same(actual.values.get(name), value)}
    if differing:
        found = [f"{name} is {actual.values.get(name)!r}, was left as {value!r}" for name, value in differing.items()]
        raise ChangedSince(f"{pair.address} was changed since", found=found, hint="set it back by hand, or keep it as it is")


def _equal(actual: Actual, values: dict[str, object]) -> bool:
    return all(same(actual.values.get(name), value) for name, value in values.items())
