"""The kernel's own process: an IPython kernel that dies with its runner and loads only what runbooks need.

Started by path, with the connection file and the folder that holds the package as its arguments.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Any

PR_SET_PDEATHSIG = 1
PARENT_VARIABLE = "STACKBOOK_RUNNER"
"""Process id of the runner that the kernel belongs to."""
SPARED: dict[str, Any] = {"debugpy": None, "rfc3987_syntax": None}
"""Modules that cost up to 1.5 s to import and serve debugging and IRI checks, which no headless run uses."""


def main(connection_file: str, packages: str) -> None:
    """Serve one notebook; returns when the runner asks for it."""
    die_with(int(os.environ.pop(PARENT_VARIABLE)))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that what a runbook registered for the exit is done
    os.umask(0o077)
    spare()
    sys.path.append(packages)
    from ipykernel.kernelapp import IPKernelApp

    options = ["--HistoryManager.enabled=False", "--IPKernelApp.capture_fd_output=True", "--colors=nocolor"]
    IPKernelApp.launch_instance(argv=["-f", connection_file, *options])


def spare() -> None:
    """Have the modules of `SPARED`, where they are not imported yet, count as not installed."""
    sys.modules.update({name: module for name, module in SPARED.items() if name not in sys.modules})


def die_with(runner: int) -> None:
    """Have this process killed when `runner` ends, however it ends: no half-run goes on unseen."""
    if sys.platform == "linux":  # elsewhere ipykernel looks for its parent once a second
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != runner:
        sys.exit("the runner is gone")


if __name__ == "__main__":
    main(*sys.argv[1:])
