"""What services report of themselves to their APIs: whether they are alive, and when they last said so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from stackbook.cloud import api_errors
from stackbook.errors import StackbookError
from stackbook.resources.inventory import UNAVAILABLE, collect

if TYPE_CHECKING:
    from stackbook.site import Site


@dataclass(frozen=True)
class Report:
    """The last word of one agent or service."""

    alive: bool
    at: float
    """When it was said, in seconds since the epoch by the API's clock; 0 when that is not known."""

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        return "alive" if self.alive else f"no report since {when}"


@dataclass(frozen=True)
class Reports:
    """The last words of all agents and services of a site."""

    found: dict[tuple[str, str], Report]
    unavailable: tuple[str, ...] = ()
    """Why an API could not be asked."""

    def of(self, service: str, host: str) -> Report | None:
        """The last word of `service` on `host`; None for one that does not report, such as an API."""
        return self.found.get((service, short(host)))


def reports(site: Site) -> Reports:
    """Ask neutron for its agents, nova and cinder for their services; an API that does not answer is named, not raised."""
    try:
        with api_errors("agents and services"):
            listed = [row for rows in collect(site, ("agents", "services")).values() for row in rows]
    except StackbookError as error:
        return Reports({}, (error.what,))
    return Reports(dict(_told(listed)), tuple(str(row[UNAVAILABLE]) for row in listed if UNAVAILABLE in row))


def _told(rows: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, str], Report]]:
    for row in rows:
        if "binary" in row and "host" in row:
            alive = row.get("alive", row.get("state") == "up")
            yield (row["binary"], short(row["host"])), Report(bool(alive), _moment(row))


def _moment(row: dict[str, Any]) -> float:
    stamp = row.get("heartbeat_timestamp") or row.get("updated_at") or ""
    try:
        return datetime.fromisoformat(str(stamp).removesuffix("Z")).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def short(host: str) -> str:
    """A host's name without domain and without cinder's backend: settings, neutron, nova and cinder each have their own."""
    return host.partition("@")[0].partition(".")[0]
