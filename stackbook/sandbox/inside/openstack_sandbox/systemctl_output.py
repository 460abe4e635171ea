"""What the sandbox hosts' ``systemctl`` prints, in systemd's own forms."""

from __future__ import annotations

import json
import time
from collections import deque
from pathlib import Path

from openstack_sandbox.systemctl_units import Unit


def properties(unit: Unit, style: str) -> dict[str, str]:
    """The properties that ``systemctl show`` prints, times in `style` (``--timestamp=``)."""
    started = timestamp(unit.started, style) if unit.started else ""
    return {
        "Type": "simple",
        "Restart": "no",
        "MainPID": str(unit.pid),
        "Result": "exit-code" if unit.active == "failed" else "success",
        "ExecMainStartTimestamp": started,
        "ExecMainPID": str(unit.pid),
        "Id": f"{unit.name}.service",
        "Names": f"{unit.name}.service",
        "Description": unit.title if unit.known else f"{unit.name}.service",
        "LoadState": "loaded" if unit.known else "not-found",
        "ActiveState": unit.active,
        "SubState": unit.sub,
        "FragmentPath": f"/usr/lib/systemd/system/{unit.name}.service" if unit.known else "",
        "UnitFileState": "enabled" if unit.known else "",
        "ActiveEnterTimestamp": started,
        "StateChangeTimestamp": timestamp(unit.changed, style) if unit.changed else "",
    }


def timestamp(epoch: float, style: str) -> str:
    """`epoch` as systemd prints it: ``unix`` (``@1700000000``), ``us``, ``utc``, ``us+utc`` or, by default, local time."""
    if style == "unix":
        return f"@{int(epoch)}"
    moment = time.gmtime(epoch) if "utc" in style else time.localtime(epoch)
    zone = "UTC" if "utc" in style else time.strftime("%Z", moment)
    fraction = f".{int(epoch % 1 * 1_000_000):06d}" if style in ("us", "µs", "us+utc", "µs+utc") else ""
    return f"{time.strftime('%a %Y-%m-%d %H:%M:%S', moment)}{fraction} {zone}"


def status_text(unit: Unit, home: Path, lines: int) -> str:
    """What ``systemctl status`` prints of one unit, with the last `lines` that its process printed."""
    dot = {"active": "●", "failed": "×"}.get(unit.active, "○")
    since = f" since {timestamp(unit.started, 'pretty')}" if unit.active == "active" else ""
    text = [
        f"{dot} {unit.name}.service - {unit.title}",
        f"     Loaded: loaded (/usr/lib/systemd/system/{unit.name}.service; enabled; preset: enabled)",
        f"     Active: {unit.active} ({unit.sub}){since}",
    ]
    if unit.pid:
        text.append(f"   Main PID: {unit.pid} (python)")
    if unit.error:
        text.append(f"     Status: {unit.error}")
    if tail := _tail(home / "run" / f"{unit.project}.out", lines):
        text += ["", *tail]
    return "\n".join(text)


def as_json(rows: list[dict[str, str]]) -> str:
    """`rows` as ``--output=json`` prints them."""
    return json.dumps(rows, separators=(",", ":"))


def as_table(rows: list[dict[str, str]], legend: str | None) -> str:
    """`rows` in columns; a heading and `legend` unless that is None."""
    names = list(rows[0]) if rows else []
    lines = [dict(zip(names, (name.upper().replace("_", " ") for name in names), strict=True))] if legend else []
    lines += rows
    widths = {name: max(len(line[name]) for line in lines) for name in names}
    table = ["  " + " ".join(line[name].ljust(widths[name]) for name in names).rstrip() for line in lines]
    return "\n".join([*table, *(["", legend] if legend else [])])


def _tail(path: Path, lines: int) -> list[str]:
    try:
        with path.open(errors="replace") as file:
            return [line.rstrip() for line in deque(file, maxlen=lines)]
    except OSError:
        return []
