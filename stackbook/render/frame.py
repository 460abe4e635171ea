"""Facts as DataFrames that show as our tables do; surveys of several kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from stackbook.render.html import block, table_html
from stackbook.render.table import missing, table
from stackbook.render.text import table_text
from stackbook.render.values import one_line

Row = Mapping[str, Any]
MOST_COLUMNS = 10
"""Columns of a survey that are shown; the DataFrame has all."""
FIRST = ("name", "id", "status", "state")
UNSHOWN = ("links", "location", "tags", "created_at", "updated_at", "revision_number", "tenant_id")


class Frame(pd.DataFrame):
    """A DataFrame that shows as a table of ours: numbers right-aligned, small bars for shares."""

    @property
    def _constructor(self) -> Callable[..., Frame]:
        return Frame

    def _repr_html_(self) -> str:
        return table_html(self)


def frame(rows: Sequence[Row]) -> Frame:
    """Rows as a DataFrame; whole numbers stay whole where some are missing."""
    made = Frame([dict(row) for row in rows])
    for name in made.columns:
        found = [row.get(name) for row in rows]
        if any(missing(value) for value in found) and all(missing(value) or type(value) is int for value in found):
            made[name] = pd.array([pd.NA if missing(value) else value for value in found], dtype="Int64")
    return made


def survey_html(kinds: Mapping[str, Sequence[Row]]) -> str:
    """A folded table for each kind, the first kinds open; at most ten columns each."""
    return block(*(_kind(kind, rows, folded=len(rows) > 12) for kind, rows in kinds.items()))


def survey_text(kinds: Mapping[str, Sequence[Row]]) -> str:
    """A table for each kind, for terminals."""
    return "\n\n".join(f"{one_line(kind)} ({len(rows)})\n{table_text(_brief(rows)[0])}" for kind, rows in kinds.items())


def _kind(kind: str, rows: Sequence[Row], *, folded: bool) -> str:
    brief, hidden = _brief(rows)
    more = f' <span class="sb-aside">{hidden} more columns in the DataFrame</span>' if hidden else ""
    head = f'<summary><b>{escape(one_line(kind))}</b> <span class="sb-aside">{len(rows):,}</span></summary>'
    return f"<details{'' if folded else ' open'}>{head}{table(brief)}{more}</details>"


def _brief(rows: Sequence[Row]) -> tuple[list[dict[str, Any]], int]:
    """The rows with their most telling columns, and how many others have values."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    telling = [name for name in names if any(not _empty(row.get(name)) for row in rows)]
    ordered = [name for name in FIRST if name in telling]
    ordered += [name for name in telling if name not in FIRST and name not in UNSHOWN]
    kept = ordered[:MOST_COLUMNS]
    return [{name: row.get(name) for name in kept} for row in rows], len(telling) - len(kept)


def _empty(value: Any) -> bool:
    return missing(value) or (isinstance(value, (str, list, dict, tuple)) and not value)
