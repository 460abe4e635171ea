"""Everything that can be known about a site in a minute, as findings with the worst first."""

from __future__ import annotations

import shlex
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stackbook.desired import quota_names
from stackbook.logs.asking import Answers
from stackbook.logs.clocks import clock_text, set_right, wrong
from stackbook.logs.gather import ambient
from stackbook.logs.subject import moment
from stackbook.proof import Proof
from stackbook.resources.quota import NETWORK, UNLIMITED, USAGE, in_use
from stackbook.services import service
from stackbook.troubleshooting import MOST, trace

if TYPE_CHECKING:
    from stackbook.site import Site

LEVELS = ("error", "warning", "info")
NEAR = 0.9
"""Share of a quota, or of a pool, from which it is near its limit."""
MANY_PROJECTS = 50
Row = dict[str, Any]
Check = Callable[["Site", Answers], Iterable[Row]]


def health(site: Site, most: int = MOST) -> Proof:
    """Findings about `site`, the worst first: level, subject, summary, hint. None means that all is well.

    Each is written to the run's journal. `most` bounds how many things in ERROR are traced to their cause.
    """
    answers = Answers(site)
    rows = [row for check in CHECKS for row in check(site, answers)]
    rows += [_row("warning", f"API {row.what}", row.reason, row.hint) for row in answers.skipped]
    rows += causes(site, most)
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
            if told.get("state") == "down":
                yield _row("error", name, f"down, no report since {told.get('updated_at')}", _look(site, told))
            elif told.get("status") == "disabled":
                why = told.get("disabled_reason") or "no reason given"
                hint = f"openstack {kind} service set --enable {told['host']} {told['binary']}"
                yield _row("warning", name, f"disabled ({why})", hint)


def _look(site: Site, told: Row) -> str:
    """The command that shows how a service is, where it runs."""
    return f"{service(told['binary']).look(site.settings.layout)} on {str(told['host']).partition('@')[0]}"


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
                    raised = f"stackbook run project-quotas -p project={shlex.quote(project['name'])}"
                    hint = raised if settable else "openstack quota set"
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
    found = set_right(ambient(site.hosts, now - timedelta(days=2), None, levels=("ERROR", "CRITICAL")))
    for host, clock in wrong(found.stats.clocks).items():
        yield _row("error", host, clock_text(host, clock), "start chronyd there; then restart the host's agents")
    today, before = Counter[str](), Counter[str]()
    for event in found.events:
        if event.time:
            (today if event.time > now - timedelta(days=1) else before)[f"{event.service} on {event.host}"] += 1
    for name, count in today.most_common():
        if count >= 5 and count > 2 * before[name]:
            yield _row(
                "warning", name, f"{count} errors logged in the last day, {before[name]} in the day before", "read its log"
            )
    yield from (_row("warning", f"{row.host} {row.what}".strip(), row.reason, row.hint) for row in found.skipped)


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
    rows = trace(site).rows() if most else []
    return [_row("error", row["subject"], row["summary"], row["hint"]) for row in rows[: 3 * most]]


CHECKS: tuple[Check, ...] = (agents, pools, quotas, things, log_rates, certificates, versions)
