"""Loopback ports: chosen free, kept, and changed in the configuration when another process took one."""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Collection, Mapping
from pathlib import Path

from stackbook.sandbox.failure import SandboxFailed
from stackbook.sandbox.settings import write_private

RANGE = range(20_000, 32_000)
"""Below the ports that Linux gives to outgoing connections, so that none of those is ever in a service's place."""


def free(port: int) -> bool:
    """Whether a service could listen on `port` of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
    return True


def choose(projects: Collection[str], taken: Collection[int]) -> dict[str, int]:
    """A free port for each of `projects`, none of them in `taken` (what other sandboxes recorded)."""
    candidates = (port for port in random.sample(RANGE, len(RANGE)) if port not in taken and free(port))
    chosen = dict(zip(projects, candidates, strict=False))
    if len(chosen) < len(projects):
        raise SandboxFailed(f"no free port between {RANGE.start} and {RANGE.stop - 1} on 127.0.0.1")
    return chosen


def rewrite(home: Path, changed: Mapping[int, int]) -> list[Path]:
    """Put new ports (`changed`: old to new) in place of old ones in the hosts' configuration; the files changed.

    Only loopback addresses and options named ``port`` or ``…_port`` are touched: an operator's edits stay.
    """
    if not changed:
        return []
    numbers = "|".join(map(str, changed))
    pattern = re.compile(
        rf"(?P<before>(?:127\.0\.0\.1|localhost):|^[ \t]*(?:\w+_)?port[ \t]*[=:][ \t]*)(?P<port>{numbers})\b", re.MULTILINE
    )
    return [path for path in _configuration(home) if _rewrite(path, pattern, changed)]


def _configuration(home: Path) -> list[Path]:
    return [path for path in sorted(home.glob("hosts/*/etc/**/*")) if path.is_file() and not path.is_symlink()]


def _rewrite(path: Path, pattern: re.Pattern[str], changed: Mapping[int, int]) -> bool:
    try:
        before = path.read_bytes().decode()
    except UnicodeDecodeError:
        return False  # keys and certificates hold no ports
    after = pattern.sub(lambda match: match["before"] + str(changed[int(match["port"])]), before)
    if after != before:
        write_private(path, after, path.stat().st_mode & 0o777)
    return after != before
