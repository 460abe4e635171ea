"""apt and dnf, asked what they would do and told to do it without prompts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from stackbook.errors import Refused
from stackbook.resources.package_effect import Effect

if TYPE_CHECKING:
    from stackbook.hosts import Host, Result

LONGEST = 1800.0
"""Seconds that a transaction may take, downloads included."""


class Apt:
    """Debian's and Ubuntu's packages."""

    name = "apt-get"
    _removed = re.compile(r"^(?:Remv|Purg) (\S+) \[([^\]]+)\]", re.MULTILINE)
    _installed = re.compile(r"^Inst (\S+) \((\S+)", re.MULTILINE)  # an upgrade has the old version in brackets between

    def __init__(self, host: Host) -> None:
        self.host = host

    def installed(self, name: str) -> str | None:
        """The installed version; a package of which only configuration files are left is not installed."""
        asked = ["dpkg-query", "-W", "-f=${db:Status-Status} ${Version}\n", name]
        answer = self.host.run(asked, check=False)
        states = dict(line.split(" ", 1) for line in answer.out.splitlines() if " " in line)
        return states.get("installed")

    def installing(self, wanted: Mapping[str, str | None], *, removal: bool) -> Effect:
        """What ``apt-get -s install`` tells."""
        return self._effect("install", "--allow-downgrades", *_joined(wanted, "="))

    def removing(self, names: Sequence[str]) -> Effect:
        """What ``apt-get -s remove`` tells."""
        return self._effect("remove", *names)

    def install(self, wanted: Mapping[str, str | None], *, removal: bool) -> None:
        """Install, keeping changed configuration files."""
        kept = [] if removal else ["--no-remove"]
        self._run("-y", *kept, "-o", "Dpkg::Options::=--force-confold", "install", "--allow-downgrades", *_joined(wanted, "="))

    def remove(self, names: Sequence[str]) -> None:
        """Remove, leaving configuration files."""
        self._run("-y", "remove", *names)

    def _effect(self, *words: str) -> Effect:
        answer = self._run("-s", *words, check=False)
        if answer.code:
            raise _impossible(answer, words, f"apt-get update on {self.host.name}, then run again")
        return Effect({name for name, _ in self._installed.findall(answer.out)}, dict(self._removed.findall(answer.out)))

    def _run(self, *words: str, check: bool = True) -> Result:
        quiet = ["-q", "-o", "DPkg::Lock::Timeout=120"]
        asked = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *quiet, *words]
        return self.host.run(asked, timeout=LONGEST, check=check)


class Dnf:
    """The packages of RHEL, CentOS and their like, through dnf or its forerunner yum."""

    _sections: ClassVar = {
        "installed": re.compile(r"(?:Installing|Installing .*dependencies):|Installing for dependencies:"),
        "removed": re.compile(r"Removing(?: .*)?:"),
    }
    _declined = re.compile(r"Operation aborted|Exiting on user")

    def __init__(self, host: Host, name: str) -> None:
        self.host = host
        self.name = name

    def installed(self, name: str) -> str | None:
        """The installed version and release; of several the last that rpm lists."""
        answer = self.host.run(["rpm", "-q", "--qf", "%{VERSION}-%{RELEASE}\\n", name], check=False)
        return None if answer.code or not answer.out.strip() else answer.out.split()[-1]

    def installing(self, wanted: Mapping[str, str | None], *, removal: bool) -> Effect:
        """What ``dnf --assumeno install`` tells."""
        return self._effect("install", *self._erasing(removal), *_joined(wanted, "-"))

    def removing(self, names: Sequence[str]) -> Effect:
        """What ``dnf --assumeno remove`` tells."""
        return self._effect("remove", *names)

    def install(self, wanted: Mapping[str, str | None], *, removal: bool) -> None:
        """Install, asking nothing."""
        self._run("-y", "install", *self._erasing(removal), *_joined(wanted, "-"))

    def remove(self, names: Sequence[str]) -> None:
        """Remove, leaving what was brought as a dependency."""
        self._run("-y", "remove", *names)

    def _erasing(self, removal: bool) -> list[str]:
        return ["--allowerasing"] if removal and self.name == "dnf" else []

    def _effect(self, *words: str) -> Effect:
        answer = self._run("--assumeno", *words, check=False)
        if answer.code and not self._declined.search(answer.out + answer.err):
            raise _impossible(answer, words, f"{self.name} repolist on {self.host.name} shows where it looks")
        return self.transaction(answer.out)

    @classmethod
    def transaction(cls, told: str) -> Effect:
        """The transaction that dnf or yum shows as a table, by section; a long name has its other columns on the next line."""
        effect, section, pending = Effect(), "", ""
        for line in told.splitlines():
            if line and not line.startswith(" "):
                section = next((name for name, head in cls._sections.items() if head.fullmatch(line)), "")
                continue
            row = line.split()
            if not section or not row:
                continue
            name, *rest = row if line[1:2] != " " else [pending, *row]
            if not rest:
                pending = name
            elif section == "installed":
                effect.installed.add(name)
            else:
                effect.removed[name] = rest[1]
        return effect

    def _run(self, *words: str, check: bool = True) -> Result:
        asked = [self.name, "--setopt=clean_requirements_on_remove=0", *words]
        return self.host.run(asked, check=check, timeout=LONGEST)


def _joined(wanted: Mapping[str, str | None], sign: str) -> list[str]:
    return [f"{name}{sign}{version}" if version else name for name, version in wanted.items()]


def _impossible(answer: Result, words: Sequence[str], hint: str) -> Refused:
    said = (answer.err or answer.out).strip()
    return Refused(f"{answer.host}: can't {' '.join(words)}", found=said[-2000:], hint=hint)
