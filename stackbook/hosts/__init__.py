"""Hosts: run a command, read and write a file; the only place that starts a process on a host."""

from stackbook.hosts.everywhere import Answers, everywhere
from stackbook.hosts.host import Host, HostFailed, Result, Stat
from stackbook.hosts.local import LocalHost
from stackbook.hosts.opening import open_host
from stackbook.hosts.ssh import SshHost

__all__ = ["Answers", "Host", "HostFailed", "LocalHost", "Result", "SshHost", "Stat", "everywhere", "open_host"]
