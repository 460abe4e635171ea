"""Lets each agent's heartbeats carry the time of its own host, which may be wrong."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace


def apply() -> None:
    """Replace the clock of `neutron.agent.rpc`, which looks at it for nothing else."""
    from neutron.agent import rpc

    rpc.timeutils = SimpleNamespace(utcnow=_host_time)


def _host_time() -> datetime:
    from oslo_utils import timeutils

    from openstack_sandbox import clock, neutron_logs

    root = neutron_logs.host_root()
    now: datetime = timeutils.utcnow()
    return now + timedelta(seconds=clock.ahead(root)) if root else now
