"""Commands on the sandbox's hosts, so that a runbook for hosts need not know that they are not real."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from stackbook.sandbox.inside.openstack_sandbox import disks, rack
from stackbook.sandbox.settings import write_private

_BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from openstack_sandbox.systemctl import main; main()"

_BOOT_DISKS = _BOOT.replace("systemctl", "disks")

_SYSTEMCTL = """\
#!/bin/sh
# Stands in for systemd's systemctl on the sandbox host {host}; rewritten at each start of the sandbox.
exec {python} -I -S -c {boot} {inside} {home} {host} "$@"
"""

_ENTERED = """\
#!/bin/sh
# {program} of the sandbox host {host}: on its own network interfaces and Open vSwitch; rewritten at each start.
exec {python} -I -S -c {enter} {inside} {home} {host} {program} "$@"
"""

_HOSTNAME = """\
#!/bin/sh
# Stands in for hostname on the sandbox host {host}; rewritten at each start of the sandbox.
case "$1" in
    "" | -s | --short | -f | --fqdn | --long) echo {host} ;;
    *) echo "hostname: only -s and -f are known on a sandbox host" >&2; exit 1 ;;
esac
"""

_DATE = """\
#!/bin/sh
# Stands in for date on the sandbox host {host}, whose clock may be wrong; rewritten at each start of the sandbox.
now=$({date} +%s.%N) ahead=$(cat {root}/var/lib/clock 2>/dev/null)
exec {date} -d "@$((${{now%.*}} + ${{ahead:-0}})).${{now#*.}}" "$@"
"""

_JOURNALCTL = """\
#!/bin/sh
# Stands in for journalctl on the sandbox host {host}: prints all entries, in the form of "-o export".
cat {root}/run/log/journal/entries 2>/dev/null
exit 0
"""

_DISKS = """\
#!/bin/sh
# Looks at and uses the disks of the sandbox host {host}, which are files; rewritten at each start of the sandbox.
exec {python} -I -S -c {boot_disks} {inside} {root} "${{0##*/}}" "$@"
"""


def write(home: Path, host: str, python: Path, inside: Path) -> None:
    """Put the commands into ``/usr/bin`` of the sandbox host `host`."""
    folder = home / "hosts" / host / "usr" / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    date = shutil.which("date") or "/bin/date"
    values = {
        "date": date,
        "root": home / "hosts" / host,
        "python": python,
        "boot": _BOOT,
        "boot_disks": _BOOT_DISKS,
        "enter": rack.BOOT.format(module="rack_entry"),
        "inside": inside,
        "home": home,
        "host": host,
    }
    quoted = {name: shlex.quote(str(value)) for name, value in values.items()}
    commands = {"systemctl": _SYSTEMCTL, "hostname": _HOSTNAME, "date": _DATE, "journalctl": _JOURNALCTL, "disks": _DISKS}
    for name, text in commands.items():
        write_private(folder / name, text.format(**quoted), 0o700)
    for name in disks.COMMANDS:  # all of them: none may reach the machine's own disks
        if not (folder / name).is_symlink():
            (folder / name).symlink_to("disks")
    for program in rack.PROGRAMS:
        write_private(folder / program, _ENTERED.format(program=program, **quoted), 0o700)
