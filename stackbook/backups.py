"""Files on hosts, replaced as a whole with the content from before kept on their host: what undo restores byte for byte.

A backup is named by its file's path and its content, so that a cut-off change finds it without a memo.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stackbook.hosts import Host
    from stackbook.plans import Values

BACKUPS = "/var/lib/stackbook/backups"


def digest(content: bytes) -> str:
    """The content's SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def keep(host: Host, path: str, content: bytes) -> str:
    """Write a backup of the file's content, readable by its owner only; returns the backup's path."""
    backup = _path(path, digest(content))
    host.write(backup, content, mode=0o600)
    return backup


def replaced(host: Host, path: str, old: bytes, new: bytes, mode: int | None = None) -> Values:
    """Back up `old`, write `new`; returns the memo that `restored` takes."""
    backup = keep(host, path, old)
    host.write(path, new, mode=mode)
    return {"backup": backup, "before": digest(old), "after": digest(new)}


def restored(host: Host, memo: Values, now: bytes) -> bytes | None:
    """The backup, byte for byte, when the file is still as the run left it; else None."""
    if not memo or memo.get("after") != digest(now):
        return None
    backup = host.read(memo["backup"])
    return backup if backup is not None and digest(backup) == memo["before"] else None


def kept(host: Host, path: str, wanted: str) -> bytes | None:
    """The backup of the file with the digest `wanted`; None when there is none."""
    backup = host.read(_path(path, wanted))
    return backup if backup is not None and digest(backup) == wanted else None


def _path(path: str, digest: str) -> str:
    return f"{BACKUPS}{path}.{digest[:12]}"
