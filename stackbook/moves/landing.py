"""The proof that machines landed: what was asked for, looked at on the site again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stackbook.moves.move import Move
from stackbook.moves.waves import Wave
from stackbook.resources import Disk, Port, Server, lookup

if TYPE_CHECKING:
    from stackbook.site import Site

Row = dict[str, Any]
LINES = 12


def landed(moved: Move | Wave, site: Site) -> list[Row]:
    """Counterexamples: servers not ACTIVE, ports not ACTIVE or with another MAC or IP, volumes of another size or content.

    No rows: every machine is there as it was.
    """
    checks = {Server: _server, Port: _port, Disk: _disk}
    return [row for wanted in moved.desired if type(wanted) in checks for row in checks[type(wanted)](wanted, site)]


def consoles(moved: Move | Wave, site: Site) -> list[Row]:
    """The last lines of each server's console: a boot that fails says so there."""
    return [_console(wanted, site) for wanted in moved.desired if isinstance(wanted, Server)]


def _server(wanted: Any, site: Site) -> Iterator[Row]:
    found = lookup.find_server(site, wanted.address, wanted.name, lookup.project_id(site, None))
    status = found.status if found is not None else "missing"
    if status != "ACTIVE":
        yield _row(wanted.address, status, "ACTIVE", f"stackbook trace {found.id}" if found is not None else "")


def _port(wanted: Any, site: Site) -> Iterator[Row]:
    found = lookup.find_port(site, wanted.address, wanted.name, lookup.project_id(site, None))
    if found is None:
        yield _row(wanted.address, "missing", "ACTIVE")
        return
    held = [item["ip_address"] for item in found.fixed_ips]
    pairs = [("status", found.status, "ACTIVE"), ("MAC", found.mac_address, wanted.mac_address or found.mac_address)]
    pairs.append(("IP", ", ".join(held), wanted.ip_address if wanted.ip_address not in (None, *held) else ", ".join(held)))
    yield from (_row(f"{wanted.address}: {what}", is_, wished) for what, is_, wished in pairs if is_ != wished)


def _disk(wanted: Any, site: Site) -> Iterator[Row]:
    actual = wanted.read(site)
    values = actual.values if actual is not None else {}
    for name in ("source", "size"):
        if values.get(name) != getattr(wanted, name):
            yield _row(f"{wanted.address}: {name}", values.get(name), getattr(wanted, name))
    if values.get("compared") not in ("every byte", "checksum of the upload"):
        yield _row(f"{wanted.address}: content", "not compared", "compared with the source")


def _console(wanted: Server, site: Site) -> Row:
    found = lookup.find_server(site, wanted.address, wanted.name, lookup.project_id(site, None))
    if found is None:
        return {"server": wanted.name, "console": "there is no such server"}
    answer = site.conn.compute.post(
        f"/servers/{found.id}/action", json={"os-getConsoleOutput": {"length": LINES}}, raise_exc=False
    )
    text = str(answer.json().get("output") or "") if answer.status_code == 200 else f"not told: HTTP {answer.status_code}"
    return {"server": wanted.name, "console": "\n".join(text.splitlines()[-LINES:]) or "empty"}


def _row(check: str, found: Any, expected: Any, hint: str = "") -> Row:
    return {"check": check, "found": found, "expected": expected, "hint": hint}
