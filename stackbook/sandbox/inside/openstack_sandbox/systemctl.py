"""The ``systemctl`` of a sandbox host: the options, output and exit codes that an operator and a runbook know.

Units are those that the services record in ``run/units/<host>/``. Some are restarted inside their project's process
(asked for by a file in ``run/requests/<host>/``), some by restarting that process. Standard library only, and little
of it: runbooks call this often.
"""

from __future__ import annotations

import fnmatch
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from openstack_sandbox import kept, processes
from openstack_sandbox.systemctl_output import as_json, as_table, properties, status_text
from openstack_sandbox.systemctl_units import Unit, canonical, find

PATIENCE_S = 60.0
INACTIVE, UNKNOWN, NOT_LOADED = 3, 4, 5
_VALUED = {
    "-p": "property", "--property": "property", "-t": "type", "--type": "type", "-o": "output", "--output": "output",
    "-n": "lines", "--lines": "lines", "--state": "state", "--timestamp": "timestamp", "-P": "value-of",
}  # fmt: skip


class Request:
    """A command line, taken apart."""

    def __init__(self, arguments: Iterable[str]) -> None:
        self.words: list[str] = []
        self.flags: set[str] = set()
        self.options: dict[str, list[str]] = {}
        rest = list(arguments)
        while rest:
            self._take(rest.pop(0), rest)

    def option(self, name: str) -> list[str]:
        """All values of an option, each cut at its commas."""
        return [part for value in self.options.get(name, []) for part in value.split(",") if part]

    def _take(self, word: str, rest: list[str]) -> None:
        name, equals, value = word.partition("=")
        if name in _VALUED:
            self._add(name, value if equals else (rest.pop(0) if rest else ""))
        elif word[:2] in _VALUED and not word.startswith("--"):
            self._add(word[:2], word[2:])  # -pMainPID
        elif word.startswith("-"):
            self.flags.add(word)
        else:
            self.words.append(word)

    def _add(self, name: str, value: str) -> None:
        self.options.setdefault(_VALUED[name], []).append(value)


class Host:
    """A sandbox host as systemctl sees it."""

    def __init__(self, home: Path, name: str) -> None:
        self.home = home
        self.name = name
        self.restarted: set[str] = set()
        """Projects whose process this call restarted: once is enough for several of its units."""

    def units(self) -> dict[str, Unit]:
        """Every unit of this host by name."""
        return find(self.home, self.name)

    def chosen(self, patterns: list[str]) -> list[Unit]:
        """The units that match any of `patterns` (all, when there is none)."""
        wanted = [canonical(pattern) for pattern in patterns] or ["*"]
        return [unit for name, unit in self.units().items() if any(fnmatch.fnmatch(name, one) for one in wanted)]

    def asked(self, words: list[str]) -> list[Unit]:
        """One unit for each of `words`; one that is not known has the load state ``not-found``."""
        known = self.units()
        return [known.get(canonical(word)) or Unit.unknown(canonical(word)) for word in words]


def main() -> None:
    """Carry out ``HOME HOST ARGUMENT...`` of the command line and end with systemctl's exit code."""
    home, host, *arguments = sys.argv[1:]
    try:
        sys.exit(run(Host(Path(home), host), arguments))
    except BrokenPipeError:
        os._exit(0)


def run(host: Host, arguments: list[str]) -> int:
    """Carry out `arguments` on `host`; the exit code."""
    request = Request(arguments)
    verb, *words = request.words or ["list-units"]
    if "--version" in request.flags:
        print("systemd 252 (stand-in of the stackbook sandbox)")
        return 0
    if verb not in _VERBS:
        print(f"Unknown command verb {verb}.", file=sys.stderr)
        return 1
    return _VERBS[verb](host, request, words)


def _is(expected: str) -> Callable[[Host, Request, list[str]], int]:
    def check(host: Host, request: Request, words: list[str]) -> int:
        units = host.asked(words)
        if not request.flags & {"-q", "--quiet"}:
            print("\n".join(unit.active for unit in units))
        if any(unit.active == expected for unit in units):
            return 0
        if expected == "failed":
            return 1
        return UNKNOWN if not any(unit.known for unit in units) else INACTIVE

    return check


def _is_enabled(host: Host, request: Request, words: list[str]) -> int:
    units = host.asked(words)
    if not request.flags & {"-q", "--quiet"}:
        print("\n".join("enabled" if unit.known else "not-found" for unit in units))
    return 0 if any(unit.known for unit in units) else UNKNOWN


def _status(host: Host, request: Request, words: list[str]) -> int:
    codes = [0]
    for position, unit in enumerate(host.asked(words) if words else host.chosen([])):
        if not unit.known:
            print(f"Unit {unit.name}.service could not be found.", file=sys.stderr)
            codes.append(UNKNOWN)
            continue
        print("\n" * bool(position) + status_text(unit, host.home, _lines(request)))
        codes.append(0 if unit.active == "active" else INACTIVE)
    return max(codes)


def _lines(request: Request) -> int:
    value = (request.option("lines") or ["10"])[-1]
    return int(value) if value.isdecimal() else 10


def _show(host: Host, request: Request, words: list[str]) -> int:
    bare = "--value" in request.flags or bool(request.option("value-of"))
    wanted = request.option("property") + request.option("value-of")
    style = (request.option("timestamp") or ["pretty"])[-1]
    blocks = []
    for unit in host.asked(words) if words else host.chosen([]):
        known = properties(unit, style)
        shown = {name: value for name, value in known.items() if not wanted or name in wanted}
        blocks.append("\n".join(value if bare else f"{name}={value}" for name, value in shown.items()))
    print("\n\n".join(blocks))
    return 0


def _list_units(host: Host, request: Request, words: list[str]) -> int:
    types = request.option("type")
    units = host.chosen(words) if not types or "service" in types else []
    states = request.option("state")
    if states:
        units = [unit for unit in units if {unit.active, unit.sub} & set(states)]
    elif not request.flags & {"-a", "--all"}:
        units = [unit for unit in units if unit.active != "inactive"]
    rows = [
        {"unit": f"{one.name}.service", "load": "loaded", "active": one.active, "sub": one.sub, "description": one.title}
        for one in units
    ]
    return _print_rows(rows, request, f"{len(rows)} loaded units listed.")


def _list_unit_files(host: Host, request: Request, words: list[str]) -> int:
    rows = [{"unit_file": f"{one.name}.service", "state": "enabled", "preset": "enabled"} for one in host.chosen(words)]
    return _print_rows(rows, request, f"{len(rows)} unit files listed.")


def _print_rows(rows: list[dict[str, str]], request: Request, legend: str) -> int:
    if "json" in request.option("output"):
        print(as_json(rows))
    elif text := as_table(rows, None if request.flags & {"--no-legend", "--legend=no"} else legend):
        print(text)
    return 0


def _change(verb: str) -> Callable[[Host, Request, list[str]], int]:
    def change(host: Host, _request: Request, words: list[str]) -> int:
        unknown = [unit for unit in host.asked(words) if not unit.known]
        for unit in unknown:
            print(f"Failed to {verb} {unit.name}.service: Unit {unit.name}.service not found.", file=sys.stderr)
        if not words:
            print("Too few arguments.", file=sys.stderr)
            return 1
        with processes.lock(processes.lock_path(host.home)):
            units = [unit for unit in host.asked(words) if unit.known]
            for unit in units:
                _CHANGES[verb](host, unit)
            failed = [unit for unit in host.asked([unit.name for unit in units]) if not _as_wanted(verb, unit)]
        for unit in failed:
            print(f"Job for {unit.name}.service failed: {unit.error or unit.active}", file=sys.stderr)
            print(f'See "systemctl status {unit.name}.service" for details.', file=sys.stderr)
        return NOT_LOADED if unknown else int(bool(failed))

    return change


def _as_wanted(verb: str, unit: Unit) -> bool:
    return verb == "try-restart" or unit.active == ("inactive" if verb == "stop" else "active")


def _start(host: Host, unit: Unit) -> None:
    if unit.active == "active":
        return
    if processes.running(host.home, unit.project) is None:
        _start_process(host, unit.project)
    else:
        _ask(host, unit, "start")


def _stop(host: Host, unit: Unit) -> None:
    if unit.restartable == "process":
        processes.stop(host.home, [unit.project])
    elif unit.active == "active":
        _ask(host, unit, "stop")


def _restart(host: Host, unit: Unit) -> None:
    if unit.restartable == "unit" and processes.running(host.home, unit.project):
        _ask(host, unit, "restart")
    elif unit.project not in host.restarted:
        host.restarted.add(unit.project)
        if unit.restartable == "unit":
            kept.drop(host.home, host.name, unit.name)
        processes.stop(host.home, [unit.project])
        _start_process(host, unit.project)


def _try_restart(host: Host, unit: Unit) -> None:
    if unit.active == "active":
        _restart(host, unit)


def _start_process(host: Host, project: str) -> None:
    processes.start(host.home, project, sys.executable, str(Path(__file__).parent.parent))
    _until(lambda: processes.state(host.home, project) != "starting")


def _ask(host: Host, unit: Unit, verb: str) -> None:
    folder = host.home / "run" / "requests" / host.name
    folder.mkdir(parents=True, exist_ok=True)
    draft, request = folder / f".{unit.name}.{os.getpid()}", folder / unit.name
    draft.write_text(verb)
    os.replace(draft, request)
    _until(lambda: not request.exists() or processes.running(host.home, unit.project) is None)


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true() and time.monotonic() < deadline:
        time.sleep(processes.POLL_S)


def _nothing(_host: Host, _request: Request, _words: list[str]) -> int:
    return 0


_CHANGES = {"start": _start, "stop": _stop, "restart": _restart, "try-restart": _try_restart}
_VERBS: dict[str, Callable[[Host, Request, list[str]], int]] = {
    "is-active": _is("active"),
    "is-failed": _is("failed"),
    "is-enabled": _is_enabled,
    "status": _status,
    "show": _show,
    "list-units": _list_units,
    "list-unit-files": _list_unit_files,
    "daemon-reload": _nothing,
    **{verb: _change(verb) for verb in _CHANGES},
}
