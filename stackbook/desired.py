"""Lists of desired resources that runbooks share: what an operator would otherwise type out host by host."""

from __future__ import annotations

from csv import DictReader
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from stackbook.errors import BadInput
from stackbook.resources import Port, Quota, RoleAssignment, User
from stackbook.resources.quota import NETWORK

if TYPE_CHECKING:
    from stackbook.plans import Resource


def fixed_ports(network: str, *, ip: str = "", mac: str = "", name: str = "", server: str = "", csv: str = "") -> list[Port]:
    """The ports of a CSV file with the columns name, network, ip, mac, server; without one, the single port described.

    Empty columns take the argument of that name. Raises BadInput, with the line's number, for what is not understood.
    """
    given = {"network": network, "ip": ip, "mac": mac, "name": name, "server": server}
    if not csv:
        return [_port(given)]
    return [
        _port({**given, **{column: text for column, text in row.items() if text}}) for row in _csv_rows(Path(csv), set(given))
    ]


def _port(row: dict[str, str]) -> Port:
    name = row["name"] or "-".join(part for part in (row["network"], row["ip"] or row["server"]) if part)
    return Port(
        name=name,
        network=row["network"],
        ip_address=row["ip"] or None,
        mac_address=row["mac"] or None,
        server=row["server"] or None,
    )


def _csv_rows(path: Path, columns: set[str]) -> list[dict[str, str]]:
    try:
        lines = path.expanduser().read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise BadInput(
            f"{path}: can't be read: {error.strerror}", hint="give the path as seen from the folder you run in"
        ) from None
    dialect = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    reader = DictReader(lines, delimiter=dialect)
    unknown = set(reader.fieldnames or ()) - columns
    if unknown or not reader.fieldnames:
        found = ", ".join(reader.fieldnames or ()) or "nothing"
        raise BadInput(f"{path}, line 1: expected some of the columns {', '.join(sorted(columns))}", found=found)
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise BadInput(f"{path}, line {reader.line_num}: expected {len(reader.fieldnames)} columns", found=str(row))
        rows.append({column: text.strip() for column, text in row.items()})
    return rows


def team(project: str, users: list[str], *, passwords: str | None = None) -> list[Resource]:
    """The users (``name:role``, the role ``member`` when none is given) and their roles in `project`."""
    pairs = [(name, role or "member") for name, _, role in (user.partition(":") for user in users)]
    made = [User(name=name, password_from=passwords) for name, _ in pairs]
    return [*made, *(RoleAssignment(user=name, role=role, project=project) for name, role in pairs)]


def quota(project: str, limits: dict[str, int]) -> Quota:
    """The limits of a project, each under the name that we, its API or the ``openstack`` command has for it.

    Raises BadInput for a name that is no quota.
    """
    known = quota_names()
    given: dict[str, int] = {}
    for name, limit in limits.items():
        plain = name.strip().lower().replace("-", "_")
        ours = _OTHER_NAMES.get(plain, plain)
        if ours not in known:
            near = get_close_matches(ours, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}"
            raise BadInput(f"quotas: there is no quota {name!r}", hint=hint)
        if ours in given:
            raise BadInput(f"quotas: {ours} is given twice", found=", ".join(limits), hint="keep one of them")
        given[ours] = limit
    return Quota(project=project, **given)


def quota_names() -> list[str]:
    """The quotas that `quota` knows, by our names."""
    return [item.name for item in fields(Quota) if item.name != "project"]


_OTHER_NAMES = {
    **{theirs: ours for ours, theirs in NETWORK.items()},
    "floatingips": "floating_ips",
    "secgroups": "security_groups",
    "secgroup_rules": "security_group_rules",
    "vcpus": "cores",
    "ram_mb": "ram",
    "properties": "metadata_items",
}
