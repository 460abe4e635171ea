"""One runbook on many sites: planned on all of them first, then applied on one after the other where its plan was approved."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Any

from stackbook.config import site_names, site_settings
from stackbook.errors import EXIT_AWAITS_APPROVAL, EXIT_BAD_INPUT, EXIT_DONE, EXIT_FAILED, BadInput
from stackbook.runbook.stopping import SIGNALS

AT_ONCE = 2
"""Sites that are planned side by side."""
Record = dict[str, Any]
Say = Callable[[str], object]
NOT_STARTED = "not started"
APPROVES = "yes"


def sites(told: Sequence[str]) -> list[str]:
    """The sites named (``all``: those of stackbook.toml), each once; BadInput for one that is not known, before anything runs."""
    named = [name.strip() for text in told for name in text.split(",") if name.strip()]
    found = list(dict.fromkeys(site for name in named for site in (site_names() if name == "all" else [name])))
    if not found:
        raise BadInput("no site is named", found=list(told), hint="--sites office,lab; or --sites all: those of stackbook.toml")
    for name in found:
        site_settings(name)
    return found


class Fleet:
    """The runs of one runbook on `sites`; `words` are the command line that they share, from the runbook's name on."""

    def __init__(self, sites: Sequence[str], words: Sequence[str], say: Say) -> None:
        self.sites = list(sites)
        self.words = list(words)
        self._say = say
        self._living: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = 0
        """The exit code that a signal asked for."""

    def run(self, approved: Sequence[str]) -> dict[str, Record]:
        """Plan everywhere; then apply where the plan's digest is among `approved` (``yes``: everywhere). The record of each site.

        Sites are changed one after the other, in their order; after one that fails no other is begun. Raises BadInput,
        before anything is changed, for an approval that is no site's plan.
        """
        with self._signals():
            with ThreadPoolExecutor(AT_ONCE) as pool:
                found = dict(zip(self.sites, pool.map(self._run, self.sites), strict=True))
            digests = {site: record["digest"] for site, record in found.items() if record["status"] == "planned"}
            if strange := sorted(set(approved) - {*digests.values(), APPROVES}):
                raise BadInput(f"{strange[0]} is no site's plan", found=digests or "no plan", hint="read the plans again")
            chosen = [site for site, digest in digests.items() if digest in approved or APPROVES in approved]
            for number, site in enumerate(chosen):
                found[site] = self._run(site, digests[site])
                if exit_code([found[site]]) != EXIT_DONE:
                    return {**found, **{left: {**found[left], "status": NOT_STARTED} for left in chosen[number + 1 :]}}
        return found

    def _run(self, site: str, approve: str = "") -> Record:
        """One site's run, as a process of its own: a run has its folder, its kernel and its signals."""
        consent = ["--approve", approve] if approve else []
        command = [sys.executable, "-m", "stackbook", "run", *self.words, "--site", site, *consent, "--json"]
        with self._lock:
            if self._stopped:
                return _unknown(site, NOT_STARTED, "the fleet was stopped before", self._stopped)
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
            self._living.add(process)
        told = threading.Thread(target=self._tell, args=(site, process))
        told.start()
        assert process.stdout
        out = process.stdout.read()
        code = process.wait()
        told.join()
        with self._lock:
            self._living.discard(process)
        try:
            found: Record = {**json.loads(out), "site": site}
        except ValueError:
            return _unknown(site, "failed", f"the run ended with exit code {code} and told nothing", code)
        return {**found, "exit_code": code}

    def _tell(self, site: str, process: subprocess.Popen[str]) -> None:
        """Each line of progress as it comes; what a run says at its end, after an empty line, as a whole."""
        ending: list[str] = []
        assert process.stderr
        for line in process.stderr:
            if ending or not line.strip():
                ending.append(line.rstrip())
            else:
                self._say(f"{site}: {line.rstrip()}")
        if any(ending):
            self._say(f"\n── {site}\n" + "\n".join(ending).strip("\n"))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """What stops this process stops the runs, each of which keeps a true record; no other is begun."""

        def caught(number: int, _: FrameType | None) -> None:
            self._stopped = SIGNALS[signal.Signals(number)]
            for process in list(self._living):
                process.send_signal(number)

        before = {number: signal.signal(number, caught) for number in SIGNALS}
        try:
            yield
        finally:
            for number, previous in before.items():
                signal.signal(number, previous)


def exit_code(records: Sequence[Mapping[str, Any]]) -> int:
    """That of the worst: interrupted, failed, bad input, awaiting approval, done."""
    codes = {EXIT_AWAITS_APPROVAL if record["status"] == NOT_STARTED else record["exit_code"] for record in records}
    for code in (*SIGNALS.values(), EXIT_FAILED, EXIT_BAD_INPUT, EXIT_AWAITS_APPROVAL):
        if code in codes:
            return code
    return max(codes, default=EXIT_DONE)


def row(record: Mapping[str, Any]) -> Record:
    """What a table tells of one site."""
    total, error = len(record.get("changes") or []), record.get("error") or {}
    return {
        "site": record["site"],
        "status": record["status"],
        "changes": f"{record.get('done', 0)}/{total}" if total else "-",
        "digest": record.get("digest") or "-",
        "run": record.get("run") or "-",
        "why": "-" if record["status"] == "planned" else error.get("what") or "-",
    }


def _unknown(site: str, status: str, what: str, code: int) -> Record:
    error = {"what": what, "found": None, "hint": "stackbook runs"}
    nothing: Record = {"run": None, "digest": None, "changes": [], "done": 0}
    return {**nothing, "site": site, "status": status, "error": error, "exit_code": code}
