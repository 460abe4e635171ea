"""What the rules look at, and how they tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from stackbook.logs.asking import Answers, Row
from stackbook.logs.chain import Hit
from stackbook.logs.evidence import Evidence
from stackbook.logs.subject import Subject, moment


@dataclass(frozen=True)
class Case:
    """What the rules look at."""

    subject: Subject
    answers: Answers
    hits: Sequence[Hit]

    def named(self, name: str) -> list[str]:
        """Everything that the log's lines call `name`, each once."""
        found = (hit.evidence.values.get(name, "") for hit in self.hits)
        return list(dict.fromkeys(value for value in found if value))

    def seen(self, *ids: str) -> bool:
        """Whether one of these signatures was."""
        return any(hit.signature.id in ids for hit in self.hits)

    @property
    def ports(self) -> list[Row]:
        """The subject's ports."""
        return self.subject.related.get("ports", [])


Told = tuple[str, Evidence]
Rule = Callable[[Case], Iterable[Told]]


def finding(id: str, asked: str, text: str, *, host: str = "", time: Any = None, linked: bool = False, **values: Any) -> Told:
    """The finding `id`: what was asked, what that tells, about which host, and the values that it names."""
    named = {name: str(value) for name, value in values.items() if value not in (None, "")}
    return id, Evidence(
        host, f"API: {asked}", moment(time), text, linked=linked, values={**({"host": host} if host else {}), **named}
    )
