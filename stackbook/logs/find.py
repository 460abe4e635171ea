"""Which log files a host has, in every layout, rotated and compressed ones too.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence

PROJECTS = (
    *("aodh", "barbican", "ceilometer", "cinder", "cloudkitty", "designate", "glance", "gnocchi", "heat", "horizon"),
    *("ironic", "keystone", "magnum", "manila", "masakari", "mistral", "neutron", "nova", "octavia", "placement"),
    *("sahara", "swift", "trove", "watcher", "zun"),
)
NEIGHBOURS = ("apache2", "haproxy", "httpd", "libvirt", "mariadb", "mysql", "openvswitch", "ovn", "rabbitmq")
"""Programs that OpenStack stands on; their logs explain its own."""
PLACES = ("var/log", "var/log/kolla", "var/log/containers", "opt/stack/logs", "opt/stack/new/logs")
PODS = "var/log/pods"
COMPRESSED = (".gz", ".xz", ".bz2", ".zst")
_LOG = re.compile(r"\.(?:log|err|out)(?:[.-][\w.:-]*)?$|^(?:access|error)_?\.?log")
_COMPRESSED = re.compile(r"\.(?:gz|xz|bz2|zst)$")
_ROTATION = re.compile(r"(?:[.-](?:\d{1,4}|\d{8}(?:-?\d{2,10})?|\d{4}-\d\d-\d\d\S*|old))+$")
_DEPTH = 4
LEAST_ROOM = 64 * 1024
"""Bytes; a disk with less is full."""
NO_FILE = "it is a device or a pipe, no file: what was logged to it is gone"


class LogFile:
    """A log file, opened: rotation while it is searched can't take it away."""

    __slots__ = ("compression", "fd", "left", "modified", "newest", "path", "service", "size", "told")

    def __init__(self, path: str, fd: int, status: os.stat_result, service: str) -> None:
        self.path = path
        """As the host names it, from its own root."""
        self.fd = fd
        self.size = status.st_size
        self.modified = status.st_mtime
        self.service = service
        self.compression = compression_of(path)
        self.newest: float | None = None
        """Time of its last record that was told."""
        self.told = 0
        """Records of it that were told."""
        self.left = False
        """Whether nothing more of it is wanted."""


def compression_of(path: str) -> str:
    """How the file is compressed, as its name's ending; empty when it is not."""
    return next((kind for kind in COMPRESSED if path.endswith(kind)), "")


def find_logs(root: str, extra: Sequence[str] = ()) -> tuple[list[LogFile], list[tuple[str, str]]]:
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
        name = _named(path, root)
        regular = stat.S_ISREG(status.st_mode)
        if (status.st_dev, status.st_ino) in files or status.st_size == 0 or not regular:
            os.close(fd)
            if not regular:
                unread.append((name, NO_FILE))
            continue
        files[status.st_dev, status.st_ino] = LogFile(name, fd, status, service_of(name))
    return sorted(files.values(), key=lambda file: file.path), unread


def service_of(path: str) -> str:
    """The service that writes `path`, such as ``nova-compute``."""
    parts = path.strip("/").split("/")
    if "pods" in parts and len(parts) > parts.index("pods") + 2:
        return parts[parts.index("pods") + 2]
    name = _ROTATION.sub("", _COMPRESSED.sub("", parts[-1]))
    if "containers" in parts and "_" in name:
        return re.sub(r"-[0-9a-f]{64}$", "", name.rsplit("_", 1)[-1].rsplit(".log", 1)[0])
    name = re.sub(r"\.(?:log|err|out)$", "", name.partition(".log")[0] if ".log." in name or ".log-" in name else name)
    return DEVSTACK_UNITS.get(name, name)


DEVSTACK_UNITS = {
    "n-api": "nova-api",
    "n-api-meta": "nova-api-metadata",
    "n-cpu": "nova-compute",
    "n-sch": "nova-scheduler",
    "n-cond": "nova-conductor",
    "n-super-cond": "nova-conductor",
    "n-cond-cell1": "nova-conductor",
    "n-novnc-cell1": "nova-novncproxy",
    "q-svc": "neutron-server",
    "neutron-api": "neutron-server",
    "q-agt": "neutron-openvswitch-agent",
    "q-dhcp": "neutron-dhcp-agent",
    "q-l3": "neutron-l3-agent",
    "q-meta": "neutron-metadata-agent",
    "c-api": "cinder-api",
    "c-sch": "cinder-scheduler",
    "c-vol": "cinder-volume",
    "c-bak": "cinder-backup",
    "g-api": "glance-api",
    "g-reg": "glance-registry",
    "placement": "placement-api",
}
"""DevStack's names of services."""


def _named(path: str, root: str) -> str:
    return "/" + os.path.relpath(path, root)


def _candidates(root: str, extra: Sequence[str], unread: list[tuple[str, str]]) -> Iterator[str]:
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


def _walk(folder: str, root: str, unread: list[tuple[str, str]], depth: int) -> Iterator[str]:
    """The log files below `folder`; links to folders are not followed, so that nothing is walked for ever."""
    for name in sorted(_listed(folder, root, unread)):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            if not os.path.islink(path) and depth < _DEPTH:
                yield from _walk(path, root, unread, depth + 1)
        elif _LOG.search(name):
            yield path


def _listed(folder: str, root: str, unread: list[tuple[str, str]]) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        unread.append((_named(folder, root), error.strerror or str(error)))
        return []


def full_folders(root: str, files: Sequence[LogFile]) -> list[str]:
    """The folders of `files` in whose file system there is no room."""
    folders = sorted({os.path.dirname(file.path) for file in files})
    return [folder for folder in folders if _room(os.path.join(root, folder.lstrip("/"))) < LEAST_ROOM]


def _room(folder: str) -> int:
    try:
        found = os.statvfs(folder)
    except OSError:
        return LEAST_ROOM
    return found.f_bavail * found.f_frsize
