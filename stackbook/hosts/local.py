"""A host whose ``/`` is a folder of this machine: this machine itself, or a sandbox's host."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from stackbook.config import HostSettings
from stackbook.hosts.host import NOT_FOUND, Host, HostFailed, Stat


class LocalHost(Host):
    """This machine, or a sandbox's host."""

    def __init__(self, settings: HostSettings) -> None:
        super().__init__(settings)
        self.root = Path(settings.root)

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
        (self.root / path.lstrip("/")).unlink(missing_ok=True)

    def stat(self, path: str) -> Stat | None:
        """Size, mode and time of the file at `path`; None when there is none."""
        try:
            found = self._at(path).stat()
        except FileNotFoundError:
            return None
        return Stat(found.st_size, found.st_mode & 0o7777, found.st_mtime)

    def _carry_out(self, argv: Sequence[str], sent: bytes, timeout: float, limit: int) -> tuple[int, bytes, bytes]:
        try:
            done = subprocess.run([*argv], input=sent, capture_output=True, timeout=timeout, check=False, env=self._environment())
        except FileNotFoundError:
            return NOT_FOUND, b"", b""
        except subprocess.TimeoutExpired:
            raise self._too_long(argv, timeout) from None
        if len(done.stdout) + len(done.stderr) > limit:
            raise self._too_much(argv, limit)
        return done.returncode, done.stdout, done.stderr

    def _at(self, path: str) -> Path:
        return Path(os.path.realpath(self.root / path.lstrip("/")))

    def _environment(self) -> dict[str, str]:
        own = f"{self.root}/usr/bin:{self.root}/usr/sbin:" if str(self.root) != "/" else ""
        return {**os.environ, "LC_ALL": "C", "PATH": own + os.environ.get("PATH", os.defpath)}

    @staticmethod
    def _keep_owner(place: Path, temporary: str) -> None:
        if place.exists() and os.geteuid() == 0:
            owner = place.stat()
            os.chown(temporary, owner.st_uid, owner.st_gid)
