"""What runs on the hosts of a site."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackbook.hosts import Host, everywhere
from stackbook.render.frame import Frame, frame
from stackbook.resources.reports import reports
from stackbook.services import SERVICES, service
from stackbook.site import Site
from stackbook.units import State, since, states

Row = dict[str, Any]


def what_runs(site: Site, *names: str) -> Frame:
    """A row for each service of `names` (all known ones when none is named) that a host has, what is down first.

    Asks all hosts at once; one that does not answer is a row. `reports` is what the service's API last heard of it,
    `configuration` tells whether its files were written since it started.
    """
    layout, told = site.settings.layout, reports(site)
    wanted = names or tuple(known.name for known in SERVICES)

    def found(host: Host) -> list[Row]:
        there = {name: state for name, state in states(host, layout, wanted).items() if state.known}
        return [
            {
                "host": host.name,
                "service": name,
                "state": state.active,
                "since": since(state),
                "reports": str(told.of(name, host.name) or ""),
                "configuration": _configuration(host, layout, name, state),
                "said": state.sub,
                "at boot": state.enabled,
                "unit": state.unit,
            }
            for name, state in there.items()
        ]

    answers = everywhere(site.hosts.values(), found)
    rows = [one for listed in answers.found.values() for one in listed]
    failed = [{"host": host, "state": "unreachable", "said": error.what} for host, error in answers.failed.items()]
    unasked = [{"service": "API", "state": "unavailable", "said": why} for why in told.unavailable]
    return frame([*failed, *unasked, *sorted(rows, key=_well)])


def _well(row: Row) -> bool:
    return row["state"] == "active" and "no report" not in row["reports"] and row["said"] != "unhealthy"


def _configuration(host: Host, layout: str, name: str, state: State) -> str:
    if not state.running:
        return ""
    return "newer: restart" if any(at > state.started for at in _written(host, layout, name)) else "as it runs"


def _written(host: Host, layout: str, name: str) -> Iterator[float]:
    for path in service(name).config(layout):
        if stat := host.stat(path):
            yield stat.mtime
