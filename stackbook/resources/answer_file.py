"""Packstack's answer file on a host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from stackbook.backups import digest, replaced, restored
from stackbook.config import HostSettings
from stackbook.errors import ChangedSince, Refused
from stackbook.hosts import open_host
from stackbook.ini import check_value
from stackbook.packstack import catalogue
from stackbook.packstack.answers import Answers
from stackbook.plans import Actual, Change, Resource, Values

if TYPE_CHECKING:
    from stackbook.hosts import Host
    from stackbook.site import Site

HERE = "localhost"


@dataclass(frozen=True, kw_only=True)
class AnswerFile(Resource):
    """Options of an answer file that exists; every other line stays as it is.

    Secrets are neither read nor set: `options` can't name one. Backed up and replaced as a whole.
    """

    kind: ClassVar[str] = "answer-file"
    identity: ClassVar[tuple[str, ...]] = ("host", "path")

    host: str
    """A host of the site, or ``localhost`` for the machine that stackbook runs on."""
    path: str
    options: Mapping[str, str | None]
    """``CONFIG_*`` name to value; None takes the option out of the file."""

    @property
    def address(self) -> str:
        """For example ``answer-file/controller1:/root/answers.txt``."""
        return f"{self.kind}/{self.host}:{self.path}"

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The values of the options asked for; None without the file."""
        answers = answers_on(site, self.host, self.path)
        return Actual(None, {"options": _found(answers, self.options)}) if answers else None

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse a missing file, unknown options, values that they don't take, secrets, and repeated lines."""
        answers = answers_on(site, self.host, self.path)
        if answers is None:
            hint = f"packstack --gen-answer-file={self.path} on {self.host} writes one"
            raise Refused(f"{self.host}:{self.path} does not exist", hint=hint)
        for name, value in self.options.items():
            self._check_option(answers, name, value)

    def planned_on(self, site: Site) -> str:
        """The digest of the whole file: an edit beside the options is someone's work, too."""
        content = host_of(site, self.host).read(self.path)
        return "" if content is None else digest(content)[:16]

    def update(self, site: Site, change: Change) -> Values:
        """Set the options."""
        host = host_of(site, self.host)
        old = host.read(self.path)
        if old is None:
            raise ChangedSince(f"{self.host}:{self.path} is gone", hint="run again, and read the new plan")
        answers = Answers(old, f"{self.host}:{self.path}")
        before, after = change.before["options"], change.after["options"]
        if (found := _found(answers, before)) != before:
            raise ChangedSince(f"{self.address} was changed meanwhile", found=found, hint="run again, and read the new plan")
        return replaced(host, self.path, old, restored(host, change.memo, old) or answers.with_options(after))

    def _check_option(self, answers: Answers, name: str, value: str | None) -> None:
        option = catalogue.options(answers.release).get(name)
        if option is None and value is not None:
            near = catalogue.nearest(name, answers.release)
            hint = f"is {near} meant?" if near else "the runbook lists the options in its first table"
            raise Refused(f"{self.address}: Packstack {answers.release} knows no {name}", hint=hint)
        if catalogue.secret(name):
            raise Refused(f"{self.address}: {name} is a secret, which would be in the plan", hint="set it by hand in the file")
        if option and value is not None and not option.allows(value):
            raise Refused(f"{self.address}: {name} can't be {value!r}", found=f"choices: {', '.join(option.choices)}")
        if value is not None and (check_value(value) != value.strip() or "\n" in value or value[:1] in ("'", '"')):
            raise Refused(f"{self.address}: {name} can't be {value!r}", hint="Packstack takes quotes and blanks literally")
        if name in answers.repeated:
            raise Refused(f"{self.address}: {name} is there more than once", hint="keep one of the lines, then run again")


def answers_on(site: Site, host: str, path: str) -> Answers | None:
    """The answer file at `path` of a host, or of this machine for ``localhost``; None when there is none."""
    content = host_of(site, host).read(path)
    return None if content is None else Answers(content, f"{host}:{path}")


def host_of(site: Site, name: str) -> Host:
    """The site's host of that name; this machine for ``localhost`` when no host of the site is called so."""
    return open_host(HostSettings(HERE)) if name == HERE and HERE not in site.hosts else site.host(name)


def _found(answers: Answers, names: Mapping[str, str | None]) -> Values:
    return {name: None if catalogue.secret(name) else answers.value(name) for name in names}
