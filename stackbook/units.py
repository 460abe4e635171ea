"""What runs on a host: systemd's units, or Kolla's containers, read and changed alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stackbook.errors import StackbookError
from stackbook.hosts import HostFailed
from stackbook.services import CONTAINERS, service

if TYPE_CHECKING:
    from stackbook.hosts import Host

PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "ActiveEnterTimestamp",
    "StateChangeTimestamp",
    "NRestarts",
)
ENGINES = ("docker", "podman")
_CONTAINER_STATES = {"running": "active", "exited": "inactive", "created": "inactive", "dead": "failed"}


@dataclass(frozen=True)
class State:
    """A service on a host, as it is now."""

    unit: str
    """Its unit or container; empty where the host has none."""
    active: str = "absent"
    """As systemd says it: active, inactive, failed, activating …; absent where there is no such unit."""
    sub: str = ""
    """More of it: running, dead, exited; of a container its health, where it has a check."""
    enabled: bool = False
    """Whether it comes up with the host."""
    started: float = 0.0
    """When it became active, in seconds since the epoch; 0 when it never did."""
    since: float = 0.0
    """Since when it is in this state; 0 where that is not known."""
    restarts: int = 0
    """How often systemd started it again after it ended by itself; 0 where it does not tell (before systemd 235)."""

    @property
    def known(self) -> bool:
        """Whether the host has it."""
        return bool(self.unit)

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self.active in ("active", "reloading")


ABSENT = State("")


def states(host: Host, layout: str, names: Iterable[str]) -> dict[str, State]:
    """The state of each of the services `names` on `host`, asked all at once."""
    units = {name: service(name).units(layout) for name in names}
    asked = list(dict.fromkeys(unit for listed in units.values() for unit in listed))
    found = _containers(host, asked) if layout == CONTAINERS else _shown(host, asked)
    return {name: _present([found[unit] for unit in listed if unit in found]) for name, listed in units.items()}


def change(host: Host, layout: str, unit: str, verb: str, timeout: float) -> None:
    """Start, stop or restart `unit` (a container in Kolla's layout); enable or disable a unit of systemd."""
    if layout != CONTAINERS:
        host.run(["systemctl", verb, unit], timeout=timeout)
        return
    watching = f"kolla-{unit}-container"  # since 2023.1 systemd keeps the containers: it would undo what is done behind its back
    try:
        kept = bool(_shown(host, [watching]))
    except HostFailed:
        kept = False
    host.run(["systemctl", verb, watching] if kept else [_engine(host)[0], verb, unit], timeout=timeout)


def _present(found: list[State]) -> State:
    """Of units that stand for one another, the one that the host uses."""
    return next((state for state in found if state.enabled or state.active != "inactive"), found[0] if found else ABSENT)


def _shown(host: Host, units: list[str]) -> dict[str, State]:
    """The units that systemd knows; times in UTC, to the microsecond where this systemd tells it."""
    if not units:
        return {}
    asked = ["systemctl", "show", *units, *(f"--property={item}" for item in PROPERTIES)]
    answer = host.run([*asked, "--timestamp=us+utc"], check=False)
    if answer.code:
        answer = host.run(["env", "TZ=UTC", *asked])
    blocks = [block for block in re.split(r"\n\s*\n", answer.out.strip()) if block]
    if len(blocks) != len(units):
        raise StackbookError(f"{host.name}: systemctl show told of {len(blocks)} of {len(units)} units", found=answer.out[:2000])
    told = {unit: properties(block) for unit, block in zip(units, blocks, strict=True)}
    return {unit: _state(unit, shown) for unit, shown in told.items() if shown["LoadState"] != "not-found"}


def properties(block: str) -> dict[str, str]:
    """What ``systemctl show`` printed of one unit; empty for what it left out."""
    pairs = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    return {item: pairs.get(item, "") for item in PROPERTIES}


def _state(unit: str, shown: dict[str, str]) -> State:
    enabled = shown["UnitFileState"] in ("enabled", "enabled-runtime", "static", "alias")
    times = started(shown["ActiveEnterTimestamp"]), started(shown["StateChangeTimestamp"])
    return State(unit, shown["ActiveState"], shown["SubState"], enabled, *times, restarts=int(shown["NRestarts"] or 0))


def started(stamp: str) -> float:
    """The moment of systemd's stamp, in seconds since the epoch; 0 for none.

    A stamp without a fraction stands for the end of its second: what was written in the second of the start counts as read.
    """
    if not stamp or stamp == "n/a":
        return 0.0
    day, clock = stamp.split()[1:3]
    exact = "." in clock
    moment = datetime.strptime(f"{day} {clock}", "%Y-%m-%d %H:%M:%S.%f" if exact else "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return moment.timestamp() + (0.0 if exact else 1.0)


def _containers(host: Host, names: list[str]) -> dict[str, State]:
    """The containers that there are; asking for one that is not there would be an error."""
    engine, there = _engine(host)
    wanted = [name for name in names if name in there]
    if not wanted:
        return {}
    told = "{{json .State}} {{json .HostConfig.RestartPolicy.Name}}"
    answer = host.run([engine, "inspect", "--type", "container", "--format", told, *wanted])
    return {name: container(name, line) for name, line in zip(wanted, answer.out.splitlines(), strict=True)}


def container(name: str, line: str) -> State:
    """The state of a container from what ``docker inspect`` or ``podman inspect`` told of it, as JSON."""
    told, end = json.JSONDecoder().raw_decode(line)
    policy = json.loads(line[end:])
    status = str(told["Status"])
    active = _CONTAINER_STATES.get(status, status)
    if active == "inactive" and told.get("ExitCode") not in (0, 137, 143):  # the signals by which it is stopped
        active = "failed"
    since = told["StartedAt"] if active == "active" else told["FinishedAt"]
    health = (told.get("Health") or told.get("Healthcheck") or {}).get("Status") or status
    return State(name, active, str(health), policy not in ("", "no"), stamped(told["StartedAt"]), stamped(since))


def stamped(stamp: str) -> float:
    """The moment of an RFC 3339 stamp with up to nanoseconds, in seconds since the epoch; 0 for the year 1, which is never."""
    moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", stamp.replace("Z", "+00:00")))
    return moment.timestamp() if moment.year > 1 else 0.0


def containers(host: Host) -> dict[str, str]:
    """The images of the containers that run on `host`, by the container's name."""
    engine, _ = _engine(host)
    listed = host.run([engine, "ps", "--format", "{{.Names}} {{.Image}}"]).out
    return dict(line.split(" ", 1) for line in listed.splitlines() if " " in line)


def _engine(host: Host) -> tuple[str, set[str]]:
    """The program that keeps the host's containers, and their names; raises HostFailed when none answers."""
    failed = []
    for engine in ENGINES:
        try:
            return engine, set(host.run([engine, "ps", "--all", "--format", "{{.Names}}"]).out.split())
        except HostFailed as error:
            failed.append(f"{error.what}{f': {error.found}' if error.found else ''}")
    raise HostFailed(f"{host.name}: neither docker nor podman answers", found=failed, hint="is the site's layout really kolla?")


def since(state: State) -> str:
    """Since when a service is in its state, for people, in UTC; empty where that is not known."""
    return datetime.fromtimestamp(state.since, UTC).strftime("%Y-%m-%d %H:%M:%S") if state.since else ""
