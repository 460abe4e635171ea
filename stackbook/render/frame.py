"""Facts as DataFrames that show as our tables do; surveys of several kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from stackbook.render.columns import told
from stackbook.render.html import block, table_html
from stackbook.render.table import missing, table
from stackbook.render.text import table_text
from stackbook.render.values import one_line

Row = Mapping[str, Any]
OPEN_ROWS = 25
"""Rows up to which a kind's table is unfolded."""


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
    """A folded table for each kind, short ones open; the columns that tell most."""
    return block(*(_kind(kind, rows, folded=len(rows) > OPEN_ROWS) for kind, rows in kinds.items()))


def survey_text(kinds: Mapping[str, Sequence[Row]]) -> str:
    """A table for each kind, for terminals."""
    return "\n\n".join(f"{one_line(kind)} ({len(rows)})\n{table_text(told(kind, rows)[0])}" for kind, rows in kinds.items())


def _kind(kind: str, rows: Sequence[Row], *, folded: bool) -> str:
    if not rows:
        return f'<div class="sb-none"><b>{escape(one_line(kind))}</b> <span class="sb-aside">none</span></div>'
    shown, hidden = told(kind, rows)
    more = f'<div class="sb-aside">{hidden} more columns in the DataFrame</div>' if hidden else ""
    head = f'<summary><b>{escape(one_line(kind))}</b> <span class="sb-aside">{len(rows):,}</span></summary>'
    return f"<details{'' if folded else ' open'}>{head}{table(shown)}{more}</details>"
