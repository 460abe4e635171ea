"""Many machines: from a CSV or a folder, planned together, moved one after the other."""

from __future__ import annotations

import os
from csv import DictReader
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackbook.errors import BadInput, Refused
from stackbook.migration.bundle import inspect
from stackbook.moves.move import Fitting, Move, refused
from stackbook.moves.place import Place
from stackbook.moves.wanted import Wanted, check_wanted, pairs
from stackbook.ticker import Ticker

if TYPE_CHECKING:
    from stackbook.plans import Resource
    from stackbook.site import Site

Row = dict[str, Any]
BUNDLES = (".ova", ".ovf", ".vmx")
MOST = 500
YES, STOPPED = "yes", "stopped"


@dataclass(frozen=True)
class Wave:
    """Machines that move together; shown as one table of OK, WARN and STOP."""

    moves: list[Move] = field(repr=False)
    finished: frozenset[str] = frozenset()
    """Names of machines whose server is there, on the volume that holds their first disk."""

    @property
    def rows(self) -> list[Row]:
        """All rows, machine by machine."""
        return [row for move in self.moves for row in move.rows]

    @property
    def stops(self) -> list[Row]:
        """What stands in the way of those that move, as preflight shows it."""
        return [row for move in self.moves if not move.skipped for row in move.stops]

    @property
    def desired(self) -> list[Resource]:
        """The resources of all machines that move; what two share is listed once."""
        moving = (move for move in self.moves if not move.skipped)
        return list({resource.address: resource for move in moving for resource in move.desired}.values())

    @property
    def apart(self) -> dict[str, list[str]]:
        """Each machine that moves with the addresses of its resources: one that fails does not hold up the others."""
        return {move.name: [resource.address for resource in move.desired] for move in self.moves if not move.skipped}

    @property
    def table(self) -> list[Row]:
        """A row for each machine: what it is, what becomes of it, and how many OK, WARN and STOP it has."""
        return [_summary(move, self.finished) for move in self.moves]

    def __repr__(self) -> str:
        return "\n".join(f"{move.name}\n{move!r}" for move in self.moves)

    def _repr_html_(self) -> str:
        from stackbook.render.frame import frame

        return str(frame(self.rows)._repr_html_())


def wave(machines: str, site: Site, *, options: str = "", **common: str) -> Wave:
    """Where the machines of a CSV or a folder fit on `site`, together.

    A CSV has the column ``bundle`` (paths as seen from the CSV) and any of `Wanted`'s others; `common`, and ``key=value``
    pairs in `options`, hold for machines whose column is empty. Of a folder, every OVA, OVF and VMX is taken. A bundle
    that is refused is a STOP. ``skip=yes`` in a row leaves that machine out; ``skip=stopped`` those that have a STOP.
    """
    common = check_wanted({**common, **pairs(options)}, "wave")
    place = Place(site)
    listed = _listed(Path(machines).expanduser())
    moves = []
    with Ticker("machines") as ticker:
        for number, row in enumerate(listed, 1):
            ticker.tell(f"{number} of {len(listed)}")
            moves.append(_fit(Wanted(**{**common, **row}), place))
    _names_once(moves)
    finished = frozenset(
        move.name for move in moves if any(place.holds(row, move.name) for row in place.named("servers", move.name))
    )
    return Wave([_skipped(move, {**common, **row}.get("skip", "")) for move, row in zip(moves, listed, strict=True)], finished)


def _fit(wanted: Wanted, place: Place) -> Move:
    if wanted.skip == YES:
        return Move(wanted.name or os.path.basename(wanted.bundle), None, [], [], skipped="skip=yes")
    try:
        return Fitting(inspect(wanted.bundle), place, wanted).move()
    except (Refused, BadInput) as error:
        return refused(wanted.name or os.path.basename(wanted.bundle), error)


def _skipped(move: Move, skip: str) -> Move:
    """The move, left out where that was asked for: with a row that says so."""
    if skip not in ("", YES, STOPPED):
        raise BadInput(f"{move.name}: skip is {YES}, {STOPPED} or empty", found=skip)
    why = move.skipped or (f"it has {len(move.stops)} STOP" if skip == STOPPED and move.stops else "")
    if not why:
        return move
    row = {"machine": move.name, "level": "SKIP", "about": "wave", "found": f"left out: {why}", "hint": "another wave takes it"}
    return replace(move, rows=[*move.rows, row], skipped=why)


def _listed(path: Path) -> list[dict[str, str]]:
    if path.is_dir():
        found = sorted(str(file) for file in path.rglob("*") if file.suffix.lower() in BUNDLES and file.is_file())
        rows = [{"bundle": file} for file in found]
    else:
        rows = _csv(path)
    if not rows or len(rows) > MOST:
        raise BadInput(
            f"{path}: {len(rows)} machines, expected 1 to {MOST}", hint="a folder with OVA, OVF or VMX files, or a CSV"
        )
    return rows


def _csv(path: Path) -> list[dict[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: can't be read: {error}", hint="a CSV with the column bundle, or a folder") from None
    dialect = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    reader = DictReader(lines, delimiter=dialect)
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise BadInput(f"{path}, line {reader.line_num}: expected {len(reader.fieldnames or ())} columns", found=str(row))
        given = {column.strip(): text.strip() for column, text in row.items() if text.strip()}
        check_wanted(given, f"{path}, line 1")
        if "bundle" not in given:
            raise BadInput(f"{path}, line {reader.line_num}: bundle is empty", hint="the path of the OVA, OVF, VMX or disk file")
        rows.append({**given, "bundle": str(path.parent / Path(given["bundle"]).expanduser())})
    return rows


def _names_once(moves: list[Move]) -> None:
    seen: dict[str, Move] = {}
    for move in moves:
        first = seen.setdefault(move.name, move)
        if first is not move:
            row = {
                "machine": move.name,
                "level": "STOP",
                "about": "name",
                "found": "two machines have that name",
                "hint": "name=…",
            }
            move.rows.append(row)


def _summary(move: Move, finished: frozenset[str]) -> Row:
    what = f"left out: {move.skipped}" if move.skipped else "stopped" if move.stops else "to move"
    state = "there already" if move.name in finished and not move.skipped else what
    counts = {level: sum(row["level"] == level for row in move.rows) for level in ("OK", "WARN", "STOP")}
    disks = move.bundle.disks if move.bundle else ()
    return {"machine": move.name, "state": state, "disks": len(disks), "GiB": sum(disk.gib for disk in disks), **counts}
