"""Where things are: the workspace, its ``stackbook.toml``, and the sandboxes of this user."""

from __future__ import annotations

import json
import os
import shlex
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackbook.errors import BadInput

LAYOUTS = ("packstack", "debian", "kolla", "devstack", "sandbox")
DEFAULT_SITE = "sandbox"
"""The site that commands take when none is named."""
SETTINGS = "stackbook.toml"
HOST_SETTINGS = {"address", "roles", "user", "port", "key", "jump", "known_hosts"}
SECRET_SETTINGS = ("password", "token", "secret", "passphrase")


@dataclass(frozen=True)
class HostSettings:
    """One host of a site, as ``stackbook.toml`` names it."""

    name: str
    address: str = "localhost"
    roles: tuple[str, ...] = ()
    user: str | None = None
    """Who logs in over SSH; None: what ``~/.ssh/config`` says, else the user who runs stackbook."""
    port: int | None = None
    key: str | None = None
    """Path of a private key; without it those of the agent and of ``~/.ssh``."""
    jump: str | None = None
    """The host to go through, as ``user@host:port``."""
    known_hosts: str | None = None
    """Path of the file of known host keys, instead of the user's own."""
    root: str = "/"
    """The folder that is the host's ``/``; only a sandbox's hosts have another."""


@dataclass(frozen=True)
class SiteSettings:
    """A site: a cloud, a layout and its hosts; never a secret."""

    name: str
    layout: str
    cloud: str | None = None
    """Entry of ``clouds.yaml``; ``envvars`` for the ``OS_*`` variables."""
    rc: str | None = None
    """Path of a ``keystonerc_admin`` file, as Packstack writes it."""
    sandbox: str | None = None
    """Name of the sandbox that this site is."""
    hosts: dict[str, HostSettings] = field(default_factory=dict)


def at_site(hint: str, site: str) -> str:
    """A hint that is a command of ours, with the site that it is about where the command would take another; else as it is."""
    ours = hint.startswith(("stackbook run ", "stackbook trace "))
    return f"{hint} --site {shlex.quote(site)}" if ours and site not in ("", DEFAULT_SITE) and "--site" not in hint else hint


def workspace(start: Path | None = None) -> Path:
    """The nearest folder at or above `start` that holds ``stackbook.toml``; else `start` itself."""
    here = (start or Path.cwd()).resolve()
    return next((folder for folder in (here, *here.parents) if (folder / SETTINGS).is_file()), here)


def site_settings(name: str, folder: Path | None = None) -> SiteSettings:
    """The settings of site `name`: from ``stackbook.toml``, else a sandbox, else an entry of ``clouds.yaml``."""
    listed = _sites(folder or workspace())
    if name in listed:
        return _site(name, listed[name])
    if name == "sandbox" or name.startswith("sandbox:"):
        return sandbox_site(name, name.partition(":")[2] or "default")
    if name == "envvars" or name in cloud_names():
        return SiteSettings(name, layout="packstack", cloud=name)
    known = sorted({*listed, "sandbox", *cloud_names()})
    raise BadInput(
        f"site {name!r} is not known (known: {', '.join(known)})",
        hint=f"add [sites.{name}] to {SETTINGS}, or the cloud to clouds.yaml",
    )


def site_names(folder: Path | None = None) -> list[str]:
    """The sites of the workspace's ``stackbook.toml``, in its order."""
    return list(_sites(folder or workspace()))


def sandbox_home(name: str = "default") -> Path:
    """The folder of the sandbox `name`, whether or not it exists."""
    base = os.environ.get("STACKBOOK_SANDBOX_HOME")
    if base:
        return Path(base) / name
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "stackbook" / "sandbox" / name


def sandbox_settings(name: str) -> dict[str, Any]:
    """The ``sandbox.json`` of the sandbox `name`: ports, password, hosts."""
    path = sandbox_home(name) / "sandbox.json"
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        option = "" if name == "default" else f" --name {name}"
        raise BadInput(f"sandbox {name!r} does not exist yet", hint=f"stackbook sandbox up{option}") from None


def sandbox_site(site: str, sandbox: str) -> SiteSettings:
    """The settings of a site that is a sandbox: its hosts are the folders below its ``hosts/``."""
    home = sandbox_home(sandbox)
    sandbox_settings(sandbox)
    roles = {"controller1": ("controller", "network"), "compute1": ("compute",), "compute2": ("compute",)}
    hosts = {host: HostSettings(host, roles=roles.get(host, ()), root=str(home / "hosts" / host)) for host in roles}
    return SiteSettings(site, layout="sandbox", sandbox=sandbox, hosts=hosts)


def cloud_names() -> list[str]:
    """The entries of the ``clouds.yaml`` that an OpenStack client would read."""
    import yaml

    names: set[str] = set()
    for path in clouds_files():
        try:
            clouds = (yaml.safe_load(path.read_text()) or {}).get("clouds") or {}
        except (OSError, yaml.YAMLError, AttributeError):
            continue
        names.update(str(name) for name in clouds)
    return sorted(names)


def clouds_files() -> list[Path]:
    """The ``clouds.yaml`` files that an OpenStack client would read."""
    if named := os.environ.get("OS_CLIENT_CONFIG_FILE"):
        return [Path(named)]
    folders = (Path.cwd(), Path.home() / ".config" / "openstack", Path("/etc/openstack"))
    return [folder / "clouds.yaml" for folder in folders]


def _sites(folder: Path) -> dict[str, Any]:
    path = folder / SETTINGS
    if not path.is_file():
        return {}
    try:
        return dict(tomllib.loads(path.read_text()).get("sites", {}))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not readable as TOML: {error}", hint="mend the line named") from None


def _site(name: str, table: dict[str, Any]) -> SiteSettings:
    _refuse_secrets(name, table)
    layout = table.get("layout", "packstack")
    if layout not in LAYOUTS:
        raise BadInput(f"{SETTINGS}: site {name}: layout {layout!r} is not one of {', '.join(LAYOUTS)}")
    if layout == "sandbox":
        return sandbox_site(name, table.get("sandbox", "default"))
    hosts = {host: _host(host, entry) for host, entry in table.get("hosts", {}).items()}
    return SiteSettings(name, layout, cloud=table.get("cloud", None if "rc" in table else name), rc=table.get("rc"), hosts=hosts)


def _host(name: str, entry: dict[str, Any]) -> HostSettings:
    unknown = sorted(set(entry) - HOST_SETTINGS)
    if unknown:
        known = ", ".join(sorted(HOST_SETTINGS))
        raise BadInput(f"{SETTINGS}: host {name}: {unknown[0]!r} is not a setting (known: {known})", hint="mend its name")
    return HostSettings(name, **{"address": name, **entry, "roles": tuple(entry.get("roles", ()))})


def _refuse_secrets(site: str, table: dict[str, Any]) -> None:
    for name, value in table.items():
        if isinstance(value, dict):
            _refuse_secrets(site, value)
        elif any(word in name.lower() for word in SECRET_SETTINGS):
            raise BadInput(
                f"{SETTINGS}: site {site}: {name} looks like a secret, which does not belong there",
                hint="put it into clouds.yaml or secure.yaml, and name that entry as cloud",
            )
