"""Hosts: run a command, read and write a file; the only place that starts a process on a host."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stackbook.config import HostSettings
from stackbook.errors import BadInput, StackbookError


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


LOCAL = ("localhost", "127.0.0.1", "::1")


class HostFailed(StackbookError):
    """A command or a file operation on a host failed."""


class Host:
    """A host whose ``/`` is a folder on this machine: this machine itself, or a sandbox's host."""

    def __init__(self, settings: HostSettings) -> None:
        if settings.root == "/" and settings.address not in LOCAL:
            raise BadInput(
                f"host {settings.name}: {settings.address} is another machine; only this one and sandboxes can be changed so far",
                hint='run stackbook there with address = "localhost", or leave the host out: the half in the cloud still works',
            )
        self.name = settings.name
        self.roles = settings.roles
        self.root = Path(settings.root)

    def run(self, argv: Sequence[str], *, check: bool = True, timeout: float = 60, text: str = "") -> Result:
        """Run `argv` (no shell) with `text` as its input; raises HostFailed on a non-zero exit when `check`."""
        try:
            done = subprocess.run(
                [*argv],
                input=text,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
                env=self._environment(),
            )
        except FileNotFoundError:
            raise HostFailed(f"{self.name}: {argv[0]} is not installed", hint=f"install {argv[0]} on {self.name}") from None
        except subprocess.TimeoutExpired:
            raise HostFailed(f"{self.name}: {' '.join(argv)} did not end within {timeout:g} s") from None
        result = Result(self.name, tuple(argv), done.returncode, done.stdout, done.stderr)
        if check and result.code:
            said = (result.err or result.out).strip()
            raise HostFailed(f"{self.name}: {' '.join(argv)} failed with exit code {result.code}", found=said[-2000:])
        return result

    def read(self, path: str) -> bytes | None:
        """The content of the file at `path`; None when there is none."""
        try:
            return self._at(path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HostFailed(f"{self.name}:{path} can't be read: {error.strerror}") from None

    def write(self, path: str, content: bytes, mode: int | None = None) -> None:
        """Replace the file at `path` as a whole or not at all; keeps mode and owner of an existing one."""
        place = self._at(path)
        temporary = None
        try:
            before = self.stat(path)
            place.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(temporary, mode if mode is not None else before.mode if before else 0o644)
            self._keep_owner(place, temporary)
            os.replace(temporary, place)
        except OSError as error:
            if temporary:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
            raise HostFailed(f"{self.name}:{path} can't be written: {error.strerror}") from None

    def remove(self, path: str) -> None:
        """Remove the file at `path`; nothing happens when there is none."""
        self._at(path).unlink(missing_ok=True)

    def stat(self, path: str) -> Stat | None:
        """Size, mode and time of the file at `path`; None when there is none."""
        try:
            found = self._at(path).stat()
        except FileNotFoundError:
            return None
        return Stat(found.st_size, found.st_mode & 0o7777, found.st_mtime)

    def _at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def _environment(self) -> dict[str, str]:
        own = f"{self.root}/usr/bin:{self.root}/usr/sbin:" if str(self.root) != "/" else ""
        return {**os.environ, "LC_ALL": "C", "PATH": own + os.environ.get("PATH", os.defpath)}

    @staticmethod
    def _keep_owner(place: Path, temporary: str) -> None:
        if place.exists() and os.geteuid() == 0:
            owner = place.stat()
            os.chown(temporary, owner.st_uid, owner.st_gid)
