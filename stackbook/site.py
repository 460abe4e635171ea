"""A site as a runbook sees it: its cloud, its hosts and the run that works on it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackbook.cloud import open_cloud, sign_in
from stackbook.config import SiteSettings, sandbox_home, site_settings, workspace
from stackbook.errors import BadInput
from stackbook.hosts import Host, open_host
from stackbook.journal import Run, current_run, open_run
from stackbook.render.redact import Redactor
from stackbook.secrets import known_secrets

if TYPE_CHECKING:
    from openstack.connection import Connection


class Site:
    """A site under one run: every request to its cloud carries the run's request id."""

    def __init__(self, settings: SiteSettings, run: Run) -> None:
        self.settings = settings
        self.run = run
        self.meanwhile: Callable[[], None] = lambda: None
        """Called by a resource that only waits for the site: then a later change may begin (engine/ahead.py)."""
        self.memory: dict[Hashable, Any] | None = None
        """What was asked of the site, while `remembering`."""

    @property
    def name(self) -> str:
        """The site's name, as in ``stackbook.toml``."""
        return self.settings.name

    @property
    def place(self) -> str:
        """What tells this site from others on this machine that other workspaces call by the same name."""
        what = self.settings.cloud or self.settings.rc or str(sandbox_home(self.settings.sandbox or ""))
        return f"{self.name} ({what})"

    @cached_property
    def conn(self) -> Connection:
        """The connection to its cloud (openstacksdk), signed in at first use."""
        connection = open_cloud(self.settings, self.run.request_id)
        sign_in(connection, self.settings)
        return connection

    @cached_property
    def hosts(self) -> dict[str, Host]:
        """Its hosts by name."""
        return {name: open_host(entry) for name, entry in self.settings.hosts.items()}

    @cached_property
    def redactor(self) -> Redactor:
        """Takes this site's secrets, and what looks like one, out of texts and JSON data."""
        return Redactor(known_secrets(self.settings))

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """While it lasts, equal questions are asked once: nothing of ours changes while a plan is computed."""
        self.memory = {}
        try:
            yield
        finally:
            self.memory = None

    def host(self, name: str) -> Host:
        """The host `name`; BadInput when the site has none of that name."""
        if name not in self.hosts:
            known = ", ".join(self.hosts) or "none"
            raise BadInput(f"site {self.name} has no host {name!r} (hosts: {known})", hint="add it to stackbook.toml")
        return self.hosts[name]

    def with_role(self, *roles: str) -> list[str]:
        """Names of the hosts that have one of `roles` (controller, network, compute, storage); all hosts without roles given."""
        return [name for name, host in self.hosts.items() if not roles or set(roles) & set(host.roles)]

    def __repr__(self) -> str:
        return f"<site {self.name} ({self.settings.layout}), run {self.run.id}>"


def find_run(name: str) -> Run:
    """The run `name` of this workspace: a folder's name, an unambiguous part of it, or a path."""
    runs = workspace() / "runs"
    if Path(name).is_dir():
        return open_run(Path(name))
    found = sorted(folder for folder in runs.glob("*") if name and name in folder.name and folder.is_dir())
    exact = [folder for folder in found if folder.name == name] or found
    if len(exact) != 1:
        which = "no run" if not exact else f"{len(exact)} runs"
        raise BadInput(f"{which} below {runs} match {name!r}", found=[folder.name for folder in exact[:5]], hint="stackbook runs")
    return open_run(exact[0])


def connect(site: str | Site = "sandbox", *, runbook: str = "") -> Site:
    """Open a site for one run of `runbook`.

    The run is the one that ``stackbook run`` started; under plain papermill, nbval or in JupyterLab, a new one in the
    workspace's ``runs/``. Raises BadInput for an unknown site; the cloud is asked at first use.
    """
    name = site.name if isinstance(site, Site) else site
    folder = workspace()
    return Site(site_settings(name, folder), current_run(runbook, name, folder / "runs"))
