"""Everything that can be known about a site in a minute, as findings with the worst first."""

from __future__ import annotations

import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stackbook.config import at_site
from stackbook.desired import quota_names
from stackbook.hosts import everywhere
from stackbook.logs.asking import Answers
from stackbook.logs.clocks import clock_text, set_right, wrong
from stackbook.logs.event import LogEvent, Skipped, in_order
from stackbook.logs.evidence import told as told_by
from stackbook.logs.gather import ambient
from stackbook.logs.signatures import KINDS, signatures
from stackbook.logs.subject import moment
from stackbook.proof import Proof
from stackbook.resources import lookup
from stackbook.resources.quota import NETWORK, UNLIMITED, USAGE, in_use
from stackbook.services import CONTAINERS, SERVICES, service
from stackbook.ticker import Ticker
from stackbook.troubleshooting import MOST, diagnosed, in_error
from stackbook.units import since, states

if TYPE_CHECKING:
    from stackbook.site import Site

LEVELS = ("error", "warning", "info")
NEAR = 0.9
"""Share of a quota, or of a pool, from which it is near its limit."""
MANY_PROJECTS = 50
AGAIN, LATELY_S = 3, 300
"""Starts by systemd, of which the last was less than so many seconds ago, that tell of a service that does not stay."""
SAID = 160
"""Characters of an error that nothing is known about."""
Row = dict[str, Any]
Check = Callable[["Site", Answers], Iterable[Row]]


def health(site: Site, most: int = MOST) -> Proof:
    """Findings about `site`, the worst first: level, subject, summary, hint. None means that all is well.

    Each is written to the run's journal. `most` bounds how many things in ERROR are traced to their cause.
    """
    answers = Answers(site)
    rows: list[Row] = []
    with Ticker("health") as ticker:
        for check in CHECKS:
            ticker.tell(check.__name__.replace("_", " "))
            rows += check(site, answers)
        rows += unanswered(answers)
        ticker.tell("causes")
        rows += causes(site, most)
    rows = [{**row, "hint": at_site(row["hint"], site.name)} for row in rows]
    ordered = sorted(site.redactor.values(rows), key=lambda row: LEVELS.index(row["level"]))
    for row in ordered:
        if row["level"] != "info":
            site.run.write("finding", **row)
    return Proof("nothing to worry about", ordered)


def _row(level: str, subject: str, summary: str, hint: str = "") -> Row:
    return {"level": level, "subject": subject, "summary": summary, "hint": hint}


def agents(site: Site, answers: Answers) -> Iterator[Row]:
    """Agents and services that do not report, or are switched off."""
    for agent in answers.agents:
        name = f"{agent['binary']} on {agent['host']}"
        if not agent.get("alive"):
            yield _row("error", name, f"no report since {agent.get('heartbeat_timestamp')}", _look(site, agent))
        elif not agent.get("admin_state_up", True):
            yield _row("warning", name, "switched off by an administrator", "openstack network agent set --enable")
    for kind, services in (("compute", answers.compute_services), ("volume", answers.volume_services)):
        for told in services:
            name = f"{told['binary']} on {told['host']}"
            if told.get("status") == "UNKNOWN":  # nova tells so of all that is in a cell whose database does not answer
                yield _row("error", name, "not known: its cell's database does not answer", "nova-manage cell_v2 list_cells")
            elif told.get("state") == "down":
                yield _row("error", name, f"down, no report since {told.get('updated_at')}", _look(site, told))
            elif told.get("status") == "disabled":
                why = told.get("disabled_reason") or "no reason given"
                hint = f"openstack {kind} service set --enable {told['host']} {told['binary']}"
                yield _row("warning", name, f"disabled ({why})", hint)


def _look(site: Site, told: Row) -> str:
    """The command that shows how a service is, where it runs."""
    return f"{service(told['binary']).look(site.settings.layout)} on {str(told['host']).partition('@')[0]}"


def units(site: Site, _: Answers) -> Iterator[Row]:
    """Services that ended, that systemd starts again and again, or that will not come up with their host."""
    layout, names = site.settings.layout, [known.name for known in SERVICES]
    told = everywhere(site.hosts.values(), lambda host: list(states(host, layout, names).values()))
    yield from (_row("warning", host, f"its services are not known: {error.what}") for host, error in told.failed.items())
    for host, found in told.found.items():
        unique = {state.unit: state for state in found if state.known}.values()
        for state in unique:
            name, look = f"{state.unit} on {host}", f"systemctl status {state.unit} on {host}"
            lately = time.time() - state.started < LATELY_S
            if state.active == "failed":
                yield _row("error", name, f"ended by itself, {since(state)}", look)
            elif state.restarts >= AGAIN and (lately or not state.running):
                yield _row("error", name, f"ends again and again: systemd started it {state.restarts} times by now", look)
        left = [state.unit for state in unique if state.running and not state.enabled and layout != CONTAINERS]
        if left:
            summary = f"{', '.join(left)}: running, but not enabled: they will not come up with their host"
            yield _row("warning", f"services of {host}", summary, f"systemctl enable {' '.join(left)} on {host}")


def unanswered(answers: Answers) -> Iterator[Row]:
    """What the APIs did not answer; the same said of several questions is one row."""
    groups: dict[tuple[str, str], list[Skipped]] = {}
    for row in answers.skipped:
        groups.setdefault((row.what.partition(": ")[0], row.reason), []).append(row)
    for (api, reason), rows in groups.items():
        what = rows[0].what if len(rows) == 1 else f"{api}: {len(rows)} questions"
        yield _row("warning", what, reason, rows[0].hint)


def pools(_: Site, answers: Answers) -> Iterator[Row]:
    """Pools of volumes, and compute hosts, that are nearly full."""
    for pool in answers.rows("block_storage", "/scheduler-stats/get_pools?detail=True", "pools"):
        told = pool.get("capabilities") or {}
        free, total = told.get("free_capacity_gb"), told.get("total_capacity_gb")
        if isinstance(free, (int, float)) and isinstance(total, (int, float)) and total and free / total < 1 - NEAR:
            yield _row(
                "warning",
                f"pool {pool['name']}",
                f"{free:g} of {total:g} GiB free",
                "delete volumes that nobody needs, or extend it",
            )
    for host in answers.hypervisors:
        stock, used = answers.inventory(str(host["id"]))
        for kind, entry in stock.items():
            room = (entry["total"] - entry["reserved"]) * entry["allocation_ratio"]
            if used.get(kind, 0) >= NEAR * room:
                summary = f"{used.get(kind, 0)} of {room:g} {kind} used"
                yield _row("warning", f"host {host['hypervisor_hostname']}", summary, "migrate or delete servers")


def quotas(_: Site, answers: Answers) -> Iterator[Row]:
    """Quotas that are used up, or nearly."""
    for project in answers.rows("identity", "/projects", "projects")[:MANY_PROJECTS]:
        for api, path, key in USAGE:
            for name, told in (answers.one(api, path.format(project["id"]), key) or {}).items():
                if not isinstance(told, dict) or told.get("limit", UNLIMITED) < 1:
                    continue
                used = in_use(told)
                if used >= NEAR * told["limit"]:
                    settable = name in quota_names() or name in NETWORK.values()
                    hint = lookup.raised_by(project["name"]) if settable else "openstack quota set"
                    yield _row("warning", f"project {project['name']}", f"{used} of {told['limit']} {name} used", hint)


def things(_: Site, answers: Answers) -> Iterator[Row]:
    """Ports that are down or not bound, and volumes that are stuck."""
    for port in answers.rows("network", "/ports?limit=1000", "ports"):
        if not str(port.get("device_owner", "")).startswith("compute:"):
            continue
        if port.get("binding:vif_type") == "binding_failed":
            yield _row(
                "error", f"port {port['id']}", f"not bound on {port.get('binding:host_id')}", f"stackbook trace {port['id']}"
            )
        elif port.get("status") == "DOWN" and port.get("admin_state_up"):
            yield _row(
                "warning", f"port {port['id']}", f"down, of server {port['device_id']}", f"stackbook trace {port['device_id']}"
            )
    for volume in answers.rows("block_storage", "/volumes/detail?all_tenants=True&limit=500", "volumes"):
        since = moment(volume.get("updated_at") or volume.get("created_at"))
        if str(volume["status"]).endswith("ing") and since and datetime.now(UTC) - since > timedelta(minutes=10):
            yield _row(
                "error",
                f"volume {volume['id']}",
                f"{volume['status']} since {since:%Y-%m-%d %H:%M}",
                f"stackbook trace {volume['id']}",
            )


def log_rates(site: Site, _: Answers) -> Iterator[Row]:
    """Services that logged many more errors in the last day than in the one before; clocks that are wrong; what is not read."""
    now = datetime.now(UTC)
    levels, noise = ("ERROR", "CRITICAL"), signatures().noise
    found = set_right(ambient(site.hosts, now - timedelta(days=2), None, levels, noise=noise))
    for host, clock in wrong(found.stats.clocks).items():
        yield _row("error", host, clock_text(host, clock), "start chronyd there; then restart the host's agents")
    today, before, last = Counter[str](), Counter[str](), dict[str, LogEvent]()
    for event in in_order(found.events):
        if event.time:
            name = f"{event.service} on {event.host}"
            (today if event.time > now - timedelta(days=1) else before)[name] += 1
            last[name] = event
    for name, count in today.most_common():
        if count >= 5 and count > 2 * before[name]:
            meaning, hint = _meant(last[name])
            rates = f"{count} errors logged in the last day, {before[name]} in the day before"
            yield _row("warning", name, f"{rates}; the last: {meaning}", hint)
    yield from (_row("warning", f"{row.host} {row.what}".strip(), row.reason, row.hint) for row in found.skipped)


def _meant(event: LogEvent) -> tuple[str, str]:
    """What an error means, where that is known, else what it says; and what to do."""
    known = signatures().matching(told_by(event))
    for signature, values in sorted(known, key=lambda found: KINDS.index(found[0].kind)):
        return signature.summarized(values), signature.advice(values)
    said = told_by(event).strip().partition("\n")[0]
    return said[:SAID] + "…" * (len(said) > SAID), f"read {event.place.rpartition(':')[0]}"


def certificates(_: Site, answers: Answers) -> Iterator[Row]:
    """Certificates of the catalogue's addresses that end within 30 days."""
    endpoints = answers.rows("identity", "/endpoints", "endpoints")
    addresses = {
        (parts.hostname, parts.port or 443) for parts in (urlsplit(row["url"]) for row in endpoints) if parts.scheme == "https"
    }
    for host, port in sorted((host, port) for host, port in addresses if host):
        ends = _ends(host, port)
        if ends and ends - datetime.now(UTC) < timedelta(days=30):
            yield _row(
                "error" if ends < datetime.now(UTC) else "warning",
                f"certificate of {host}:{port}",
                f"ends {ends:%Y-%m-%d}",
                "renew it",
            )


def _ends(host: str, port: int) -> datetime | None:
    context = ssl.create_default_context()
    with suppress(OSError, ValueError, KeyError), socket.create_connection((host, port), timeout=5) as raw:  # noqa: SIM117
        with context.wrap_socket(raw, server_hostname=host) as wrapped:
            told = wrapped.getpeercert() or {}
            return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(told["notAfter"])), UTC)
    return None


def versions(site: Site, _: Answers) -> Iterator[Row]:
    """What the services speak, and how long a token lasts."""
    for api in ("compute", "block_storage", "image", "network", "placement"):
        with suppress(Exception):  # a service that does not answer has its own row
            data = getattr(site.conn, api).get_endpoint_data()
            newest = ".".join(str(part) for part in data.max_microversion or data.api_version or ())
            yield _row("info", api, f"API up to {newest}")
    with suppress(Exception):
        expires = site.conn.session.auth.get_access(site.conn.session).expires
        left = expires - datetime.now(UTC)
        yield _row("info", "token", f"a token of this user lasts {left.total_seconds() / 3600:.1f} h")


def causes(site: Site, most: int) -> list[Row]:
    """What is in ERROR, with its cause."""
    rows = diagnosed(site, in_error(site)).rows() if most else []
    return [_row("error", row["subject"], row["summary"], row["command"] or row["hint"]) for row in rows[: 3 * most]]


CHECKS: tuple[Check, ...] = (agents, units, pools, quotas, things, log_rates, certificates, versions)
