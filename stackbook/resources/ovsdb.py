"""What Open vSwitch's database on a host says, and how it is told: RFC 7047's values in JSON, as ``ovs-vsctl`` prints them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from stackbook.errors import StackbookError
from stackbook.plans import Values

if TYPE_CHECKING:
    from stackbook.hosts import Host

VSCTL = ("ovs-vsctl", "--timeout=10")
"""Without a limit it would wait for a dead ovs-vswitchd for ever."""
SANDBOX_WITHOUT = 69
"""What a sandbox host's ``ovs-vsctl`` exits with where the machine has no Open vSwitch for it."""


def decode(value: Any) -> Any:
    """A value of the database as Python has it: a map as dict, a set as list, a UUID as its text.

    A set of one is written as the bare value: see `several` and `optional` for columns that hold sets.
    """
    if not isinstance(value, list):
        return value
    match value:
        case ["uuid" | "named-uuid", str(text)]:
            return text
        case ["set", list(items)]:
            return [decode(item) for item in items]
        case ["map", list(pairs)]:
            return {decode(key): decode(item) for key, item in pairs}
    raise StackbookError("Open vSwitch's database answered something that is no value of RFC 7047", found=json.dumps(value)[:200])


def several(value: Any) -> list[Any]:
    """The members of a column that holds a set, decoded already."""
    return value if isinstance(value, list) else [value]


def optional(value: Any) -> Any:
    """The value of a column that holds at most one, decoded already; None when it is empty."""
    found = several(value)
    return found[0] if found else None


def table(text: str) -> list[Values]:
    """The rows of what ``ovs-vsctl --format=json list`` printed, a value per column, decoded."""
    told = json.loads(text)
    return [dict(zip(told["headings"], map(decode, row), strict=True)) for row in told["data"]]


def rows(host: Host, name: str, columns: Iterable[str]) -> list[Values]:
    """All rows of a table of the database on `host`; raises HostFailed where there is no Open vSwitch."""
    asked = [*VSCTL, "--format=json", f"--columns={','.join(columns)}", "list", name]
    return table(host.run(asked).out)


def answers(host: Host) -> bool:
    """Whether there is an Open vSwitch to ask: False on a sandbox's host that has none, and where it is not installed."""
    asked = host.run(["env", *VSCTL, "--columns=_uuid", "list", "Open_vSwitch"], check=False)
    if asked.code in (SANDBOX_WITHOUT, 127):
        return False
    if asked.code:
        raise StackbookError(
            f"{host.name}: Open vSwitch does not answer",
            found=(asked.err or asked.out).strip()[-500:],
            hint=f"systemctl status openvswitch (or openvswitch-switch) on {host.name}",
        )
    return True


def change(host: Host, *commands: Iterable[str]) -> None:
    """Carry out the commands of ``ovs-vsctl`` in one transaction, and wait until Open vSwitch has done so."""
    words = [word for number, command in enumerate(commands) for word in (*(["--"] if number else []), *command)]
    host.run([*VSCTL, *words])


def quoted(text: str) -> str:
    """A string as an argument of ``ovs-vsctl``, whatever characters it holds."""
    return json.dumps(text, ensure_ascii=False)
