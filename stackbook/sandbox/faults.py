"""Faults: real failures that can be caused in a sandbox, to train on and to test with, each undone byte for byte.

What a fault changes is written to ``faults.json`` in the sandbox's folder before it is changed; `heal` works from that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackbook.errors import BadInput
from stackbook.sandbox import places
from stackbook.sandbox.faults_bench import Bench, Memo, read_record
from stackbook.sandbox.inside.openstack_sandbox import processes

RECORD = "faults.json"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Fault:
    """A failure that can be caused."""

    name: str
    what: str
    """One sentence: what is broken."""
    shows: str
    """What to do to see it, as a command."""
    cause: str
    """The signature that a trace names."""
    make: Callable[[Bench], None]


def faults() -> dict[str, Fault]:
    """Every fault by name."""
    from stackbook.sandbox import faults_access, faults_compute, faults_hosts, faults_network, faults_storage

    modules = (faults_network, faults_compute, faults_storage, faults_access, faults_hosts)
    return {fault.name: fault for module in modules for fault in module.FAULTS}


def fault(name: str) -> Fault:
    """The fault `name`; BadInput for an unknown one."""
    known = faults()
    if name not in known:
        raise BadInput(f"there is no fault {name!r}", found=sorted(known), hint="stackbook sandbox faults")
    return known[name]


def broken(name: str = "default") -> list[str]:
    """The faults that the sandbox `name` has now, in the order in which they were caused."""
    return list(read_record(places.existing(name) / RECORD))


def break_(wanted: str, name: str = "default") -> Fault:
    """Cause the fault `wanted` in the sandbox `name`, which must be up.

    Raises BadInput for an unknown fault and for one that is there already; a fault that can't be caused is taken back.
    """
    chosen, home = fault(wanted), places.existing(name)
    with processes.lock(home / ".faults.lock"):
        record = read_record(home / RECORD)
        if wanted in record:
            raise BadInput(f"sandbox {name}: {wanted} is broken already", hint=f"stackbook sandbox heal {wanted}")
        record[wanted] = []
        bench = _bench(name, home, record, wanted)
        try:
            chosen.make(bench)
        except BaseException:
            bench.undo()
            _forget(home, record, wanted)
            raise
        bench.save()
    return chosen


def heal(wanted: str = "", name: str = "default", say: Say = lambda _: None) -> list[str]:
    """Undo one fault of the sandbox `name`, or all, the last first; the names of those undone."""
    home = places.existing(name)
    if wanted:
        fault(wanted)
    with processes.lock(home / ".faults.lock"):
        record = read_record(home / RECORD)
        if wanted and wanted not in record:
            raise BadInput(f"sandbox {name}: {wanted} is not broken", found=list(record), hint="stackbook sandbox faults")
        healed = [wanted] if wanted else list(reversed(record))
        for one in healed:
            say(f"healing {one}")
            _bench(name, home, record, one).undo()
            _forget(home, record, one)
    return healed


def _bench(name: str, home: Path, record: dict[str, list[Memo]], wanted: str) -> Bench:
    return Bench(name, home, record[wanted], lambda: _write(home / RECORD, record))


def _forget(home: Path, record: dict[str, list[Memo]], wanted: str) -> None:
    del record[wanted]
    if record:
        _write(home / RECORD, record)
    else:
        (home / RECORD).unlink(missing_ok=True)


def _write(path: Path, record: dict[str, list[Memo]]) -> None:
    draft = path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(record, stream)
        stream.flush()
        os.fsync(descriptor)
    os.replace(draft, path)


def rows(name: str = "default") -> Sequence[dict[str, str]]:
    """Every fault as a row: name, what, whether it is broken now, what shows it."""
    now = broken(name) if (places.home(name) / "sandbox.json").exists() else []
    return [
        {"fault": one.name, "state": "broken" if one.name in now else "-", "what": one.what, "shows": one.shows}
        for one in faults().values()
    ]
