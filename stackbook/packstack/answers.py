"""An answer file as Packstack reads it: ``[general]`` with one line per option; secrets never leave it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from stackbook.errors import BadInput
from stackbook.ini import IniText
from stackbook.packstack import catalogue

SECTION = "general"
MASK = "(not shown)"
UNSET = "(not in the file)"


class Answers:
    """The answers of one file.

    Python's configparser reads it for Packstack: names in any case, quotes taken as part of the value, a repeated name
    refused. Raises BadInput, with the line's number, for what that refuses.
    """

    def __init__(self, content: bytes, name: str = "the answer file") -> None:
        self.name = name
        self.text = IniText(content, name)
        if not any(section == SECTION for section, _ in self.text.sections):
            raise BadInput(f"{name}: no [{SECTION}] section", hint="packstack --gen-answer-file=PATH writes one")
        self._assigned = [(item.option.upper(), self._raw(item.start, item.stop)) for item in self.text.assignments]
        self._values = dict(self._assigned)

    @property
    def names(self) -> list[str]:
        """The options' names, in upper case, in the file's order."""
        return list(self._values)

    @cached_property
    def release(self) -> str:
        """The release whose options and defaults are most like the file's."""
        return catalogue.release_of({name: value for name, value in self._values.items() if catalogue.known(name)})

    @property
    def repeated(self) -> list[str]:
        """Options that are there more than once."""
        return [name for name, count in Counter(name for name, _ in self._assigned).items() if count > 1]

    @property
    def foreign(self) -> list[str]:
        """Sections other than ``[general]``, which Packstack refuses or does not read."""
        return sorted({section for section, _ in self.text.sections} - {SECTION})

    def value(self, name: str) -> str | None:
        """An option's value; None when it is not in the file. Raises BadInput for a secret one."""
        if catalogue.secret(name):
            raise BadInput(f"{self.name}: {name} is a secret, which is not read out")
        return self._values.get(name)

    def given(self, name: str) -> bool:
        """Whether the option is there with a value, which may be a secret."""
        return bool(self._values.get(name))

    def answer(self, name: str) -> str:
        """The value that Packstack will use: the file's, else the release's default; empty for neither."""
        value = self.value(name)
        option = catalogue.options(self.release).get(name)
        return value if value is not None else option.default if option else ""

    def items(self, name: str) -> list[str]:
        """The entries of a comma-separated value."""
        return [entry.strip() for entry in self.answer(name).split(",") if entry.strip()]

    def on(self, name: str) -> bool:
        """Whether the answer is ``y``."""
        return self.answer(name).lower() == "y"

    def shown(self) -> dict[str, str]:
        """Every option with its value; a secret's is masked."""
        return {name: masked(name, value) for name, value in self._values.items()}

    def table(self) -> list[dict[str, Any]]:
        """The answers that are not the release's default, as rows."""
        rows = [row for row in self.against(self.release) if row["here"] != UNSET]
        return [{"option": row["option"], "answer": row["here"], "default": row["there"]} for row in rows]

    def against(self, other: str | Answers) -> list[dict[str, Any]]:
        """What differs from another file, or from what Packstack of a release writes; made-up defaults differ from nothing."""
        there = other.shown() if isinstance(other, Answers) else defaults(other)
        return list(_differences(self, there, other if isinstance(other, Answers) else None))

    def with_options(self, wanted: Mapping[str, str | None]) -> bytes:
        """The file's bytes with these options set, or removed for None; every other line as it was."""
        text = self.text
        for name, value in wanted.items():
            option = next((item.option for item in text.assignments if item.option.upper() == name), name)
            text = text.with_values(SECTION, option, []) if value is None else text.with_value(SECTION, option, value)
        return text.content()

    def _raw(self, start: int, stop: int) -> str:
        """The value with its quotes."""
        first, *rest = self.text.lines[start:stop]
        at = min(place for place in (first.find("="), first.find(":")) if place >= 0)
        return "\n".join([first[at + 1 :].strip(), *(line.strip() for line in rest)])

    def same(self, name: str, other: Answers | Mapping[str, str]) -> bool:
        """Whether an option has the same value there, a secret's too."""
        return other.same(name, self._values) if isinstance(other, Answers) else self._values.get(name) == other.get(name)


def releases(one: str, other: str) -> list[dict[str, Any]]:
    """What differs between the answer files that Packstack of two releases writes."""
    here, there = defaults(one), defaults(other)
    names = list(dict.fromkeys([*here, *there]))
    pairs = ((name, here.get(name, UNSET), there.get(name, UNSET)) for name in names)
    return [{"option": name, "here": old, "there": new} for name, old, new in pairs if old != new]


def defaults(release: str) -> dict[str, str]:
    """What Packstack of a release answers by itself."""
    return {name: option.default for name, option in catalogue.options(release).items()}


def masked(name: str, value: str) -> str:
    """The value, or a mask for a secret."""
    return MASK if value and catalogue.secret(name) else value


def _differences(here: Answers, there: Mapping[str, str], other: Answers | None) -> Iterator[dict[str, Any]]:
    shown = here.shown()
    for name in dict.fromkeys([*shown, *there]):
        old, new = shown.get(name, UNSET), there.get(name, UNSET)
        made_up = other is None and new.startswith(catalogue.MADE_UP) and old != UNSET
        if not here.same(name, there if other is None else other) and not made_up:
            yield {"option": name, "here": old, "there": new}
