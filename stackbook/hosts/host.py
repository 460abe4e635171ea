"""What every host can do, wherever it is."""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stackbook.config import HostSettings
from stackbook.errors import StackbookError

LIMIT = 64 * 1024 * 1024
"""Bytes that a command may answer; more is an error, not a full memory."""
NOT_FOUND = 127
"""A shell's, and env's, exit code for a program that is not there."""


@dataclass(frozen=True)
class Result:
    """What a command on a host answered."""

    host: str
    argv: tuple[str, ...]
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Stat:
    """A file's size in bytes, permission bits and time of last change (seconds since the epoch)."""

    size: int
    mode: int
    mtime: float


class HostFailed(StackbookError):
    """A command or a file operation on a host failed."""


class Host(ABC):
    """A host of a site: this machine, a sandbox's host, or another machine over SSH."""

    root = Path("/")
    """The folder that is the host's ``/``; only a sandbox's hosts have another."""

    def __init__(self, settings: HostSettings) -> None:
        self.name = settings.name
        self.roles = settings.roles
        self.address = settings.address

    def run(self, argv: Sequence[str], *, check: bool = True, timeout: float = 60, text: str = "", limit: int = LIMIT) -> Result:
        """Run `argv` (no shell) with `text` as its input, as root where the host allows it.

        Raises HostFailed when it is not installed, takes more than `timeout` seconds, answers more than `limit` bytes or,
        with `check`, exits with another code than 0; Unreachable when the host does not answer.
        """
        code, out, err = self._carry_out(argv, text.encode(), timeout, limit)
        result = Result(self.name, tuple(argv), code, out.decode(errors="replace"), err.decode(errors="replace"))
        if code == NOT_FOUND and (not result.err or argv[0] in result.err):
            raise HostFailed(f"{self.name}: {argv[0]} is not installed", hint=f"install {argv[0]} on {self.name}")
        if check and code:
            said = (result.err or result.out).strip()
            raise HostFailed(f"{self.name}: {shlex.join(argv)} failed with exit code {code}", found=said[-2000:])
        return result

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """The content of the file at `path`; None when there is none."""

    @abstractmethod
    def write(self, path: str, content: bytes, mode: int | None = None) -> None:
        """Replace the file at `path` as a whole or not at all; keeps mode and owner of an existing one."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove the file at `path`; nothing happens when there is none."""

    @abstractmethod
    def stat(self, path: str) -> Stat | None:
        """Size, mode and time of the file at `path`; None when there is none."""

    @abstractmethod
    def _carry_out(self, argv: Sequence[str], sent: bytes, timeout: float, limit: int) -> tuple[int, bytes, bytes]:
        """Exit code, output and errors of `argv`."""

    def _too_long(self, argv: Sequence[str], timeout: float) -> HostFailed:
        return HostFailed(f"{self.name}: {shlex.join(argv)} did not end within {timeout:g} s", hint=f"look at {self.name}")

    def _too_much(self, argv: Sequence[str], limit: int) -> HostFailed:
        return HostFailed(f"{self.name}: {shlex.join(argv)} answered more than {limit:,} bytes", hint="ask it for less")
