"""The client's side of a kernel: knows at once when the process is gone, and when it can be spoken to."""

from __future__ import annotations

import time
from queue import Empty
from typing import TYPE_CHECKING, Any, cast

from jupyter_client.asynchronous.client import AsyncKernelClient

from stackbook.errors import StackbookError

if TYPE_CHECKING:
    from stackbook.runbook.process import Kernel


class KernelFailed(StackbookError):
    """The kernel did not start, or ended in the middle of the run."""


class KernelClient(AsyncKernelClient):
    """A client of a kernel whose process is ours to look at."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self.load_connection_info(cast("Any", kernel.connection))
        self.kernel = kernel

    async def is_alive(self) -> bool:
        """Whether the kernel's process runs."""
        return self.kernel.alive

    async def wait_for_ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as its base names it
        """Return as soon as the kernel answers on both channels; raises KernelFailed when it ended or is silent."""
        until = time.monotonic() + (timeout or 60)
        while not await self._answers():
            if not self.kernel.alive or time.monotonic() > until:
                what = "did not start" if self.kernel.alive else f"ended with exit code {self.kernel.process.returncode}"
                raise KernelFailed(f"the kernel {what}", found=self.kernel.said or None, hint="stackbook doctor")

    async def _answers(self) -> bool:
        """Whether a request was answered and its status seen: before that, outputs could be missed."""
        request = self.kernel_info()
        try:
            await self.get_shell_msg(timeout=0.5)
            while True:
                message = await self.get_iopub_msg(timeout=0.1)
                idle = message["content"].get("execution_state") == "idle"
                if idle and message["parent_header"].get("msg_id") == request:
                    return True
        except Empty:
            return False
