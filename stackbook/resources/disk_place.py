"""Where a volume's bytes lie, when its backend is on this machine."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING

from stackbook.config import sandbox_home

if TYPE_CHECKING:
    from stackbook.site import Site


def readable(site: Site, volume: str) -> str:
    """The path of the volume's raw bytes on this machine; empty where they can't be read from here."""
    if site.settings.sandbox:
        found = str(sandbox_home(site.settings.sandbox) / "data" / "volumes" / f"volume-{volume}")
        return found if os.access(found, os.R_OK) else ""
    devices = [os.path.realpath(path) for path in glob.glob(f"/dev/*/volume-{volume}")]
    return devices[0] if len(devices) == 1 and os.access(devices[0], os.R_OK) else ""
