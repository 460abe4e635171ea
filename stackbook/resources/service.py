"""Services on hosts: running, and running their newest configuration."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from stackbook.errors import Refused, StackbookError
from stackbook.plans import Actual, Change, Resource, Values

if TYPE_CHECKING:
    from stackbook.hosts import Host
    from stackbook.site import Site

PROPERTIES = ("LoadState", "ActiveState", "UnitFileState", "ActiveEnterTimestamp")
NEUTRON = ("/etc/neutron/neutron.conf", "/etc/neutron/plugins/ml2/ml2_conf.ini")
AGENT = ("/etc/neutron/neutron.conf", "/etc/neutron/plugins/ml2/openvswitch_agent.ini")
CONFIG = {
    "neutron-server": NEUTRON,
    "neutron-openvswitch-agent": AGENT,
    "neutron-l3-agent": ("/etc/neutron/neutron.conf", "/etc/neutron/l3_agent.ini"),
    "neutron-dhcp-agent": ("/etc/neutron/neutron.conf", "/etc/neutron/dhcp_agent.ini"),
    "nova-compute": ("/etc/nova/nova.conf",),
    "cinder-volume": ("/etc/cinder/cinder.conf",),
}
"""The files that a service reads at its start."""
SETTLE = 60.0
"""Seconds that a service may take to become active."""


@dataclass(frozen=True, kw_only=True)
class Service(Resource):
    """A systemd service on a host.

    `fresh` means: started after its configuration (`config`, else what is known of the service) was last written. A
    restart is therefore a state like any other: it is planned when the configuration is newer or about to be changed,
    and does not repeat itself.
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
    config: tuple[str, ...] | None = None

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """Whether it runs, is enabled, and runs its newest configuration, `pending` edits counted as newer."""
        host = site.host(self.host)
        shown = _show(host, self.name)
        running = shown["ActiveState"] in ("active", "reloading")
        enabled = shown["UnitFileState"] in ("enabled", "enabled-runtime", "static", "alias")
        fresh = running and not self._edited(pending) and started(shown["ActiveEnterTimestamp"]) >= self._written(host)
        return Actual(None, {"running": running, "enabled": enabled, "fresh": fresh})

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse a service that the host does not know."""
        if _show(site.host(self.host), self.name)["LoadState"] == "not-found":
            raise Refused(
                f"{self.host} has no service {self.name}", hint=f"systemctl list-units on {self.host} shows its services"
            )

    def explain(self, names: Sequence[str]) -> str:
        """That a service which does not run its newest configuration is restarted."""
        return "restart: its configuration is newer" if "fresh" in names else ""

    def create(self, site: Site, change: Change) -> Values:
        """Start it."""
        return self.update(site, change)

    def update(self, site: Site, change: Change) -> Values:
        """Restart it where its configuration is newer; start, stop, enable or disable it as asked."""
        host = site.host(self.host)
        for verb in _verbs(change.after):
            host.run(["systemctl", verb, self.name], timeout=SETTLE + 30)
        if change.after.get("running", True):
            self._settle(host)
        return {}

    def _settle(self, host: Host) -> None:
        until = time.monotonic() + SETTLE
        while (state := _show(host, self.name)["ActiveState"]) != "active":
            if state == "failed" or time.monotonic() > until:
                raise StackbookError(
                    f"{self.host}: {self.name} is {state} after its restart",
                    hint=f"journalctl -u {self.name} on {self.host}; stackbook undo takes the configuration back",
                )
            time.sleep(0.3)

    def _paths(self) -> tuple[str, ...]:
        return tuple(self.config) if self.config is not None else CONFIG.get(self.name, ())

    def _edited(self, pending: Sequence[Change]) -> bool:
        edited = {(change.resource.get("host"), change.resource.get("path")) for change in pending}
        return any((self.host, path) in edited for path in self._paths())

    def _written(self, host: Host) -> float:
        return max((stat.mtime for path in self._paths() if (stat := host.stat(path))), default=0.0)


def started(stamp: str) -> float:
    """When a service became active, in seconds since the epoch, from systemd's stamp; 0 when it never did.

    A stamp without a fraction stands for the end of its second: what was written in the second of the start counts as read.
    """
    if not stamp or stamp == "n/a":
        return 0.0
    day, clock = stamp.split()[1:3]
    exact = "." in clock
    moment = datetime.strptime(f"{day} {clock}", "%Y-%m-%d %H:%M:%S.%f" if exact else "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return moment.timestamp() + (0.0 if exact else 1.0)


def _show(host: Host, name: str) -> dict[str, str]:
    """The service's properties; times in UTC, to the microsecond where this systemd tells it."""
    asked = ["systemctl", "show", name, *(f"--property={item}" for item in PROPERTIES)]
    answer = host.run([*asked, "--timestamp=us+utc"], check=False)
    if answer.code:
        answer = host.run(["env", "TZ=UTC", *asked])
    pairs = dict(line.split("=", 1) for line in answer.out.splitlines() if "=" in line)
    return {item: pairs.get(item, "") for item in PROPERTIES}


def _verbs(after: Values) -> list[str]:
    verbs = []
    if "enabled" in after:
        verbs.append("enable" if after["enabled"] else "disable")
    if after.get("running") is False:
        return [*verbs, "stop"]
    if after.get("fresh"):
        return [*verbs, "restart"]
    return [*verbs, "start"] if after.get("running") else verbs
