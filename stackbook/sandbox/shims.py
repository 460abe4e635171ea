"""Commands on the sandbox's hosts, so that a runbook for hosts need not know that they are not real."""

from __future__ import annotations

import shlex
from pathlib import Path

from stackbook.sandbox.settings import write_private

_BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from openstack_sandbox.systemctl import main; main()"

_SYSTEMCTL = """\
#!/bin/sh
# Stands in for systemd's systemctl on the sandbox host {host}; rewritten at each start of the sandbox.
exec {python} -I -S -c {boot} {inside} {home} {host} "$@"
"""

_HOSTNAME = """\
#!/bin/sh
# Stands in for hostname on the sandbox host {host}; rewritten at each start of the sandbox.
case "$1" in
    "" | -s | --short | -f | --fqdn | --long) echo {host} ;;
    *) echo "hostname: only -s and -f are known on a sandbox host" >&2; exit 1 ;;
esac
"""


def write(home: Path, host: str, python: Path, inside: Path) -> None:
    """Put ``systemctl`` and ``hostname`` into ``/usr/bin`` of the sandbox host `host`."""
    folder = home / "hosts" / host / "usr" / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    values = {"python": python, "boot": _BOOT, "inside": inside, "home": home, "host": host}
    quoted = {name: shlex.quote(str(value)) for name, value in values.items()}
    write_private(folder / "systemctl", _SYSTEMCTL.format(**quoted), 0o700)
    write_private(folder / "hostname", _HOSTNAME.format(**quoted), 0o700)
