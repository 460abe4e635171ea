"""Which log files a host has, in every layout, rotated and compressed ones too.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only.
"""

from __future__ import annotations

import os
import re

PROJECTS = (
    *("aodh", "barbican", "ceilometer", "cinder", "cloudkitty", "designate", "glance", "gnocchi", "heat", "horizon", "ironic", "keystone"),
    *("magnum", "manila", "masakari", "mistral", "neutron", "nova", "octavia", "placement", "sahara", "swift", "trove", "watcher", "zun"),
)
NEIGHBOURS = ("apache2", "haproxy", "httpd", "libvirt", "mariadb", "mysql", "openvswitch", "ovn", "rabbitmq")
"""Programs that OpenStack stands on; their logs explain its own."""
PLACES = ("var/log", "var/log/kolla", "var/log/containers", "opt/stack/logs", "opt/stack/new/logs")
PODS = "var/log/pods"
COMPRESSED = (".gz", ".xz", ".bz2", ".zst")
_LOG = re.compile(r"\.(?:log|err|out)(?:[.-][\w.:-]*)?$|^(?:access|error)_?\.?log")
_ROTATION = re.compile(r"(?:[.-](?:\d{1,4}|\d{8}(?:-?\d{2,10})?|\d{4}-\d\d-\d\d\S*|old))+$")
_DEPTH = 4


class LogFile:
    """A log file, opened: rotation while it is searched can't take it away."""

    __slots__ = ("compression", "fd", "inode", "modified", "path", "service", "size", "start")

    def __init__(self, path, fd, status, service):  # type: ignore[no-untyped-def]
        self.path: str = path
        """As the host names it, from its own root."""
        self.fd: int = fd
        self.inode: tuple[int, int] = (status.st_dev, status.st_ino)
        self.size: int = status.st_size
        self.modified: float = status.st_mtime
        self.service: str = service
        self.compression: str = next((kind for kind in COMPRESSED if path.endswith(kind)), "")
        self.start: int = 0
        """Bytes at its beginning that lie before the time asked for."""


def find_logs(root, extra=()):  # type: ignore[no-untyped-def]
    """Open every log file below `root`: the files, each inode once, and ``(path, reason)`` of those that can't be read."""
    files: dict[tuple[int, int], LogFile] = {}
    unread: list[tuple[str, str]] = []
    for path in _candidates(root, extra, unread):
        try:
            fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | os.O_NONBLOCK)
            status = os.fstat(fd)
        except OSError as error:
            unread.append((_named(path, root), error.strerror or str(error)))
            continue
        if (status.st_dev, status.st_ino) in files or status.st_size == 0 or not _regular(status.st_mode):
            os.close(fd)
            continue
        name = _named(path, root)
        files[status.st_dev, status.st_ino] = LogFile(name, fd, status, service_of(name))
    return sorted(files.values(), key=lambda file: file.path), unread


def service_of(path):  # type: ignore[no-untyped-def]
    """The service that writes `path`, such as ``nova-compute``."""
    parts = path.strip("/").split("/")
    if "pods" in parts and len(parts) > parts.index("pods") + 2:
        return parts[parts.index("pods") + 2]
    name = parts[-1]
    for kind in COMPRESSED:
        if name.endswith(kind):
            name = name[: -len(kind)]
    name = _ROTATION.sub("", name)
    if "containers" in parts and "_" in name:
        return re.sub(r"-[0-9a-f]{64}$", "", name.rsplit("_", 1)[-1].rsplit(".log", 1)[0])
    name = re.sub(r"\.(?:log|err|out)$", "", name.partition(".log")[0] if ".log." in name or ".log-" in name else name)
    return DEVSTACK_UNITS.get(name, name)


DEVSTACK_UNITS = {
    **{"n-api": "nova-api", "n-api-meta": "nova-api-metadata", "n-cpu": "nova-compute", "n-sch": "nova-scheduler"},
    **{"n-cond": "nova-conductor", "n-super-cond": "nova-conductor", "n-cond-cell1": "nova-conductor", "n-novnc-cell1": "nova-novncproxy"},
    **{"q-svc": "neutron-server", "q-agt": "neutron-openvswitch-agent", "q-dhcp": "neutron-dhcp-agent", "q-l3": "neutron-l3-agent"},
    **{"q-meta": "neutron-metadata-agent", "neutron-api": "neutron-server", "neutron-rpc-server": "neutron-rpc-server"},
    **{"c-api": "cinder-api", "c-sch": "cinder-scheduler", "c-vol": "cinder-volume", "c-bak": "cinder-backup"},
    **{"g-api": "glance-api", "g-reg": "glance-registry", "placement": "placement-api"},
}
"""DevStack's names of services."""


def _regular(mode: int) -> bool:
    import stat

    return stat.S_ISREG(mode)


def _named(path: str, root: str) -> str:
    return "/" + os.path.relpath(path, root)


def _candidates(root, extra, unread):  # type: ignore[no-untyped-def]
    for place in PLACES:
        base = os.path.join(root, place)
        for name in (*PROJECTS, *NEIGHBOURS):
            for folder in (name, name + "-wsgi"):
                yield from _walk(os.path.join(base, folder), root, unread, 0)
        if place != "var/log":
            yield from _walk(base, root, unread, _DEPTH)
    for pod in _listed(os.path.join(root, PODS), root, unread):
        if pod.startswith("openstack_"):
            yield from _walk(os.path.join(root, PODS, pod), root, unread, 0)
    for path in extra:
        yield os.path.join(root, path.lstrip("/"))


def _walk(folder, root, unread, depth):  # type: ignore[no-untyped-def]
    """The log files below `folder`; links to folders are not followed, so that nothing is walked for ever."""
    for name in sorted(_listed(folder, root, unread)):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            if not os.path.islink(path) and depth < _DEPTH:
                yield from _walk(path, root, unread, depth + 1)
        elif _LOG.search(name):
            yield path


def _listed(folder, root, unread):  # type: ignore[no-untyped-def]
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        return []
    except OSError as error:
        unread.append((_named(folder, root), error.strerror or str(error)))
        return []
