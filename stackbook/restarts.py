"""Which services are restarted, in which order; and whether they came back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stackbook.cloud import told_by_cloud
from stackbook.errors import BadInput, StackbookError
from stackbook.hosts import Host, everywhere
from stackbook.ini import IniText
from stackbook.proof import Proof
from stackbook.render.table import records
from stackbook.resources import Service
from stackbook.resources.reports import reports
from stackbook.services import MODULES, SERVICES, service
from stackbook.ticker import Ticker
from stackbook.units import states

if TYPE_CHECKING:
    from stackbook.site import Site

Row = dict[str, Any]
PATIENCE = 90.0
"""Seconds within which a restarted service reports to its API: nova's and cinder's do each 10 s, neutron's agents each 30 s."""


def restarts(site: Site, wanted: str, hosts: Sequence[str] = (), before: str = "") -> list[Service]:
    """A service (``nova-compute``), or the services of a module (``nova``), restarted host after host, controllers first.

    On each host in the order in which they need each other. Without `before` a service is restarted when its configuration
    is newer than its start; with it (a moment, ISO 8601), also when it started before that. A service that the host does
    not use (neither running nor started with the host) is left alone. Raises BadInput for everything at once, for what
    no host has, and for an unknown host.
    """
    names = _names(wanted)
    listed = [site.host(name) for name in hosts] or [site.host(name) for name in _controllers_first(site)]
    answers = everywhere(listed, lambda host: states(host, site.settings.layout, names))
    chosen = [
        Service(host=host, name=name, fresh=True, started_after=before or None)
        for host, found in answers.found.items()
        for name, state in found.items()
        if state.running or state.enabled
    ]
    if not chosen:
        raise BadInput(
            f"no host of {site.name} runs {wanted}",
            found=[*(error.what for error in answers.failed.values())] or f"asked {', '.join(host.name for host in listed)}",
            hint="the table above shows what runs where",
        )
    return chosen


def _names(wanted: str) -> list[str]:
    if not wanted or "*" in wanted or wanted.lower() in ("all", "everything", "openstack"):
        raise BadInput(
            f"{wanted or 'nothing'!r} is not restarted: never everything at once",
            hint=f"name a service, or one module of {', '.join(MODULES)}",
        )
    return [known.name for known in SERVICES if known.module == wanted] or [wanted]


def _controllers_first(site: Site) -> list[str]:
    first = site.with_role("controller")
    return [*first, *(name for name in site.hosts if name not in first)]


def hosts_answer(site: Site, hosts: Sequence[str] = ()) -> list[Row]:
    """Hosts (of these names; else all) that do not answer: what they run can't be restarted, nor seen to be well."""
    answers = everywhere([site.host(name) for name in hosts or site.hosts], lambda host: host.run(["hostname"]))
    return [_row(f"host {name}", error.what, "answers", error.hint or "") for name, error in answers.failed.items()]


def configuration_reads(site: Site, wanted: Sequence[Service]) -> list[Row]:
    """Configuration files that the services would refuse at their start: what runs now would not come back."""
    files: dict[str, dict[str, None]] = {}
    for one in wanted:
        paths = one.config if one.config is not None else service(one.name).config(site.settings.layout)
        files.setdefault(one.host, {}).update(dict.fromkeys(paths))

    def broken(host: Host) -> list[Row]:
        return [row for path in files[host.name] for row in _broken(host, path)]

    answers = everywhere([site.host(name) for name in files], broken)
    failed = [_row(f"host {name}", error.what, "answers", error.hint or "") for name, error in answers.failed.items()]
    return [*failed, *(row for rows in answers.found.values() for row in rows)]


def _broken(host: Host, path: str) -> list[Row]:
    content = host.read(path)
    if content is None:
        return []
    try:
        IniText(content, f"{host.name}:{path}")
    except StackbookError as error:
        return [_row(f"{host.name}:{path}", error.what, "reads as oslo.config reads it", error.hint or "")]
    return []


def silent(site: Site, wanted: Sequence[Service], patience: float = PATIENCE) -> list[Row]:
    """Services of `wanted` that have not reported to their API since they started; waits for their reports."""
    until = time.monotonic() + patience
    with Ticker("waiting for reports") as ticker:
        ticker.tell("asking the APIs")
        while (rows := _silent(site, wanted)) and time.monotonic() < until:
            ticker.tell(f"{len(rows)} missing")
            time.sleep(1.0)
    return rows


def _silent(site: Site, wanted: Sequence[Service]) -> list[Row]:
    told = reports(site)
    rows = [_row("API", why, "answers", "is the service behind it up?") for why in told.unavailable]
    for one in wanted:
        report = told.of(one.name, one.host)
        if report is None:
            continue
        state = states(site.host(one.host), site.settings.layout, [one.name])[one.name]
        if not report.alive or report.at < int(state.started):
            hint = f"read the end of {service(one.name).log(site.settings.layout, state.unit)} on {one.host}"
            rows.append(_row(one.address, str(report) if not report.alive else "no report since its start", "reports", hint))
    return rows


def apis(site: Site) -> list[Row]:
    """APIs of the catalogue that do not answer a small question."""
    from openstack.exceptions import raise_from_response

    rows = []
    for name, path in QUESTIONS.items():
        try:
            raise_from_response(getattr(site.conn, name).get(path))
        except Exception as error:  # told_by_cloud knows which are answers
            told = error if isinstance(error, StackbookError) else told_by_cloud(error, name)
            if told is None:
                raise
            rows.append(_row(f"API {name}", told.what, "answers", told.hint or ""))
    return rows


QUESTIONS = {
    "identity": "/roles",
    "image": "/images?limit=1",
    "placement": "/",
    "network": "/networks?limit=1&fields=id",
    "block_storage": "/types",
    "compute": "/flavors?limit=1",
}


def others_run(before: Any, site: Site, wanted: Sequence[Service]) -> Proof:
    """That nothing else went down since the table `before` (of `what_runs`) was made; raises ProofFailed when a row is left."""
    mine = {(one.host, one.name) for one in wanted}
    ran: dict[str, list[str]] = {}
    for row in records(before):
        if row.get("state") == "active" and (row["host"], row["service"]) not in mine:
            ran.setdefault(row["host"], []).append(row["service"])

    def down(host: Host) -> list[Row]:
        now = states(host, site.settings.layout, ran[host.name])
        hint = "restart it too: before=… with this moment"
        return [_row(f"{name} on {host.name}", state.active, "active", hint) for name, state in now.items() if not state.running]

    answers = everywhere([site.host(name) for name in ran], down)
    rows = [_row(f"host {name}", error.what, "answers", error.hint or "") for name, error in answers.failed.items()]
    rows += [row for listed in answers.found.values() for row in listed]
    site.run.write("untouched", rows=rows)
    return Proof("nothing else went down", rows).hold()


def _row(check: str, found: str, expected: str, hint: str) -> Row:
    return {"check": check, "found": found, "expected": expected, "hint": hint}
