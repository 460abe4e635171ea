"""What runs under the services: operating system, kernel, packages."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from stackbook.hosts import HostFailed
from stackbook.services import CONTAINERS, MODULES
from stackbook.units import containers

if TYPE_CHECKING:
    from stackbook.hosts import Host
    from stackbook.site import Site

Row = dict[str, Any]
RPM = ("rpm", "-qa", "--queryformat", "%{NAME} %{VERSION}-%{RELEASE}\n")
DPKG = ("dpkg-query", "--show", "--showformat", "${Package} ${Version} ${db:Status-Status}\n")
TELLING = re.compile(
    rf"(?:openstack-|python3?-)?(?:{'|'.join(MODULES)})(?:-.*)?|libvirt(?:-daemon|-daemon-system)?|qemu-(?:kvm|img|utils|system-x86)(?:-core)?"
    r"|openvswitch(?:-switch|\d.*)?|ovn(?:-host|-central|-common|\d.*)?|rabbitmq-server|mariadb-server|chrony"
)
"""Packages whose version matters to a cloud."""


def system(_: Site, host: Host) -> list[Row]:
    """Operating system, kernel and running time of a host."""
    release = (host.read("/etc/os-release") or host.read("/usr/lib/os-release") or b"").decode(errors="replace")
    told = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    kernel = host.run(["uname", "-r"]).out.strip()
    up = (host.run(["cat", "/proc/uptime"]).out.split() or ["0"])[0]
    return [
        {
            "system": told.get("PRETTY_NAME", "").strip("\"'") or "not told",
            "kernel": kernel,
            "up_days": round(float(up) / 86400, 1),
        }
    ]


def packages(site: Site, host: Host) -> list[Row]:
    """The versions of OpenStack, libvirt, QEMU and Open vSwitch: packages, and in Kolla's layout images."""
    found = _packages(host)
    if site.settings.layout == CONTAINERS:
        found |= containers(host)
    return [{"package": name, "version": version} for name, version in sorted(found.items())]


def _packages(host: Host) -> dict[str, str]:
    listed = ""
    for asked in (RPM, DPKG):
        with suppress(HostFailed):  # the other one is tried; an rpm on Debian knows no packages
            listed += host.run(asked).out
    found = (line.split() for line in listed.splitlines())
    return {
        words[0]: words[1] for words in found if len(words) > 1 and words[-1] != "config-files" and TELLING.fullmatch(words[0])
    }
