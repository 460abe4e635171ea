"""DataFrame tables as pandas writes them, with their columns of numbers marked for alignment."""

from __future__ import annotations

import re

_TABLE = re.compile(r'<table\b[^>]*class="dataframe"[^>]*>.*?</table>', re.DOTALL)
_ROW = re.compile(r"<tr\b[^>]*>(.*?)</tr>", re.DOTALL)
_CELL = re.compile(r"<(t[dh])\b([^>]*)>(.*?)</t[dh]>", re.DOTALL)
_NUMBER = re.compile(r"\s*(?:[-−+]?(?:\d[\d,]*)?\.?\d+(?:e[-+]?\d+)?%?|NaN|None|NaT|&lt;NA&gt;|\.\.\.|inf)?\s*", re.IGNORECASE)
_DIGIT = re.compile(r"\d")


def aligned(html: str) -> str:
    """`html` with the class ``sb-number`` on the cells of numeric columns of each DataFrame's table."""
    return _TABLE.sub(lambda found: f'<div class="sb-scroll">{_table(found[0])}</div>', html)


def _table(table: str) -> str:
    rows = [[(cell[1], cell[3]) for cell in _CELL.finditer(row[1])] for row in _ROW.finditer(table)]
    body = [row for row in rows if any(tag == "td" for tag, _ in row)]
    numeric = {column for column in range(max(map(len, body), default=0)) if _numeric(body, column)}

    def row(found: re.Match[str]) -> str:
        cells = _CELL.finditer(found[1])
        return "<tr>" + "".join(_cell(cell, column in numeric) for column, cell in enumerate(cells)) + "</tr>"

    return _ROW.sub(row, table)


def _numeric(rows: list[list[tuple[str, str]]], column: int) -> bool:
    said = [row[column][1] for row in rows if column < len(row)]
    return all(map(_NUMBER.fullmatch, said)) and any(map(_DIGIT.search, said))


def _cell(cell: re.Match[str], number: bool) -> str:
    listed = ' class="sb-number"' if number else cell[2]
    return f"<{cell[1]}{listed}>{cell[3]}</{cell[1]}>"
