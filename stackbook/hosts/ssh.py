"""A host over SSH: Fabric's connection, host keys enforced, root through sudo without a terminal."""

from __future__ import annotations

import hashlib
import shlex
import threading
import time
from collections.abc import Sequence
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING

from stackbook.config import HostSettings
from stackbook.errors import Unreachable
from stackbook.hosts.connecting import connection, refusal
from stackbook.hosts.exchange import LostError, TooLongError, TooMuchError, exchange
from stackbook.hosts.host import LIMIT, Host, HostFailed, Stat

if TYPE_CHECKING:
    from fabric import Connection
    from paramiko import Channel

GRACE_S = 5.0
"""Seconds after a command's own time limit, before the connection is given up."""
SILENCE_S = 15
"""Seconds between signs of life on an idle connection."""
CONNECT_S = 20
FILE_S = 60
"""Seconds that reading or writing a file may take."""
TIMED_OUT = 124
"""What ``timeout`` exits with when it ended the command."""
MISSING = (b"No such file or directory", b"Not a directory")
WRITE = files("stackbook.hosts").joinpath("write.sh").read_text()
SURROUNDINGS = 'env LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" SSH_CONNECTION="$SSH_CONNECTION"'
"""Sudo drops SSH_CONNECTION, which tells the NIC that carries this very connection."""


class SshHost(Host):
    """A host behind SSH. It is reached at the first use and again after a lost connection."""

    def __init__(self, settings: HostSettings) -> None:
        super().__init__(settings)
        self._settings = settings
        self._lock = threading.Lock()
        self._open: Connection | None = None

    def read(self, path: str) -> bytes | None:
        """The content of the file at `path`; None when there is none."""
        return self._file("read", ["cat", "--", path])

    def stat(self, path: str) -> Stat | None:
        """Size, mode and time of the file at `path`; None when there is none."""
        answer = self._file("read", ["stat", "-L", "-c", "%s %a %.9Y", "--", path])
        if answer is None:
            return None
        size, mode, mtime = answer.decode().split()
        return Stat(int(size), int(mode, 8), float(mtime))

    def write(self, path: str, content: bytes, mode: int | None = None) -> None:
        """Replace the file at `path` as a whole or not at all; keeps mode, owner and SELinux context of an existing one.

        What arrived is compared with its digest before it takes the file's place, so a lost connection leaves the old one.
        """
        wanted = "" if mode is None else f"{mode:o}"
        self._file("written", ["sh", "-c", WRITE, "stackbook", path, hashlib.sha256(content).hexdigest(), wanted], content)

    def remove(self, path: str) -> None:
        """Remove the file at `path`; nothing happens when there is none."""
        self._file("removed", ["rm", "-f", "--", path])

    def close(self) -> None:
        """End the connection; the next use makes a new one."""
        with self._lock:
            if self._open is not None:
                self._open.close()
            self._open = None

    def _file(self, verb: str, argv: Sequence[str], sent: bytes = b"") -> bytes | None:
        """What a file operation answers; None when the file is not there. Its path is the last argument, or follows a script."""
        path = argv[4] if verb == "written" else argv[-1]
        code, out, err = self._execute(self._line(argv, FILE_S), sent, FILE_S, LIMIT, f"{path} was {verb}")
        if not code:
            return out
        if verb == "read" and any(words in err for words in MISSING):
            return None
        said = err.decode(errors="replace").strip().splitlines() or [f"exit code {code}"]
        raise HostFailed(f"{self.name}:{path} can't be {verb}: {said[-1]}", hint=self._hint)

    def _carry_out(self, argv: Sequence[str], sent: bytes, timeout: float, limit: int) -> tuple[int, bytes, bytes]:
        shown, began = f"{shlex.join(argv)[:200]} ended", time.monotonic()
        code, out, err = self._execute(self._line(argv, timeout), sent, timeout, limit, shown)
        if code == TIMED_OUT and time.monotonic() - began >= timeout:  # else it is the command's own code
            raise self._too_long(argv, timeout)
        return code, out, err

    def _line(self, argv: Sequence[str], timeout: float) -> str:
        return " ".join([*self._root[0], SURROUNDINGS, shlex.join(["timeout", "-k", "5", f"{timeout:g}", *argv])])

    @cached_property
    def _root(self) -> tuple[list[str], str]:
        """What makes a command root's, and why nothing does."""
        if self._execute("id -u", b"", CONNECT_S, LIMIT, "it told who we are")[1].strip() == b"0":
            return [], ""
        code, _, err = self._execute("sudo -n true", b"", CONNECT_S, LIMIT, "sudo answered")
        said = err.decode(errors="replace").strip().splitlines() or [f"exit code {code}"]
        return ([], f"sudo is denied ({said[-1]})") if code else (["sudo", "-n"], "")

    @property
    def _hint(self) -> str | None:
        """The next step where root's rights were missing."""
        if not self._root[1]:
            return None
        return f"{self._root[1]}: let {self._connected().user} use sudo on {self.name} without a password (NOPASSWD)"

    def _connected(self) -> Connection:
        with self._lock:
            if self._open is None or not self._open.is_connected:
                self._open = self._connect()
            return self._open

    def _connect(self) -> Connection:
        made = connection(self._settings)
        try:
            made.open()
        except Exception as error:  # paramiko's, the socket's, a jump host's: each means that it can't be reached
            made.close()
            raise refusal(self.name, made, error) from None
        made.transport.set_keepalive(SILENCE_S)
        return made

    def _channel(self) -> Channel:
        """A new channel; of a new connection, where the one at hand turns out to be dead: nothing was sent over it yet."""
        for attempt in range(2):
            opened = self._connected()
            try:
                made: Channel = opened.transport.open_session(timeout=CONNECT_S)
                return made
            except Exception as error:  # whatever paramiko raises here
                self.close()
                if attempt:
                    raise Unreachable(f"{self.name}: no channel over SSH: {error}", hint="look at its sshd's log") from None
        raise AssertionError

    def _execute(self, line: str, sent: bytes, timeout: float, limit: int, until: str) -> tuple[int, bytes, bytes]:
        with self._channel() as channel:
            try:
                return exchange(channel, line, sent, timeout + GRACE_S, limit)
            except TooLongError:
                raise HostFailed(f"{self.name}: {timeout:g} s passed before {until}", hint=f"look at {self.name}") from None
            except TooMuchError:
                raise HostFailed(f"{self.name}: more than {limit:,} bytes came before {until}", hint="ask for less") from None
            except (LostError, OSError, EOFError):
                self.close()
            except Exception as error:  # a paramiko error: nothing can be said of the command
                self.close()
                raise Unreachable(f"{self.name}: {error}", hint="run it again") from None
        what = f"{self.name}: the connection was lost before {until}; whether it was done is not known"
        raise Unreachable(what, hint="a run that was changing something: stackbook resume RUN, or stackbook undo RUN")
