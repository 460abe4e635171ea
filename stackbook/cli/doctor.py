"""doctor: what is installed, reachable and permitted."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from stackbook.config import SETTINGS, cloud_names, site_names, site_settings, workspace
from stackbook.errors import EXIT_DONE, EXIT_FAILED, BadInput, StackbookError
from stackbook.hosts import everywhere, open_host

PACKAGES = ("openstacksdk", "papermill", "ipykernel", "jupyterlab", "pandas", "matplotlib")
OLDEST = (3, 11)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: str
    """``ok``, ``note`` (works, but worth knowing) or ``bad``."""
    subject: str
    summary: str
    hint: str = ""
    """The next step."""


def doctor(arguments: Namespace) -> int:
    """Print the findings; exit code 1 when one is bad."""
    found = []
    for finding in findings(arguments.site):
        found.append(finding)
        if not arguments.json:
            print(f"{finding.level:5} {finding.subject}: {finding.summary}", flush=True)
            if finding.hint:
                print(f"      Try: {finding.hint}")
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in found], ensure_ascii=False))
    return EXIT_FAILED if any(finding.level == "bad" for finding in found) else EXIT_DONE


def findings(site: str | None) -> Iterator[Finding]:
    """Look at everything, quickest first."""
    yield _python()
    yield from map(_package, PACKAGES)
    yield _workspace()
    yield _runs()
    for name in [site] if site else _sites():
        yield _site(name)
        yield from _hosts(name)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = sys.version_info[:2] >= OLDEST
    return Finding("ok" if fits else "bad", "python", version, "" if fits else "install Python 3.11 or newer")


def _package(name: str) -> Finding:
    try:
        return Finding("ok", name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding("bad", name, "not installed", f"{sys.executable} -m pip install {name}")


def _workspace() -> Finding:
    path = workspace() / SETTINGS
    if path.is_file():
        return Finding("ok", "workspace", str(path.parent))
    return Finding("note", "workspace", f"no {SETTINGS} at or above {Path.cwd()}", "stackbook init")


def _runs() -> Finding:
    folder = workspace() / "runs"
    place = folder if folder.exists() else folder.parent
    if os.access(place, os.W_OK | os.X_OK):
        return Finding("ok", "runs", f"{folder} can be written")
    return Finding("bad", "runs", f"{place} can't be written", f"chmod u+rwx {place}, or work in another folder")


def _sites() -> list[str]:
    try:
        listed = site_names()
    except BadInput:  # told as a finding about the workspace
        listed = []
    return listed or ["sandbox", *cloud_names()]


def _site(name: str) -> Finding:
    """Sign in to a site's cloud and count what its catalogue offers."""
    from stackbook.cloud import open_cloud, sign_in

    subject = f"site {name}"
    try:
        settings = site_settings(name)
        connection = open_cloud(settings, "req-doctor")
        sign_in(connection, settings)
        services = sorted({entry["type"] for entry in connection.service_catalog})
    except StackbookError as error:
        found = f" ({error.found})" if error.found else ""
        level = "note" if name == "sandbox" else "bad"
        return Finding(level, subject, f"{error.what}{found}", error.hint or "")
    except Exception as error:  # a finding about one site does not end the others
        return Finding("bad", subject, f"{type(error).__name__}: {error}", "check its entry in stackbook.toml and clouds.yaml")
    admin = "" if _administrates(connection) else "; not as an administrator"
    return Finding("ok", subject, f"signed in; offers {', '.join(services)}{admin}")


def _hosts(site: str) -> Iterator[Finding]:
    """Reach each host of a site, and see whether what is done there is done as root."""
    try:
        hosts = [open_host(entry) for entry in site_settings(site).hosts.values()]
    except StackbookError:
        return  # the site's own finding tells
    answers = everywhere(hosts, lambda host: host.run(["id", "-un"]).out.strip())
    for host in hosts:
        subject = f"site {site}, host {host.name}"
        if failure := answers.failed.get(host.name):
            yield Finding("bad", subject, failure.what, failure.hint or "")
        elif answers.found[host.name] == "root" or host.root != Path("/"):
            yield Finding("ok", subject, "reached; it can be changed")
        else:
            hint = f"let this user use sudo on {host.name} without a password (NOPASSWD)"
            yield Finding("note", subject, f"reached as {answers.found[host.name]}, who is not root: it can be read only", hint)


def _administrates(connection: object) -> bool:
    try:
        return "admin" in connection.session.auth.get_access(connection.session).role_names  # type: ignore[attr-defined]
    except AttributeError:
        return False
