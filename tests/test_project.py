"""The project's own files agree with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"python-isal": "isal", "matplotlib-base": "matplotlib", "bleach-with-css": "bleach[css]"}
TESTS_ONLY = {"nbval"}
OF_EVERY_HOST = re.compile(r"/root/(?:[a-z-]*answers\.txt|keystonerc_admin)")
"""Files that Packstack writes on any host, also where tests run as root."""


def project() -> dict[str, Any]:
    """The parsed pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_environment_yml_has_the_same_packages() -> None:
    """environment.yml asks for the packages and versions of pyproject.toml, and nbval for trying notebooks."""
    listed = [item for item in yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"] if isinstance(item, str)]
    conda = {re.sub(r"^[\w-]+", lambda found: CONDA_NAMES.get(found[0], found[0]), item) for item in listed} - {"pip"}
    ours = project()["project"]
    extra = {item for item in ours["optional-dependencies"]["test"] if re.match(r"[\w-]+", item)[0] in TESTS_ONLY}  # type: ignore[index]
    assert conda == {*ours["dependencies"], *extra, f"python{ours['requires-python']}"}


def test_readme_shows_the_two_commands_first() -> None:
    """The README's first code block holds make demo and make test."""
    first = (ROOT / "README.md").read_text().split("```")[1]
    assert "make demo" in first and "make test" in first


def test_contributing_opens_with_adding_a_runbook() -> None:
    """CONTRIBUTING's first section is how to add a runbook."""
    headings = re.findall(r"^## (.*)$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert headings[0] == "Add a runbook"


def test_no_path_of_one_machine() -> None:
    """No tracked text names a folder that exists on one machine only."""
    home = str(Path.home())
    parent = str(ROOT.parent)
    for path in [
        *ROOT.glob("stackbook/**/*.py"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("*.md"),
        *ROOT.glob("notebooks/*.ipynb"),
        *ROOT.glob("docs/samples/*.html"),
    ]:
        text = OF_EVERY_HOST.sub("", path.read_text())
        assert home + "/" not in text and (parent == "/" or parent + "/" not in text), path


def test_the_sample_reports_are_there() -> None:
    """What the README links to exists, loads nothing, and `make samples` makes no more than that."""
    linked = set(re.findall(r"docs/samples/[\w-]+\.\w+", (ROOT / "README.md").read_text()))
    made = {str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "samples").iterdir()}
    assert linked <= made
    assert made - linked <= {"docs/samples/migrate-vm-plan.html"}
    for path in (ROOT / "docs" / "samples").glob("*.html"):
        assert "default-src &#39;none&#39;" in path.read_text() and "<script" not in path.read_text()
