"""Runs cinder's commands and its privileged functions as the user who runs the sandbox.

Why: cinder prefixes commands with ``sudo cinder-rootwrap`` and starts a privsep daemon with sudo. Everything that it
touches here is a file of this user, so neither is needed, and a sandbox must do without root.
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Patch oslo.concurrency and the privsep contexts of cinder and os-brick; call before cinder is imported."""
    from oslo_concurrency import processutils

    execute = processutils.execute

    def as_this_user(*command: str, **options: Any) -> Any:
        options.pop("run_as_root", None)
        options.pop("root_helper", None)
        return execute(*command, **options)

    processutils.execute = as_this_user


def call_directly() -> None:
    """Let privileged functions be called in this process; call once cinder can be imported."""
    import cinder.privsep
    import os_brick.privileged

    cinder.privsep.sys_admin_pctxt.set_client_mode(False)
    os_brick.privileged.default.set_client_mode(False)
