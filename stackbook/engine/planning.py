"""Planning and verifying: read what is, compare it with what should be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from stackbook.cloud import api_errors
from stackbook.errors import StackbookError
from stackbook.plans import Absent, Actual, Change, Desired, Plan, Resource, compare, refuse_duplicates
from stackbook.proof import Proof
from stackbook.site import Site
from stackbook.ticker import Ticker

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Planned:
    """A plan, and how to compute it again before it is applied."""

    plan: Plan
    again: Callable[[], Plan] = field(repr=False)
    stops: tuple[Row, ...] = ()
    """Preflight's counterexamples: apply refuses while there are any."""
    undoes: str = ""
    """The run that this plan takes back; its deletions are then what was asked for."""

    @property
    def digest(self) -> str:
        """The plan's name for approval."""
        return self.plan.digest

    def __len__(self) -> int:
        return len(self.plan)

    def __repr__(self) -> str:
        from stackbook.render.text import plan_text

        return plan_text(self.plan)

    def _repr_html_(self) -> str:
        from stackbook.render.html import plan_html

        return plan_html(self.plan)


def plan(desired: Sequence[Desired], site: Site, preflight: Iterable[Row] | None = None) -> Planned:
    """Compare `desired` with the site and record the plan in the run's journal; nothing is changed.

    `preflight` is the table of counterexamples: with rows in it, the plan is shown and apply refuses.
    Raises Refused for what could not be applied and BadInput for what is not understood.
    """
    wanted = tuple(desired)
    with journalled(site):
        found = compute(wanted, site)
    stops = tuple(rows(preflight))
    site.run.write("plan", digest=found.digest, kept=found.kept, changes=[c.record() for c in found], stops=list(stops))
    return Planned(found, lambda: compute(wanted, site), stops)


@contextmanager
def journalled(site: Site) -> Iterator[None]:
    """Write what stackbook refuses meanwhile to the run's journal too, without secrets."""
    try:
        yield
    except StackbookError as error:
        site.run.write("error", error=site.redactor.values(error.record()))
        raise


def verify(planned: Planned, site: Site) -> Proof:
    """Plan again: an empty table is the proof that the site is as it should be.

    Raises ProofFailed when something is still to do.
    """
    left = [{"address": c.address, "action": c.action, "fields": c.fields} for c in planned.again()]
    site.run.write("verified", left=left)
    return Proof("nothing left to do", left).hold()


def compute(desired: Sequence[Desired], site: Site) -> Plan:
    """The plan as of now; each resource is read once, in the order listed."""
    refuse_duplicates(desired)
    others = tuple(wanted for wanted in desired if isinstance(wanted, Resource))
    changes: list[Change] = []
    with site.remembering(), Ticker("planning") as ticker:
        for number, wanted in enumerate(desired, 1):
            with api_errors(wanted.address):
                actual = _read(wanted, site, changes)
                if isinstance(wanted, Resource):
                    wanted.check(site, actual, others)
                elif actual is not None:
                    wanted.resource.check_removal(site, actual)
                change = compare(wanted, actual)
                if change is not None:
                    changes.append(replace(change, planned_on=_resource(wanted).planned_on(site)))
            ticker.tell(f"{number} of {len(desired)}")
    return Plan(site.name, tuple(changes), kept=len(desired) - len(changes))


def rows(table: Any) -> list[dict[str, Any]]:
    """The rows of a list of mappings, or of a DataFrame; none for None."""
    if table is None:
        return []
    if hasattr(table, "to_dict"):
        return [dict(row) for row in table.to_dict("records")]
    return [dict(row) for row in table]


def _read(wanted: Desired, site: Site, pending: Sequence[Change]) -> Actual | None:
    return _resource(wanted).read(site, pending)


def _resource(wanted: Desired) -> Resource:
    return wanted.resource if isinstance(wanted, Absent) else wanted
