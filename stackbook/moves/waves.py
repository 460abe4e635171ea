"""Many machines: from a CSV or a folder, planned together, moved one after the other."""

from __future__ import annotations

import os
from csv import DictReader
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackbook.errors import BadInput, Refused
from stackbook.migration.bundle import inspect
from stackbook.moves.move import Fitting, Move, Wanted, check_wanted, refused
from stackbook.moves.place import Place
from stackbook.resources.waiting import Ticker

if TYPE_CHECKING:
    from stackbook.plans import Resource
    from stackbook.site import Site

Row = dict[str, Any]
BUNDLES = (".ova", ".ovf", ".vmx")
MOST = 500


@dataclass(frozen=True)
class Wave:
    """Machines that move together; shown as one table of OK, WARN and STOP."""

    moves: list[Move] = field(repr=False)

    @property
    def rows(self) -> list[Row]:
        """All rows, machine by machine."""
        return [row for move in self.moves for row in move.rows]

    @property
    def stops(self) -> list[Row]:
        """What stands in the way, as preflight shows it."""
        return [row for move in self.moves for row in move.stops]

    @property
    def desired(self) -> list[Resource]:
        """The resources of all machines; what two share is listed once."""
        return list({resource.address: resource for move in self.moves for resource in move.desired}.values())

    @property
    def table(self) -> list[Row]:
        """A row for each machine: what it is and how many OK, WARN and STOP it has."""
        return [_summary(move) for move in self.moves]

    def __repr__(self) -> str:
        return "\n".join(f"{move.name}\n{move!r}" for move in self.moves)

    def _repr_html_(self) -> str:
        from stackbook.render.frame import frame

        return str(frame(self.rows)._repr_html_())


def wave(machines: str, site: Site, **common: str) -> Wave:
    """Where the machines of a CSV or a folder fit on `site`, together.

    A CSV has the column ``bundle`` (paths as seen from the CSV) and any of `Wanted`'s others; `common` holds for
    machines whose column is empty. Of a folder, every OVA, OVF and VMX is taken. A bundle that is refused is a STOP.
    """
    check_wanted(common, "wave")
    place, ticker = Place(site), Ticker("machines")
    listed = _listed(Path(machines).expanduser())
    moves = []
    for number, row in enumerate(listed, 1):
        ticker.tell(f"{number} of {len(listed)}")
        moves.append(_fit(Wanted(**{**common, **row}), place))
    ticker.close()
    _names_once(moves)
    return Wave(moves)


def _fit(wanted: Wanted, place: Place) -> Move:
    try:
        return Fitting(inspect(wanted.bundle), place, wanted).move()
    except (Refused, BadInput) as error:
        return refused(wanted.name or os.path.basename(wanted.bundle), error)


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


def _summary(move: Move) -> Row:
    counts = {level: sum(row["level"] == level for row in move.rows) for level in ("OK", "WARN", "STOP")}
    disks = move.bundle.disks if move.bundle else ()
    return {"machine": move.name, "disks": len(disks), "GiB": sum(disk.gib for disk in disks), **counts}
