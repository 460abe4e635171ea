"""What went wrong with a sandbox."""

from __future__ import annotations

from stackbook.errors import StackbookError


class SandboxFailed(StackbookError):
    """The sandbox could not be made, started or stopped."""


class NoSandbox(StackbookError):
    """There is no sandbox of that name."""
