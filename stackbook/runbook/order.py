"""What to run: a runbook, checked values, consent, and the command that would repeat it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from stackbook.config import site_settings
from stackbook.errors import BadInput
from stackbook.runbook.catalogue import Runbook, find
from stackbook.runbook.coercion import Given
from stackbook.runbook.parameters import Values, checked


@dataclass(frozen=True)
class Consent:
    """What the person allows: a plan by its digest (or ``yes`` to any), and deletions beyond the usual."""

    PARAMETERS: ClassVar = frozenset({"approve", "allow_delete"})

    approve: str = ""
    allow_delete: bool = False

    def given(self) -> dict[str, Given]:
        """The parameters that carry the consent into the runbook."""
        approve: dict[str, Given] = {"approve": self.approve} if self.approve else {}
        return {**approve, **({"allow_delete": "true"} if self.allow_delete else {})}


NONE = Consent()


@dataclass(frozen=True)
class Order:
    """One execution: which runbook, with which values, for how long, and the command that repeats it."""

    runbook: Runbook
    values: Values
    timeout: float | None = None
    """Seconds for the whole run."""
    command: str = ""
    """Approves the plan when ``--approve DIGEST`` follows it."""
    stream: Any = field(default=None, repr=False)
    """Where progress is shown; standard error by default."""

    @property
    def site(self) -> str:
        """The name of the site, given or by default; empty for a runbook without one."""
        return str(self.values.get("site", self.runbook.default("site")) or "")


def order(
    runbook: Runbook,
    given: Mapping[str, Given],
    consent: Consent = NONE,
    *,
    site: str | None = None,
    timeout: float | None = None,
    stream: Any = None,
) -> Order:
    """What to execute, after all that can be refused beforehand is: raises BadInput."""
    steering = {**({"site": site} if site else {}), **consent.given()}
    repeat = {name: value for name, value in {**given, **steering}.items() if name not in Consent.PARAMETERS}
    for name in steering:
        if not runbook.declares(name):
            options = {"site": "--site", "approve": "--approve and --yes", "allow_delete": "--allow-delete"}[name]
            raise BadInput(
                f"{runbook.name} has no parameter {name!r}, so {options} can't be given", hint=f"stackbook show {runbook.name}"
            )
    values = checked({**given, **steering}, runbook.parameters, runbook.name)
    made = Order(runbook, values, timeout, _command(runbook, repeat), stream)
    if made.site:
        site_settings(made.site)
    return made


def texts(values: Values) -> dict[str, Given]:
    """Recorded values as texts again."""
    return {name: _text(value) for name, value in values.items()}


def _text(value: Any) -> Given:
    if isinstance(value, list):
        return [_text(item) for item in value]
    if isinstance(value, dict):
        return {name: _text(item) for name, item in value.items()}
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _command(runbook: Runbook, given: Mapping[str, Given]) -> str:
    name = runbook.name if "/" not in str(runbook.path) or _by_name(runbook) else str(runbook.path)
    options = [
        f"--site {shlex.quote(_flat(value))}" if parameter == "site" else f"-p {shlex.quote(f'{parameter}={_flat(value)}')}"
        for parameter, value in given.items()
    ]
    return " ".join(["stackbook run", shlex.quote(name), *options])


def _by_name(runbook: Runbook) -> bool:
    try:
        return find(runbook.name).path == runbook.path
    except BadInput:
        return False


def _flat(value: Given) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
