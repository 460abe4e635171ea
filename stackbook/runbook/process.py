"""A kernel: an IPython of this very interpreter in a process of its own, spoken to over private sockets."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackbook.runbook import launch

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient

LONGEST_PATH = 60
"""Characters: a socket's path may have 107, and the folder's is a part of it."""

SHORT_PLACE = "/tmp"  # noqa: S108 - the folder made there is private, and its name random


class Kernel:
    """One kernel process, started at once, with `environment` added to this process's; killed when the runner dies."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        place = tempfile.gettempdir()
        self.folder = Path(tempfile.mkdtemp(prefix="stackbook-", dir=place if len(place) < LONGEST_PATH else SHORT_PLACE))
        self.connection = _connection(self.folder)
        path = self.folder / "connection.json"
        path.write_text(json.dumps(self.connection))
        self._said = self.folder / "stderr"
        self.process = self._started(path, {**os.environ, **(environment or {})})

    def _started(self, connection_file: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        packages = Path(__file__).resolve().parents[2]
        # -P: a file json.py in the current folder must not become the kernel's json
        command = [sys.executable, "-P", launch.__file__, str(connection_file), str(packages)]
        parent = dict.fromkeys((launch.PARENT_VARIABLE, "JPY_PARENT_PID"), str(os.getpid()))
        own = {**parent, "IPYTHONDIR": str(self.folder / "ipython"), "PYTHONSAFEPATH": ""}
        with self._said.open("wb") as said:
            return subprocess.Popen(
                command,
                env={**environment, **own},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    @property
    def said(self) -> str:
        """What the process wrote to its standard error, for a kernel that would not start."""
        with contextlib.suppress(OSError):
            return self._said.read_text(errors="replace")[-2000:]
        return ""

    def client(self) -> AsyncKernelClient:
        """A client that knows the process."""
        from stackbook.runbook.client import KernelClient

        return KernelClient(self)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the running cell."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End the process and all that it started, now."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def stop(self, patience: float = 2.0) -> None:
        """End the process, with `patience` seconds for what it does at exit; leave nothing of it behind."""
        if self.alive:
            self.process.terminate()
            waiter = threading.Timer(patience, self.kill)
            waiter.start()
            self.process.wait()
            waiter.cancel()
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _connection(folder: Path) -> dict[str, Any]:
    """Sockets in a folder of their own: no port, and nobody else on the machine can reach them."""
    ports = {f"{channel}_port": number for number, channel in enumerate(("shell", "iopub", "stdin", "control", "hb"), 1)}
    about = {"transport": "ipc", "ip": str(folder / "k"), "signature_scheme": "hmac-sha256", "kernel_name": "python3"}
    return {**about, **ports, "key": secrets.token_hex(16)}
