"""Before Packstack installs: an answer file as tables, and what on a host would make the installation stumble."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from stackbook.errors import BadInput
from stackbook.hosts import HostFailed
from stackbook.packstack import catalogue
from stackbook.packstack.answers import Answers, releases
from stackbook.packstack.findings import contradictions
from stackbook.render.frame import Frame, frame
from stackbook.resources.answer_file import HERE, answers_on, host_of
from stackbook.resources.links import links, operators_address, uses

if TYPE_CHECKING:
    from stackbook.hosts import Host
    from stackbook.site import Site

Rows = list[dict[str, Any]]
GIB = 1 << 30
INSTANCES = "/var/lib/nova/instances"
ENOUGH_MEMORY, ENOUGH_ROOM = 16, 50
"""GiB that an all-in-one host should have: of memory, and free below `INSTANCES`."""


def place(file: str) -> tuple[str, str]:
    """Host and path of ``HOST:/PATH``; a path alone is on this machine. BadInput for anything else."""
    host, _, path = file.rpartition(":")
    if not path.startswith("/"):
        raise BadInput(f"file {file!r} is not HOST:/PATH", hint="for example controller1:/root/packstack-answers.txt")
    return host or HERE, path


def read_answers(site: Site, host: str, path: str) -> Answers:
    """The answer file at `path` of a host (``localhost``: this machine). BadInput when there is none, or it is no such file."""
    found = answers_on(site, host, path)
    if found is None:
        hint = f"packstack --gen-answer-file={path} on {host} writes one; or give its path"
        raise BadInput(f"{host}:{path} does not exist", hint=hint)
    return found


def chosen(answers: Answers) -> Frame:
    """The answers that differ from what Packstack of that release would write; secrets are masked."""
    return frame(answers.table())


def compared(site: Site, host: str, answers: Answers, other: str) -> Frame:
    """What differs between the file and another one of the host (a path), or what a release writes (its name).

    Two releases, ``queens..2025.1``, are compared with each other; nothing is the newest release.
    """
    one, between, two = other.partition("..")
    if between and not other.startswith("/"):
        return _named(releases(one, two), one, two)
    name = other or catalogue.LATEST
    return _named(answers.against(read_answers(site, host, name) if name.startswith("/") else name), "this file", name)


def _named(rows: Rows, here: str, there: str) -> Frame:
    return frame([{"option": row["option"], here: row["here"], there: row["there"]} for row in rows])


def still_wrong(answers: Answers, edits: Mapping[str, str | None] | None = None) -> Rows:
    """What is wrong after these edits (without: as the file is): with it the installation fails, or does something else."""
    after = Answers(answers.with_options(edits or {}), answers.name)
    return [_row(row["option"], row["found"], "", row["hint"]) for row in contradictions(after)]


def nic_taken(site: Site, host: str, mapping: str) -> Rows:
    """Why the mapping's interface can't become a port of its bridge: it is missing, or the host or you are reached by it.

    Not asked of ``localhost``: there the file is edited, not installed from.
    """
    nic = ([*mapping.split(":"), "", ""])[2]
    if not nic or host not in site.hosts:
        return []
    on = site.host(host)
    known = links(on)
    if nic not in known:
        there = ", ".join(sorted(name for name in known if name != "lo"))
        return [_row(f"{nic} on {host}", f"missing; there are {there}", "an interface", "name another one in mapping")]
    reasons = (why for why in uses(known, nic, operators_address(on)) if " belongs to " not in why)
    hint = "name one that carries nothing: Packstack takes its addresses away"
    return [_row(f"{nic} on {host}", why, "free", hint) for why in reasons]


def changed_besides(before: Answers, after: Answers, meant: Mapping[str, str | None]) -> Rows:
    """Options that differ and were not meant to; of secrets only that they do."""
    rows = [row for row in before.against(after) if row["option"] not in meant]
    return [{"option": row["option"], "before": row["here"], "after": row["there"]} for row in rows]


def readiness(site: Site, host: str, path: str = "") -> Rows:
    """What on a host is not as Packstack wants it: check, found, expected, hint. What can't be found out is a row, too."""
    on = host_of(site, host)
    rows: Rows = []
    for check in (_memory, _room, _libraries, _name, _network, _selinux, _time):
        try:
            rows += check(on)
        except HostFailed as error:
            rows.append(_row(check.__name__.strip("_"), error.what, "an answer", error.hint or f"look on {host}"))
    stat = on.stat(path) if path else None
    if stat and stat.mode & 0o077:
        rows.append(_row(path, f"mode {stat.mode:04o}", "0600: it holds passwords", f"chmod 600 {path}"))
    return rows


def _memory(host: Host) -> Iterator[dict[str, Any]]:
    told = dict(re.findall(r"(\w+):\s+(\d+) kB", host.run(["cat", "/proc/meminfo"]).out))
    have = int(told["MemTotal"]) * 1024 / GIB
    if have < ENOUGH_MEMORY - 1:  # the kernel keeps some of it
        hint = "give the host more, or set services that you don't need to n"
        yield _row("memory", f"{have:.1f} GiB", f"{ENOUGH_MEMORY} GiB", hint)


def _room(host: Host) -> Iterator[dict[str, Any]]:
    """The file system that instances' disks will be on; CentOS gives most of the disk to /home when left to itself."""
    parents = [INSTANCES, "/var/lib/nova", "/var/lib", "/var", "/"]
    place = next(path for path in parents if host.stat(path))
    free, mount = _free(host, place)
    if free >= ENOUGH_ROOM * GIB:
        return
    hint = f"put a larger file system at {INSTANCES} before you install"
    if host.stat("/home"):
        home, at = _free(host, "/home")
        if at != mount and home > free:
            hint = f"{at} has {home / GIB:.0f} GiB free: give that volume to {INSTANCES}"
    yield _row(f"room for {INSTANCES}", f"{free / GIB:.1f} GiB free on {mount}", f"{ENOUGH_ROOM} GiB", hint)


def _free(host: Host, path: str) -> tuple[int, str]:
    """Bytes free on the file system of a path, and where that is mounted."""
    place = str(host.root).rstrip("/") + path
    line = host.run(["df", "-PB1", place]).out.splitlines()[-1].split()
    return int(line[3]), line[5]


def _libraries(host: Host) -> Iterator[dict[str, Any]]:
    if not (host.stat("/var/lib/rpm") or host.stat("/usr/lib/sysimage/rpm")):
        return
    answer = host.run(["rpm", "-q", "mariadb-libs"], check=False)
    if answer.code == 0:
        hint = f'plan Absent(Package(host="{host.name}", name="mariadb-libs")); what else would go is told there'
        yield _row("mariadb-libs", answer.out.strip(), "absent: in conflict with RDO's MariaDB", hint)


def _name(host: Host) -> Iterator[dict[str, Any]]:
    name = host.run(["uname", "-n"]).out.strip()
    if name in ("localhost", "localhost.localdomain", "") or not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name):
        hint = "hostnamectl set-hostname NAME: services are registered under it for good"
        yield _row("host name", name, "lower-case letters, digits, dashes; not localhost", hint)
    elif host.run(["getent", "hosts", name], check=False).code:
        yield _row("host name", f"{name} does not resolve", "an address", "add it to /etc/hosts: RabbitMQ needs it")


def _network(host: Host) -> Iterator[dict[str, Any]]:
    if host.stat("/etc/sysconfig/network-scripts/ifup") and _active(host, "NetworkManager"):
        hint = "systemctl disable --now NetworkManager; systemctl enable --now network"
        yield _row("NetworkManager", "active", "inactive: Packstack writes ifcfg files", hint)


def _selinux(host: Host) -> Iterator[dict[str, Any]]:
    if host.stat("/etc/selinux/config") and host.run(["getenforce"], check=False).out.strip() == "Enforcing":
        yield _row("SELinux", "enforcing", "permissive while installing", "setenforce 0; back to 1 when all works")


def _time(host: Host) -> Iterator[dict[str, Any]]:
    answer = host.run(["timedatectl", "show", "--property=NTPSynchronized", "--value"], check=False)
    if answer.code == 0 and answer.out.strip() == "no":
        hint = "systemctl enable --now chronyd; clocks that differ make tokens invalid and agents look dead"
        yield _row("time", "not synchronized", "synchronized", hint)


def _active(host: Host, unit: str) -> bool:
    return host.run(["systemctl", "is-active", unit], check=False).out.strip() == "active"


def _row(check: str, found: str, expected: str, hint: str) -> dict[str, Any]:
    return {"check": check, "found": found, "expected": expected, "hint": hint}
