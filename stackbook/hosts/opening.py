"""Which kind of host a site's settings mean."""

from __future__ import annotations

from stackbook.config import HostSettings
from stackbook.hosts.host import Host
from stackbook.hosts.local import LocalHost
from stackbook.hosts.ssh import SshHost

HERE = ("localhost", "127.0.0.1", "::1")


def open_host(settings: HostSettings) -> Host:
    """The host of `settings`: this machine, a sandbox's folder, or one over SSH, which is reached at its first use."""
    here = settings.root != "/" or (settings.address in HERE and settings.port is None)
    return LocalHost(settings) if here else SshHost(settings)
