"""Surveys: the facts of a site as tables, a kind each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from stackbook.errors import BadInput
from stackbook.render.frame import Frame, frame, survey_html, survey_text
from stackbook.site import Site
from stackbook.ticker import Ticker

Row = Mapping[str, Any]
Rows = list[dict[str, Any]]

BEFORE = "before.json"
"""The file of a run that holds what its first attempt found."""


class Survey(Mapping[str, Frame]):
    """The facts of a site by kind, each a DataFrame; `rows` has them as the cloud told them.

    Several kinds at once, ``found["pools", "hypervisors"]``, are a survey of these.
    """

    def __init__(self, rows: Mapping[str, Sequence[Row]]) -> None:
        self.rows: dict[str, Rows] = {kind: [dict(row) for row in listed] for kind, listed in rows.items()}
        self._frames: dict[str, Frame] = {}

    @overload
    def __getitem__(self, kind: str, /) -> Frame: ...

    @overload
    def __getitem__(self, kind: tuple[str, ...], /) -> Survey: ...

    def __getitem__(self, kind: str | tuple[str, ...], /) -> Frame | Survey:
        if isinstance(kind, tuple):
            return Survey({each: self._rows(each) for each in kind})
        if kind not in self._frames:
            self._frames[kind] = frame(self._rows(kind))
        return self._frames[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return survey_text(self.rows)

    def _repr_html_(self) -> str:
        return survey_html(self.rows)

    def _rows(self, kind: str) -> Rows:
        if kind not in self.rows:
            raise BadInput(f"{kind!r} was not surveyed (surveyed: {', '.join(self.rows) or 'nothing'})")
        return self.rows[kind]


def survey(site: Site, *kinds: str) -> Survey:
    """What the site has of each of `kinds`, such as ``networks``, ``ports``, ``servers``; of all kinds when none is named.

    Keys are as the API names them. Tells how far it is when it takes more than two seconds. Kinds that are named are kept
    with the run: they are what a resumed run is compared with in the end.
    """
    found = surveyed(site, *kinds)
    if kinds:
        earlier, rows = site.run.kept(BEFORE) or {}, site.redactor.values(found.rows)
        site.run.keep(BEFORE, {**rows, **earlier} if site.run.resumed else {**earlier, **rows})
    return found


def surveyed(site: Site, *kinds: str) -> Survey:
    """A survey that is not kept."""
    from stackbook.resources.inventory import collect

    with Ticker("survey") as ticker:
        return Survey(collect(site, kinds, ticker))


def compared(before: Survey, site: Site) -> tuple[dict[str, Rows], dict[str, Rows]]:
    """The rows of `before` and those of now; in a resumed run those that its first attempt found, before it changed anything."""
    after = surveyed(site, *before).rows
    kept = site.run.kept(BEFORE) if site.run.resumed else None
    if not kept:
        return before.rows, after
    redact = site.redactor.values  # what is kept is without secrets
    return {kind: kept.get(kind, redact(rows)) for kind, rows in before.rows.items()}, redact(after)
