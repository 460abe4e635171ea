"""Finding and describing runbooks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from stackbook.errors import BadInput
from stackbook.runbook import catalogue


def test_a_runbook_is_described_from_its_first_cells(books: Path) -> None:
    """Title, purpose, the table of facts and the parameters come from the notebook itself."""
    found = catalogue.find("things")
    assert (found.title, found.purpose) == ("Make things", "Makes a number of things of one colour, each in its place.")
    assert found.facts == {
        "changes": "things in a file",
        "needs": "nothing",
        "takes": "a second",
        "impact": "none",
        "undo": "`stackbook undo RUN`",
    }
    assert [parameter.name for parameter in found.parameters] == ["count", "colour", "slow", "site", "approve", "allow_delete"]
    assert (found.parameters[0].type, found.parameters[0].default, found.parameters[0].help) == ("int", 3, "how many things")


def test_the_workspace_goes_before_what_is_shipped(books: Path) -> None:
    """A copy in notebooks/ hides the shipped runbook of its name, for find and for list alike."""
    shipped = next(catalogue.shipped_folder().glob("*.ipynb"))
    assert catalogue.find(shipped.stem).shipped or shipped.stem == "undo"
    shutil.copy(books / "notebooks" / "free.ipynb", books / "notebooks" / shipped.name)
    assert catalogue.find(shipped.stem).title == "Run code"
    assert [runbook.title for runbook in catalogue.listing() if runbook.name == shipped.stem] == ["Run code"]


def test_every_shipped_runbook_can_be_described() -> None:
    """Each shipped runbook has a title, a purpose, facts and readable parameters."""
    for path in catalogue.shipped_folder().glob("*.ipynb"):
        found = catalogue.read(path)
        assert found.title and found.purpose and "changes" in found.facts, path.name


def test_a_path_finds_a_runbook_anywhere(books: Path) -> None:
    """A name with a slash is a path; so is one that no folder has."""
    (books / "elsewhere").mkdir()
    shutil.move(books / "notebooks" / "things.ipynb", books / "elsewhere" / "mine.ipynb")
    assert catalogue.find("elsewhere/mine.ipynb").name == "mine"


def test_an_unknown_name_names_the_nearest(books: Path) -> None:
    """A mistyped name is bad input with the nearest one."""
    with pytest.raises(BadInput) as caught:
        catalogue.find("thinsg")
    assert caught.value.hint == "did you mean things?"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"nbformat": 3, "worksheets": []}', '{"nbformat": 4}'])
def test_what_is_no_notebook_is_refused(text: str, books: Path) -> None:
    """A file that is no notebook of format 4 is bad input that names it."""
    (books / "bad.ipynb").write_text(text)
    with pytest.raises(BadInput, match=r"bad\.ipynb"):
        catalogue.find("./bad.ipynb")


def test_titles_name_each_cell(books: Path) -> None:
    """The title of a code cell is the heading above it; the parameters have their own."""
    notebook = json.loads((books / "notebooks" / "things.ipynb").read_text())
    found = catalogue.titles(notebook)
    assert found[1] == "Parameters" and found[-1] == "Verify" and found[3] == "Connect"
