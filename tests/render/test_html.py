"""Plans, proofs and tables as HTML: text stays text, numbers stand right, shares have bars."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackbook.engine.apply import Outcome
from stackbook.plans import Change, Plan
from stackbook.proof import Proof
from stackbook.render import html
from stackbook.render.frame import frame, survey_html
from stackbook.render.table import shares, table
from stackbook.report.clean import clean

NETWORK = {"kind": "network", "name": "n"}
KNOWN_TAGS = {
    "div",
    "style",
    "span",
    "code",
    "b",
    "table",
    "tbody",
    "thead",
    "tr",
    "th",
    "td",
    "ins",
    "del",
    "i",
    "pre",
    "details",
    "summary",
    "ul",
    "li",
    "caption",
}


class Read(HTMLParser):
    """The elements, attributes and text of a piece of HTML."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.text = ""
        self._skip = False
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element and its attributes."""
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}
        self._skip = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        """Read text again after a style sheet."""
        self._skip = False

    def handle_data(self, data: str) -> None:
        """Gather text, not style sheets."""
        self.text += "" if self._skip else data


def change(name: str, value: Any) -> Change:
    """A change of a resource `name` whose field has `value` before and after."""
    return Change("update", NETWORK, f"network/{name}", {name: value, "x": None}, {name: [value], "x": value}, reason=name)


@settings(max_examples=100)
@given(name=st.text(), value=st.text() | st.dictionaries(st.text(), st.text(), max_size=3))
def test_whatever_a_site_says_is_text(name: str, value: Any) -> None:
    """No name or value adds an element or an attribute to a plan, a proof, a finding, an error or a table."""
    finding = {"level": name, "subject": name, "summary": value, "hint": name}
    outputs = [
        html.plan_html(Plan(name, (change(name, value),))),
        html.proof_html(Proof(name, [{name: value, "id": name}])),
        html.findings_html([finding]),
        html.error_html({"type": name, "what": value, "found": [name], "hint": name}),
        html.table_html([{name: value}], caption=name),
        survey_html({name: [{name: value}]}),
    ]
    for output in outputs:
        read = Read(output)
        assert read.tags <= KNOWN_TAGS
        assert all(key in ("class", "open") or (key, value) == ("style", "width: 0%") for key, value in read.attributes)


def test_an_empty_text_is_an_empty_cell() -> None:
    """A disk without a serial number has none, not two quotes."""
    assert "<td></td>" in html.table_html([{"name": "sda", "serial": ""}])


HOSTILE = '<script>alert(1)</script><img src=x onerror="x">'


def test_hostile_names_are_shown_as_they_are() -> None:
    """A name that is markup is readable as such."""
    assert HOSTILE in Read(html.plan_html(Plan(HOSTILE, (change(HOSTILE, HOSTILE),)))).text


def test_a_plan_shows_pairs_counts_and_digest() -> None:
    """Before is deleted, after inserted; None says who chooses; what can't be undone says so."""
    lost = Change("delete", NETWORK, "volume/old", {"size": 10}, {}, reversible=False)
    plan = Plan("lab", (Change("update", NETWORK, "network/n", {"mtu": 1500}, {"mtu": None}), lost), kept=2)
    shown = html.plan_html(plan)
    assert "<del>1500</del>" in shown
    assert "<ins><i>site chooses</i></ins>" in shown
    assert plan.digest in shown
    assert "1 to update" in shown and "1 to delete" in shown and "2 as they should be" in shown
    assert shown.count("can’t be undone") == 2


def test_proofs_and_outcomes() -> None:
    """Empty proofs are green lines, others red with their rows; an outcome says what was done."""
    assert "sb-good" in html.proof_html(Proof("nothing left to do")) and "empty, as expected" in html.proof_html(Proof("x"))
    contradicted = html.proof_html(Proof("nothing left to do", [{"address": "network/x"}]))
    assert "sb-bad" in contradicted and "network/x" in contradicted and "found 1" in contradicted
    assert "2 of 3 changes made" in html.outcome_html(Outcome("applied", "p-1", 2, 3, 1.0, "r"))
    assert "Nothing to do" in html.outcome_html(Outcome("unchanged", "p-1", 0, 0, 0.0, "r"))


def test_every_output_passes_the_sanitizer_unchanged() -> None:
    """The report's sanitizer takes nothing from our own outputs but the style sheet, which the page has itself."""
    outputs = [
        html.plan_html(Plan("lab", (change("a\nb", "x\ny"),), kept=1)),
        html.proof_html(Proof("c", [{"used": 3, "total": 10, "id": "x" * 999}])),
        html.error_html({"type": "E", "what": "w", "found": ["a"], "hint": "h"}),
        survey_html({"pools": [{"used": 1, "total": 2, "name": "p"}]}),
    ]
    for output in outputs:
        bare = re.sub(r"<style>.*?</style>", "", output)
        assert re.sub(r"[;\s]|=\"\"", "", clean(output)) == re.sub(r"[;\s]|=\"\"", "", bare)


def test_numbers_stand_right_and_ids_in_one_width() -> None:
    """A column of numbers, a column of ids, a column of words."""
    rows = [{"name": "a", "id": "7c5f2b1e-1d8a-4f8e-9d1d-3f4f5a6b7c8d", "vcpus": 2}, {"name": "b", "id": None, "vcpus": None}]
    shown = table(rows)
    assert '<th class="sb-number">vcpus</th>' in shown and '<td class="sb-number">2</td>' in shown
    assert '<th class="sb-id">id</th>' in shown
    assert "<th>name</th>" in shown
    assert "none" not in shown.lower().replace("name", "")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["used", "total"], {"used": "total"}),
        (["vcpus_used", "vcpus"], {"vcpus_used": "vcpus"}),
        (["memory_mb", "memory_mb_used"], {"memory_mb_used": "memory_mb"}),
        (["total_capacity_gb", "allocated_capacity_gb"], {"allocated_capacity_gb": "total_capacity_gb"}),
        (["in_use", "limit"], {"in_use": "limit"}),
        (["name", "size", "status"], {}),
        (["used"], {}),
    ],
)
def test_shares_are_found_by_their_names(columns: list[str], expected: dict[str, str]) -> None:
    """Used of total, whichever way the API names the two."""
    assert shares(columns) == expected


def test_a_share_has_a_bar() -> None:
    """Three of ten is a bar of 30 %; a whole of zero has none."""
    assert 'style="width: 30%"' in table([{"used": 3, "total": 10}])
    assert "sb-bar" not in table([{"used": 0, "total": 0}])


def test_frames_show_as_tables_and_stay_frames() -> None:
    """A DataFrame of facts filters and sorts as usual, keeps whole numbers beside gaps, and shows as our table."""
    facts = frame([{"name": "a", "vlan": 204}, {"name": "b", "vlan": None}])
    assert isinstance(facts[facts.name == "a"], type(facts)) and isinstance(facts, pd.DataFrame)
    assert '<td class="sb-number">204</td>' in facts._repr_html_()
    assert frame([])._repr_html_()


def test_many_rows_and_long_cells_are_folded() -> None:
    """The five hundred and first row is counted; a cell of a thousand characters opens."""
    shown = table([{"n": n, "text": "y" * 1000 if n == 0 else ""} for n in range(700)])
    assert shown.count("<tr>") == 501 and "and 200 more rows" in shown and "<details>" in shown


def test_the_style_sheet_stays_small() -> None:
    """Every output carries the styles: they are worth at most nine kilobytes and hold no markup."""
    assert len(html.style()) < 9_000 and "<" not in html.style()
