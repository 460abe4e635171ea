"""The report as a file: self-contained, private, true to the run, and there whatever is missing."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from stackbook.report import write, write_index
from stackbook.report.page import stylesheet
from tests.report import samples

BROKEN = [
    "",
    "{",
    "[]",
    '{"cells": 3}',
    '{"cells": [1, null, {"cell_type": "code"}]}',
    '{"cells": [{"cell_type": "markdown", "source": null}]}',
    "\x00\xff",
]
PARAMETERS_CELL = """\
vlan: int = 204  # VLAN id, 1-4094
name: str = "a # b"  # not the "first" one
dns: list[str] = []
site: str = "sandbox"  # the site
approve: str = ""
"""


def cell(kind: str, source: str, **more: Any) -> dict[str, Any]:
    """A notebook's cell."""
    outputs = {"outputs": [], "execution_count": 1} if kind == "code" else {}
    return {"cell_type": kind, "source": source, "metadata": {}, **outputs, **more}


def page(runs: Path, cells: list[dict[str, Any]] | None = None, **record: Any) -> str:
    """The report of a run with these cells and this record."""
    folder = samples.folder(runs, "20261123T140501-x-0000", record, None if cells is None else {"cells": cells})
    return write(folder).read_text()


def test_a_report_is_one_private_file(tmp_path: Path) -> None:
    """Nothing outside it is named, only its owner may read it, and no temporary file is left."""
    written = write(samples.applied(tmp_path))
    text = written.read_text()
    assert written.name == "report.html"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert not re.search(r"<(?:script|link|iframe)\b|url\(|@import", text)
    assert sorted(os.listdir(written.parent)) == ["notebook.ipynb", "report.html", "run.json"]
    assert len(text) < 60_000


def test_the_header_says_it_all(tmp_path: Path) -> None:
    """Status, site, who, when, how long, digest and request id are in the card."""
    text = write(samples.planned(tmp_path)).read_text()
    card = text[text.index("<header") : text.index("</header>")]
    for said in ("Awaits approval", "sandbox", "lea", "2026-11-23 14:05:01 UTC", "8.8 s", samples.plan().digest, samples.REQUEST):
        assert said in card


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"status": "planned"}, "5 changes planned; nothing was changed."),
        (
            {"status": "applied", "done": 5, "verified": [], "untouched": []},
            "5 of 5 changes made; verified and nothing else changed.",
        ),
        ({"status": "applied", "done": 5}, "5 of 5 changes made."),
        ({"status": "applied", "done": 3, "verified": []}, "3 changes made, 2 were so already; verified."),
        ({"status": "failed", "done": 2}, "2 of 5 changes made before the run ended."),
        ({"status": "interrupted", "done": 0}, "0 of 5 changes made before the run ended."),
        ({"status": "unchanged", "changes": [], "verified": []}, "The site is as it should be; verified."),
        ({"status": "undone", "done": 5, "undone_by": "R2"}, "Its 5 changes were taken back by R2."),
        ({"status": "undone", "done": 5, "undoes": "R1"}, "5 of 5 changes made: run R1 is taken back."),
        ({"status": "unchanged", "digest": None, "changes": [], "findings": [{"summary": "a"}]}, "1 finding."),
    ],
)
def test_what_happened_in_one_sentence(tmp_path: Path, record: dict[str, Any], expected: str) -> None:
    """Each status has its sentence, with the counts and what was proved."""
    assert expected in page(tmp_path, [], **record)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {"parameters": {"vlan": 7, "note": "a b"}},
            "stackbook run provider-vlan -p vlan=7 -p 'note=a b' --site sandbox --approve p-1",
        ),
        ({"undoes": "R1"}, "stackbook undo R1 --approve p-1"),
        ({"error": {"type": "Unsafe", "what": "deletes"}}, "--approve p-1 --allow-delete"),
        ({"status": "failed", "done": 1}, "stackbook resume 20261123T140501-x-0000"),
        ({"status": "applied", "done": 5}, "stackbook undo 20261123T140501-x-0000"),
    ],
)
def test_the_next_step_is_an_exact_command(tmp_path: Path, record: dict[str, Any], expected: str) -> None:
    """What can be done next stands there as it is typed."""
    import html

    assert expected in html.unescape(
        page(tmp_path, [cell("code", "vlan: int = 204", metadata={"tags": ["parameters"]})], digest="p-1", **record)
    )


def test_undo_is_offered_only_for_what_was_made(tmp_path: Path) -> None:
    """A run that changed nothing needs no undo; what can't be brought back is named."""
    assert "nothing to undo" in page(tmp_path / "a", [])
    lost = {"action": "delete", "address": "volume/old", "reversible": False, "state": "done", "fields": {}}
    assert "can’t bring back volume/old" in page(tmp_path / "b", [], status="applied", done=1, changes=[lost])


def test_parameters_stand_on_top_with_their_help(tmp_path: Path) -> None:
    """Declared, injected and recorded values, the default marked, the help beside it; the cells themselves are gone."""
    cells = [
        cell("code", PARAMETERS_CELL, metadata={"tags": ["parameters"]}),
        cell("code", "# Parameters\nvlan = 300\n", metadata={"tags": ["injected-parameters"]}),
    ]
    text = page(tmp_path, cells, parameters={"dns": ["9.9.9.9"]})
    rows = re.findall(r"<tr[^>]*><th>(.*?)</th><td><code>(.*?)</code>(.*?)</td><td>(.*?)</td></tr>", text)
    assert [(name, value, "default" in mark, help) for name, value, mark, help in rows] == [
        ("vlan", "300", False, "VLAN id, 1-4094"),
        ("name", "a # b", True, "not the &#34;first&#34; one"),
        ("dns", "9.9.9.9", False, ""),
        ("site", "sandbox", True, "the site"),
    ]
    assert "# Parameters" not in text


def test_each_cell_tells_its_time_or_that_it_was_not_run(tmp_path: Path) -> None:
    """Completed, failed, cut off and skipped cells read as such, in the cell and in the contents."""
    error = {
        "output_type": "error",
        "ename": "KeyError",
        "evalue": "'x'",
        "traceback": ["\x1b[31mTraceback\x1b[0m", "KeyError: 'x'"],
    }
    states = [("completed", []), ("failed", [error]), ("running", []), ("pending", [])]
    cells = [
        cell("code", f"step({n})", outputs=outputs, metadata={"papermill": {"status": status, "duration": 0.1 + n}})
        for n, (status, outputs) in enumerate(states)
    ]
    text = page(tmp_path, [cell("markdown", "# T\n## Step"), *cells], status="failed")
    summaries = [
        re.sub(r"<[^>]+>|\s+", " ", found).split() for found in re.findall(r"<summary>(Code.*?)</summary>", text, re.DOTALL)
    ]
    assert [" ".join(words) for words in summaries] == [
        "Code · 0.1 s",
        "Code · failed · 1.1 s",
        "Code · interrupted · 2.1 s",
        "Code · not run",
    ]
    assert "KeyError" in text and "\x1b" not in text and "[31m" not in text


def test_papermills_completed_is_not_believed(tmp_path: Path) -> None:
    """After an interrupt papermill marks every cell completed: those without execution count were not run."""
    cells = [
        cell("code", "a()", metadata={"papermill": {"status": "completed", "duration": 1}}),
        cell("code", "b()", execution_count=None, metadata={"papermill": {"status": "completed", "duration": None}}),
    ]
    assert page(tmp_path, cells).count("not run</b>") == 1


def test_our_errors_read_without_a_traceback(tmp_path: Path) -> None:
    """What, found and the next step of a StackbookError are set apart, and nothing else is shown."""
    from stackbook.errors import Refused

    refused = Refused("network/x: VLAN 7 is taken", found=["network a (id 1)", "network b"], hint="choose another")
    text = page(tmp_path, [cell("code", "plan()", outputs=[samples.raised(refused)])], status="failed")
    assert '<div class="sb-what">network/x: VLAN 7 is taken</div>' in text
    assert "<li>network a (id 1)</li><li>network b</li>" in text
    assert "<b>Try</b> choose another" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_notebook_costs_nothing_but_itself(tmp_path: Path, broken: str) -> None:
    """Whatever the notebook holds, there is a page with the record, and the plan from it where no cell shows one."""
    folder = samples.folder(tmp_path, "20261123T140501-x-0000", {"done": 1, "status": "interrupted"}, None)
    (folder / "notebook.ipynb").write_text(broken)
    text = write(folder).read_text()
    assert "Interrupted" in text and samples.REQUEST in text


def test_a_missing_notebook_leaves_the_plan_of_the_record(tmp_path: Path) -> None:
    """A run in JupyterLab has no notebook in its folder: plan and proofs come from its record."""
    text = page(tmp_path, None, stops=[], verified=[{"address": "network/x"}])
    assert "notebook.ipynb is not in this run" in text
    assert "default:br-ex" in text and "nothing in the way" in text and "expected: nothing left to do" in text


@pytest.mark.parametrize(
    "record",
    [None, "", "{", "[]", '{"status": 7, "changes": [1, {}], "cells": [null], "parameters": [], "findings": [3], "versions": 1}'],
)
def test_a_broken_record_is_said(tmp_path: Path, record: str | None) -> None:
    """A missing or broken run.json is said on the page; the notebook is shown all the same."""
    folder = tmp_path / "20261123T140501-x-0000"
    folder.mkdir()
    (folder / "notebook.ipynb").write_text(json.dumps({"cells": [cell("markdown", "# A title\nprose")]}))
    if record is not None:
        (folder / "run.json").write_text(record)
    text = write(folder).read_text()
    assert "A title" in text and "Unknown" in text
    assert (record is not None and record.startswith('{"')) or "run.json" in text


def test_secrets_do_not_reach_the_page(tmp_path: Path) -> None:
    """A password in code, in printed text, in a traceback, in HTML or in the record is not on the page."""
    planted = "hunter2-XyZ"
    outputs = [
        samples.printed(f"Authorization: Bearer {planted}\npassword={planted}"),
        {"output_type": "error", "ename": "E", "evalue": f"password='{planted}'", "traceback": [f"a=mysql://u:{planted}@h/db"]},
        {"output_type": "display_data", "data": {"text/html": f"<p>admin_password={planted}</p>"}, "metadata": {}},
    ]
    cells = [cell("code", f'password = "{planted}"', outputs=outputs), cell("markdown", f"token: {planted}")]
    assert planted not in page(tmp_path, cells, error={"type": "E", "what": f"token={planted}", "password": planted})


def test_long_output_is_folded(tmp_path: Path) -> None:
    """A thousand printed lines show their beginning; the rest opens; a progress bar shows its last state."""
    text = page(tmp_path, [cell("code", "x", outputs=[samples.printed("10 %\r50 %\r100 %\n" + "line\n" * 1000)])])
    assert "971 more lines" in text and "100 %" in text and "50 %" not in text


def test_attached_pictures_are_part_of_the_page(tmp_path: Path) -> None:
    """A picture attached to a markdown cell is embedded; one from elsewhere is not fetched."""
    attachments = {"a.png": {"image/png": "iVBORw0KGgo="}}
    text = page(
        tmp_path, [cell("markdown", "# T\n![a](attachment:a.png) ![b](http://example.org/b.png)", attachments=attachments)]
    )
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in text and "example.org" not in text


def test_the_index_lists_runs_newest_first(tmp_path: Path) -> None:
    """One row per run with links that exist; a broken run is listed with its reason; other folders are not."""
    made = [samples.planned(tmp_path), samples.applied(tmp_path), samples.inventory(tmp_path)]
    for folder in made[:2]:
        write(folder)
    (tmp_path / "20260101T000000-broken-0000").mkdir()
    (tmp_path / "20260101T000000-broken-0000" / "run.json").write_text("{")
    (tmp_path / "notes").mkdir()
    text = write_index(tmp_path).read_text()
    names = re.findall(r"<b>([\w-]+)</b></a>|<b>([\w-]+)</b>", text[text.index("<tbody>") :])
    assert ["".join(name) for name in names] == ["provider-vlan", "provider-vlan", "inventory", "20260101T000000-broken-0000"]
    links = re.findall(r'href="([^"]+)"', text)
    assert len(links) == 5 and all((tmp_path / link).is_file() for link in links)
    assert "notes" not in text and "run.json can&#39;t be read" in text and "vlan=204" in text


def test_a_plan_that_was_approved_no_longer_awaits_it(tmp_path: Path) -> None:
    """The run that only planned names the one that its plan was approved for; of another site's plan nothing changes."""
    before, after = samples.planned(tmp_path), samples.applied(tmp_path)
    text = write_index(tmp_path).read_text()
    assert f"was approved and run as {after.name}" in text and "1 approved" in text and "awaits" not in text.lower()
    record = json.loads((after / "run.json").read_text())
    stopped = {**record, "status": "failed", "changes": [{**change, "state": "planned"} for change in record["changes"]]}
    (after / "run.json").write_text(json.dumps(stopped))
    assert "1 awaits approval" in write_index(tmp_path).read_text(), "a run that preflight stopped approved nothing"
    (after / "run.json").write_text(json.dumps({**record, "site": "elsewhere"}))
    text = write_index(tmp_path).read_text()
    assert "was approved and run" not in text and "1 awaits approval" in text
    assert before.name < after.name


def test_an_index_of_nothing(tmp_path: Path) -> None:
    """Without runs the index says how to make the first."""
    assert "stackbook run inventory" in write_index(tmp_path / "runs").read_text()


def test_the_dark_colours_of_outputs_are_part_of_the_page() -> None:
    """The page makes outputs dark by the reader's preference; in JupyterLab the theme does."""
    dark = stylesheet().rpartition("@media screen and (prefers-color-scheme: dark)")[2]
    assert dark.count("--sb-") > 12


def test_a_resumed_run_shows_what_was_approved_and_made(tmp_path: Path) -> None:
    """The cells of a resumed run show what was left then; the report shows the whole, once, and says why."""
    change = {
        "action": "create",
        "address": "network/vlan204",
        "fields": {"mtu": {"before": None, "after": 1400}},
        "state": "done",
    }
    cells = [cell("markdown", "## Plan"), cell("code", "planned", outputs=[])]
    once = page(tmp_path / "a", cells, status="applied", changes=[change], done=1, resumed=0)
    again = page(tmp_path / "b", cells, status="applied", changes=[change], done=1, resumed=1)
    assert "1400" not in once
    assert "1400" in again and "Approved and made" in again and "resumed" in again
    interrupted = page(tmp_path / "c", cells, status="interrupted", changes=[{**change, "state": "started"}], done=0, resumed=1)
    assert "Approved<" in interrupted and "Approved and made" not in interrupted
