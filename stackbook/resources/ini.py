"""Options in configuration files on hosts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from stackbook.backups import digest, replaced, restored
from stackbook.errors import ChangedSince, Refused
from stackbook.ini import IniText, check_value
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources.lookup import once

if TYPE_CHECKING:
    from stackbook.site import Site

SECRET_OPTION = re.compile(r"passw|secret|token|credential|private_key|^connection$|transport_url|memcache.*key", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class IniOption(Resource):
    """One option of a configuration file on a host, as oslo.config reads it.

    With `value` the last assignment, the one that counts, is set; with `all_values` the option has exactly these, in
    order (for options that collect many). A new option is placed beside its commented-out template. The file is
    backed up on its host and replaced as a whole.
    """

    kind: ClassVar[str] = "ini"
    identity: ClassVar[tuple[str, ...]] = ("host", "path", "section", "option")

    host: str
    path: str
    section: str
    option: str
    value: str | None = None
    all_values: tuple[str, ...] | None = None

    @property
    def address(self) -> str:
        """For example ``compute1:/etc/nova/nova.conf [libvirt] virt_type``."""
        return f"{self.host}:{self.path} [{self.section}] {self.option}"

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The option's value on the host; None when the file or the option is not there."""
        text = self._text(site)
        found = text.values(self.section, self.option) if text else []
        if not found:
            return None
        return Actual(None, {"value": found[-1]} if self.all_values is None else {"all_values": found})

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse secrets, values that a file can't hold, and a file that is not there."""
        if SECRET_OPTION.search(self.option):
            raise Refused(f"{self.address}: a secret would be shown in the plan", hint="set it by hand on the host")
        for value in (*(self.all_values or ()), *([self.value] if self.value is not None else [])):
            check_value(value)
        if self._text(site) is None:
            raise Refused(f"{self.host}:{self.path} does not exist", hint=f"is the service installed on {self.host}?")

    def planned_on(self, site: Site) -> str:
        """The digest of the whole file: an edit beside the option is someone's work, too."""
        content = self._content(site)
        return "" if content is None else digest(content)[:16]

    def _content(self, site: Site) -> bytes | None:
        host = site.host(self.host)
        found: bytes | None = once(site, ("file", self.host, self.path), lambda: host.read(self.path))
        return found

    def _text(self, site: Site) -> IniText | None:
        content = self._content(site)
        return None if content is None else IniText(content, f"{self.host}:{self.path}")

    def create(self, site: Site, change: Change) -> Values:
        """Add the option."""
        return self._edit(site, change)

    def update(self, site: Site, change: Change) -> Values:
        """Change the option's value."""
        return self._edit(site, change)

    def delete(self, site: Site, change: Change) -> Values:
        """Remove every assignment of the option."""
        return self._edit(site, change)

    def _edit(self, site: Site, change: Change) -> Values:
        host = site.host(self.host)
        old = host.read(self.path)
        if old is None:
            raise ChangedSince(f"{self.host}:{self.path} is gone", hint="run again, and read the new plan")
        new = restored(host, change.memo, old) or self._edited(old, change)
        return replaced(host, self.path, old, new)

    def _edited(self, old: bytes, change: Change) -> bytes:
        text = IniText(old, f"{self.host}:{self.path}")
        self._refuse_changed(text, change)
        if change.action == "delete":
            return text.with_values(self.section, self.option, []).content()
        if "all_values" in change.after:
            return text.with_values(self.section, self.option, list(change.after["all_values"])).content()
        return text.with_value(self.section, self.option, change.after["value"]).content()

    def _refuse_changed(self, text: IniText, change: Change) -> None:
        found = text.values(self.section, self.option)
        expected = change.before.get("all_values", [change.before["value"]] if "value" in change.before else [])
        if found[-len(expected) :] != expected or bool(found) != bool(expected):
            raise ChangedSince(f"{self.address} was changed meanwhile", found=found, hint="run again, and read the new plan")
