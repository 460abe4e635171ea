"""schedule add, list, remove."""

from __future__ import annotations

import json
import os
import shlex
import sys
from argparse import Namespace
from pathlib import Path

from stackbook.cli.words import shared
from stackbook.config import HostSettings, site_settings, workspace
from stackbook.errors import BadInput
from stackbook.hosts import open_host
from stackbook.render.text import table_text
from stackbook.runbook.catalogue import find
from stackbook.runbook.order import Consent, order
from stackbook.runbook.parameters import assigned, loaded
from stackbook.runbook.schedules import SYSTEM, Schedule, Schedules, where


def add(arguments: Namespace) -> None:
    """Schedule a run, or show what would be written for it."""
    wanted, here = _schedule(arguments), _schedules()
    if arguments.dry_run:
        first = here.check(wanted)
        for path, text in here.files(wanted).items():
            print(f"{path}\n\n" + "".join(f"    {line}\n" for line in text.splitlines()))
        print(f"nothing was written; it would run first: {first or 'as systemd reads it'}")
        return
    first, line = here.add(wanted), shlex.join(["stackbook", *wanted.command[3:]])
    print(f"schedule {wanted.name}: {line}\n  runs first: {first or 'as systemd reads it'}")
    if not arguments.yes:
        print("  it only plans: a plan that is not empty ends with exit code 2, which systemctl --failed shows")
    if here.folder != SYSTEM:
        print(f"  Try: loginctl enable-linger {Path.home().owner()}, or it runs only while you are logged in")


def listing(arguments: Namespace) -> None:
    """List the schedules."""
    rows = _schedules().all()
    if arguments.json:
        print(json.dumps(rows, ensure_ascii=False))
    else:
        print(table_text(rows) if rows else "no schedule; stackbook schedule add health --at 06:00 makes one")


def remove(arguments: Namespace) -> None:
    """Take a schedule away."""
    _schedules().remove(arguments.name)
    print(f"schedule {arguments.name} is gone; its runs stay")


def _schedules() -> Schedules:
    return Schedules(open_host(HostSettings("this machine")), where(os.geteuid(), Path.home()))


def _schedule(arguments: Namespace) -> Schedule:
    """What the command line asks for, after all that would make each of its runs fail was refused."""
    runbook = find(arguments.runbook)
    given = {**(loaded(Path(arguments.params)) if arguments.params else {}), **assigned(arguments.parameters)}
    wanted = order(runbook, given, Consent("yes" if arguments.yes else "", arguments.allow_delete), site=arguments.site)
    if wanted.site and site_settings(wanted.site).cloud == "envvars":
        what = f"site {wanted.site} takes its cloud from OS_* variables, which a schedule does not have"
        raise BadInput(what, hint="put the cloud into clouds.yaml, and name it in stackbook.toml")
    arguments.runbook = runbook.name if arguments.runbook == runbook.name else str(runbook.path.resolve())
    arguments.params = str(Path(arguments.params).resolve()) if arguments.params else None
    words = [*shared(arguments), *(["--site", arguments.site] if arguments.site else []), *(["--yes"] if arguments.yes else [])]
    name = arguments.name or "-".join(filter(None, (runbook.name, arguments.site)))
    return Schedule(name.lower(), arguments.at, [sys.executable, "-m", "stackbook", "run", *words], str(workspace()))
