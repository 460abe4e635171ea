"""Limits a command's memory and CPU time with util-linux's ``prlimit`` instead of a Python wrapper.

Why: oslo.concurrency starts ``python -m oslo_concurrency.prlimit`` around each limited command, and cinder runs about
ten ``qemu-img info`` per volume made from an image. The limits are the same; the program starts ten times as fast.
"""

from __future__ import annotations

import shutil
from typing import Any


def apply() -> None:
    """Patch oslo.concurrency where the program is installed; call before cinder is imported."""
    from oslo_concurrency import processutils

    execute, program = processutils.execute, shutil.which("prlimit")

    def limited(*command: str, prlimit: Any = None, **options: Any) -> Any:
        if prlimit is None:
            return execute(*command, **options)
        return execute(program, *prlimit.prlimit_args(), *command, **options)

    if program:
        processutils.execute = limited
