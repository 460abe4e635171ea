"""Files on hosts: their content and mode."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stackbook import backups
from stackbook.errors import BadInput, ChangedSince, Refused
from stackbook.plans import Actual, Change, Resource, Values

if TYPE_CHECKING:
    from stackbook.hosts import Host
    from stackbook.site import Site

MOST = 1 << 18
"""Bytes of a content that a plan carries; larger ones are no configuration."""
UNSHOWN = re.compile(r"\(not shown: [\w, ]+; sha256 ([0-9a-f]{64})\)")
"""Stands for a content in plans and journals: a secret, or no text."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MODE = re.compile(r"0?[0-7]{3}")


@dataclass(frozen=True, kw_only=True)
class File(Resource):
    """A file on a host with this content and mode; replaced as a whole, the content from before kept on its host.

    The plan shows the content as lines taken and added. A content that looks like a secret is refused; one that is
    there already is shown as its digest only, and undo brings it back from the backup.
    """

    kind: ClassVar[str] = "file"
    identity: ClassVar[tuple[str, ...]] = ("host", "path")

    host: str
    path: str
    content: str | None = None
    mode: str | None = None
    """Permission bits as ``chmod`` takes them, such as ``0600``; a new file without gets ``0644``."""

    def __post_init__(self) -> None:
        if not self.path.startswith("/") or "/../" in f"{self.path}/" or self.path.endswith("/"):
            raise BadInput(f"{self.address}: the path is not that of a file", hint="give it from / on, such as /etc/motd")
        if self.mode is not None:
            if not isinstance(self.mode, str) or not _MODE.fullmatch(self.mode):
                raise BadInput(f"{self.address}: mode {self.mode!r} is not octal", hint='for example "0644"')
            object.__setattr__(self, "mode", self.mode.zfill(4))

    @property
    def address(self) -> str:
        """For example ``compute1:/etc/netplan/50-br-ex.yaml``."""
        return f"{self.host}:{self.path}"

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The file's content, or its digest where it may not be shown, and its mode; None without the file."""
        host = site.host(self.host)
        content, stat = host.read(self.path), host.stat(self.path)
        if content is None or stat is None:
            return None
        return Actual(None, {"content": told(site, content), "mode": f"{stat.mode:04o}"})

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse secrets, what is no text, what is too large, and a digest that no backup has."""
        if self.content is None:
            if actual is None:
                raise Refused(f"{self.address} does not exist", hint="give its content too")
            return
        if named := UNSHOWN.fullmatch(self.content):
            if self.content != (actual and actual.values["content"]):
                self._kept(site.host(self.host), named[1])
        elif found := UNSHOWN.fullmatch(told(site, self.content.encode())):
            why = f"what would be written can't be in a plan {found[0]}"
            raise Refused(f"{self.address}: {why}", hint="place the file by hand, and ask for its mode only")

    def planned_on(self, site: Site) -> str:
        """The digest of the content, where only the mode is asked for too."""
        content = site.host(self.host).read(self.path)
        return "" if content is None else backups.digest(content)[:16]

    def check_undo(self, site: Site, change: Change) -> None:
        """Refuse to bring back a content of which only the digest is known, when no backup has it any more."""
        if named := UNSHOWN.fullmatch(str(change.after.get("content", ""))):
            self._kept(site.host(self.host), named[1])

    def create(self, site: Site, change: Change) -> Values:
        """Write the file."""
        host = site.host(self.host)
        if host.read(self.path) is not None:
            raise ChangedSince(f"{self.address} was made meanwhile", hint="run again, and read the new plan")
        new = self._content(host, change)
        host.write(self.path, new, mode=self._mode(change) or 0o644)
        return {"after": backups.digest(new)}

    def update(self, site: Site, change: Change) -> Values:
        """Replace the file's content, its mode, or both."""
        host, old = site.host(self.host), self._unchanged(site, change)
        new = backups.restored(host, change.memo, old) if "content" in change.after else old
        return backups.replaced(host, self.path, old, self._content(host, change) if new is None else new, self._mode(change))

    def delete(self, site: Site, change: Change) -> Values:
        """Remove the file; its content stays in the backup."""
        host, old = site.host(self.host), self._unchanged(site, change)
        backup = backups.keep(host, self.path, old)
        host.remove(self.path)
        return {"backup": backup, "before": backups.digest(old)}

    def _unchanged(self, site: Site, change: Change) -> bytes:
        """The file's bytes; raises ChangedSince when the plan was made for others."""
        content, actual = site.host(self.host).read(self.path), self.read(site)
        expected: dict[str, Any] = change.before
        if content is None or actual is None:
            raise ChangedSince(f"{self.address} is gone", hint="run again, and read the new plan")
        if names := [name for name, value in expected.items() if actual.values[name] != value]:
            raise ChangedSince(f"{self.address}: {', '.join(names)} changed meanwhile", hint="run again, and read the new plan")
        return content

    def _content(self, host: Host, change: Change) -> bytes:
        wanted = str(change.after["content"])
        named = UNSHOWN.fullmatch(wanted)
        return self._kept(host, named[1]) if named else wanted.encode()

    def _kept(self, host: Host, digest: str) -> bytes:
        found = backups.kept(host, self.path, digest)
        if found is None:
            raise Refused(
                f"{self.address}: no backup has the content with the digest {digest}", hint=f"look below {backups.BACKUPS}"
            )
        return found

    @staticmethod
    def _mode(change: Change) -> int | None:
        mode = change.after.get("mode")
        return int(mode, 8) if mode else None


def told(site: Site, content: bytes) -> str:
    """A content as plans may carry it: its text, or its digest for a secret, for no text, and for a very long one."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    if len(content) > MOST:
        why = f"{len(content)} bytes"
    elif _CONTROL.search(text):
        why = f"no text, {len(content)} bytes"
    elif site.redactor(text) != text:
        why = "it looks like it holds a secret"
    else:
        return text
    return f"(not shown: {why}; sha256 {backups.digest(content)})"
