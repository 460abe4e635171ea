"""The connection to a real host is lost before or amid each command of a change; done again, all is there once, and undone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from stackbook.engine import apply, plan, verify
from stackbook.errors import BadInput, Unreachable
from stackbook.hosts import Host
from stackbook.plans import Resource
from stackbook.site import Site
from tests.cutting import at_each_step, cuts
from tests.guest import test_bridges, test_disks
from tests.guest.conftest import undone

AMID_S = 0.1
"""Into a command; the guest's take longer."""
Wanted = Callable[[], list[Resource]]
Seen = Callable[[Host], object]


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        pytest.param(test_bridges.wanted, test_bridges.bridges, id="bridge"),
        pytest.param(test_disks.wanted, test_disks.groups, id="volume group"),
    ],
)
def test_a_connection_lost_at_each_step(
    wanted: Wanted, seen: Seen, lab: Callable[[], Site], guest_host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bridge with its interface; a volume group on a disk."""
    before = seen(guest_host)
    made = _made(wanted, lab)
    after = seen(guest_host)
    undone(made, lab())
    wire = cuts(monkeypatch, AMID_S)

    def attempt(number: int, moment: str) -> int:
        first = lab()
        planned = plan(wanted(), first)
        with wire.at(number, moment), contextlib.suppress(Unreachable):
            apply(planned, first, approve=planned.digest)
            verify(planned, first)
        calls = wire.calls
        again = _made(wanted, lab)
        assert seen(guest_host) == after
        for site in (again, first):
            with contextlib.suppress(BadInput):  # that run changed nothing
                undone(site, lab())
        assert seen(guest_host) == before
        return calls

    at_each_step(attempt)


def _made(wanted: Wanted, lab: Callable[[], Site]) -> Site:
    site = lab()
    planned = plan(wanted(), site)
    apply(planned, site, approve=planned.digest)
    verify(planned, site)
    return site
