"""What every service of the sandbox stands on: database URLs, WSGI serving, units, the process's life.

Gathered here from the small modules beside it, so that a service imports one name.
"""

from __future__ import annotations

from pathlib import Path

from openstack_sandbox.home import Home
from openstack_sandbox.lifecycle import on_stop, ready, replace, wait
from openstack_sandbox.units import Stop, lasting_unit, process_units, unit
from openstack_sandbox.wsgi import wsgi

__all__ = [
    "Stop", "database_url", "lasting_unit", "on_stop", "patch_sqlite", "process_units", "ready", "replace", "unit", "wait",
    "write", "wsgi",
]  # fmt: skip


def database_url(home: Home, name: str) -> str:
    """The SQLAlchemy URL of the SQLite database `name` (``data/<name>.sqlite``)."""
    return f"sqlite:///{home.database(name)}"


def patch_sqlite() -> None:
    """Let many threads write to SQLite (see `patches.sqlite`); call once, in a service's ``patch()``."""
    from openstack_sandbox.patches import sqlite

    sqlite.apply()


def write(path: Path, text: str) -> None:
    """Write `text` to `path` with mode 0600, only if there is no such file yet: an operator's edits survive."""
    if not path.exists():
        replace(path, text)
