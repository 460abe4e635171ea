"""What searching logs costs, as ratios to egrep, grep, rg, zgrep and the read floor, measured side by side in one run.

python -m benchmarks.logs [--size 2GiB] [--rounds 5] [--folder DIR]

CPU time of all processes involved, so that other work on the machine matters little; each measurement has a reference of
its own, taken just before it, and the median of the ratios counts. Output goes to a file: into /dev/null grep stops at the
first match. An `rg` of version 14 or later on PATH is used when there is one.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.log_samples import Samples, samples
from stackbook.config import HostSettings
from stackbook.hosts import LocalHost
from stackbook.logs import Found, Limits, merge, search
from stackbook.logs.engines import engines
from stackbook.logs.parse import blank_event, event

UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "MB": 10**6, "GB": 10**9}
LIMITS = Limits(seconds=3600)


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    against: str
    ratio: float
    target: float | None = None
    """The highest ratio that is good enough."""

    def __str__(self) -> str:
        verdict = "" if self.target is None else f"≤ {self.target:g}: {'met' if self.ratio <= self.target else 'MISSED'}"
        return f"| {self.what} | {self.ratio:.2f} × {self.against} | {verdict} |"


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds that `work` takes, with those of the processes that it starts."""
    before = _used()
    work()
    return _used() - before


def ratio(work: Callable[[], object], reference: Callable[[], object], rounds: int) -> float:
    """The median of the ratios of pairs."""
    found = []
    for _ in range(rounds):
        floor = cpu(reference)
        found.append(cpu(work) / floor)
    return statistics.median(found)


def main() -> int:
    """Make the logs, measure, print the table; 1 when a target was missed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", default="2GiB")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--folder", help="keep the logs here, and use those that are here")
    given = options.parse_args()
    folder = Path(given.folder or tempfile.mkdtemp(prefix="stackbook-logs-"))
    try:
        rows = _measure(folder, _size(given.size), given.rounds)
    finally:
        if not given.folder:
            shutil.rmtree(folder)
    return any(row.target is not None and row.ratio > row.target for row in rows)


def _measure(folder: Path, size: int, rounds: int) -> list[Row]:
    print(f"{size / 1e9:.2f} GB of logs in {folder}", flush=True)
    plain, packed, rotated = samples(folder, size)
    one, many = plain.ids[12], plain.ids
    print(f"{len(plain.files)} files; {' '.join(map(str, engines()))}; {os.cpu_count()} CPUs; load {os.getloadavg()[0]:.1f}\n")
    print("| what | CPU time | target |\n|-|-|-|", flush=True)
    egrep = _command(["grep", "-E", one], plain)
    floor = _command(["cat"], plain, os.devnull)
    zgrep = _command(["zgrep", one], packed)
    rows: list[Row] = []

    def told(
        what: str, against: str, work: Callable[[], object], reference: Callable[[], object], target: float | None = None
    ) -> None:
        rows.append(Row(what, against, ratio(work, reference, rounds), target))
        print(rows[-1], flush=True)

    told("cat > /dev/null, the read floor", "egrep", floor, egrep)
    told("grep -aF, 1 id", "egrep", _command(["grep", "-aF", one], plain), egrep)
    told("grep -aF, 20 ids", "egrep", _command(["grep", "-aF", *_each(many)], plain), egrep)
    if shutil.which("rg"):
        told("rg -aF, 1 id", "egrep", _command(["rg", "-aF", one], plain), egrep)
        told("rg -aF, 20 ids", "egrep", _command(["rg", "-aF", *_each(many)], plain), egrep)
    old = str(engines("rg")[0]).startswith("rg 13") if shutil.which("rg") else True
    told("stackbook, 1 id", "egrep", _search(plain, [one]), egrep, None if not shutil.which("rg") else 0.5)
    told("stackbook, 20 ids", "egrep", _search(plain, many), egrep, None if old else 1.3)
    told("stackbook, 20 ids", "the read floor", _search(plain, many), floor, None if old else 4)
    told("stackbook, 20 ids, grep only", "egrep", _search(plain, many, engine="grep"), egrep, 9)
    told("stackbook, 20 ids, last 2 h", "egrep", _search(plain, many, since=plain.end - timedelta(hours=2)), egrep, 0.25)
    if shutil.which("rg"):
        told("rg -z, 1 id, gz", "zgrep", _command(["rg", "-z", "-aF", one], packed), zgrep)
    told("stackbook, 20 ids, gz", "zgrep", _search(packed, many), zgrep, 0.35 if _fast_inflate() else None)
    told("stackbook, 20 ids, gz, last 2 h", "zgrep", _search(packed, many, since=plain.end - timedelta(hours=2)), zgrep)
    small = _command(["zgrep", one], rotated)
    told(f"stackbook, 20 ids, {len(rotated.files)} gz of 2 MB", "zgrep", _search(rotated, many), small)
    rows.append(Row("500 lines parsed and merged", "0.1 s", _parsing() / 0.1, 1.0))
    print(rows[-1])
    found = search([_host(plain)], many, limits=LIMITS)
    print(
        f"\n{len(found.events)} records of {sum(path.stat().st_size for path in plain.files) / 1e9:.2f} GB; {_timed(plain, many)}"
    )
    print(f"memory of the search beside the page cache, at its highest: {_memory(_search(plain, many)):.0f} MB plain, ", end="")
    print(f"{_memory(_search(packed, many)):.0f} MB compressed")
    return rows


def _command(command: Sequence[str], samples: Samples, target: str = "") -> Callable[[], object]:
    files = [str(path) for path in samples.files]

    def run() -> None:
        with open(target, "wb") if target else tempfile.TemporaryFile() as out:
            subprocess.run(
                [*command, *files], stdout=out, stderr=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"}, check=False
            )

    return run


def _search(samples: Samples, ids: list[str], since: datetime | None = None, engine: str = "") -> Callable[[], Found]:
    return lambda: search([_host(samples)], ids, since=since, engine=engine, limits=LIMITS)


def _host(samples: Samples) -> LocalHost:
    return LocalHost(HostSettings("here", root=str(samples.folder)))


def _each(ids: Sequence[str]) -> list[str]:
    return [part for name in ids for part in ("-e", name)]


def _fast_inflate() -> bool:
    from stackbook.logs.compressed import inflater

    return str(inflater().__name__) != "zlib"


def _parsing() -> float:
    line = (
        b"2026-11-23 14:20:53.%03d 7 INFO nova.compute.manager [req-e047e5fc-b218-416c-95c7-6f3f809cb750 u p - - d d] message %d"
    )
    lines = [line % (number % 1000, number) for number in range(500)]

    def work() -> None:
        merge(event([text], 1.7e9 - number, blank_event("h", "f", "s", number)) for number, text in enumerate(lines))

    return statistics.median(cpu(work) for _ in range(5))


def _timed(samples: Samples, ids: list[str]) -> str:
    begun = time.monotonic()
    found = search([_host(samples)], ids, limits=LIMITS)
    return f"{time.monotonic() - begun:.2f} s by the clock with {found.stats.hosts['here'].engine}"


def _memory(work: Callable[[], object]) -> float:
    """The most anonymous memory, in MB, of the processes below this one while `work` is done."""
    highest, ended = 0.0, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not ended.wait(0.01):
            highest = max(highest, sum(map(_anonymous, _below(os.getpid()))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    ended.set()
    watcher.join()
    return highest


def _below(process: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        found += [*children, *(below for child in children for below in _below(child))]
    return found


def _anonymous(process: int) -> float:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith(("RssAnon", "RssShmem"))) / 1000


def _used() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _size(text: str) -> int:
    unit = next((unit for unit in UNITS if text.endswith(unit)), "")
    return int(float(text.removesuffix(unit)) * UNITS.get(unit, 1))


if __name__ == "__main__":
    sys.exit(main())
