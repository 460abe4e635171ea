"""Where a volume's bytes lie, when its backend is on this machine."""

from __future__ import annotations

import glob
import os
import socket
from typing import TYPE_CHECKING

from stackbook.config import sandbox_home

if TYPE_CHECKING:
    from stackbook.site import Site


def readable(site: Site, volume: str, access: int = os.R_OK) -> str:
    """The path of the volume's raw bytes on this machine; empty where they can't be read (or `access`) from here."""
    if site.settings.sandbox:
        devices = [str(sandbox_home(site.settings.sandbox) / "data" / "volumes" / f"volume-{volume}")]
    else:
        devices = [os.path.realpath(path) for path in glob.glob(f"/dev/*/volume-{volume}")]
    return devices[0] if len(devices) == 1 and os.access(devices[0], access) else ""


def reachable(site: Site) -> bool:
    """Whether this machine holds volumes and may write to them: an LVM volume host, as cinder tells administrators."""
    if site.settings.sandbox:
        return os.access(sandbox_home(site.settings.sandbox) / "data" / "volumes", os.W_OK)
    if not os.access("/dev/mapper/control", os.W_OK):
        return False
    answer = site.conn.block_storage.get("/scheduler-stats/get_pools?detail=True", raise_exc=False)
    pools = answer.json().get("pools", []) if answer.status_code == 200 else []
    told = (str(pool.get("capabilities", {}).get("location_info") or "").split(":") for pool in pools)
    here = (socket.gethostname(), socket.getfqdn())
    return any(place[0] == "LVMVolumeDriver" and place[1].split("@")[0] in here for place in told if len(place) > 2)
