"""Services on hosts: running, and running their newest configuration."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from stackbook.errors import BadInput, Refused, StackbookError
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.services import CONTAINERS, service
from stackbook.units import State, change, states

if TYPE_CHECKING:
    from stackbook.site import Site

SETTLE = 60.0
"""Seconds that a service may take to become active."""


@dataclass(frozen=True, kw_only=True)
class Service(Resource):
    """A service on a host, by its own project's name: a systemd unit or a container, as the site's layout has it.

    A restart is a state like any other, so it is planned, proved, and does not repeat itself. `fresh` means: started after
    its configuration (`config`, else what is known of the service) was last written; `started_after` means: started
    after that moment, given as ISO 8601, in UTC where no zone is named.
    """

    kind: ClassVar[str] = "service"
    identity: ClassVar[tuple[str, ...]] = ("host", "name")
    follows: ClassVar[bool] = True
    hidden: ClassVar[frozenset[str]] = frozenset({"config"})

    host: str
    name: str
    running: bool | None = True
    enabled: bool | None = None
    fresh: bool | None = None
    started_after: str | None = None
    config: tuple[str, ...] | None = None

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """Whether it runs, is enabled, and runs its newest configuration, `pending` edits counted as newer."""
        state = self._state(site)
        fresh = state.running and not self._edited(site, pending) and state.started >= self._written(site)
        values: Values = {"running": state.running, "enabled": state.enabled, "fresh": fresh}
        if self.started_after is not None:
            values["started_after"] = self.started_after if self._late_enough(state) else _iso(state.started)
        return Actual(None, values)

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse a service that the host does not have, and what containers don't do."""
        if not self._state(site).known:
            units = " or ".join(service(self.name).units(site.settings.layout)) or self.name
            raise Refused(
                f"{self.host} has no service {self.name} (looked for {units})",
                hint=f"stackbook run service-restart shows what {self.host} has; is the site's layout {site.settings.layout}?",
            )
        if site.settings.layout == CONTAINERS and self.enabled is not None and not _is(actual, "enabled", self.enabled):
            raise Refused(
                f"{self.address}: whether a container starts with its host is Kolla's to set", hint="kolla-ansible deploy"
            )

    def said(self, before: Values, after: Values) -> dict[str, str]:
        """That a service which does not run its newest configuration, or runs for too long, is restarted."""
        told = {"enabled": "start with the host" if after.get("enabled") else "no longer start with the host"}
        told["running"] = "start" if after.get("running") else "stop"
        restarted = "" if "running" in after else "restart"
        told["fresh"] = restarted and f"{restarted}: its configuration is newer"
        since = "" if "fresh" in after else restarted
        told["started_after"] = since and f"{since}: it runs since {_short(before.get('started_after'))}"
        return {name: told[name] for name in after}

    def create(self, site: Site, change: Change) -> Values:
        """Start it."""
        return self.update(site, change)

    def update(self, site: Site, change: Change) -> Values:
        """Restart, start, stop, enable or disable it as asked; a restart that another change brought about is not repeated."""
        for verb in self._verbs(site, change.after):
            self._carry_out(site, verb)
        if change.after.get("running", True):
            self._settle(site)
        return {}

    def _verbs(self, site: Site, after: Values) -> list[str]:
        verbs = ["enable" if after["enabled"] else "disable"] if "enabled" in after else []
        if after.get("running") is False:
            return [*verbs, "stop"]
        wanted = {name for name in ("running", "fresh", "started_after") if after.get(name)}
        actual = self.read(site)
        if not wanted or (actual and all(_is(actual, name, after[name]) for name in wanted)):
            return verbs
        return [*verbs, "start" if wanted == {"running"} else "restart"]

    def _carry_out(self, site: Site, verb: str) -> None:
        host, unit = site.host(self.host), self._state(site).unit
        try:
            change(host, site.settings.layout, unit, verb, timeout=SETTLE + 30)
        except StackbookError as error:
            raise StackbookError(f"{error.what}", found=error.found, hint=self._look(site)) from None

    def _settle(self, site: Site) -> None:
        until = time.monotonic() + SETTLE
        while (state := self._state(site)).active != "active":
            if state.active == "failed" or time.monotonic() > until:
                raise StackbookError(f"{self.host}: {self.name} is {state.active} after its restart", hint=self._look(site))
            time.sleep(0.3)

    def _look(self, site: Site) -> str:
        return f"read the end of {service(self.name).log(site.settings.layout, self._state(site).unit)} on {self.host}"

    def _state(self, site: Site) -> State:
        return states(site.host(self.host), site.settings.layout, [self.name])[self.name]

    def _late_enough(self, state: State) -> bool:
        return state.running and state.started >= moment(self.started_after or "").timestamp()

    def _paths(self, site: Site) -> tuple[str, ...]:
        return tuple(self.config) if self.config is not None else service(self.name).config(site.settings.layout)

    def _edited(self, site: Site, pending: Sequence[Change]) -> bool:
        edited = {(change.resource.get("host"), change.resource.get("path")) for change in pending}
        return any((self.host, path) in edited for path in self._paths(site))

    def _written(self, site: Site) -> float:
        host = site.host(self.host)
        return max((stat.mtime for path in self._paths(site) if (stat := host.stat(path))), default=0.0)


def moment(text: str) -> datetime:
    """The time that `text` names; raises BadInput for what is none, or lies ahead: no service started after that."""
    now = datetime.now(UTC)
    hint = f"the time now is {now:%Y-%m-%dT%H:%M:%SZ}: a moment, so that the restart is done once"
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is not a time such as 2026-11-23T17:05:00Z", hint=hint) from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if found > now:
        raise BadInput(f"{text} lies ahead", hint=hint)
    return found


def _is(actual: Actual | None, name: str, value: object) -> bool:
    return actual is not None and actual.values.get(name) == value


def _iso(seconds: float) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if seconds else None


def _short(stamp: object) -> str:
    return str(stamp).replace("T", " ").replace("Z", " UTC") if stamp else "an unknown time"
