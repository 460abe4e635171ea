"""What the services of the sandbox's release know of their options; ``scripts/options.py`` writes the file."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "known.json.gz"
Types = dict[str, Any]
"""Option to its type: a letter (b, i, f, p, l, d, m, s), a letter with bounds, or the list of what may be chosen."""


@dataclass(frozen=True)
class Knowledge:
    """The options of one project, by section; names have underscores where the services allow hyphens."""

    project: str
    version: str
    options: dict[str, Types]
    renamed: dict[str, dict[str, list[str]]]
    """By section and old name: the section and name that took its place."""
    going: dict[str, dict[str, str]]
    """What will be removed, by section and option: why."""
    auth: frozenset[str]
    """Options of the ways to sign in: read in every section that has an ``auth_type``."""
    namespaces: tuple[str, ...]
    """What oslo.config's generator was asked for."""

    def section(self, name: str, said: dict[str, str]) -> Types | None:
        """The options that are read in section `name`, in which `said` is set; None where that is not known."""
        found = self.options.get(name)
        if found is None:
            return self._backend(said)
        signs_in = "auth_type" in found or "auth_type" in said
        return {**dict.fromkeys(self.auth, "s"), **found} if signs_in else found

    def _backend(self, said: dict[str, str]) -> Types | None:
        """A section whose name the operator chose: a backend of cinder's, which reads what its driver knows."""
        if self.project == "cinder" and not {"volume_driver", "volume_backend_name"}.isdisjoint(said):
            return {**self.options["DEFAULT"], **self.options["backend_defaults"]}
        return None

    def elsewhere(self, option: str) -> list[str]:
        """The sections in which `option` is read."""
        return [name for name, known in self.options.items() if option in known]


def projects() -> tuple[str, ...]:
    """The projects whose options are known."""
    return tuple(_read())


@cache
def knowledge(project: str) -> Knowledge:
    """What is known of the options of `project`; KeyError for one that is not in `projects`."""
    told = dict(_read()[project])
    return Knowledge(project, auth=frozenset(told.pop("auth")), namespaces=tuple(told.pop("namespaces")), **told)


@cache
def _read() -> dict[str, Any]:
    return dict(json.loads(gzip.decompress(FILE.read_bytes())))
