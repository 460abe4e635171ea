"""The clocks of hosts: all run on one machine, but a host's may be wrong. Standard library only.

``/var/lib/clock`` of a host holds the seconds that its clock is ahead; without that file it is right. Its ``date`` tells
the time by it, and so do its services: in their logs, and in what they send to others.
"""

from __future__ import annotations

import copy
import logging
import time
from pathlib import Path

FILE = "var/lib/clock"


def ahead(root: Path) -> float:
    """Seconds that the clock of the host with the root folder `root` is ahead, negative when it is behind."""
    try:
        return float((root / FILE).read_text())
    except (OSError, ValueError):
        return 0.0


def formatter(like: logging.Formatter, root: Path) -> logging.Formatter:
    """A formatter like `like` with times by the clock of the host with the root folder `root`."""
    made = copy.copy(like)
    made.converter = lambda seconds: time.localtime((seconds or 0.0) + ahead(root))
    return made
