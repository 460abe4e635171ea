"""A change that is killed in its middle: in a child that dies by ``kill -9`` when a host's command begins, or has ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

from stackbook.hosts import SshHost
from stackbook.site import Site
from tests.killing import killed


def killed_at(command: str, moment: str, act: Callable[[], object]) -> bool:
    """Call `act` in a child that dies `moment` ("before" or "after") the first run of `command`; whether it died so."""

    def armed() -> None:
        _die_at(command, moment)
        act()

    return killed(armed)


def reopened(site: Site) -> Site:
    """The site for use in a child: its connections are its own, not the parent's."""
    for host in site.hosts.values():
        assert isinstance(host, SshHost)
        host._open = None
    return site


def _die_at(command: str, moment: str) -> None:
    run = SshHost.run

    def dying(self: SshHost, argv: Sequence[str], **options: Any) -> Any:
        if command not in argv:
            return run(self, argv, **options)
        if moment == "after":
            run(self, argv, **options)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    SshHost.run = dying  # type: ignore[method-assign, assignment]
