"""What faults are made with: each change is written down before it is made, and taken back from what was written."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackbook.cloud import credentials
from stackbook.config import HostSettings, sandbox_site
from stackbook.errors import Refused
from stackbook.hosts import LocalHost
from stackbook.ini import IniText

if TYPE_CHECKING:
    from openstack.connection import Connection

Memo = dict[str, Any]
"""One change: its kind, where, and what was there before."""
CONTROLLER, COMPUTES = "controller1", ("compute1", "compute2")
NO_SUCH_BRIDGE = 2
"""The exit code of ``ovs-vsctl br-exists``."""
LONG_AGO = timedelta(minutes=5)
"""How long a service that a fault stops has not reported: nobody waits until it counts as down."""


@dataclass
class Bench:
    """A sandbox, and the record of what was changed in it."""

    name: str
    home: Path
    memos: list[Memo]
    save: Callable[[], None]
    """Writes the memos to disk."""

    @cached_property
    def conn(self) -> Connection:
        """The administrator's connection."""
        import openstack

        return openstack.connect(**credentials(sandbox_site("sandbox", self.name)))

    @cached_property
    def project(self) -> str:
        """The id of the project ``admin``."""
        return str(self.conn.current_project_id)

    def host(self, name: str) -> LocalHost:
        """One of its hosts."""
        return LocalHost(HostSettings(name, root=str(self.home / "hosts" / name)))

    def note(self, kind: str, **about: Any) -> None:
        """Write down a change that is about to be made."""
        self.memos.append({"kind": kind, **about})
        self.save()

    # Files and services

    def replace(self, path: Path, content: bytes) -> None:
        """Give a file another content; its mode and times come back with it."""
        before = path.stat()
        self.note(
            "file",
            path=str(path.relative_to(self.home)),
            content=base64.b64encode(path.read_bytes()).decode(),
            mode=before.st_mode & 0o7777,
            times=[before.st_atime_ns, before.st_mtime_ns],
        )
        path.write_bytes(content)

    def create(self, path: Path, content: bytes) -> None:
        """Make a file that was not there."""
        self.note("created", path=str(path.relative_to(self.home)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def replace_by(self, path: Path, target: str) -> None:
        """Put a link to `target` in the place of a log, which is kept like one that was rotated."""
        self.note("rotated", path=str(path.relative_to(self.home)))
        path.rename(_rotated(path))
        path.symlink_to(target)

    def move(self, path: Path) -> None:
        """Take a file or folder away."""
        self.note("moved", path=str(path.relative_to(self.home)))
        path.rename(path.with_name(f".{path.name}.away"))

    def set_option(self, host: str, path: str, section: str, option: str, value: str | None) -> None:
        """Set an option of a configuration file; None takes it out."""
        place = self.home / "hosts" / host / path.lstrip("/")
        text = IniText(place.read_bytes(), path)
        edited = text.with_values(section, option, []) if value is None else text.with_value(section, option, value)
        self.replace(place, edited.content())

    def stop(self, host: str, unit: str) -> None:
        """Stop a service."""
        self.note("unit", host=host, unit=unit)
        self.host(host).run(["systemctl", "stop", unit])

    def restart(self, host: str, unit: str) -> None:
        """Restart a service, which reads its configuration; it is restarted again when all files are back."""
        self.note("unit", host=host, unit=unit)
        self.host(host).run(["systemctl", "restart", unit], check=False)

    def bridge(self, host: str, name: str) -> None:
        """See that there is a bridge, where hosts have an Open vSwitch of their own."""
        asked = self.host(host).run(["ovs-vsctl", "br-exists", name], check=False)
        if asked.code == NO_SUCH_BRIDGE:
            self.note("bridge", host=host, name=name)
            self.host(host).run(["ovs-vsctl", "add-br", name, "--", "set", "Bridge", name, "datapath_type=netdev"])

    def restart_project(self, project: str) -> None:
        """Restart one project's whole process: what its services keep in memory goes with it."""
        from stackbook.sandbox.control import restart

        self.note("process", project=project)
        restart(self.name, project, lambda _: None)

    # Databases

    def set_row(
        self, database: str, table: str, where: Mapping[str, Any], values: Mapping[str, Any], *, lasting: bool = True
    ) -> None:
        """Change one row; what is not `lasting` the service writes anew by itself."""
        with closing(self.database(database)) as base, base:
            clause = " AND ".join(f'"{name}" = ?' for name in where)
            listed = ", ".join(f'"{name}"' for name in values)
            found = base.execute(f'SELECT {listed} FROM "{table}" WHERE {clause}', [*where.values()]).fetchone()  # noqa: S608 - our own names
            if lasting and found:
                before = dict(zip(values, found, strict=True))
                self.note("row", database=database, table=table, where=dict(where), values=before)
            _update(base, table, where, values)

    def silence(self, database: str, table: str, where: Mapping[str, Any], *columns: str) -> None:
        """Date a service's last report back, as if it had stopped some minutes ago."""
        then = (datetime.now(UTC) - LONG_AGO).strftime("%Y-%m-%d %H:%M:%S.%f")
        self.set_row(database, table, where, dict.fromkeys(columns, then), lasting=False)

    def database(self, name: str) -> sqlite3.Connection:
        """A database of the sandbox."""
        return sqlite3.connect(self.home / "data" / f"{name}.sqlite", timeout=60)

    # The cloud

    def made(self, service: str, path: str) -> None:
        """Write down that something made through an API is to be deleted."""
        self.note("made", service=service, path=path)

    def ask(self, service: str, method: str, path: str, body: Memo | None = None) -> Memo:
        """One request; raises for what is refused."""
        from openstack.exceptions import raise_from_response

        version = "2.90" if service == "compute" else None
        answer = getattr(self.conn, service).request(path, method, json=body, microversion=version)
        raise_from_response(answer)
        return dict(answer.json()) if answer.content else {}

    def set_answer(self, service: str, path: str, body: Memo, before: Memo, method: str = "PUT") -> None:
        """Change something by a request; `before` is the request that takes it back."""
        self.note("request", service=service, path=path, method=method, body=before)
        self.ask(service, method, path, body)

    # Back

    def undo(self) -> None:
        """Take everything back, the last first; then services start with the files as they were."""
        units = [memo for memo in self.memos if memo["kind"] in ("unit", "process")]
        others = [memo for memo in self.memos if memo not in units]
        while others:
            _BACK[others[-1]["kind"]](self, others.pop())
            self.memos[:] = [*others, *units]
            self.save()
        for memo in {json.dumps(each): each for each in units}.values():
            self._started(memo)
        self.memos.clear()
        self.save()

    def _started(self, memo: Memo) -> None:
        if memo["kind"] == "process":
            from stackbook.sandbox.control import restart

            restart(self.name, memo["project"], lambda _: None)
        else:
            self.host(memo["host"]).run(["systemctl", "restart", memo["unit"]], timeout=120)


def _file_back(bench: Bench, memo: Memo) -> None:
    path = bench.home / memo["path"]
    path.write_bytes(base64.b64decode(memo["content"]))
    path.chmod(memo["mode"])
    os.utime(path, ns=tuple(memo["times"]))


def _moved_back(bench: Bench, memo: Memo) -> None:
    path = bench.home / memo["path"]
    away = path.with_name(f".{path.name}.away")
    if away.exists():
        away.rename(path)


def _created_back(bench: Bench, memo: Memo) -> None:
    (bench.home / memo["path"]).unlink(missing_ok=True)


def _rotated_back(bench: Bench, memo: Memo) -> None:
    path = bench.home / memo["path"]
    if _rotated(path).exists():
        _rotated(path).replace(path)


def _rotated(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")


def _row_back(bench: Bench, memo: Memo) -> None:
    with closing(bench.database(memo["database"])) as base, base:
        _update(base, memo["table"], memo["where"], memo["values"])


def _made_back(bench: Bench, memo: Memo) -> None:
    from openstack.exceptions import ConflictException, NotFoundException

    try:
        bench.ask(memo["service"], "DELETE", memo["path"])
    except NotFoundException:
        pass
    except ConflictException as error:
        raise Refused(
            f"sandbox {bench.name}: {memo['path']} is in use",
            found=str(error.details or error)[:300],
            hint="delete what uses it, then heal again",
        ) from None


def _request_back(bench: Bench, memo: Memo) -> None:
    """What was deleted meanwhile needs no way back."""
    from openstack.exceptions import NotFoundException

    with suppress(NotFoundException):
        bench.ask(memo["service"], memo["method"], memo["path"], memo["body"])


def _bridge_back(bench: Bench, memo: Memo) -> None:
    bench.host(memo["host"]).run(["ovs-vsctl", "--if-exists", "del-br", memo["name"]])


_BACK: dict[str, Callable[[Bench, Memo], None]] = {
    "bridge": _bridge_back,
    "file": _file_back,
    "moved": _moved_back,
    "created": _created_back,
    "rotated": _rotated_back,
    "row": _row_back,
    "made": _made_back,
    "request": _request_back,
}


def _update(base: sqlite3.Connection, table: str, where: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    listed = ", ".join(f'"{name}" = ?' for name in values)
    clause = " AND ".join(f'"{name}" = ?' for name in where)
    base.execute(f'UPDATE "{table}" SET {listed} WHERE {clause}', [*values.values(), *where.values()])  # noqa: S608 - our own names


def read_record(path: Path) -> dict[str, list[Memo]]:
    """What is broken: fault to its memos, in the order in which it was broken."""
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return {}
