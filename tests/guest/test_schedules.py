"""Schedules under a systemd that runs: words arrive as they are, it is listed how it ended, and it goes."""

from __future__ import annotations

import time

import pytest

from stackbook.errors import BadInput
from stackbook.hosts import Host
from stackbook.runbook.schedules import Schedule, Schedules

WORDS = ["a b", "100%", "$HOME", 'a "quoted" word', "back\\slash", "it's", "#", "", ";", "%h"]
SEEN = "/root/seen"
STANDS_IN = f"""#!/bin/sh
# Stands in for stackbook, which the guest has no room for: keeps its words, ends as a run does whose plan awaits approval
printf '%s\\n' "$@" > {SEEN}
exit 2
"""


def test_a_schedule_runs_and_goes(guest_host: Host) -> None:
    """Every two seconds, from the root of the file system; afterwards no file and no timer is left."""
    guest_host.write("/usr/local/bin/fake_stackbook", STANDS_IN.encode(), 0o755)
    schedules = Schedules(guest_host)
    schedule = Schedule("trial", "*:*:0/2", ["/usr/local/bin/fake_stackbook", "-m", "stackbook", *WORDS], "/")
    try:
        assert schedules.add(schedule)
        assert schedules.add(schedule), "the same again changes nothing"
        until = time.monotonic() + 60
        while not (seen := guest_host.read(SEEN)) and time.monotonic() < until:
            time.sleep(0.5)
        assert (seen or b"").decode() == "\n".join(["-m", "stackbook", *WORDS]) + "\n"
        while "-" in (row := schedules.all()[0]).values() or row["ended"] == "runs now":  # while it runs there is no next
            assert time.monotonic() < until, row
            time.sleep(0.2)
        assert (row["name"], row["at"], row["ended"]) == ("trial", "*:*:0/2", "changes await approval")
    finally:
        schedules.remove("trial")
        guest_host.run(["rm", "-f", SEEN, "/usr/local/bin/fake_stackbook"])
    assert schedules.all() == []
    assert "stackbook" not in guest_host.run(["systemctl", "list-timers", "--all"]).out
    with pytest.raises(BadInput, match="no schedule 'trial'"):
        schedules.remove("trial")
