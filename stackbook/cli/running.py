"""run, resume, undo."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path

from stackbook.runbook import history
from stackbook.runbook import run as runs
from stackbook.runbook.catalogue import find
from stackbook.runbook.order import Consent, order
from stackbook.runbook.parameters import assigned, loaded
from stackbook.runbook.record import Record, exit_code


def run(arguments: Namespace) -> int:
    """Run a runbook."""
    given = {**(loaded(Path(arguments.params)) if arguments.params else {}), **assigned(arguments.parameters)}
    wanted = order(
        find(arguments.runbook),
        given,
        _consent(arguments),
        site=arguments.site,
        timeout=arguments.timeout,
        stream=_stream(arguments),
    )
    return _ended(runs.run(wanted), arguments)


def resume(arguments: Namespace) -> int:
    """Go on with a run."""
    folder = history.find_run(arguments.run)
    return _ended(runs.resume(folder, _consent(arguments), timeout=arguments.timeout, stream=_stream(arguments)), arguments)


def undo(arguments: Namespace) -> int:
    """Take a run back."""
    folder = history.find_run(arguments.run)
    return _ended(runs.undo(folder, _consent(arguments), timeout=arguments.timeout, stream=_stream(arguments)), arguments)


def _consent(arguments: Namespace) -> Consent:
    return Consent("yes" if arguments.yes else arguments.approve, getattr(arguments, "allow_delete", False))


def _stream(arguments: Namespace) -> object:
    return sys.stderr if arguments.json else sys.stdout


def _ended(found: Record, arguments: Namespace) -> int:
    code = exit_code(found)
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False, default=str))
    return code
