"""Runs one step of one service: ``python -m openstack_sandbox VERB[,VERB...] PROJECT HOME``.

VERB is ``configure``, ``prepare``, ``adopt`` or ``serve``; several run in one process, in the order given. A failure
prints one line on standard error, leaves the traceback in ``run/<project>.failure`` and ends the process with code 1.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import sqlite3
import sys
import traceback
from types import ModuleType
from typing import NoReturn

from openstack_sandbox import lifecycle
from openstack_sandbox.home import HOSTS, PROJECTS, Home
from openstack_sandbox.patches import entry_points, rfc3987

VERBS = ("configure", "prepare", "adopt", "serve")
USAGE = f"usage: python -m openstack_sandbox {{{','.join(VERBS)}}}[,...] {{{','.join(PROJECTS)}}} HOME"


def main(arguments: list[str]) -> None:
    """Carry out the command line; ends the process."""
    verbs = arguments[0].split(",") if len(arguments) == 3 else []
    if not verbs or set(verbs) - set(VERBS) or arguments[1] not in PROJECTS:
        print(USAGE, file=sys.stderr)
        _end(3)
    os.umask(0o077)
    sys.dont_write_bytecode = False  # an inherited PYTHONDONTWRITEBYTECODE would cost seconds at every start
    faulthandler.register(signal.SIGUSR1)  # kill -USR1 prints every thread's stack: the way to look into a hang
    project, home = arguments[1], _open(arguments[2])
    if verbs != ["configure"]:
        _claim(home, project)
    sys.argv = [project]  # oslo.config reads it as its own command line
    try:
        _run(verbs, project, home)
    except BaseException as error:
        _fail(home, project, error)
    _end(0)


def _open(path: str) -> Home:
    try:
        return Home.open(path)
    except (OSError, ValueError) as error:
        print(f"{path}: not a sandbox: {error}", file=sys.stderr)
        _end(3)


def _claim(home: Home, project: str) -> None:
    try:
        lifecycle.claim(home, project)
    except RuntimeError as error:  # nothing has failed: no traceback is left behind
        print(f"{project}: {error}", file=sys.stderr)
        _end(1)


def _run(verbs: list[str], project: str, home: Home) -> None:
    (home.run() / f"{project}.failure").unlink(missing_ok=True)
    rfc3987.apply()
    _make_log_folders(home, project)
    service = importlib.import_module(f"openstack_sandbox.{project}_service")
    if verbs != ["configure"]:
        entry_points.apply()
        service.patch()
    for verb in verbs:
        _step(service, verb, home)


def _make_log_folders(home: Home, project: str) -> None:
    for host in HOSTS:
        if (home.host(host) / "etc" / project).exists():
            (home.host(host) / "var" / "log" / project).mkdir(parents=True, exist_ok=True)


def _step(service: ModuleType, verb: str, home: Home) -> None:
    getattr(service, verb)(home)
    if verb == "prepare":
        _fold_journals(home)


def _fold_journals(home: Home) -> None:
    """Write each database's journal back into its file, so that copying the file copies everything."""
    for path in home.data().glob("*.sqlite"):
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()


def _fail(home: Home, project: str, error: BaseException) -> NoReturn:
    failure = home.run() / f"{project}.failure"
    lifecycle.replace(failure, "".join(traceback.format_exception(error)))
    reason = (str(error).strip() or "no reason given").splitlines()[0]
    print(f"{project}: {type(error).__name__}: {reason} (traceback: {failure})", file=sys.stderr)
    _end(1)


def _end(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # services leave non-daemon threads that would keep a normal exit waiting


if __name__ == "__main__":
    main(sys.argv[1:])
