"""The ``CONFIG_*`` options that Packstack knows, by release; names, defaults and choices as its plugins declare them.

``options.csv`` has a line for each span of releases in which an option stayed as it is. A default in angle brackets is
made up when Packstack writes the file: an address, a random password.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from stackbook.errors import BadInput

RELEASES = (
    *("liberty", "mitaka", "newton", "ocata", "pike", "queens", "rocky", "stein", "train", "ussuri", "victoria", "wallaby"),
    *("xena", "yoga", "zed", "2023.1", "2023.2", "2024.1", "2024.2", "2025.1"),
)
"""Oldest first."""
LATEST = RELEASES[-1]
MADE_UP = "<"
"""Begins a default that Packstack makes up."""


@dataclass(frozen=True)
class Option:
    """An option as releases from `since` to `until` know it."""

    name: str
    since: str
    until: str
    default: str
    choices: tuple[str, ...]
    several: bool
    """Whether the value is a comma-separated list of choices."""
    secret: bool
    former: tuple[str, ...]
    """Names that the option had before; Packstack still takes them."""

    def allows(self, value: str) -> bool:
        """Whether Packstack takes the value, as far as choices tell."""
        given = [part.strip() for part in value.split(",")] if self.several else [value]
        return not self.choices or set(given) - {""} <= set(self.choices) or value == self.default


@cache
def options(release: str) -> Mapping[str, Option]:
    """The options of one release by name; BadInput for a release that is not known."""
    if release not in RELEASES:
        raise BadInput(f"Packstack release {release!r} is not known", found=", ".join(RELEASES), hint=f"for example {LATEST}")
    at = RELEASES.index(release)
    return {option.name: option for option in _all() if RELEASES.index(option.since) <= at <= RELEASES.index(option.until)}


@cache
def known(name: str) -> Option | None:
    """The option of that name as the newest release knows it that does; None for an unknown name."""
    return max((option for option in _all() if option.name == name), key=lambda each: RELEASES.index(each.until), default=None)


@cache
def renamed(name: str) -> str | None:
    """The option that has taken the place of the former `name`."""
    return next((option.name for option in reversed(_all()) if name in option.former and option.name != name), None)


def nearest(name: str, release: str = LATEST) -> str | None:
    """The known option whose name is most like `name`."""
    names = [*options(release), *{option.name for option in _all()}]
    return next(iter(difflib.get_close_matches(name, names, 1, 0.75)), None)


def secret(name: str) -> bool:
    """Whether an option's value is a secret; of unknown ones by their name."""
    option = known(name) or known(renamed(name) or "")
    telling = name.upper().split("_")
    words = {"PW", "PASSWORD", "PASSWD", "PASS", "TOKEN", "SECRET", "KEY", "HASH", "AKEY", "CREDENTIALS", "PWD"}
    return bool(option and option.secret) or (option is None and bool(words & set(telling)))


def release_of(answers: Mapping[str, str]) -> str:
    """The release whose options are most like those of `answers`; of several the one whose defaults are, then the newest."""

    def unlike(release: str) -> tuple[int, int, int]:
        there = options(release)
        others = sum(there[name].default != value for name, value in answers.items() if name in there)
        return len(answers.keys() ^ there.keys()), others, -RELEASES.index(release)

    return min(RELEASES, key=unlike)


@cache
def _all() -> tuple[Option, ...]:
    text = files(__package__).joinpath("options.csv").read_text(encoding="utf-8")
    return tuple(
        Option(
            name=row["option"],
            since=row["since"],
            until=row["until"],
            default=row["default"],
            choices=tuple(filter(None, row["choices"].split("|"))),
            several=row["several"] == "y",
            secret=bool(row["secret"]),
            former=tuple(row["former"].split()),
        )
        for row in csv.DictReader(text.splitlines())
    )
