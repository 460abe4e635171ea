"""Services as resources: what systemd's stamps say, and restarts that do not repeat themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from stackbook import apply, plan, verify
from stackbook.resources import IniOption, Service
from stackbook.site import Site
from stackbook.units import started

AGENT = "neutron-openvswitch-agent"
INI = "/etc/neutron/plugins/ml2/openvswitch_agent.ini"


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_stamps(moment: datetime) -> None:
    """A stamp is read to the microsecond; one without a fraction stands for the end of its second."""
    assert abs(started(moment.strftime("%a %Y-%m-%d %H:%M:%S.%f UTC")) - moment.timestamp()) < 1e-3
    whole = moment.replace(microsecond=0)
    assert started(whole.strftime("%a %Y-%m-%d %H:%M:%S UTC")) == whole.timestamp() + 1


def test_never_started() -> None:
    """A service that never became active has no stamp."""
    assert started("") == started("n/a") == 0.0


def test_restarts_right_after_an_edit(new_site: Callable[[], Site]) -> None:
    """An edit and the restart in the same second leave nothing to do, time after time."""
    for number in range(4):
        site = new_site()
        option = IniOption(host="compute1", path=INI, section="agent", option="polling_interval", value=str(3 + number))
        planned = plan([option, Service(host="compute1", name=AGENT, fresh=True)], site)
        assert [change.action for change in planned.plan] == ["create" if number == 0 else "update", "update"]
        apply(planned, site, approve=planned.digest)
        assert verify(planned, site) == []
