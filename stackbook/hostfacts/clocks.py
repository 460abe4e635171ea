"""The hosts' clocks: how far they are from this machine's, and who keeps them."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from stackbook.hosts import HostFailed

if TYPE_CHECKING:
    from stackbook.hosts import Host
    from stackbook.site import Site

Row = dict[str, Any]
UNKNOWN = "not told"


def clock(_: Site, host: Host) -> list[Row]:
    """Offset of a host's clock from this machine's, within what the question took; whether time is kept, and by whom."""
    offset, within = min((_measured(host) for _ in range(3)), key=lambda pair: pair[1])
    return [{"offset_s": round(offset, 3), "within_s": round(within, 3), **(_chrony(host) or _timedatectl(host))}]


def _measured(host: Host) -> tuple[float, float]:
    asked = time.time()
    told = float(host.run(["date", "+%s.%N"]).out)
    answered = time.time()
    return told - (asked + answered) / 2, (answered - asked) / 2


def _chrony(host: Host) -> Row:
    """What chrony says of itself; empty where it does not run."""
    with suppress(HostFailed):
        fields = host.run(["chronyc", "-c", "tracking"]).out.strip().split(",")
        if len(fields) >= 14:
            return {
                "kept_by": "chrony",
                "synchronized": fields[13] != "Not synchronised",
                "source": fields[1],
                "stratum": int(fields[2]),
            }
    return {}


def _timedatectl(host: Host) -> Row:
    """What systemd says; a host without it tells nothing."""
    with suppress(HostFailed):
        told = host.run(["timedatectl", "show", "--property=NTPSynchronized", "--property=NTP"]).out
        pairs = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        if "NTPSynchronized" in pairs:
            kept = "systemd-timesyncd" if pairs.get("NTP") == "yes" else UNKNOWN
            return {"kept_by": kept, "synchronized": pairs["NTPSynchronized"] == "yes"}
    return {"kept_by": UNKNOWN, "synchronized": None}
