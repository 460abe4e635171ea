"""sandbox faults, break, heal."""

from __future__ import annotations

import json
import sys
from argparse import Namespace

from stackbook.render.text import table_text
from stackbook.sandbox import faults as known


def faults(arguments: Namespace) -> None:
    """List the faults."""
    rows = known.rows(arguments.name)
    if arguments.json:
        print(json.dumps([*rows], ensure_ascii=False))
        return
    print(table_text([{name: row[name] for name in ("fault", "state", "what")} for row in rows]))
    print("\nbreak one: stackbook sandbox break FAULT; undo all: stackbook sandbox heal")


def break_(arguments: Namespace) -> None:
    """Cause a fault."""
    found = known.break_(arguments.fault, arguments.name)
    if arguments.json:
        print(json.dumps({"fault": found.name, "what": found.what, "shows": found.shows}, ensure_ascii=False))
        return
    print(f"broken: {found.what}\n  Shows: {found.shows}")
    print(f"  Then:  stackbook trace NAME\n  Undo:  stackbook sandbox heal {found.name}")


def heal(arguments: Namespace) -> None:
    """Undo one fault, or all."""
    healed = known.heal(arguments.fault or "", arguments.name, say=lambda text: print(text, file=sys.stderr, flush=True))
    if arguments.json:
        print(json.dumps({"healed": healed}))
        return
    print(f"healed: {', '.join(healed)}" if healed else "nothing was broken")
