"""What is known about failures, as data: how each shows itself, what it means, and what mends it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from stackbook.errors import BadInput

SHIPPED = Path(__file__).with_suffix(".yaml")
KINDS = ("cause", "relay", "symptom")
_NAMED = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Runbook:
    """The runbook that mends a failure."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Name to text; ``{physnet}`` and the like stand for what the evidence names."""
    needs: tuple[str, ...] = ()
    """Parameters without which it would mend something else."""

    def filled(self, values: Mapping[str, str]) -> dict[str, Any] | None:
        """``name`` and ``parameters``, those left out for which the evidence names nothing; None when it lacks one of `needs`."""
        if any(not _filled(self.parameters[name], values) for name in self.needs):
            return None
        given = {name: _filled(text, values) for name, text in self.parameters.items()}
        return {"name": self.name, "parameters": {name: _plain(text) for name, text in given.items() if text}}


@dataclass(frozen=True)
class Signature:
    """One failure that is known."""

    id: str
    kind: str
    """``cause`` (at the root or next to it), ``relay`` (told on by a caller), ``symptom`` (a final state)."""
    meaning: str
    cause: str
    """What usually is behind it."""
    remedy: str
    pattern: str = ""
    """A regular expression, searched in a record's message and the last line of its traceback; none: only APIs tell it."""
    summary: str = ""
    """One line about a case of it, with ``{name}`` for what the evidence names; the meaning where that is empty."""
    level: str = ""
    service: str = ""
    source: str = ""
    reference: str = ""
    explained_by: tuple[str, ...] = ()
    """Signatures that are the deeper reason when they were seen earlier."""
    scope: str = "request"
    """``host``: counts for every request on its host, though its lines name none."""
    over: str = ""
    """A regular expression of lines after which it no longer holds on that host, such as those of a start that went well."""
    lasting: bool = False
    """Whether it is told once, when a service starts, and holds until `over`: it is looked for days back."""
    alone: bool = False
    """Whether it is worth telling about a subject that shows no symptom."""
    runbook: Runbook | None = None
    matches: tuple[str, ...] = ()
    """Messages that it must match; its tests."""
    rejects: tuple[str, ...] = ()
    """Messages much like it that it must not match."""

    @cached_property
    def expression(self) -> re.Pattern[str] | None:
        """The pattern, compiled."""
        return re.compile(self.pattern) if self.pattern else None

    def match(self, text: str) -> dict[str, str] | None:
        """What `text` names, when it is a case of this signature."""
        found = self.expression.search(text) if self.expression else None
        if found is None:
            return None
        return {_value_name(name): value for name, value in found.groupdict().items() if value}

    def summarized(self, values: Mapping[str, str]) -> str:
        """One line about the case that `values` are of."""
        return _filled(self.summary, values) or self.meaning

    def advice(self, values: Mapping[str, str]) -> str:
        """The remedy, with what `values` name in the place of what stands for it."""
        return _NAMED.sub(lambda found: str(values.get(found[1], found[1].upper())), self.remedy)


class Signatures(dict[str, Signature]):
    """Signatures by id, in the order of their file."""

    noise: tuple[str, ...] = ()
    """Regular expressions of lines that never tell anything."""

    @cached_property
    def quiet(self) -> re.Pattern[str]:
        """What is never evidence, as one expression."""
        return re.compile("|".join(self.noise) or r"(?!)")

    @property
    def patterns(self) -> list[str]:
        """All patterns of log lines."""
        return [one.pattern for one in self.values() if one.pattern]

    @property
    def ambient(self) -> list[str]:
        """Patterns of lines that count for every request on their host, and of those that end them."""
        return [text for one in self.values() if one.scope == "host" for text in (one.pattern, one.over) if text]

    def matching(self, text: str) -> list[tuple[Signature, dict[str, str]]]:
        """The signatures that `text` is a case of, with what it names."""
        if self.quiet.search(text):
            return []
        found = ((one, one.match(text)) for one in self.values())
        return [(one, values) for one, values in found if values is not None]


@cache
def signatures(path: Path = SHIPPED) -> Signatures:
    """The signatures in the YAML file at `path`; BadInput for one that is not understood."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    data = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - a safe loader either way
    made = Signatures((entry["id"], _signature(entry, path)) for entry in data["signatures"])
    made.noise = tuple(data.get("noise", ()))
    return made


def _signature(entry: dict[str, Any], path: Path) -> Signature:
    given = dict(entry)
    runbook = given.pop("runbook", None)
    lists: dict[str, Any] = {name: tuple(given.pop(name, ())) for name in ("explained_by", "matches", "rejects")}
    try:
        return Signature(**given, **lists, runbook=_runbook(runbook) if runbook else None)
    except (TypeError, KeyError) as error:
        raise BadInput(f"{path}: signature {entry.get('id')}: {error}", hint="compare it with its neighbours") from None


def _runbook(entry: dict[str, Any]) -> Runbook:
    return Runbook(entry["name"], entry.get("parameters", {}), tuple(entry.get("needs", ())))


def unknown_references(known: Mapping[str, Signature]) -> list[str]:
    """Ids that ``explained_by`` names and nothing defines."""
    named: Iterable[str] = (name for one in known.values() for name in one.explained_by)
    return sorted({name for name in named if name not in known})


def _filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with its names replaced; empty when one of them is not known."""
    if any(name not in values for name in _NAMED.findall(text)):
        return ""
    return _NAMED.sub(lambda found: str(values[found[1]]), text)


def _plain(text: str) -> Any:
    return int(text) if text.isdecimal() and len(text) < 10 else text


def _value_name(group: str) -> str:
    """A group's name; a pattern's second alternative calls ``volume`` ``volume2``."""
    return group.rstrip("0123456789")
