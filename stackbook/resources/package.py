"""Packages on hosts: installed or absent, through apt or dnf."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from stackbook.errors import BadInput, ChangedSince, Refused
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources.package_effect import Effect, Packager
from stackbook.resources.package_tools import Apt, Dnf

if TYPE_CHECKING:
    from stackbook.hosts import Host
    from stackbook.site import Site

_NAME = re.compile(r"[A-Za-z0-9](?:[\w.+-]*[\w+])?")
_VERSION = re.compile(r"[A-Za-z0-9][\w.+:~^-]*")
DPKG = "/var/lib/dpkg/status"
RPM = ("/var/lib/rpm", "/usr/lib/sysimage/rpm")


@dataclass(frozen=True, kw_only=True)
class Package(Resource):
    """A package on a host; ``Absent(Package(...))`` asks that it be gone.

    What else would be removed is found while planning: it is refused unless `along` names it. What an installation
    brought along is removed again by its undo, where nothing else needs it by then.
    """

    kind: ClassVar[str] = "package"
    identity: ClassVar[tuple[str, ...]] = ("host", "name")
    hidden: ClassVar[frozenset[str]] = frozenset({"along"})

    host: str
    name: str
    version: str | None = None
    """As the packager writes it: ``1.2-3`` (apt), ``1.2-3.el9`` (dnf)."""
    along: tuple[str, ...] = ()
    """Packages that may be removed with it, or for it."""

    def __post_init__(self) -> None:
        for name in (self.name, *self.along):
            if not _NAME.fullmatch(name):
                raise BadInput(f"{self.address}: {name!r} is no package's name", hint="for example openvswitch-switch")
        if self.version is not None and not _VERSION.fullmatch(self.version):
            raise BadInput(f"{self.address}: {self.version!r} is no version", hint="for example 3.1.0-2")

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The installed version; None when the package is not installed."""
        version = self._packager(site).installed(self.name)
        return None if version is None else Actual(None, {"version": version})

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse what the host's repositories don't offer, and an installation that removes others not named."""
        if actual is None or (self.version and actual.values["version"] != self.version):
            self._refuse_more(self._packager(site).installing(self._spec(), removal=bool(self.along)))

    def check_removal(self, site: Site, actual: Actual) -> None:
        """Refuse a removal that takes packages along that are not named."""
        self._refuse_more(self._packager(site).removing([self.name]))

    def create(self, site: Site, change: Change) -> Values:
        """Install it, with what it needs; what its removal took along comes back too."""
        packager = self._packager(site)
        if packager.installed(self.name) is not None:
            raise ChangedSince(f"{self.address} was installed meanwhile", hint="run again, and read the new plan")
        return self._install(packager, {**change.memo.get("removed", {}), **self._spec()})

    def update(self, site: Site, change: Change) -> Values:
        """Install the wanted version, newer or older."""
        packager = self._packager(site)
        if packager.installed(self.name) != change.before["version"]:
            raise ChangedSince(f"{self.address} has another version by now", hint="run again, and read the new plan")
        return self._install(packager, self._spec())

    def delete(self, site: Site, change: Change) -> Values:
        """Remove it; in an undo also what its installation brought and nothing else needs, and bring back what it removed."""
        packager = self._packager(site)
        brought = [name for name in change.memo.get("brought", ()) if packager.installed(name) is not None]
        names = [self.name, *brought]
        effect = packager.removing(names)
        if brought and self._more(effect, names):
            names = [self.name]
            effect = packager.removing(names)
        self._refuse_more(effect, names)
        packager.remove(names)
        if packager.installed(self.name) is not None:
            raise Refused(f"{self.address} is still installed", hint=f"look what {packager.name} says on {self.host}")
        if back := change.memo.get("removed"):
            packager.install(back, removal=False)
        return {"removed": effect.removed}

    def _install(self, packager: Packager, wanted: dict[str, str | None]) -> Values:
        effect = packager.installing(wanted, removal=bool(self.along))
        self._refuse_more(effect)
        packager.install(wanted, removal=bool(self.along))
        if packager.installed(self.name) is None:
            raise Refused(f"{self.address} is not installed yet", hint=f"look what {packager.name} says on {self.host}")
        return {"brought": sorted(effect.installed - {self.name}), "removed": effect.removed}

    def _spec(self) -> dict[str, str | None]:
        return {self.name: self.version}

    def _refuse_more(self, effect: Effect, names: Iterable[str] = ()) -> None:
        if more := self._more(effect, names):
            shown = ", ".join(f'"{name}"' for name in more)
            raise Refused(
                f"{self.address}: {len(more)} more would be removed",
                found=[f"{name} {effect.removed[name]}" for name in more],
                hint=f"if that is meant, name them: along=({shown},)",
            )

    def _more(self, effect: Effect, names: Iterable[str] = ()) -> list[str]:
        """What would be removed and is named nowhere."""
        return sorted(set(effect.removed) - {self.name, *self.along, *names})

    def _packager(self, site: Site) -> Packager:
        return packager(site.host(self.host))


def packager(host: Host) -> Packager:
    """What installs packages on a host, by the database that it has; Refused where there is none."""
    if host.stat(DPKG):
        return Apt(host)
    if any(host.stat(path) for path in RPM):
        return Dnf(host, "yum" if host.stat("/usr/bin/yum") and not host.stat("/usr/bin/dnf") else "dnf")
    raise Refused(f"{host.name} has neither dpkg's nor rpm's database", hint="install the package by hand")
