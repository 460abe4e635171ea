"""What of the hosts' facts will make trouble, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from stackbook.hostfacts.reading import UNAVAILABLE
from stackbook.proof import Proof

if TYPE_CHECKING:
    from stackbook.site import Site
    from stackbook.tables.surveys import Survey

Row = dict[str, Any]
Rows = Mapping[str, list[Row]]
LEVELS = ("error", "warning", "info")
APART = 1.0
"""Seconds that two clocks may differ: logs mix up, and tokens and agents' reports seem old."""
FULL = 0.9
"""Share of a file system from which it is nearly full."""
AGREEING = ("kernel", "system")


def host_findings(found: Survey, site: Site) -> Proof:
    """Findings about the hosts that `found` (of `host_survey`) tells of: level, subject, summary, hint, the worst first.

    Each is written to the run's journal. None means that all is well.
    """
    rows = site.redactor.values([row for check in CHECKS for row in check(found.rows)])
    ordered = sorted(rows, key=lambda row: LEVELS.index(row["level"]))
    for row in ordered:
        site.run.write("finding", **row)
    return Proof("nothing to worry about", ordered)


def _row(level: str, subject: str, summary: str, hint: str = "") -> Row:
    return {"level": level, "subject": subject, "summary": summary, "hint": hint or ""}


def _told(rows: Rows, kind: str) -> Iterator[Row]:
    return (row for row in rows.get(kind, ()) if UNAVAILABLE not in row)


def unreadable(rows: Rows) -> Iterator[Row]:
    """What could not be read: it may hide the worst."""
    for kind, listed in rows.items():
        for row in listed:
            if UNAVAILABLE in row:
                level = "error" if kind == "systems" else "info"
                yield _row(level, f"{row['host']} {kind}", row[UNAVAILABLE], "read it by hand, or install what is missing")


def room(rows: Rows) -> Iterator[Row]:
    """File systems that are nearly full, and servers that may grow beyond the disk under them."""
    for row in _told(rows, "file_systems"):
        if row["total_gib"] and row["free_gib"] < (1 - FULL) * row["total_gib"]:
            yield _row("warning", f"{row['host']} {row['on']}", f"{row['free_gib']} of {row['total_gib']} GiB free", "make room")
    for row in _told(rows, "instances"):
        promised, total = row.get("promised_gib", 0), row.get("total_gib", 0)
        if promised > total:
            summary = f"{row['servers']} servers may grow to {promised} GiB on a file system of {total} GiB"
            yield _row("warning", f"{row['host']} {row['place']}", summary, "migrate some, or boot from volumes")


def time(rows: Rows) -> Iterator[Row]:
    """Clocks that are apart, or that nobody keeps."""
    clocks = list(_told(rows, "clocks"))
    for row in clocks:
        if row["synchronized"] is False:
            yield _row("warning", f"{row['host']} clock", "not synchronized", "systemctl enable --now chronyd")
    for late in clocks[1:]:
        first = clocks[0]
        apart = abs(late["offset_s"] - first["offset_s"])
        if apart > APART + late["within_s"] + first["within_s"]:
            summary = f"{apart:.1f} s apart from {first['host']}'s clock"
            yield _row("error", f"{late['host']} clock", summary, "chronyc makestep, and look at the sources of time")


def links(rows: Rows) -> Iterator[Row]:
    """Interfaces that Open vSwitch could not take, and paths on which a full packet is lost."""
    for row in _told(rows, "bridges"):
        if row["error"]:
            hint = "the interface is gone, or its name is misspelt: ovs-vsctl del-port"
            yield _row("error", f"{row['host']} {row['bridge']}/{row['interface']}", row["error"], hint)
    for row in _told(rows, "path_mtu"):
        if not row["passes"]:
            summary = f"a packet of {row['mtu']} bytes does not reach {row['to']}: {row['said']}"
            yield _row(
                "warning", f"{row['host']} {row['over']}", summary, "set the same MTU on NICs and switch ports of the path"
            )
    mtus: dict[str, dict[int, str]] = {}
    for row in _told(rows, "interfaces"):
        mtus.setdefault(row["name"], {}).setdefault(row["mtu"], row["host"])
    for name, known in mtus.items():
        if len(known) > 1 and name != "lo":
            listed = ", ".join(f"{mtu} on {host}" for mtu, host in sorted(known.items()))
            yield _row("info", f"interface {name}", f"MTU differs: {listed}", "hosts of one role should agree")


def versions(rows: Rows) -> Iterator[Row]:
    """Packages, kernels and systems that differ between hosts."""
    seen: dict[str, dict[str, list[str]]] = {}
    for row in _told(rows, "packages"):
        seen.setdefault(row["package"], {}).setdefault(row["version"], []).append(row["host"])
    for row in _told(rows, "systems"):
        for name in AGREEING:
            seen.setdefault(name, {}).setdefault(row[name], []).append(row["host"])
    for name, known in seen.items():
        if len(known) > 1:
            listed = "; ".join(f"{version} on {', '.join(hosts)}" for version, hosts in sorted(known.items()))
            yield _row("info" if name in AGREEING else "warning", name, f"versions differ: {listed}", "update the older ones")


def options(rows: Rows) -> Iterator[Row]:
    """Options that are not read as their author meant; equal ones of several hosts in one row."""
    same: dict[tuple[str, ...], list[str]] = {}
    for row in _told(rows, "configuration"):
        key = (row["level"], row["file"], row.get("option", ""), row["summary"], row["hint"] or "")
        same.setdefault(key, []).append(f"{row['host']}:{row['line']}" if row["line"] else row["host"])
    for (level, file, option, summary, hint), places in same.items():
        yield _row(level, f"{file} {option}".strip(), f"{summary} ({', '.join(places)})", hint)


CHECKS = (unreadable, room, time, links, versions, options)
