"""Fabric's connections with host keys enforced, and what stands in the way of one as an operator reads it."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from stackbook.config import HostSettings
from stackbook.errors import Unreachable

if TYPE_CHECKING:
    from fabric import Connection

CONNECT_S = 10
"""Seconds that a host may take to answer."""


def connection(settings: HostSettings) -> Connection:
    """The unopened connection to a host: keys of the agent, of ``~/.ssh`` and of its settings; never a password.

    What ``~/.ssh/config`` says of the address holds (user, port, identity file, jump host, known hosts).
    """
    from fabric import Connection

    logging.getLogger("paramiko").addHandler(logging.NullHandler())  # its tracebacks; what they mean is in our errors
    keys = {"key_filename": str(Path(settings.key).expanduser())} if settings.key else {}
    gateway = Connection(settings.jump, connect_timeout=CONNECT_S, connect_kwargs=dict(keys)) if settings.jump else None
    made = Connection(
        settings.address, settings.user, settings.port, gateway=gateway, connect_timeout=CONNECT_S, connect_kwargs=keys
    )
    hop = made
    while isinstance(hop, Connection):
        _enforce_host_key(hop, settings.known_hosts)
        hop = hop.gateway
    return made


def _enforce_host_key(hop: Connection, named: str | None) -> None:
    """Fabric would take any unknown key; we take those of known_hosts only."""
    from paramiko import RejectPolicy

    hop.client.set_missing_host_key_policy(RejectPolicy())
    listed = [named] if named else [*hop.ssh_config.get("userknownhostsfile", "~/.ssh/known_hosts").split()]
    for place in [*listed, "/etc/ssh/ssh_known_hosts"]:
        path = Path(place).expanduser()
        if path.is_file():
            hop.client.load_system_host_keys(str(path))


def refusal(name: str, made: Connection, error: Exception) -> Unreachable:
    """Why no connection came about, and the next step."""
    from paramiko import AuthenticationException, BadHostKeyException, PasswordRequiredException
    from paramiko.ssh_exception import SSHException

    at = f"{made.host}" if made.port == 22 else f"{made.host}:{made.port}"
    port = "" if made.port == 22 else f"-p {made.port} "
    login = f"ssh {port}{made.user}@{made.host}"
    if isinstance(error, BadHostKeyException):
        what = f"{name}: {at} has another host key than known_hosts says: someone else may answer in its place"
        return Unreachable(what, hint=f"compare it on the host's console; if it is the host's new one: ssh-keygen -R {made.host}")
    if isinstance(error, PasswordRequiredException):
        return Unreachable(f"{name}: the key for {made.user}@{at} is locked by a passphrase", hint="ssh-add, then run it again")
    if isinstance(error, AuthenticationException):
        return Unreachable(f"{name}: {at} accepts no key of ours for user {made.user}", hint=f"ssh-copy-id, then check: {login}")
    if isinstance(error, SSHException) and "not found in known_hosts" in str(error):
        what = f"{name}: the host key of {at} is not in known_hosts"
        return Unreachable(what, hint=f"{login}  once, comparing the fingerprint that it shows with the host's own")
    reason = "its name is not known" if isinstance(error, socket.gaierror) else str(error) or type(error).__name__
    return Unreachable(f"{name}: no connection to {at}: {reason}", hint=f"check that it is up and reachable: {login}")
