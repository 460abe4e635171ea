"""Runbooks at set times: a timer and a service of systemd each, whose files are all that there is of a schedule."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackbook.errors import BadInput, StackbookError
from stackbook.hosts import HostFailed

if TYPE_CHECKING:
    from stackbook.hosts import Host

PREFIX = "stackbook-"
SYSTEM = "/etc/systemd/system"
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,80}")
NOTE = "# Made by stackbook schedule add; stackbook schedule remove takes it away.\n"
SERVICE = """\
[Unit]
Description={description}
{network}
[Service]
Type=oneshot
{user}WorkingDirectory={folder}
ExecStart={command}
UMask=0077
Nice=10
"""
TIMER = """\
[Unit]
Description={description}

[Timer]
OnCalendar={at}
Persistent=true

[Install]
WantedBy=timers.target
"""
NETWORK = "Wants=network-online.target\nAfter=network-online.target\n"
ENDED = {"0": "done", "1": "failed", "2": "changes await approval", "3": "bad input"}
"""What the exit code of a run's command means."""


@dataclass(frozen=True)
class Schedule:
    """A command of stackbook at set times."""

    name: str
    at: str
    """As systemd's OnCalendar reads it: ``daily``, ``06:00``, ``Mon..Fri 06:00``."""
    command: Sequence[str]
    folder: str
    """The workspace, in which it runs."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise BadInput(
                f"schedule {self.name!r}: expected small letters, digits, dots and dashes", hint="choose another with --name"
            )
        for text in (self.at, self.folder, *self.command):
            if re.search(r"[\x00-\x1f]", text):
                raise BadInput(f"schedule {self.name}: {text!r} holds a control character", hint="leave it out")

    def units(self, *, system: bool) -> dict[str, str]:
        """Name and text of the two units, of the system's or of a user's manager."""
        description = _literal(f"stackbook: {self.name}")
        about = {
            "description": description,
            "network": NETWORK if system else "",
            "user": "User=root\n" if system else "",
            "folder": _literal(self.folder),
            "command": " ".join(map(_quoted, self.command)),
        }
        return {
            f"{PREFIX}{self.name}.service": NOTE + SERVICE.format(**about),
            f"{PREFIX}{self.name}.timer": NOTE + TIMER.format(description=description, at=self.at),
        }


class Schedules:
    """The schedules of a host: in `folder` of a user's own, else the system's."""

    def __init__(self, host: Host, folder: str = SYSTEM) -> None:
        self.host = host
        self.folder = folder
        self._manager = ["systemctl"] if folder == SYSTEM else ["systemctl", "--user"]

    def files(self, schedule: Schedule) -> dict[str, str]:
        """Path and text of the files of a schedule."""
        units = schedule.units(system=self.folder == SYSTEM)
        return {f"{self.folder}/{name}": text for name, text in units.items()}

    def check(self, schedule: Schedule) -> str:
        """When it would run first, as systemd tells it.

        Raises BadInput for times that systemd does not read, and for a name that another schedule has.
        """
        told = self.host.run(["systemd-analyze", "calendar", schedule.at], check=False)
        if told.code and "nknown" not in told.err:  # "Unknown operation": systemd before 235 can't tell
            said = told.err.strip().partition("\n")[0]
            raise BadInput(f"--at {schedule.at!r}: {said}", hint="for example: daily, 06:00, Mon..Fri 06:00, *-*-01 04:00")
        for path, text in self.files(schedule).items():
            found = self.host.read(path)
            if found is not None and found.decode(errors="replace") != text:
                raise BadInput(
                    f"schedule {schedule.name} exists already, and is another one: {path}",
                    hint=f"stackbook schedule remove {schedule.name}, or choose another name with --name",
                )
        return _line(told.out, "Next elapse")

    def add(self, schedule: Schedule) -> str:
        """Write its files and start its timer; when it runs first. Nothing is left of one that can't be started."""
        first = self.check(schedule)
        files = self.files(schedule)
        try:
            for path, text in files.items():
                self.host.write(path, text.encode(), 0o644)
            self._systemctl("daemon-reload")
            self._systemctl("enable", "--now", f"{PREFIX}{schedule.name}.timer")
        except StackbookError as error:
            self._forget(schedule.name)
            line = f"cd {shlex.quote(schedule.folder)} && {shlex.join(schedule.command)}"
            raise HostFailed(
                f"schedule {schedule.name} can't be started: {error.what}",
                found=error.found,
                hint=f"where systemd does not run, cron does: {line}",
            ) from None
        return first

    def remove(self, name: str) -> None:
        """Stop its timer and take its files away; a run that goes on is left alone."""
        names = [row["name"] for row in self.all()]
        if name not in names:
            raise BadInput(f"no schedule {name!r}", found=names or "none", hint="stackbook schedule list")
        self._systemctl("disable", "--now", f"{PREFIX}{name}.timer")
        self._forget(name)

    def all(self) -> list[dict[str, Any]]:
        """A row each: name, times, when it runs next and ran last, how that ended, and the command."""
        return [self._row(path) for path in self._timers()]

    def _timers(self) -> Iterator[str]:
        if self.host.stat(self.folder):
            found = self.host.run(["find", self.folder, "-maxdepth", "1", "-name", f"{PREFIX}*.timer"]).out
            yield from sorted(path for path in found.splitlines() if NOTE.encode() in (self.host.read(path) or b""))

    def _row(self, path: str) -> dict[str, Any]:
        unit = path.rpartition("/")[2].removesuffix(".timer")
        timer, service = (self._text(path), self._text(path.removesuffix(".timer") + ".service"))
        told = self._shown(f"{unit}.timer", "NextElapseUSecRealtime", "LastTriggerUSec")
        ended = self._shown(f"{unit}.service", "ActiveState", "ExecMainStatus", "ExecMainExitTimestamp")
        how = ENDED.get(ended.get("ExecMainStatus", ""), f"exit code {ended.get('ExecMainStatus')}")
        return {
            "name": unit.removeprefix(PREFIX),
            "at": _line(timer, "OnCalendar", "="),
            "next": told.get("NextElapseUSecRealtime") or "-",
            "last": told.get("LastTriggerUSec") or "-",
            "ended": "runs now"
            if ended.get("ActiveState") == "activating"
            else how
            if ended.get("ExecMainExitTimestamp")
            else "-",
            "command": _line(service, "ExecStart", "=").partition(" -m ")[2],
        }

    def _text(self, path: str) -> str:
        return (self.host.read(path) or b"").decode(errors="replace")

    def _shown(self, unit: str, *properties: str) -> dict[str, str]:
        """What systemd tells of a unit; nothing where it does not run."""
        with suppress(HostFailed):
            asked = [*self._manager, "show", unit, *(f"--property={name}" for name in properties)]
            pairs = (line.partition("=") for line in self.host.run(asked).out.splitlines())
            return {name: value for name, _, value in pairs if value not in ("", "n/a")}
        return {}

    def _systemctl(self, *words: str) -> None:
        self.host.run([*self._manager, *words])

    def _forget(self, name: str) -> None:
        for kind in ("timer", "service"):
            self.host.remove(f"{self.folder}/{PREFIX}{name}.{kind}")
        with suppress(HostFailed):  # it does not run: there is nothing that it could keep
            self._systemctl("daemon-reload")


def where(user: int, home: Path) -> str:
    """The folder of the units of user number `user`; root's are the system's."""
    return SYSTEM if user == 0 else str(home / ".config" / "systemd" / "user")


def _literal(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """A word of a command line as systemd splits it: quoted where it has to be, no specifier, no variable."""
    plain = _literal(word).replace("$", "$$")
    if re.fullmatch(r"[\w@%+=:,./$-]+", plain):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _line(text: str, name: str, sign: str = ":") -> str:
    """What follows ``name:`` in a text."""
    for line in text.splitlines():
        before, _, after = line.partition(sign)
        if before.strip() == name:
            return after.strip()
    return ""
