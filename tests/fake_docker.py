"""A stand-in for docker and podman: containers in a JSON file beside it, answered in the form of the real ones.

The forms are those of Docker 26 and Podman 4: a stamp with nanoseconds in UTC, or with the zone's offset; health under
``Health``, which older Podmans call ``Healthcheck``; the year 1 for never; 125 and 1 as exit codes for what is not there.
"""

from __future__ import annotations

import json
import stat
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

NEVER = "0001-01-01T00:00:00Z"


def install(root: Path, engine: str, containers: dict[str, dict[str, Any]]) -> Path:
    """Put the stand-in as `engine` into ``/usr/bin`` of the host at `root`; returns the file that holds `containers`."""
    folder = root / "usr" / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "containers.json"
    state.write_text(json.dumps(containers))
    program = folder / engine
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {__file__} "$0" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return state


def container(started: str, status: str = "running", **more: Any) -> dict[str, Any]:
    """A container as `install` takes it."""
    return {"Status": status, "StartedAt": started, "FinishedAt": NEVER, "ExitCode": 0, **more}


def _now(engine: str) -> str:
    zone = UTC if engine == "docker" else timezone(timedelta(hours=2))
    told = datetime.now(zone).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return told.replace("Z", "123Z") if told.endswith("Z") else told.replace("+", "123+")


def _main(program: Path, words: list[str]) -> int:
    path = program.parent / "containers.json"
    known = json.loads(path.read_text())
    match words:
        case ["ps", "--all", "--format", "{{.Names}}"]:
            print("\n".join(known))
        case ["inspect", "--type", "container", "--format", "{{json .State}} {{json .HostConfig.RestartPolicy.Name}}", *names]:
            for name in names:
                if name not in known:
                    print(f"Error: No such container: {name}", file=sys.stderr)
                    return 1 if program.name == "docker" else 125
                print(json.dumps(known[name]), json.dumps("unless-stopped"))
        case ["start" | "restart" as verb, name]:
            broken = known[name].get("Broken")
            if verb == "restart" or known[name]["Status"] != "running":
                known[name] |= {
                    "Status": "exited" if broken else "running",
                    "ExitCode": int(bool(broken)),
                    "StartedAt": _now(program.name),
                }
            path.write_text(json.dumps(known))
            print(name)
        case ["stop", name]:
            known[name] |= {"Status": "exited", "ExitCode": 143, "FinishedAt": _now(program.name)}
            path.write_text(json.dumps(known))
            print(name)
        case _:
            print(f"{program.name}: {words} is not known to this stand-in", file=sys.stderr)
            return 64
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), sys.argv[2:]))
