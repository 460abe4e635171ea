"""The hosts' configuration files against what the services know of their options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stackbook.errors import BadInput
from stackbook.ini import IniText
from stackbook.options import findings, projects
from stackbook.services import SERVICES

if TYPE_CHECKING:
    from stackbook.hosts import Host
    from stackbook.site import Site

Row = dict[str, Any]


def configuration(site: Site, host: Host) -> list[Row]:
    """Options of the services' files that are misspelt, misplaced, renamed, removed, or hold what they can't; by file and line.

    Values are not shown, except where a number or a choice is expected: they may be secrets.
    """
    return [row for path, project in files(site.settings.layout).items() for row in _judged(host, path, project)]


def files(layout: str) -> dict[str, str]:
    """The configuration files that are known in `layout`, each with the project that reads it."""
    listed = [(path, known.module) for known in SERVICES if known.units(layout) for path in known.config(layout)]
    return {path: module for path, module in listed if module in projects()}


def _judged(host: Host, path: str, project: str) -> list[Row]:
    content = host.read(path)
    if content is None:
        return []
    try:
        text = IniText(content, path)
    except BadInput as error:
        return [{"file": path, "line": None, "level": "error", "summary": error.what, "hint": error.hint}]
    return [
        {
            "file": path,
            "line": found.line,
            "option": f"[{found.section}] {found.option}".strip(),
            "level": found.level,
            "summary": found.summary,
            "hint": found.hint,
        }
        for found in findings(project, text)
    ]
