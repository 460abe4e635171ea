"""The connection to a real host is lost before or amid each command that changes it; done again, all is there once."""

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
    ("wanted", "seen", "after", "words"),
    [
        pytest.param(
            test_bridges.wanted, test_bridges.bridges, {"br-ex": ["eno2"]}, ("add-br", "add-port", "link set"), id="bridge"
        ),
        pytest.param(
            test_disks.wanted, test_disks.groups, {test_disks.GROUP: ["/dev/vdb"]}, ("pvcreate", "vgcreate"), id="group"
        ),
    ],
)
def test_a_connection_lost_at_each_step(
    wanted: Wanted,
    seen: Seen,
    after: object,
    words: tuple[str, ...],
    lab: Callable[[], Site],
    guest_host: Host,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bridge with its interface; a volume group on a disk; undone from both runs, nothing is left."""
    before = seen(guest_host)
    wire = cuts(monkeypatch, AMID_S, *words)

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

    at_each_step(attempt, least=2)


def _made(wanted: Wanted, lab: Callable[[], Site]) -> Site:
    site = lab()
    planned = plan(wanted(), site)
    apply(planned, site, approve=planned.digest)
    verify(planned, site)
    return site
