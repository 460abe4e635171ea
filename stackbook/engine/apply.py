"""Applying: only what was approved, each pair written to the journal before and after it is made."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from stackbook.cloud import api_errors
from stackbook.engine.ahead import Ahead
from stackbook.engine.apart import Apart, Groups
from stackbook.engine.lock import changing
from stackbook.engine.planning import Planned
from stackbook.errors import BadInput, PlanNotApproved, PreflightFailed, StackbookError, Unsafe
from stackbook.journal import RUN_VARIABLE, Event, Run, open_run
from stackbook.plans import Change, Plan, Values, revive
from stackbook.site import Site
from stackbook.ticker import Ticker

COMPLETED_BY: dict[str, tuple[str, ...]] = {"update": ("create", "replace"), "create": ("replace",)}
"""What may be left of a change that was cut off: to the action left, the actions it completes."""
YES = "yes"
"""Approves whatever is planned: for the sandbox, and for schedules whose owner chose it."""
_REASONS = 5
"""Rows of preflight that an error names."""


@dataclass(frozen=True)
class Outcome:
    """What applying a plan did."""

    status: Literal["applied", "unchanged"]
    digest: str
    done: int
    planned: int
    seconds: float
    run: str

    def __repr__(self) -> str:
        if self.status == "unchanged":
            return f"nothing to do ({self.digest})"
        return f"{self.done} of {self.planned} changes made in {self.seconds:.1f} s ({self.digest})"

    def _repr_html_(self) -> str:
        from stackbook.render.html import outcome_html

        return outcome_html(self)


def apply(planned: Planned, site: Site, approve: str = "", *, allow_delete: bool = False, apart: Groups | None = None) -> Outcome:
    """Make the planned changes, in order, if `approve` is their digest (or ``yes``).

    The plan is computed again first: when it differs from the one approved, nothing is changed. An empty plan needs no
    approval. Deleting many resources, or anything that undo can't bring back, needs `allow_delete` besides.
    Of `apart`, groups of addresses by name, one that fails is left out from there on and told at the end: the others are
    made. Without it the first failure ends the run.
    Raises PlanNotApproved, PreflightFailed, Unsafe, Busy; or the error of the change that failed, with the changes
    before it made and journalled.
    """
    run = opened(site).run
    try:
        if not len(planned) and not len(planned.again()):
            run.write("unchanged", digest=planned.digest)
            return Outcome("unchanged", planned.digest, 0, 0, 0.0, run.id)
        gate(planned, run, approve, allow_delete)
        with changing(site.place, run.id):
            return _make(planned, site, approve, Apart(apart or {}))
    except StackbookError as error:
        event = "refused" if isinstance(error, PlanNotApproved | PreflightFailed | Unsafe) else "error"
        run.write(event, error=_told(error, site))
        raise


def gate(planned: Planned, run: Run, approve: str, allow_delete: bool) -> None:
    """Refuse what preflight stopped, what was not approved and what deletes without consent."""
    if planned.stops:
        count = len(planned.stops)
        what = f"preflight found {count} reasons to stop" if count > 1 else "preflight found a reason to stop"
        raise PreflightFailed(what, found=_reasons(planned.stops), hint="mend that, then run again")
    if not approved(planned.plan, run, approve):
        raise not_approved(planned.plan, run, approve)
    if planned.undoes:
        return
    why = planned.plan.unsafe() or "; ".join(f"{c.action} of {c.address} can't be undone" for c in planned.plan.irreversible)
    if why and not allow_delete:
        raise Unsafe(f"plan {planned.digest} {why}", hint=f"read the plan above, then {_consent(run, planned.digest)}")


def _reasons(stops: Sequence[Mapping[str, Any]]) -> list[str]:
    """The rows that stop a plan, as lines of an error; the report has their table."""
    told = [", ".join(f"{name}: {value}" for name, value in row.items() if value not in (None, "")) for row in stops[:_REASONS]]
    return [*told, f"and {len(stops) - _REASONS} more"] if len(stops) > _REASONS else told


def approved(plan: Plan, run: Run, approve: str) -> bool:
    """Whether `approve` names this plan, or this run was approved before with all of these changes in it."""
    if approve in (YES, plan.digest):
        return True
    granted = [Change.revive(found) for event in run.events() if event["event"] == "approved" for found in event["changes"]]
    return bool(granted) and all(any(_within(change, earlier) for earlier in granted) for change in plan)


def not_approved(plan: Plan, run: Run, approve: str) -> PlanNotApproved:
    """The refusal, with the command that would approve."""
    given = f" (approve={approve!r})" if approve else ""
    hint = f"read the plan above, then {_approval(run, plan.digest)}"
    return PlanNotApproved(f"plan {plan.digest} is not approved{given}", hint=hint)


def command(run: Run, digest: str) -> str:
    """The command line that approves `digest`."""
    return f"stackbook run {run.runbook} … --approve {digest}"


def opened(site: Site | str) -> Site:
    """The site; BadInput for its name, which is what stands there once the parameters cell was run again by itself."""
    if isinstance(site, str):
        raise BadInput(
            f"site is the name {site!r}, not an open site: the parameters cell was run after the cell that connects",
            hint="run all cells below the parameters again, from connect(…) down to this one",
        )
    return site


def _approval(run: Run, digest: str) -> str:
    """How to approve where this notebook is being run: by the command, or cell by cell."""
    if RUN_VARIABLE in os.environ:
        return command(run, digest)
    return f'set  approve = "{digest}"  in the parameters cell, and run all again'


def _consent(run: Run, digest: str) -> str:
    """How to agree to deletions there."""
    if RUN_VARIABLE in os.environ:
        return f"add --allow-delete: {command(run, digest)} --allow-delete"
    return "pass allow_delete=True to apply"


def _make(planned: Planned, site: Site, approve: str, apart: Apart) -> Outcome:
    current = planned.again()
    if current.digest != planned.digest:
        raise PlanNotApproved(
            f"the site changed since plan {planned.digest} was shown: it is now {current.digest}",
            hint="run again, read the new plan and approve that",
        )
    run, begun = site.run, time.monotonic()
    by = YES if approve == YES else "digest" if approve == current.digest else "resume"
    run.write("approved", digest=current.digest, by=by, changes=[change.record() for change in current])
    with Ahead(current.changes, site) as ahead:
        for number, change in enumerate(current):
            if apart.left_out(change):
                ahead.leave(number)
                continue
            ahead.turn(number)
            with apart.of(change):
                perform(change, number, site)
    apart.told()
    run.write("applied", digest=current.digest, done=len(current))
    _mark_undone(planned, run)
    return Outcome("applied", current.digest, len(current), len(current), time.monotonic() - begun, run.id)


def _mark_undone(planned: Planned, run: Run) -> None:
    original = run.folder.parent / planned.undoes
    if planned.undoes and original.is_dir():
        open_run(original).write("undone", by=run.id)


def perform(change: Change, number: int, site: Site) -> None:
    """Make one pair between its two journal lines."""
    run, begun = site.run, time.monotonic()
    run.write("started", number=number, change=change.record())
    print(f"{change.action:8} {change.address} …", end="", flush=True)
    try:
        with api_errors(change.address), Ticker(change.address, begun=True):
            memo = dispatch(change, site)
    except BaseException as error:
        print(" failed")
        run.write("failed", number=number, address=change.address, error=_told(error, site))
        raise
    seconds = time.monotonic() - begun
    run.write("done", number=number, address=change.address, memo=memo, seconds=round(seconds, 3))
    print(f" done in {seconds:.1f} s")


def dispatch(change: Change, site: Site) -> Values:
    """Call the operation that the change names; returns its memo."""
    resource = revive(change.resource)
    if change.action == "replace":
        resource.delete(site, change)
        return resource.create(site, change)
    operations = {"create": resource.create, "update": resource.update, "delete": resource.delete}
    return operations[change.action](site, change)


def made(events: list[Event]) -> Iterator[tuple[Change, Values | None]]:
    """The pairs that a run made, in order, with their memos; memo None for one begun and not known to be finished."""
    found: list[tuple[Change, Values | None]] = []
    begun: dict[str, int] = {}
    for event in events:
        if event["event"] == "started":
            begun[event["change"]["address"]] = _begun(found, Change.revive(event["change"]))
        elif event["event"] == "done" and (place := begun.pop(event["address"], None)) is not None:
            found[place] = (found[place][0], event["memo"])
    yield from found


def _begun(found: list[tuple[Change, Values | None]], change: Change) -> int:
    """The place of a change among those found: that of the same one when it was cut off before, else a new one."""
    for place, (earlier, memo) in enumerate(found):
        if memo is None and (earlier.action, earlier.address) == (change.action, change.address):
            joined = replace(change, before={**change.before, **earlier.before}, after={**earlier.after, **change.after})
            found[place] = (joined, None)
            return place
    found.append((change, None))
    return len(found) - 1


def _within(change: Change, granted: Change) -> bool:
    """Whether a change is the granted one, or what is left of it where that was cut off midway."""
    completes = granted.action in COMPLETED_BY.get(change.action, ()) or granted.action == change.action
    same = all(name in granted.after and granted.after[name] == value for name, value in change.after.items())
    return completes and granted.address == change.address and same


def _told(error: BaseException, site: Site) -> dict[str, Any]:
    """The error for the journal, without secrets."""
    if isinstance(error, StackbookError):
        told = error.record()
    else:
        told = {"type": type(error).__name__, "what": str(error)[:2000], "found": None, "hint": None}
    return dict(site.redactor.values(told))
