"""The proof that machines landed: what was asked for, looked at on the site again."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from stackbook.moves import answers
from stackbook.moves.answers import ANSWERS
from stackbook.moves.move import Move
from stackbook.moves.waves import Wave
from stackbook.render.frame import Frame, frame
from stackbook.resources import Disk, Port, Server, lookup

if TYPE_CHECKING:
    from stackbook.site import Site

Row = dict[str, Any]
LINES = 12


def landed(moved: Move | Wave, site: Site) -> list[Row]:
    """Counterexamples; no rows: every machine is there as it was.

    They are servers not ACTIVE, ports not ACTIVE or with another MAC or IP, volumes of another size or content, consoles
    that tell of a boot gone wrong, and TCP ports that were asked for and do not answer where there is a path.
    """
    checks = {Server: _server, Port: _port, Disk: _disk}
    rows = [row for wanted in moved.desired if type(wanted) in checks for row in checks[type(wanted)](wanted, site)]
    return rows + [row for move in _moves(moved) for row in _answering(move)]


def consoles(moved: Move | Wave, site: Site) -> Frame:
    """Of each server: what its console says last, whether that tells of a boot gone wrong, what answers, more of the console."""
    pairs = [(move, wanted) for move in _moves(moved) for wanted in move.desired if isinstance(wanted, Server)]
    answering = _answers([move for move, _ in pairs])
    return frame([_console(wanted, site, _network(move, answering)) for move, wanted in pairs])


def _moves(moved: Move | Wave) -> list[Move]:
    return [move for move in moved.moves if not move.skipped] if isinstance(moved, Wave) else [moved]


def _answers(moves: list[Move]) -> dict[tuple[str, int], str]:
    """What comes of connecting to each machine's addresses, all at once: for silent ones, each takes seconds."""
    doors = [(address, port) for move in moves for address in move.addresses for port in move.ports]
    with ThreadPoolExecutor(min(64, len(doors) or 1)) as pool:
        return dict(zip(doors, pool.map(lambda door: answers.reached(*door), doors), strict=True))


def _network(move: Move, found: dict[tuple[str, int], str]) -> str:
    tried = [(f"{address} port {port}", found[address, port]) for address in move.addresses for port in move.ports]
    told = (f"{door}: {what}" + (f" ({why})" if (why := answers.TOLD[what]) else "") for door, what in tried)
    return "; ".join(told) or "no address known beforehand"


def _answering(move: Move) -> Iterator[Row]:
    """Ports that were asked for and do not answer, at addresses where another one does: so there is a path."""
    found = _answers([move]) if move.tcp else {}
    there = {address for (address, _), what in found.items() if what == ANSWERS}
    for (address, port), what in found.items():
        if what != ANSWERS and address in there:
            yield _row(f"{move.name}: TCP port {port} at {address}", what, ANSWERS, answers.TOLD[what])


def _server(wanted: Any, site: Site) -> Iterator[Row]:
    found = lookup.find_server(site, wanted.address, wanted.name, lookup.project_id(site, None))
    status = found.status if found is not None else "missing"
    if found is not None and (told := answers.sign(_output(site, found.id))):
        yield _row(f"{wanted.address}: console", told, "a boot", f"openstack console log show {found.id}")
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


def _console(wanted: Server, site: Site, network: str) -> Row:
    found = lookup.find_server(site, wanted.address, wanted.name, lookup.project_id(site, None))
    text = _output(site, found.id) if found is not None else "there is no such server"
    lines = [line for line in text.splitlines() if line.strip()][-LINES:] or ["empty"]
    told = {"says last": lines[-1].strip(), "trouble": answers.sign(text) or "none seen", "network": network}
    return {"server": wanted.name, **told, "console": "\n".join(lines)}


def _output(site: Site, id: str) -> str:
    asked = {"os-getConsoleOutput": {"length": 10 * LINES}}
    answer = site.conn.compute.post(f"/servers/{id}/action", json=asked, raise_exc=False)
    return str(answer.json().get("output") or "") if answer.status_code == 200 else f"not told: HTTP {answer.status_code}"


def _row(check: str, found: Any, expected: Any, hint: str = "") -> Row:
    return {"check": check, "found": found, "expected": expected, "hint": hint}
