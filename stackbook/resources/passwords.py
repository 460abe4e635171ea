"""Where a new user's password comes from; it is never in a plan, a journal or a message."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackbook.errors import BadInput, CloudFailed

RANDOM = "random"
FORMS = "env:NAME, file:PATH or random"
LENGTH = 24
"""Bytes of chance in a password that is made."""


def check_form(address: str, source: str) -> None:
    """Refuse what names no place: most of all a password itself, which is not repeated in the message."""
    kind, _, rest = source.partition(":")
    if source != RANDOM and not (kind in ("env", "file") and rest):
        raise BadInput(f"{address}: password_from is where the password is read from, never the password", hint=f"use {FORMS}")


def check_source(address: str, source: str) -> None:
    """Refuse an unset variable and a file that is missing, empty, or open to others."""
    kind, _, name = source.partition(":")
    if kind == "env" and not os.environ.get(name):
        raise BadInput(
            f"{address}: the variable {name} is not set", hint=f"set it where the run starts: read -rs {name}; export {name}"
        )
    if kind == "file":
        path = Path(name).expanduser()
        if not path.is_file() or not _first_line(path):
            raise BadInput(f"{address}: {path} holds no password", hint="put it on the file's first line")
        if path.stat().st_mode & 0o077:
            raise BadInput(f"{address}: {path} can be read by others", hint=f"chmod 600 {path}")


def secret(source: str | None, place: Path) -> str | None:
    """The password from its source; a random one is first written to `place`, so that a crash can't lose it."""
    if source is None:
        return None
    kind, _, name = source.partition(":")
    if kind == "env":
        return os.environ[name]
    return _first_line(Path(name).expanduser()) if kind == "file" else _made(place)


def place(site: str, address: str) -> Path:
    """The private file for a random password of the user at `address`."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    name = re.sub(r"[^\w.-]", "_", address.removeprefix("user/"))
    return state / "stackbook" / "passwords" / re.sub(r"[^\w.-]", "_", site) / name


@contextmanager
def unseen(password: str | None) -> Iterator[None]:
    """Keep `password` out of the message of whatever goes wrong: keystone repeats what it finds invalid."""
    try:
        yield
    except Exception as error:
        told = getattr(error, "details", None) or str(error)
        if not password or password not in f"{told}{error}":
            raise
        raise CloudFailed("the cloud refuses the password", found=str(told).replace(password, "***")[:500]) from None


def _made(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.is_file() and (kept := _first_line(path)):
        return kept
    password = secrets.token_urlsafe(LENGTH)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(password + "\n")
    return password


def _first_line(path: Path) -> str:
    return (path.read_text().splitlines() or [""])[0]
