"""Undo: the pairs that a run made, swapped and reversed."""

from __future__ import annotations

from collections.abc import Sequence

from stackbook import resources
from stackbook.cloud import api_errors
from stackbook import resources
from stackbook.engine.apply import made
from stackbook.engine.planning import Planned
from stackbook.errors import BadInput, ChangedSince
from stackbook.journal import Event, Run
from stackbook.plans import Actual, Change, Plan, Resource, revive, same
from stackbook.site import Site


def plan_undo(run: Run, site: Site) -> Planned:
    """The plan that takes back what `run` made; what is already gone or back as it was falls out by itself.

    Raises ChangedSince when someone changed one of its resources since, and BadInput when the run changed nothing.
    """
    resources.load()
    resources.load()  # a journal may hold any kind
    events = run.events()
    if not any(event["event"] == "started" for event in events):
        raise BadInput(f"run {run.id} changed nothing: there is nothing to undo", hint="stackbook runs")

    def again() -> Plan:
        return compute_undo(events, site)

    found = again()
    site.run.write("plan", digest=found.digest, kept=found.kept, changes=[c.record() for c in found], stops=[], undoes=run.id)
    return Planned(found, again, undoes=run.id)


def compute_undo(events: list[Event], site: Site) -> Plan:
    """The plan as of now, from a run's journal."""
    pairs = [change.swapped(memo or {}) for change, memo in made(events)]
    reversing = [pair for pair in reversed(pairs) if not _follows(pair)]
    left: list[Change] = []
    for pair in reversing:
        later = [other for other in left if other.address == pair.address]
        if pair.action == "delete" and later and later[-1].action == "create":
            left = [other for other in left if other.address != pair.address]  # made and removed by the run: never was
        elif _left(pair, site, later):
            left.append(pair)
    following = _unique([pair for pair in pairs if _follows(pair)])
    left += [pair for pair in following if _stale(pair, site, left)]
    return Plan(site.name, tuple(left), kept=len(pairs) - len(left))


def _follows(pair: Change) -> bool:
    return Resource.kinds[pair.resource["kind"]].follows


def _unique(pairs: Sequence[Change]) -> list[Change]:
    return list({pair.address: pair for pair in pairs}.values())


def _stale(pair: Change, site: Site, left: Sequence[Change]) -> bool:
    resource = revive(pair.resource)
    actual = resource.read(site, left)
    return actual is not None and any(not same(actual.values.get(name), value) for name, value in resource.values.items())


def _left(pair: Change, site: Site, later: Sequence[Change]) -> bool:
    with api_errors(pair.address):
        return _still_to_do(pair, site, later)


def _still_to_do(pair: Change, site: Site, later: Sequence[Change]) -> bool:
    """Whether a pair is to be made; `later` are those of the same resource that undo what the run did after it."""
    actual = revive(pair.resource).read(site)
    if later and later[-1].action in ("create", "delete"):
        return True
    if pair.action == "create":
        return actual is None
    if actual is None:
        if pair.action == "delete":
            return False
        raise ChangedSince(f"{pair.address} is gone: it can't be brought back to what it was", hint="look who removed it")
    restored = {name for other in later for name in other.after}
    if pair.action == "update" and not restored & set(pair.after) and _equal(actual, pair.after):
        return False
    _refuse_changed(pair, actual, restored)
    return True


def _refuse_changed(pair: Change, actual: Actual, restored: set[str]) -> None:
    if pair.id and actual.id and pair.id != actual.id:
        raise ChangedSince(f"{pair.address} is another one now", found=f"id {actual.id}, made as {pair.id}")
    if not pair.memo:
        return  # begun and cut off: what is there now may be half made, and is taken back all the same
    differing = {name: value for name, value in pair.before.items() if name not in restored and not same(actual.values.get(name), value)}
    if differing:
        found = [f"{name} is {actual.values.get(name)!r}, was left as {value!r}" for name, value in differing.items()]
        raise ChangedSince(f"{pair.address} was changed since", found=found, hint="set it back by hand, or keep it as it is")


def _equal(actual: Actual, values: dict[str, object]) -> bool:
    return all(same(actual.values.get(name), value) for name, value in values.items())
